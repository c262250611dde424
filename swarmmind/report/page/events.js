/* Events: how the allocation drifted, who worked on what, and what became of it. */

const STATES = { validated: "--good", failed: "--bad", open: "--fair" };
const stateInk = (state) => `var(${Object.hasOwn(STATES, state) ? STATES[state] : "--soft"})`;

function allocation(board) {
  const boxes = board.allocation.filter((chart) => chart.lines.length).map((chart) => {
    const box = el("div", { class: "chart-box" });
    const lines = chart.lines.map(([label, values]) => [label, values.map((value) => (value === null ? null : Number(value.toPrecision(3))))]);
    const [name, values] = lines[0];
    const known = values.filter((value) => value !== null);
    const drift = known.length ? `: ${name} ${number(known[0])} → ${number(known[known.length - 1])}` : "";
    lineChart(box, { ...chart, lines, name: `${(chart.name || "(no kind)").slice(0, 30)}${drift.slice(0, 60)}` }, { small: true, zero: true });
    return box;
  });
  if (board.curve) {
    const box = el("div", { class: "chart-box" });
    lineChart(box, { ...board.curve, name: "share of verdicts that accepted" }, { small: true, zero: true });
    boxes.push(box);
  }
  if (!boxes.length) return [];
  const more = board.kinds > board.allocation.length ? ` The ${board.allocation.length} kinds that were drawn for most, of ${number(board.kinds)}.` : "";
  return [el("h3", {}, "Allocation over time"), el("p", { class: "note" }, `For each kind of event: each agent's probability to be drawn first, draw after draw; those that ended highest.${more}`), el("div", { class: "multiples" }, boxes)];
}

const bend = (x1, y1, x2, y2) => `M${x1} ${y1.toFixed(1)}C${(x1 + x2) / 2} ${y1.toFixed(1)} ${(x1 + x2) / 2} ${y2.toFixed(1)} ${x2} ${y2.toFixed(1)}`;

/* Where everything stands: agents by role on the left, events in their order on the right. */
function places({ agents, events }) {
  const roles = [...new Set(agents.map(([, role]) => role))];
  const order = roles.flatMap((role) => agents.map((agent, at) => [agent, at]).filter(([[, of]]) => of === role));
  const height = Math.max(24 * events.length, 26 * agents.length + 26 * roles.length) + 20;
  const heads = [];
  const rows = new Array(agents.length);
  const step = (height - 20) / (agents.length + roles.length);
  let at = 10;
  let before = null;
  for (const [[, role], place] of order) {
    if (role !== before) { heads.push([role, at + step / 2]); at += step; before = role; }
    rows[place] = at + step / 2;
    at += step;
  }
  const gap = (height - 20) / events.length;
  return { height, heads, rows, lanes: events.map((_, place) => 10 + gap * (place + 0.5)) };
}

function edge(path, kind, title, ends, times) {
  const line = svg("path", { class: `edge ${kind}`, d: path, "stroke-width": (1.2 + 1.3 * Math.log2(times)).toFixed(1) }, svg("title", {}, title));
  line.ends = ends;
  return line;
}

function edges(graph, at, from, to) {
  const { agents, events } = graph;
  const found = [];
  const add = (kind, [agent, event], title, times, shift = 0) => found.push(edge(bend(from, at.rows[agent] + shift, to, at.lanes[event] + shift), kind, `${agents[agent][0]} ${title} ${events[event][0]}`, [`a${agent}`, `e${event}`], times));
  for (const [agent, event, yes, no] of graph.votes) add("vote", [agent, event], `voted on (${number(yes)} for, ${number(no)} against)`, 1);
  events.forEach(([, , , , by], event) => { if (by >= 0) add("proposed", [by, event], "proposed", 1); });
  for (const [agent, event] of graph.waiting) add("waiting", [agent, event], "was drawn, without a verdict, for", 1, 4);
  for (const [agent, event, yes, no] of graph.edges) {
    if (no) add("rejected", [agent, event], `was rejected ${plural(no, "time")} on`, no, yes ? 2 : 0);
    if (yes) add("accepted", [agent, event], `was accepted ${plural(yes, "time")} on`, yes, no ? -2 : 0);
  }
  return found;
}

function arcs(events, at, x) {
  return events.flatMap(([name, , , , , after], event) => after.filter((other) => other !== event).map((other) => {
    const [y1, y2] = [at.lanes[other], at.lanes[event]];
    const out = Math.min(105, 14 + Math.abs(y2 - y1) * 0.35);
    return edge(`M${x} ${y1.toFixed(1)}C${x + out} ${y1.toFixed(1)} ${x + out} ${y2.toFixed(1)} ${x + 5} ${y2.toFixed(1)}l5 -4m-5 4l5 4`, "needs", `${name} needs ${events[other][0]}`, [`e${event}`, `e${other}`], 1);
  }));
}

