"use strict";
// Charts over the planned time of the run. Values are read from slots as they come; nothing is averaged here.
const WIDE = 400, HIGH = 170, LEFT = 46, RIGHT = 8, TOP = 8, LOW = 20;
const SVG = "http://www.w3.org/2000/svg";

function part(name, attributes, text) {
  const node = document.createElementNS(SVG, name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  if (text !== undefined) node.textContent = text;
  return node;
}

function duration(us) {
  if (us < 1e3) return `${us.toFixed(0)} µs`;
  if (us < 1e6) return `${+(us / 1e3).toPrecision(3)} ms`;
  return `${+(us / 1e6).toPrecision(3)} s`;
}

function count(value) {
  return value >= 1e6 ? `${value / 1e6} M` : value >= 1e4 ? `${value / 1e3} k` : `${value}`;
}

// 1, 2 or 5 times a power of ten, and no less than the value.
function round(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 5, 10].find((step) => step * power >= value * 0.999999);
}

// From a decade of whole powers of ten around what was seen.
function logScale(values) {
  const low = Math.floor(Math.log10(Math.max(1, Math.min(...values))));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(1, ...values))));
  const ticks = [];
  for (let power = low; power <= high; power += high - low > 4 ? 2 : 1) ticks.push(10 ** power);
  return { ticks, text: duration, at: (value) => (Math.log10(Math.max(1, value)) - low) / (high - low) };
}

function linearScale(values) {
  const high = round(Math.max(1, ...values));
  const ticks = high < 2 ? [0, 1] : [0, high / 2, high];
  return { ticks, text: count, at: (value) => value / high };
}

function draw(svg, run, { series, scale, limit }) {
  const x = (us) => LEFT + (WIDE - LEFT - RIGHT) * Math.min(1, us / run.total_us);
  const y = (share) => HIGH - LOW - (HIGH - LOW - TOP) * Math.max(0, Math.min(1, share));
  const values = series.flatMap((of) => of.points.map((point) => point[1])).filter((value) => value !== null);
  if (limit) values.push(limit);
  const axis = scale(values.length ? values : [1]);
  const parts = [];
  for (const [from, to, kind] of run.windows) {
    parts.push(part("rect", { class: kind, x: x(from), y: TOP, width: Math.max(1.5, x(to) - x(from)), height: HIGH - LOW - TOP }));
  }
  for (const tick of axis.ticks) {
    const at = y(axis.at(tick));
    parts.push(part("line", { class: "grid", x1: LEFT, x2: WIDE - RIGHT, y1: at, y2: at }));
    parts.push(part("text", { x: LEFT - 6, y: at + 4, "text-anchor": "end" }, axis.text(tick)));
  }
  parts.push(part("line", { class: "end", x1: x(run.load_us), x2: x(run.load_us), y1: TOP, y2: HIGH - LOW }));
  for (const [us, anchor] of [[0, "start"], [run.load_us, "middle"], [run.total_us, "end"]]) {
    if (us === run.load_us && run.total_us - us < run.total_us / 8) continue;
    parts.push(part("text", { x: x(us), y: HIGH - 5, "text-anchor": anchor }, `${+(us / 1e6).toFixed(1)} s`));
  }
  if (limit) {
    const at = y(axis.at(limit));
    parts.push(part("line", { class: "limit", x1: LEFT, x2: WIDE - RIGHT, y1: at, y2: at }));
  }
  for (const { points, color } of series) {
    let path = "", pen = "M";
    for (const [us, value] of points) {
      if (value === null) { pen = "M"; continue; }
      path += `${pen}${x(us).toFixed(1)} ${y(axis.at(value)).toFixed(1)}`;
      // A point by itself is seen too.
      path += pen === "M" ? "h.1" : "";
      pen = "L";
    }
    parts.push(part("path", { class: `series ${color}`, d: path }));
  }
  svg.setAttribute("viewBox", `0 0 ${WIDE} ${HIGH}`);
  svg.replaceChildren(...parts);
}
