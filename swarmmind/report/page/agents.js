/* Replies step by step, agents and their transcripts; then everything is put on the page. */

const PEOPLE = 50;
const EXCHANGES = 10;

function matrix(home, cells, steps, agents, open) {
  if (!cells || !cells.length) return;
  show("replies");
  const table = new Map();
  for (const [row, column, place, word, failed] of cells) {
    const at = `${column} ${row}`;
    if (!table.has(at)) table.set(at, []);
    table.get(at).push(button(word === "" ? "(empty)" : word, () => open(row, place), { class: failed ? "link bad" : "link" }));
  }
  const body = steps.map((step, column) => el("tr", {}, el("th", { scope: "row" }, stepName(step)),
    agents.map((_, row) => el("td", { dir: "auto" }, (table.get(`${column} ${row}`) || []).map((cell) => el("div", {}, cell))))));
  home.replaceChildren(el("p", { class: "note" }, "What each agent answered at each step; click one to read the exchange."),
    el("div", { class: "wide scroll matrix" }, el("table", {}, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "step"), agents.map(([name]) => el("th", { scope: "col", dir: "auto" }, name)))), el("tbody", {}, body))));
}

async function message(data, number) {
  if (number >= 0) return data.messages[number];
  const place = holding(INDEX.shared, -1 - number);
  return (await chunk(place[0]))[-1 - number - place[1]];
}
/* All messages of an exchange: the first `kept` are those of the exchange before it. */
async function prompt(data, first, place) {
  const parts = [];
  let need = Infinity;
  for (let at = place; at >= first && need > 0; at -= 1) {
    const [, , , kept, sent] = data.exchanges[at];
    if (need === Infinity) parts.unshift(...sent);
    else if (need > kept) parts.unshift(...sent.slice(0, need - kept));
    need = Math.min(need, kept);
  }
  return Promise.all(parts.map((number) => message(data, number)));
}

function spent([calls = 0, read = 0, cached = 0, written = 0, usd = 0]) {
  const money = usd === null ? "cost unknown" : usd ? `$${number(usd)}` : "";
  return [calls ? plural(calls, "call") : "", `${number(read)} prompt tokens` + (cached ? ` (${number(cached)} cached)` : ""), `${number(written)} completion tokens`, money].filter(Boolean).join(" · ");
}
function reply(said, title) {
  return [el("p", { class: "who" }, title, said.finish && said.finish !== "stop" ? ` (finish: ${said.finish})` : ""),
    said.failure ? el("div", {}, el("b", { class: "bad" }, said.failure[0]), words(said.failure[1], "reply bad")) : null,
    said.text === undefined ? (said.failure ? null : el("p", { class: "note" }, "(no text)")) : words(said.text, said.failure ? "reply bad" : "reply", 3000),
    said.value === undefined ? null : el("details", {}, el("summary", {}, "read as"), words(said.value))];
}
const turns = (list) => list.map(([role, content]) => [el("p", { class: "who" }, role), words(content, "", 2500)]);

async function exchange(name, place, data, first, at, chosen) {
  const [key, seconds, queued, kept, sent, body, said, attempts] = data.exchanges[at];
  const all = await prompt(data, first, at);
  const own = all.slice(all.length - sent.length);
  const before = all.slice(0, all.length - sent.length);
  let asked = data.bodies[body] || "";
  try { const [model, output, sampling] = JSON.parse(asked); asked = `model ${asText(model)}\noutput ${asText(output)}\nsampling ${asText(sampling)}`; } catch { /* shown as it is */ }
  return el("article", { class: chosen ? "exchange on" : "exchange" },
    el("h4", {}, `${number(place + 1)}. ${stepName(key.slice(0, key.lastIndexOf("/")))} · `, el("code", {}, key)),
    el("p", { class: "note" }, `${duration(seconds)}${queued ? `, ${duration(queued)} of it queued` : ""} · ${spent(said.usage)}`),
    kept ? el("details", {}, el("summary", {}, `${plural(before.length, "message")} as in the exchange before`), turns(before)) : null,
    own.length > 3 ? el("details", {}, el("summary", {}, `${plural(own.length - 3, "message")} before these`), turns(own.slice(0, -3))) : null,
    turns(own.slice(-3)),
    attempts.map((attempt, number) => el("details", { open: true }, el("summary", {}, `answer ${number + 1} could not be read; asked again · ${spent(attempt.usage)}`), reply(attempt, ""))),
    reply(said, `${name} replied`),
    asked ? el("details", {}, el("summary", {}, "how it was asked"), words(asked)) : null);
}

