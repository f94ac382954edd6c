(() => {
"use strict";
// Moves one cursor through all charts, looks closer at a stretch of time, and hides series; every value shown is embedded in the page.
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const values = JSON.parse(document.getElementById("data").textContent);
const root = document.documentElement;
root.classList.add("js");

const three = (value, unit) => value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0) + "\u00a0" + unit;
const duration = us => us < 999.5 ? Math.round(us) + "\u00a0µs" : us < 999500 ? three(us / 1e3, "ms") : three(us / 1e6, "s");
const print = (value, unit) => value == null ? "–" : unit === "us" ? duration(value) : unit === "r" ? (value / 10).toLocaleString("en-US", { maximumFractionDigits: 1 }) : value.toLocaleString("en-US") + (unit ? "\u00a0" + unit : "");
const percentile = rarity => "p" + Number((100 * (1 - 10 ** -rarity)).toFixed(3));
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));
const element = name => document.createElementNS("http://www.w3.org/2000/svg", name);

const charts = all("svg.chart[data-kind]").map(svg => {
  const [left, top, width, height] = svg.dataset.p.split(" ").map(Number);
  const [low, high] = svg.dataset.x.split(" ").map(Number);
  const line = element("path");
  line.setAttribute("class", "cursor");
  svg.append(line);
  const ticks = svg.querySelector(".ticks");
  return { svg, left, top, width, height, low, high, line, at: null, kind: svg.dataset.kind, plot: svg.querySelector("svg.plot"),
    ticks, usual: ticks && ticks.innerHTML, row: ticks && ticks.firstElementChild && ticks.firstElementChild.getAttribute("y"),
    series: values[svg.dataset.id] || [], hidden: new Set(), box: svg.closest(".box"), output: svg.closest("figure").querySelector(".read") };
});
const timed = charts.filter(chart => chart.kind === "time");
const whole = timed.length ? [timed[0].low, timed[0].high] : [0, 1];
// The stretch of time that is looked at, and the moment that is pinned.
let shown = whole;
let pinned = null;

const range = chart => chart.kind === "time" ? shown : [chart.low, chart.high];
const pixel = (chart, x, [low, high] = range(chart)) => chart.left + (x - low) / (high - low) * chart.width;

function text(chart, x) {
  const place = chart.kind === "percentile" ? percentile(x) : x.toFixed(2) + "\u00a0s";
  const each = chart.series.filter(series => !chart.hidden.has(series.s)).map(series => series.n + "\u00a0" + print(series.v[Math.floor((x - series.x) / series.d + 1e-6)], series.u));
  return [place, ...each].join("   ");
}

const together = (from, chart) => chart === from || from.kind === "time" && chart.kind === "time";

function move(from, x) {
  for (const chart of charts) {
    if (!together(from, chart) || chart.kind === "load") continue;
    chart.at = x;
    const [low, high] = range(chart);
    const inside = x >= low && x <= high;
    chart.line.setAttribute("d", inside ? `M${pixel(chart, x)} ${chart.top}v${chart.height}` : "");
    if (chart.output && chart.box.offsetParent) chart.output.textContent = inside ? text(chart, x) : "";
  }
}

function leave(from) {
  if (pinned !== null && from.kind === "time") return move(from, pinned);
  for (const chart of charts) {
    if (!together(from, chart)) continue;
    chart.at = null;
    chart.line.setAttribute("d", "");
    if (chart.output) chart.output.textContent = "";
  }
}

function pin(x) {
  pinned = x;
  try {
    history.replaceState(null, "", x === null ? location.pathname + location.search : "#t=" + x.toFixed(2));
  } catch { /* A page in a sandbox has no address to change. */ }
  if (timed.length) x === null ? leave(timed[0]) : move(timed[0], x);
}

const steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];

