/* Who heard whom: the graph of traffic, and the conversation on an edge of it. */

const QUOTE_HEAD = /^\[([^[\],]+)(?:, ([^[\]]*))?\]$/;
const [CONVERSED, SCANNED] = [5, 3000];
const ROLE_INKS = ["--role0", "--role1", "--role2", "--role3", "--role4", "--role5", "--role6", "--role7"];
const [AGAINST, BESIDE] = [2, 3]; /* of declared edges */

/* The quotations of a message, in order: whose they are, facts of their heads, and their words. */
function quotations(content) {
  const found = [];
  let [head, open] = [null, null];
  for (const line of content.split("\n")) {
    if (line.startsWith(">") && (open || head)) {
      if (!open) found.push(open = { author: head[1], facts: head[2] || "", lines: [] });
      open.lines.push(line.slice(line.startsWith("> ") ? 2 : 1));
    } else {
      [head, open] = [line.match(QUOTE_HEAD), null];
    }
  }
  return found;
}

/* The reader's exchanges in which the author is newly quoted; a message that stood in the prompt before is old. */
async function conversation(reader, name) {
  const found = [];
  let [before, place] = [[], 0];
  for (const [id, first, size] of INDEX.agents[reader][5]) {
    const data = await chunk(id);
    for (let at = first; at < first + size && place < SCANNED; at += 1, place += 1) {
      const [key, , , kept, sent, , said] = data.exchanges[at];
      const start = at === first ? 0 : kept;
      const fresh = [];
      for (const place of sent) fresh.push(await message(data, place));
      const quotes = fresh.filter(([role, content]) => role !== "system" && role !== "assistant" && content.includes(`[${name}`) && !before.some((old) => old[1] === content))
        .flatMap(([, content]) => quotations(content).filter(({ author }) => author === name));
      if (quotes.length) found.push({ place, key, quotes, said });
      before = [...before.slice(0, start), ...fresh];
    }
  }
  return [found, place];
}

function edgePath([x1, y1], [x2, y2], from, to, bend) {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const length = Math.hypot(dx, dy) || 1;
  const [cx, cy] = [(x1 + x2) / 2 - dy * bend, (y1 + y2) / 2 + dx * bend];
  const off = (x, y, size) => { const far = Math.hypot(cx - x, cy - y) || 1; return [x + (cx - x) / far * size, y + (cy - y) / far * size]; };
  const head = Math.min(9, length / 4);
  const [start, tip] = [off(x1, y1, from + 1), off(x2, y2, to + 2)];
  const far = Math.hypot(cx - tip[0], cy - tip[1]) || 1;
  const [ux, uy] = [(tip[0] - cx) / far, (tip[1] - cy) / far];
  const back = [tip[0] - ux * head, tip[1] - uy * head];
  const at = (...points) => points.map((value) => value.toFixed(1)).join(" ");
  return { line: `M${at(...start)}Q${at(cx, cy)} ${at(...back)}`, head: `M${at(...tip)}L${at(back[0] - uy * head * 0.45, back[1] + ux * head * 0.45)}L${at(back[0] + uy * head * 0.45, back[1] - ux * head * 0.45)}Z` };
}

/* Labels where there is room: those with most traffic first; a label that would lie on another or on a node is left out. */
function labels(graph, sizes, width) {
  const boxes = graph.nodes.map(([, , , x, y], at) => [x - sizes[at], y - sizes[at], x + sizes[at], y + sizes[at]]);
  const free = (box, own) => boxes.every((other, at) => at === own || box[2] < other[0] || other[2] < box[0] || box[3] < other[1] || other[3] < box[1]);
  const order = graph.nodes.map((node, at) => [node[6][1] + node[7][1], at]).sort((a, b) => b[0] - a[0] || a[1] - b[1]);
  const found = new Map();
  for (const [, at] of order) {
    const [name, , , x, y] = graph.nodes[at];
    const short = name.length > 18 ? name.slice(0, 17) + "…" : name;
    const [long, r] = [short.length * 7.7, sizes[at] + 4];
    const below = [x - long / 2, y + r, "middle"];
    const right = [x + r, y - 7, "start"];
    const left = [x - r - long, y - 7, "end"];
    const above = [x - long / 2, y - r - 13, "middle"];
    const sideways = graph.kind === "circle" ? (Math.abs(x - width / 2) < 60 ? [y < graph.size[1] / 2 ? above : below] : x > width / 2 ? [right] : [left]) : [];
    for (const [bx, by, anchor] of [...sideways, below, above, right, left]) {
      const box = [bx, by, bx + long, by + 13];
      if (box[0] < 0 || box[2] > width || box[1] < 0 || box[3] > graph.size[1] || !free(box, at)) continue;
      boxes.push(box);
      found.set(at, [anchor === "middle" ? x : anchor === "start" ? bx : bx + long, by + 11, anchor, short]);
      break;
    }
  }
  return found;
}

