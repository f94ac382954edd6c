// What the run says, as it says it. Texts are set as texts, never as markup.
const at = (id) => document.getElementById(id);
const run = { load_us: 1, total_us: 1, slots: 240, limit_us: null, planned: [], states: [], windows: [] };
const points = [];
// The part behind the # stays in this browser; it is what ends the run.
const token = new URLSearchParams(location.hash.slice(1)).get("stop");
let isOver = false;

function element(name, kind, text) {
  const node = document.createElement(name);
  if (kind) node.className = kind;
  if (text !== undefined) node.textContent = text;
  return node;
}

function hello(of) {
  Object.assign(run, of, { planned: of.faults });
  // It may be another run than before, on the same address.
  points.length = 0;
  document.title = `${of.title} – harness`;
  at("title").textContent = of.title;
  at("run").textContent = of.run;
}

function facts(rows) {
  const nodes = [];
  for (const { label, fields } of rows) {
    const said = element("dd");
    for (const field of fields) {
      const one = element("span");
      for (const [tone, text] of field) one.append(element("span", tone === "plain" ? "" : tone, text));
      said.append(one);
    }
    nodes.push(element("dt", "", label), said);
  }
  at("facts").replaceChildren(...nodes);
}

// Planned windows lightly, those that came true as they came.
function windows(now_us) {
  run.windows = run.planned.flatMap(({ at_us, for_us, condition }, place) => {
    const [injected, healed] = run.states[place] || [null, null];
    if (condition) return [];
    if (injected === null) return [[at_us, at_us + for_us, "planned"]];
    return [[injected, healed === null ? Math.max(now_us, injected) : healed, "fault"]];
  });
}

function now(of) {
  run.states = of.faults;
  windows(of.at_us);
  at("phase").textContent = of.progress.phase;
  at("time").textContent = `${of.progress.time}   ${of.progress.percent}`;
  at("ends").textContent = of.progress.ends.join(" ");
  at("done").value = of.progress.ratio;
  facts(of.rows);
  charts();
}

function key(svg, series) {
  const keys = series.map(({ name, color }) => element("i", color, name));
  svg.parentNode.querySelector(".key").replaceChildren(...keys);
}

function charts() {
  const seen = points.filter((point) => point && point[1] > 0);
  const middle = (point) => (point[0] + 0.5) * run.total_us / run.slots;
  const line = (name, color, value) => ({ name, color, points: seen.map((point) => [middle(point), value(point)]) });
  const rate = (place) => (point) => point[2][place] * 1e6 / point[1];
  const all = [
    ["latency", logScale, run.limit_us, [line("p50", "blue", (of) => of[4][0]), line("p99", "teal", (of) => of[4][1])]],
    ["rate", linearScale, null, [line("sent", "blue", rate(0)), line("completed", "teal", rate(1)), line("failed", "red", rate(2))]],
    ["clients", linearScale, null, [line("open", "blue", (of) => of[3][0]), line("waiting", "teal", (of) => of[3][1])]],
  ];
  for (const [id, scale, limit, series] of all) {
    key(at(id), limit ? [...series, { name: `limit of p99 ${duration(limit)}`, color: "red" }] : series);
    draw(at(id), run, { series, scale, limit });
  }
}

function over() {
  at("phase").textContent = "the load is over, and the run is being judged";
  at("time").textContent = at("ends").textContent = "";
  at("done").value = 1;
  at("stop").hidden = true;
}

function ended(of) {
  isOver = true;
  over();
  at("phase").textContent = "ended";
  const kind = of.code === 0 ? "good" : of.code === 10 || of.code === 14 ? "bad" : "warn";
  const said = at("ended");
  said.className = kind;
  said.replaceChildren(element("b", kind, `ended: ${of.verdict}`), ` (exit ${of.code})  ${of.sentence}`);
  if (of.place) said.append(element("br"), "report: ", element("code", "", of.place));
  said.hidden = false;
  // Fetched at once: the server goes with the run, and the frame keeps what it has.
  const frame = at("report");
  const done = () => { source.close(); };
  frame.addEventListener("load", done);
  frame.addEventListener("error", done);
  if (!of.has_report) return done();
  frame.src = "report.html";
  frame.hidden = false;
}

async function stop() {
  const button = at("stop");
  button.disabled = true;
  button.textContent = "stopping …";
  const head = { method: "POST", headers: { Authorization: `Bearer ${token}` } };
  const answer = await fetch("stop", head).catch(() => null);
  if (answer && answer.ok) return;
  button.textContent = answer ? "not allowed: the token is another run's" : "the run does not answer";
}

at("stop").hidden = !token;
at("stop").addEventListener("click", stop);
const source = new EventSource("events?page=1");
const heard = (name, hear) => source.addEventListener(name, (event) => hear(JSON.parse(event.data)));
heard("hello", hello);
heard("points", (new_points) => { for (const point of new_points) points[point[0]] = point; });
heard("now", now);
heard("over", over);
heard("ended", ended);
source.addEventListener("open", () => { at("lost").hidden = true; });
source.addEventListener("error", () => { at("lost").hidden = isOver; });
charts();
