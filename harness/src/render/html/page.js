(() => {
"use strict";
// Moves one cursor through all charts and hides series; every value shown is embedded in the page.
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const values = JSON.parse(document.getElementById("data").textContent);
document.documentElement.classList.add("js");

const three = (value, unit) => value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0) + "\u00a0" + unit;
const duration = us => us < 999.5 ? Math.round(us) + "\u00a0µs" : us < 999500 ? three(us / 1e3, "ms") : three(us / 1e6, "s");
const print = (value, unit) => value == null ? "–" : unit === "us" ? duration(value) : value.toLocaleString("en-US");
const percentile = rarity => "p" + Number((100 * (1 - 10 ** -rarity)).toFixed(3));

const charts = all("svg.chart[data-kind]").map(svg => {
  const [left, top, width, height] = svg.dataset.p.split(" ").map(Number);
  const [low, high] = svg.dataset.x.split(" ").map(Number);
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("class", "cursor");
  svg.append(line);
  return { svg, left, top, width, height, low, high, line, at: null, kind: svg.dataset.kind,
    series: values[svg.dataset.id] || [], hidden: new Set(), box: svg.closest(".box"), output: svg.closest("figure").querySelector(".read") };
});

function text(chart, x) {
  const place = chart.kind === "percentile" ? percentile(x) : x.toFixed(2) + "\u00a0s";
  const each = chart.series.filter(series => !chart.hidden.has(series.s)).map(series => series.n + "\u00a0" + print(series.v[Math.floor((x - series.x) / series.d + 1e-6)], series.u));
  return [place, ...each].join("   ");
}

function move(from, x) {
  for (const chart of charts) {
    if (chart !== from && !(from.kind === "time" && chart.kind === "time")) continue;
    chart.at = x;
    const inside = x >= chart.low && x <= chart.high;
    const px = chart.left + (x - chart.low) / (chart.high - chart.low) * chart.width;
    chart.line.setAttribute("d", inside ? `M${px} ${chart.top}v${chart.height}` : "");
    if (chart.output && chart.box.offsetParent) chart.output.textContent = inside ? text(chart, x) : "";
  }
}

function leave(from) {
  for (const chart of charts) {
    if (chart !== from && !(from.kind === "time" && chart.kind === "time")) continue;
    chart.at = null;
    chart.line.setAttribute("d", "");
    if (chart.output) chart.output.textContent = "";
  }
}

for (const chart of charts) {
  // A finger that was lifted leaves what it asked for.
  chart.svg.addEventListener("pointerleave", event => { if (event.pointerType !== "touch") leave(chart); });
  chart.box.addEventListener("blur", () => leave(chart));
  chart.svg.addEventListener("pointermove", event => {
    const box = chart.svg.getBoundingClientRect();
    const px = (event.clientX - box.left) / box.width * chart.svg.viewBox.baseVal.width;
    const x = chart.low + (px - chart.left) / chart.width * (chart.high - chart.low);
    if (x >= chart.low && x <= chart.high) move(chart, x);
  });
  chart.box.tabIndex = 0;
  chart.box.setAttribute("role", "group");
  chart.box.setAttribute("aria-label", "Chart; the left and right arrow keys move the cursor, with shift faster");
  chart.box.addEventListener("keydown", event => {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!way) return;
    event.preventDefault();
    const step = (chart.high - chart.low) / (event.shiftKey ? 12 : 120);
    move(chart, Math.min(chart.high, Math.max(chart.low, (chart.at ?? chart.low) + way * step)));
  });
}

for (const key of all("button.key")) {
  key.addEventListener("click", () => {
    const shown = key.getAttribute("aria-pressed") !== "true";
    key.setAttribute("aria-pressed", shown);
    for (const group of all("g[data-s]", key.closest("figure"))) {
      if (group.dataset.s === key.dataset.s) group.style.display = shown ? "" : "none";
    }
    for (const other of all("button.key", key.closest("figure"))) {
      if (other.dataset.s === key.dataset.s) other.setAttribute("aria-pressed", shown);
    }
    for (const chart of charts.filter(chart => key.closest("figure").contains(chart.svg))) {
      chart.hidden[shown ? "delete" : "add"](key.dataset.s);
      if (chart.at !== null) move(chart, chart.at);
    }
  });
}
})();