/* The picture. Arrow keys go from node to node and, along its edges, up and down; Enter opens. */
function trafficPicture(graph, roleInk, tell) {
  const [width, height] = graph.size;
  const { nodes, edges } = graph;
  const spoken = Math.max(1, ...nodes.map((node) => node[6][1]));
  const base = nodes.length <= 24 ? 11 : nodes.length <= 60 ? 8 : 5.5;
  const sizes = nodes.map((node) => base * (0.75 + 0.6 * Math.sqrt(node[6][1] / spoken)));
  const point = (at) => [nodes[at][3], nodes[at][4]];
  const tokens = edges.map((edge) => edge[2]);
  const [least, most] = [Math.max(1, Math.min(...tokens)), Math.max(1, ...tokens)];
  const thick = Math.min(nodes.length > 60 ? 3.2 : 5.5, 1.7 * Math.log2(most / least));
  const weight = (value) => (most < 1.1 * least ? 1.6 : 1 + thick * Math.log(Math.max(1, value) / least) / Math.log(most / least));
  const pairs = new Set(edges.map(([u, v]) => `${u} ${v}`));
  const inward = (u, v) => (nodes[u][4] - nodes[v][4]) * (width - nodes[u][3] - nodes[v][3]) + (nodes[v][3] - nodes[u][3]) * (height - nodes[u][4] - nodes[v][4]);
  const bends = (u, v) => (graph.kind === "circle" ? (nodes.length <= 12 ? 0.1 : Math.abs(inward(u, v)) < 2000 ? 0.09 : inward(u, v) > 0 ? 0.18 : -0.04) : pairs.has(`${v} ${u}`) ? 0.09 : graph.kind === "layered" && Math.abs(nodes[u][3] - nodes[v][3]) > 1.6 * gap ? 0.14 : 0);
  const columns = [...new Set(nodes.map((node) => node[3]))].sort((a, b) => a - b);
  const gap = columns.length > 1 ? columns[1] - columns[0] : width;
  const picture = svg("svg", { class: `graph traffic${nodes.length > 60 ? " many" : ""}${edges.length > 150 ? " dense" : ""}`, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `${plural(nodes.length, "agent")} and ${plural(edges.length, "edge")}: who heard whom. Arrow keys move, Enter opens.` });
  const drawn = [];
  let pinned = null;
  /* What is pointed at, or was opened last, stands out with all that it is tied to. */
  const lift = (thing) => {
    const on = thing || pinned;
    const ties = !on ? [] : on.ends ? [on, ...on.ends] : [on, ...drawn.filter((one) => one.ends?.includes(on)).flatMap((one) => [one, ...one.ends])];
    const lit = new Set(ties);
    for (const one of drawn) {
      one.classList.toggle("dim", Boolean(on) && !lit.has(one));
      one.classList.toggle("on", lit.has(one));
    }
  };
  const focus = (thing) => { picture.querySelector("[tabindex='0']")?.setAttribute("tabindex", -1); thing.setAttribute("tabindex", 0); thing.focus(); };
  const thing = (about, open, ...parts) => {
    const group = svg("g", { role: "button", tabindex: -1, "aria-label": about, mouseenter: () => lift(group), mouseleave: () => lift(null), focus: () => lift(group), blur: () => lift(null),
      click: () => { pinned = group; lift(null); open(); }, keydown: (event) => key(event, group) }, svg("title", {}, about), parts);
    return group;
  };
  const dots = nodes.map(([name, role, place, x, y, , out, heard], at) => {
    const about = `${name}${role ? ` (${role})` : ""}: about ${number(out[1])} tokens of it were heard by ${plural(out[0], "agent")}, it heard ${number(heard[1])} of ${plural(heard[0], "agent")}`;
    const dot = svg("circle", { cx: x, cy: y, r: sizes[at].toFixed(1) });
    const found = thing(about, () => tell.node(at), dot);
    found.setAttribute("class", place < 0 ? "node absent" : "node");
    dot.style.fill = place < 0 ? "var(--card)" : roleInk(role);
    return found;
  });
  for (const [u, v] of graph.silent) {
    const { line, head } = edgePath(point(u), point(v), sizes[u], sizes[v], bends(u, v));
    const found = svg("g", { class: "silent" }, svg("title", {}, `${nodes[u][0]} → ${nodes[v][0]}: declared, without traffic`), svg("path", { d: line }), svg("path", { class: "head", d: head }));
    found.ends = [dots[u], dots[v]];
    drawn.push(found);
  }
  const lines = edges.map(([u, v, count, prompts, kind]) => {
    const { line, head } = edgePath(point(u), point(v), sizes[u], sizes[v], bends(u, v));
    const remark = kind === BESIDE ? ", where no edge was declared" : kind === AGAINST ? ", against the declared direction" : "";
    const found = thing(`${nodes[u][0]} → ${nodes[v][0]}: about ${plural(count, "token")} in ${plural(prompts, "prompt")}${remark}`, () => tell.edge(nodes[u][2], nodes[v][2]),
      svg("path", { class: "hit", d: line }), svg("path", { class: "line", d: line, "stroke-width": weight(count).toFixed(2) }), svg("path", { class: "head", d: head }));
    found.setAttribute("class", kind === BESIDE ? "flow beside" : "flow");
    found.style.color = roleInk(nodes[u][1]);
    found.ends = [dots[u], dots[v]];
    return found;
  });
  drawn.push(...[...lines].reverse(), ...dots);
  picture.append(...drawn);
  const names = labels(graph, sizes, width);
  nodes.forEach((node, at) => {
    const [x, y, anchor, short] = names.get(at) || [node[3], node[4] - sizes[at] - 4, "middle", node[0].slice(0, 24)];
    dots[at].append(svg("text", { x, y, "text-anchor": anchor, class: names.has(at) ? "" : "crowded" }, short));
  });
  dots[0]?.setAttribute("tabindex", 0);
  function key(event, now) {
    const node = dots.indexOf(now);
    const around = node >= 0 ? now : now.ends.find((end) => end === now.from) || now.ends[0];
    const own = lines.filter((line) => line.ends.includes(around));
    const side = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const along = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter" || event.key === " ") now.dispatchEvent(new MouseEvent("click"));
    else if (event.key === "Escape") { pinned = null; lift(null); tell.nothing(); }
    else if (side) focus(dots[(dots.indexOf(around) + side + dots.length) % dots.length]);
    else if (along && own.length) {
      const next = own[node >= 0 ? (along > 0 ? 0 : own.length - 1) : (own.indexOf(now) + along + own.length) % own.length];
      next.from = around;
      focus(next);
    } else return;
    event.preventDefault();
  }
  const ends = edges.length ? [least, most].filter((value, at, all) => at === 0 || value > all[0]) : [];
  const pin = (author, reader) => { pinned = lines[edges.findIndex(([u, v]) => nodes[u][2] === author && nodes[v][2] === reader)] || null; lift(null); };
  return [picture, ends.map((value) => [weight(value), value]), pin];
}