function transcripts(home, agents) {
  const [list, side] = [el("div", { class: "people" }), el("div", {}, el("p", { class: "note" }, "Choose an agent."))];
  let [page, order, selected] = [0, "place", -1];
  const roles = [...new Set(agents.map((agent) => agent[1]))];
  const search = el("input", { type: "search", placeholder: `search ${plural(agents.length, "agent")}`, "aria-label": "search agents", input: () => { page = 0; people(); } });
  const role = el("select", { "aria-label": "role", change: () => { page = 0; people(); } }, el("option", { value: "" }, "all roles"), roles.map((name, at) => el("option", { value: at + 1 }, name || "(no role)")));
  const sort = el("select", { "aria-label": "order", change: () => { order = sort.value; page = 0; people(); } },
    [["place", "in order"], ["3", "most failures"], ["4", "most tokens"], ["2", "most exchanges"]].map(([value, name]) => el("option", { value }, name)));
  function people() {
    const wanted = search.value.trim().toLowerCase();
    let found = agents.map((agent, place) => [agent, place]).filter(([agent]) => agent[0].toLowerCase().includes(wanted) && (!role.value || agent[1] === roles[role.value - 1]));
    if (order !== "place") found = found.sort((a, b) => b[0][order] - a[0][order]);
    const rows = found.slice(page * PEOPLE, (page + 1) * PEOPLE).map(([agent, place]) => el("tr", { class: place === selected ? "on" : "" },
      el("th", { scope: "row" }, button(agent[0] || "(no name)", () => open(place, 0), { class: "link", "aria-pressed": place === selected ? "true" : "false" })),
      el("td", {}, agent[1]), el("td", { class: "n" }, number(agent[2])), el("td", { class: agent[3] ? "n bad" : "n" }, number(agent[3])), el("td", { class: "n" }, number(agent[4]))));
    list.replaceChildren(el("p", { class: "note" }, plural(found.length, "agent")),
      el("table", {}, el("thead", {}, el("tr", {}, ["agent", "role", "asked", "failed", "tokens"].map((name, at) => el("th", { scope: "col", class: at > 1 ? "n" : "" }, name)))), el("tbody", {}, rows)),
      pager(page, Math.ceil(found.length / PEOPLE), (to) => { page = to; people(); }, "agents") || "");
  }
  async function read(place, from, chosen) {
    const [name, kind, count, , , places] = agents[place];
    const embedded = places.reduce((sum, [, , size]) => sum + size, 0);
    const shown = [];
    let passed = 0;
    for (const [id, first, size] of places) {
      const [start, end] = [Math.max(from, passed), Math.min(from + EXCHANGES, passed + size)];
      if (start < end) {
        const data = await chunk(id);
        for (let at = start; at < end; at += 1) shown.push(await exchange(name, at, data, first, first + at - passed, at === chosen));
      }
      passed += size;
    }
    if (place !== selected) return;
    const missing = count - embedded;
    side.replaceChildren(el("h3", { dir: "auto" }, name, kind ? ` (${kind})` : ""),
      missing ? el("p", { class: "warning" }, `${plural(missing, "exchange")} of ${number(count)} of this agent ${missing === 1 ? "is" : "are"} not in this page; they are in journal.sqlite (table results, agent ${name}).`) : "",
      el("div", {}, shown), pager(Math.floor(from / EXCHANGES), Math.ceil(embedded / EXCHANGES), safely((to) => read(place, to * EXCHANGES, -1).then(() => side.scrollIntoView({ block: "start" }))), "exchanges") || "");
  }
  function open(place, at, chosen = -1) {
    selected = place;
    if (chosen >= 0) [search.value, role.value, sort.value, order, page] = ["", "", "place", "place", Math.floor(place / PEOPLE)];
    people();
    list.querySelector(".on")?.scrollIntoView({ block: "nearest" });
    return safely(read)(place, Math.floor(at / EXCHANGES) * EXCHANGES, chosen);
  }
  people();
  home.replaceChildren(el("div", { class: "bar" }, search, roles.length > 1 ? role : "", sort), el("div", { class: "pair" }, list, side));
  return (place, at = 0) => open(place, at, at).then(() => (side.querySelector(".on") || side).scrollIntoView({ block: "start" }));
}

function main() {
  const { agents, activity } = INDEX;
  const open = agents.length ? transcripts($("transcripts"), agents) : () => {};
  if (!agents.length) $("transcripts").replaceChildren(el("p", { class: "note" }, "No agent has answered."));
  const left = [];
  if (INDEX.left_out) left.push(`Transcripts in this page are limited to about ${number(Math.round(INDEX.limit_bytes / 1e6))} MB: ${plural(INDEX.left_out, "exchange")} of ${number(agents.reduce((sum, agent) => sum + agent[2], 0))} were left out. They are in journal.sqlite, beside this page; every number on this page counts them.`);
  if (INDEX.clipped) left.push(`${plural(INDEX.clipped, "text")} longer than ${number(INDEX.text_characters)} characters ${INDEX.clipped === 1 ? "is" : "are"} cut; journal.sqlite has them in full.`);
  $("left").textContent = left.join(" ");
  worlds($("replay"), INDEX.every, INDEX.worlds);
  eventBoards($("board"), INDEX.events, open);
  heardWhom($("picture"), INDEX.graph, open);
  const pheromone = INDEX.series.find(([name]) => name === "pheromone");
  if (pheromone) {
    show("pheromone");
    seriesCharts($("levels"), pheromone[1]);
  }
  for (const home of document.querySelectorAll("[data-series]")) seriesCharts(home, INDEX.series[Number(home.dataset.series)][1]);
  matrix($("matrix"), INDEX.matrix, INDEX.steps, agents, open);
  if (activity.rows && activity.columns) {
    show("activity");
    heatMap($("heat"), activity, agents, INDEX.columns, (place) => open(place));
  }
  for (const go of document.querySelectorAll("button.go")) {
    go.addEventListener("click", () => open(Number(go.dataset.agent), Number(go.dataset.place)));
  }
}
try { main(); } catch (error) { trouble(error); }