/* A node that can be hovered, focused and clicked; `about` is what it says to those who do not see it. */
function node(about, acts, ...parts) {
  const key = (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); acts.click(); } };
  return svg("g", { class: "node", role: "button", tabindex: 0, "aria-label": about, ...acts, keydown: key }, svg("title", {}, about), parts);
}

/* The graph of agents and events; `tell` is called with "a" or "e" and a place. */
function eventGraph(graph, tell) {
  const { agents, events } = graph;
  const at = places(graph);
  const [from, to] = [190, 560];
  const kind = (name) => name === "vote" && events.length > 12;
  const lines = [...edges(graph, at, from, to), ...arcs(events, at, 985)];
  const picture = svg("svg", { class: "graph", viewBox: `0 0 1100 ${Math.ceil(at.height)}`, role: "group", "aria-label": `${plural(agents.length, "agent")} and ${plural(events.length, "event")}: who worked on what` }, lines);
  let pinned = "";
  const lift = (name) => {
    for (const line of lines) {
      line.classList.toggle("dim", name !== "" && !line.ends.includes(name));
      line.classList.toggle("on", name !== "" && line.ends.includes(name));
    }
  };
  const acts = (name) => ({ mouseenter: () => lift(name), mouseleave: () => lift(pinned), focus: () => lift(name), blur: () => lift(pinned), click: () => { pinned = name; lift(name); tell(name[0], Number(name.slice(1))); } });
  for (const [role, y] of at.heads) picture.append(svg("text", { class: "role", x: from - 14, y: y + 5, "text-anchor": "end" }, role || "(no role)"));
  agents.forEach(([name], place) => picture.append(node(`agent ${name}`, acts(`a${place}`),
    svg("circle", { class: "agent", cx: from, cy: at.rows[place], r: 5 }), svg("text", { x: from - 12, y: at.rows[place] + 4, "text-anchor": "end" }, name.length > 26 ? name.slice(0, 25) + "…" : name))));
  events.forEach(([name, of, state, title], place) => {
    const dot = svg("circle", { cx: to, cy: at.lanes[place], r: 6, "stroke-width": 2 });
    dot.style.stroke = stateInk(state);
    dot.style.fill = state === "open" ? "var(--card)" : stateInk(state);
    const words = [name, of, title].filter(Boolean).join(" · ");
    picture.append(node(`event ${name}, ${state}: ${title}`, acts(`e${place}`), svg("rect", { class: "lane", x: to - 10, y: at.lanes[place] - 11, width: 435, height: 22, rx: 4 }), dot,
      svg("text", { x: to + 14, y: at.lanes[place] + 4 }, words.length > 66 ? words.slice(0, 65) + "…" : words)));
  });
  const shown = [["accepted", "accepted"], ["rejected", "rejected"], ["waiting", "drawn, no verdict"], ["proposed", "proposed"], ["vote", "votes"], ["needs", "needs"]].filter(([name]) => lines.some((line) => line.classList.contains(name)));
  const legend = el("div", { class: "bar legend" }, shown.map(([name, words]) => {
    const box = el("input", { type: "checkbox", checked: !kind(name), change: () => picture.classList.toggle(`no-${name}`, !box.checked) });
    if (kind(name)) picture.classList.add(`no-${name}`);
    return el("label", {}, box, " ", svg("svg", { class: "swatch", viewBox: "0 0 26 8", "aria-hidden": "true" }, svg("path", { class: `edge ${name}`, d: "M1 4L25 4", "stroke-width": 2.5 })), words);
  }), Object.keys(STATES).map((state) => { const dot = el("i", { class: "round" }); dot.style.borderColor = stateInk(state); dot.style.background = state === "open" ? "transparent" : stateInk(state); return el("span", {}, dot, state); }));
  return [legend, el("div", { class: "wide" }, picture)];
}

function happened(entry) {
  const when = [entry[1] === null ? "" : `round ${number(entry[1])}`, entry[2] === null ? "" : `attempt ${number(entry[2])}`].filter(Boolean).join(", ");
  if (entry[0] === "draw") {
    const who = entry[4].map(([name, chance]) => `${name}${chance === null ? "" : ` (p ${number(chance)})`}`).join(", ");
    return el("li", {}, el("b", {}, "drawn"), ` ${when}: `, el("span", { dir: "auto" }, who || "nobody"), entry[3] ? " · by exploration" : "");
  }
  const [, , , accepted, authors, votes, reasons] = entry;
  return el("li", {}, el("b", { class: accepted ? "good" : "bad" }, accepted ? "accepted" : "rejected"), ` ${when}`, authors.length ? [": ", el("span", { dir: "auto" }, authors.join(", "))] : "",
    votes.length ? el("div", { class: "note" }, "votes: ", votes.map(([name, vote], at) => [at ? ", " : "", el("span", { dir: "auto" }, name), vote ? " for" : " against"])) : "", reasons.map(([name, why]) => [name ? el("p", { class: "who", dir: "auto" }, name) : "", words(why, "", 600)]));
}