function trafficLegend(graph, roles, roleInk, ends) {
  const swatch = (kind, wide) => {
    const found = svg("svg", { class: "swatch", viewBox: "0 0 26 8", "aria-hidden": "true" }, svg("g", { class: kind }, svg("path", { class: "line", d: "M1 4L25 4", "stroke-width": wide })));
    return found;
  };
  const shown = roles.slice(0, 12).map((role) => {
    const dot = el("i", { class: "dot" });
    dot.style.background = roleInk(role);
    return el("span", {}, dot, role || "(no role)");
  });
  return el("div", { class: "legend" }, shown, roles.length > 12 ? el("span", {}, `and ${plural(roles.length - 12, "role")} more`) : null,
    ends.map(([wide, value]) => el("span", {}, swatch("flow", wide), `${plural(value, "token")}`)),
    graph.silent.length ? el("span", {}, swatch("silent", 1.2), "declared, no traffic") : null,
    graph.edges.some((edge) => edge[4] === BESIDE) ? el("span", {}, swatch("flow beside", 2), "traffic where none was declared") : null);
}

/* What was said on an edge: page by page, the words as they stood in the prompt, and what the reader replied. */
function exchanged(reader, author, found, open, page, go) {
  const shown = found.slice(page * CONVERSED, (page + 1) * CONVERSED).map(({ place, key, quotes, said }) => el("article", { class: "exchange" },
    el("h4", {}, stepName(key.slice(0, key.lastIndexOf("/"))), " · ", el("code", {}, key)),
    quotes.map(({ facts, lines }) => [el("p", { class: "who", dir: "auto" }, `${author} said`, facts ? ` (${facts})` : ""), words(lines.join("\n"), "quote", 1200)]),
    reply(said, `${reader} replied`),
    button("the whole exchange", () => open(place), { class: "link go", "data-place": place })));
  return [shown, pager(page, Math.ceil(found.length / CONVERSED), go, "the conversation")];
}