function relabel(chart) {
  chart.ticks.innerHTML = "";
  const [low, high] = shown;
  const step = steps.find(step => (high - low) / step <= chart.width / 80) || (high - low) / 4;
  const digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
  for (let at = Math.ceil(low / step - 1e-9) * step; at <= high + 1e-9; at += step) {
    const tick = element("text");
    tick.setAttribute("x", pixel(chart, at));
    tick.setAttribute("y", chart.row);
    tick.textContent = at.toFixed(digits) + (at + step > high + 1e-9 ? "\u00a0s" : "");
    chart.ticks.append(tick);
  }
}

function look(low, high) {
  const span = clamp(high - low, (whole[1] - whole[0]) / 2000, whole[1] - whole[0]);
  low = clamp(low, whole[0], whole[1] - span);
  shown = [low, low + span];
  const closer = span < whole[1] - whole[0] - 1e-9;
  for (const chart of timed) {
    const [from, to] = shown.map(x => pixel(chart, x, whole));
    chart.plot.setAttribute("viewBox", `${from} ${chart.top} ${to - from} ${chart.height}`);
    if (closer) relabel(chart); else chart.ticks.innerHTML = chart.usual;
    for (const label of all("text.above", chart.svg)) {
      label.dataset.x ??= label.getAttribute("x");
      const at = whole[0] + (label.dataset.at - chart.left) / chart.width * (whole[1] - whole[0]);
      label.setAttribute("x", Number(label.dataset.x) + pixel(chart, at) - label.dataset.at);
      label.style.display = at >= shown[0] && at <= shown[1] ? "" : "none";
    }
    // Labels of limits stand where their lines end in the whole run.
    for (const group of all("g.halo", chart.svg)) group.style.visibility = closer ? "hidden" : "";
    if (chart.at !== null) move(chart, chart.at);
  }
  for (const tool of all(".tools button")) tool.disabled = !closer && tool.dataset.do !== "closer";
}

const tools = {
  closer: (low, high, span) => {
    const middle = pinned === null || pinned < low || pinned > high ? (low + high) / 2 : pinned;
    look(middle - span / 4, middle + span / 4);
  },
  wider: (low, high, span) => look(low - span / 2, high + span / 2),
  back: (low, high, span) => look(low - span / 2, high - span / 2),
  on: (low, high, span) => look(low + span / 2, high + span / 2),
  all: () => look(...whole),
};
const use = name => tools[name](...shown, shown[1] - shown[0]);
for (const tool of all(".tools button")) tool.addEventListener("click", () => use(tool.dataset.do));
const keys = { "+": "closer", "-": "wider", "0": "all", PageUp: "back", PageDown: "on" };

const under = (chart, event) => {
  const box = chart.svg.getBoundingClientRect();
  const px = (event.clientX - box.left) / box.width * chart.svg.viewBox.baseVal.width;
  const [low, high] = range(chart);
  return low + (px - chart.left) / chart.width * (high - low);
};

// A drag marks a stretch to look at, with shift it moves along; a click pins.
function drag(chart, begun) {
  if (chart.kind !== "time" || begun.pointerType === "touch" || begun.button !== 0 || begun.target.closest("a")) return;
  const from = under(chart, begun), before = shown;
  if (from < before[0] || from > before[1]) return;
  const mark = element("rect");
  mark.setAttribute("class", "zooming");
  mark.setAttribute("y", chart.top);
  mark.setAttribute("height", chart.height);
  chart.svg.append(mark);
  const moved = event => Math.abs(event.clientX - begun.clientX) > 4;
  const on = event => {
    if (begun.shiftKey) {
      const box = chart.svg.getBoundingClientRect();
      const by = (event.clientX - begun.clientX) / box.width * chart.svg.viewBox.baseVal.width / chart.width * (before[1] - before[0]);
      look(before[0] - by, before[1] - by);
      return;
    }
    const ends = [from, clamp(under(chart, event), ...shown)].sort((one, other) => one - other);
    const [left, right] = ends.map(x => pixel(chart, x));
    mark.setAttribute("x", left);
    mark.setAttribute("width", moved(event) ? right - left : 0);
  };
  const end = event => {
    chart.svg.removeEventListener("pointermove", on);
    chart.svg.removeEventListener("pointerup", end);
    chart.svg.removeEventListener("pointercancel", end);
    mark.remove();
    if (event.type !== "pointerup" || begun.shiftKey) return;
    const to = clamp(under(chart, event), ...shown);
    if (moved(event)) look(Math.min(from, to), Math.max(from, to)); else pin(from);
  };
  chart.svg.setPointerCapture(begun.pointerId);
  chart.svg.addEventListener("pointermove", on);
  chart.svg.addEventListener("pointerup", end);
  chart.svg.addEventListener("pointercancel", end);
}