function eventDetail(graph, details, place) {
  const [name, kind, state, title, by, after] = graph.events[place];
  const known = Object.hasOwn(details, name) ? details[name] : { task: title, priority: "", history: [] };
  const facts = [["kind", kind], ["priority", known.priority], ["proposed by", by < 0 ? "" : graph.agents[by][0]], ["needs", after.map((other) => graph.events[other][0]).join(", ")]].filter(([, value]) => value && value !== "unknown");
  return el("article", { class: "detail" }, el("h4", { dir: "auto" }, `event ${name} · `, el("span", { class: { validated: "good", failed: "bad" }[state] || "fair" }, state)),
    el("p", { class: "note" }, facts.map(([label, value], at) => [at ? " · " : "", `${label}: `, el("span", { dir: "auto" }, value)])), words(known.task || "(no task)", "", 1500),
    known.history.length ? el("ol", { class: "history" }, known.history.map(happened)) : el("p", { class: "note" }, "Nobody has worked on it."));
}

function agentDetail(graph, place, open) {
  const [name, role] = graph.agents[place];
  const rows = graph.edges.filter(([agent]) => agent === place).map(([, event, yes, no]) => el("tr", {}, el("th", { scope: "row", dir: "auto" }, graph.events[event][0]), el("td", { dir: "auto" }, graph.events[event][1]), el("td", { class: "n" }, number(yes)), el("td", { class: "n" }, number(no))));
  const member = INDEX.agents.findIndex((agent) => agent[0] === name);
  return el("article", { class: "detail" }, el("h4", { dir: "auto" }, name, role ? ` (${role})` : "", " ", member < 0 ? "" : button("read its transcript", () => open(member))),
    rows.length ? el("table", { class: "slim" }, el("thead", {}, el("tr", {}, ["event", "kind", "accepted", "rejected"].map((label, at) => el("th", { scope: "col", class: at > 1 ? "n" : "" }, label)))), el("tbody", {}, rows)) : el("p", { class: "note" }, "No contribution of this agent was judged."));
}

function kindTable({ agents, kinds, cells, more }) {
  if (!agents.length) return [];
  const most = Math.max(1, ...cells.flat().map(([yes, no]) => yes + no));
  const rows = agents.map((name, row) => el("tr", {}, el("th", { scope: "row", dir: "auto" }, name), cells[row].map(([yes, no]) => {
    const cell = el("td", { class: "n" }, yes || no ? [el("b", { class: "good" }, number(yes)), " / ", el("span", { class: "bad" }, number(no))] : "");
    if (yes || no) cell.style.background = `color-mix(in srgb, var(--accent) ${Math.round(4 + 26 * (yes + no) / most)}%, transparent)`;
    return cell;
  })));
  const left = [more[0] ? plural(more[0], "agent") : "", more[1] ? plural(more[1], "kind") : ""].filter(Boolean).join(" and ");
  return [el("h3", {}, "Who did what"), el("p", { class: "note" }, `Contributions accepted / rejected, by agent and kind of event.${left ? ` Not shown: ${left} with fewer.` : ""}`),
    el("div", { class: "wide scroll" }, el("table", { class: "heat slim" }, el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "agent"), kinds.map((kind) => el("th", { scope: "col", class: "n", dir: "auto" }, kind || "(no kind)")))), el("tbody", {}, rows)))];
}

function eventBoards(home, { boards, left_out }, open) {
  const names = Object.keys(boards);
  if (!names.length) return;
  show("events");
  choose(home, names, "program", (body, place) => {
    const board = boards[names[place]];
    const states = Object.entries(board.states).map(([state, count]) => `${number(count)} ${state}`).join(", ");
    const side = el("div", { class: "side", "aria-live": "polite" }, el("p", { class: "note" }, "Click an event or an agent."));
    const tell = safely(async (what, at) => {
      const found = what === "e" ? eventDetail(board.graph, await chunk(board.chunk), at) : agentDetail(board.graph, at, open);
      side.replaceChildren(found);
    });
    const graph = board.graph && board.graph.events.length ? [el("h3", {}, "Agents and events"), el("div", {}, eventGraph(board.graph, tell)), side]
      : [el("p", { class: "note" }, "Too many events or agents for a picture; the table counts them by kind, and journal.sqlite (table records) has each of them.")];
    body.replaceChildren(el("p", {}, `${plural(Object.values(board.states).reduce((sum, count) => sum + count, 0), "event")}: ${states}. ${plural(board.verdicts, "verdict")}.`, board.left_out ? ` ${plural(board.left_out, "record")} of events beyond the first thousands were left out.` : ""),
      ...graph, ...allocation(board), ...kindTable(board.table), left_out ? el("p", { class: "note" }, `${plural(left_out, "program")} more are in journal.sqlite.`) : "");
  });
}