function heardWhom(home, graph, open) {
  if (!graph || !graph.nodes.length) return;
  const roles = [...new Set(graph.nodes.filter((node) => node[2] >= 0).map((node) => node[1]))].sort();
  const roleInk = (role) => { const at = roles.indexOf(role); return at < 0 ? "var(--soft)" : at < ROLE_INKS.length ? `var(${ROLE_INKS[at]})` : hue(at); };
  const below = graph.size[0] > 720;
  const hint = () => [el("p", { class: "note" }, "Click an edge to read what was said on it, or an agent for its strongest ties. By keyboard: arrows move, Enter opens, Escape lets go."),
    below ? "" : el("ul", { class: "said" }, graph.edges.slice(0, 8).map(([u, v, count]) => el("li", {}, button(`${graph.nodes[u][0]} → ${graph.nodes[v][0]}`, () => safely(edge)(graph.nodes[u][2], graph.nodes[v][2]), { class: "link" }), ` about ${plural(count, "token")}`)))];
  const side = el("div", { class: "told", "aria-live": "polite" }, hint());
  const names = new Map(graph.nodes.map((node) => [node[2], node]));
  let wanted = 0;
  async function edge(author, reader) {
    const mine = wanted += 1;
    pin(author, reader);
    const [name, shown] = [INDEX.agents[author][0], names.get(author)?.[5] || INDEX.agents[author][0]];
    const [to, , count, , , places] = INDEX.agents[reader];
    const [found, seen] = await conversation(reader, shown);
    if (mine !== wanted) return;
    const embedded = places.reduce((sum, [, , size]) => sum + size, 0);
    const paint = (page) => side.replaceChildren(el("h3", { dir: "auto" }, `${name} → ${to}`),
      el("p", { class: "note" }, found.length ? `${plural(found.length, "prompt")} of ${to} with new words of ${name}. Words that a later prompt repeats stand where they were new.` : `No words of ${name} in the exchanges of ${to} that are in this page.`),
      embedded < count ? el("p", { class: "warning" }, `${plural(count - embedded, "exchange")} of ${to} are not in this page; they are in journal.sqlite.`) : "",
      seen < embedded ? el("p", { class: "warning" }, `Only the first ${plural(seen, "exchange")} of ${to} were searched.`) : "",
      ...exchanged(to, name, found, (place) => open(reader, place), page, paint).filter(Boolean).flat());
    paint(0);
    side.scrollTop = 0;
  }
  const rows = (title, [count, tokens, list], link) => (count ? [el("h4", {}, `${title} ${plural(count, "agent")}, about ${plural(tokens, "token")}`),
    el("table", {}, el("thead", {}, el("tr", {}, ["agent", "tokens", "prompts"].map((label, at) => el("th", { scope: "col", class: at ? "n" : "" }, label)))),
      el("tbody", {}, list.map(([place, size, prompts]) => el("tr", {}, el("th", { scope: "row", dir: "auto" }, button(INDEX.agents[place][0] || "(no name)", () => link(place), { class: "link" })), el("td", { class: "n" }, number(size)), el("td", { class: "n" }, number(prompts)))))),
    count > list.length ? el("p", { class: "note" }, `and ${plural(count - list.length, "agent")} with fewer`) : null] : []);
  function node(at) {
    wanted += 1;
    const [name, role, place, , , , out, heard] = graph.nodes[at];
    side.replaceChildren(...[el("h3", { dir: "auto" }, name, role ? ` (${role})` : ""),
      place < 0 ? el("p", { class: "note" }, "This agent of the graph was never asked.") : button("read its transcript", () => open(place), { class: "link go", "data-agent": place }),
      rows("It heard", heard, (other) => safely(edge)(other, place)), rows("It was heard by", out, (other) => safely(edge)(place, other)),
      out[0] + heard[0] ? null : el("p", { class: "note" }, "It quoted nobody, and nobody quoted it.")].flat(Infinity).filter(Boolean));
    side.scrollTop = 0;
  }
  const [picture, ends, pin] = trafficPicture(graph, roleInk, { node, edge: safely(edge), nothing: () => { wanted += 1; side.replaceChildren(...hint()); } });
  home.replaceChildren(trafficLegend(graph, roles, roleInk, ends), el("div", { class: below ? "talk below" : "talk" }, el("div", { class: "wide" }, picture), side));
  for (const row of document.querySelectorAll("button.edge-go")) row.addEventListener("click", () => { safely(edge)(Number(row.dataset.author), Number(row.dataset.reader)); side.scrollIntoView({ block: "nearest" }); });
  $("edges").open = false;
}