for (const chart of charts) {
  // A finger that was lifted leaves what it asked for.
  chart.svg.addEventListener("pointerleave", event => { if (event.pointerType !== "touch") leave(chart); });
  chart.svg.addEventListener("pointerdown", event => drag(chart, event));
  chart.box.addEventListener("blur", () => leave(chart));
  chart.svg.addEventListener("pointermove", event => {
    const x = under(chart, event);
    const [low, high] = range(chart);
    if (x >= low && x <= high) move(chart, x);
  });
  if (chart.kind === "load") continue;
  chart.box.tabIndex = 0;
  chart.box.setAttribute("role", "group");
  chart.box.setAttribute("aria-label", "Chart; the left and right arrow keys move the cursor, with shift faster" + (chart.kind === "time" ? "; plus and minus look closer and wider, page keys move along, enter pins, escape lets go" : ""));
  chart.box.addEventListener("keydown", event => {
    // The browser's own.
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const [low, high] = range(chart);
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const isTimed = chart.kind === "time";
    if (way) move(chart, clamp((chart.at ?? low) + way * (high - low) / (event.shiftKey ? 12 : 120), low, high));
    else if (isTimed && keys[event.key]) use(keys[event.key]);
    else if (isTimed && event.key === "Enter" && event.target === chart.box && chart.at !== null) pin(chart.at);
    else if (isTimed && event.key === "Escape") pin(null);
    else return;
    event.preventDefault();
  });
}

for (const key of all("button.key")) {
  key.addEventListener("click", () => {
    const on = key.getAttribute("aria-pressed") !== "true";
    key.setAttribute("aria-pressed", on);
    for (const group of all("g[data-s]", key.closest("figure"))) {
      if (group.dataset.s === key.dataset.s) group.style.display = on ? "" : "none";
    }
    for (const other of all("button.key", key.closest("figure"))) {
      if (other.dataset.s === key.dataset.s) other.setAttribute("aria-pressed", on);
    }
    for (const chart of charts.filter(chart => key.closest("figure").contains(chart.svg))) {
      chart.hidden[on ? "delete" : "add"](key.dataset.s);
      if (chart.at !== null) move(chart, chart.at);
    }
  });
}

const dark = matchMedia("(prefers-color-scheme: dark)");
for (const theme of all("button.theme")) {
  theme.addEventListener("click", () => {
    const now = root.dataset.theme || (dark.matches ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
  });
}

// An address leads to a moment, or to a message, wherever it is folded away.
function follow() {
  const moment = /^#t=(\d+(?:\.\d+)?)$/.exec(location.hash);
  if (moment && timed.length) {
    const x = clamp(Number(moment[1]), ...whole);
    if (x < shown[0] || x > shown[1]) look(...whole);
    pinned = x;
    move(timed[0], x);
    (document.getElementById("time") || timed[0].svg.closest("figure")).scrollIntoView();
    return;
  }
  const place = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  for (let fold = place && place.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  if (place) place.scrollIntoView();
}
addEventListener("hashchange", follow);
if (timed.length) look(...whole);
if (location.hash) follow();
})();
