/* The replay of a world: its map at any round, and what was said then. */

const SYMBOLS = { ".": ["", "empty"], W: ["wall", "wall"], P: ["#d64550", "P (prey)"], F: ["#2e9e5b", "F (food)"], N: ["#c98a1b", "N (nest)"], B: ["#8a6a4f", "B (block)"] };
const hue = (place) => `hsl(${(place * 137.508) % 360} 62% 52%)`;

/* Where agents are: name, row, column. Frames give [row, column] or {pos: [row, column]}. */
const positions = (frame) => Object.entries(frame.agents || {})
  .map(([name, at]) => [name, ...(Array.isArray(at) ? at : Array.isArray(at?.pos) ? at.pos : []).map(Number)])
  .filter((found) => found.length > 2);
/* Messages as [speaker, text], whatever way the world writes them. */
function messages(frame) {
  const from = frame.messages || [];
  const list = Array.isArray(from) ? from : Object.entries(from);
  return list.map((item) => {
    if (Array.isArray(item)) return [asText(item[0]), item.slice(1).map(asText).join(" ")];
    if (item && typeof item === "object") return [asText(item.agent ?? item.speaker ?? item.name ?? item.from ?? "?"), asText(item.text ?? item.content ?? item.message ?? item)];
    return ["", asText(item)];
  }).filter(([, text]) => text && text !== "null" && text !== '""');
}

function drawMap(canvas, frame, wanted) {
  const rows = frame.grid.map((row) => Array.from(String(row)));
  const across = Math.max(1, ...rows.map((row) => row.length));
  const size = Math.max(3, Math.min(44, Math.floor(640 / Math.max(across, rows.length))));
  const scale = window.devicePixelRatio || 1;
  canvas.width = across * size * scale;
  canvas.height = rows.length * size * scale;
  canvas.style.width = across * size + "px";
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  pen.fillStyle = color("--fill");
  pen.fillRect(0, 0, across * size, rows.length * size);
  const ink = { wall: color("--wall"), agent: color("--accent"), text: color("--ink") };
  const who = positions(frame);
  const stands = new Map(who.map(([name, row, column], place) => [row * across + column, [name, place]]));
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.font = `600 ${Math.floor(size * 0.46)}px system-ui, sans-serif`;
  const disc = (row, column, paint, ring) => {
    pen.beginPath();
    pen.arc((column + 0.5) * size, (row + 0.5) * size, size * (ring && size > 7 ? 0.36 : 0.42), 0, 7);
    pen.fillStyle = pen.strokeStyle = paint;
    pen.lineWidth = Math.max(1.5, size * 0.1);
    if (ring && size > 7) pen.stroke(); else pen.fill();
  };
  rows.forEach((row, i) => row.forEach((symbol, j) => {
    const agent = stands.get(i * across + j);
    if (agent) {
      disc(i, j, hue(agent[1]), symbol === "a");
      if (size >= 18) {
        pen.fillStyle = symbol === "a" ? ink.text : "#fff";
        pen.fillText(visible(agent[0].match(/\d+$/)?.[0] ?? agent[0]).slice(0, 3), (j + 0.5) * size, (i + 0.54) * size);
      }
    } else if (symbol === "A" || symbol === "a") disc(i, j, ink.agent, symbol === "a");
    else if (symbol !== "." && symbol !== " ") {
      const known = SYMBOLS[symbol];
      pen.fillStyle = known ? (known[0] === "wall" ? ink.wall : known[0]) : hue(symbol.codePointAt(0));
      pen.fillRect(j * size, i * size, size - (size > 7 ? 1 : 0), size - (size > 7 ? 1 : 0));
      if (size >= 14 && symbol !== "W") {
        pen.fillStyle = "#fff";
        pen.fillText(visible(symbol), (j + 0.5) * size, (i + 0.54) * size);
      }
    }
  }));
  for (const [name, row, column] of who) {
    if (!wanted || !name.toLowerCase().includes(wanted)) continue;
    pen.strokeStyle = color("--ink");
    pen.lineWidth = 2;
    pen.strokeRect(column * size - 2, row * size - 2, size + 4, size + 4);
  }
  return { rows, across, size, stands };
}

function legendOf(rows) {
  const used = [...new Set(rows.flat())].filter((symbol) => symbol !== " ").sort().slice(0, 16);
  return used.map((symbol) => {
    const box = el("i");
    const agent = symbol === "A" || symbol === "a";
    const known = SYMBOLS[symbol];
    box.style.background = agent ? (symbol === "A" ? color("--accent") : "transparent") : symbol === "." ? color("--fill") : symbol === "W" ? color("--wall") : known ? known[0] : hue(symbol.codePointAt(0));
    if (agent) { box.style.borderRadius = "50%"; box.style.border = "2px solid " + color("--accent"); }
    return el("span", {}, box, agent ? `${symbol} (agent)` : known ? known[1] : symbol);
  });
}

function replay(home, world, every, mark) {
  const count = Math.ceil(world.rounds.length / every);
  let [at, timer, drawn, frame, quoted] = [0, 0, null, null, 50];
  const canvas = el("canvas", { role: "img", tabindex: 0, "aria-label": "map of the world; arrow keys go from round to round, space plays" });
  const [hint, legend, aside, title] = [el("p", { class: "hint" }), el("div", { class: "legend" }), el("aside"), el("b", { "aria-live": "polite" })];
  const slider = el("input", { type: "range", min: 0, max: count - 1, value: 0, "aria-label": "round", input: safely(() => seek(Number(slider.value))) });
  const play = button("▶ play", () => run(!timer));
  const speed = el("select", { "aria-label": "speed", change: () => timer && run(true) },
    [1, 2, 5, 10, 25].map((value) => el("option", { value, selected: value === 5 }, `${value} rounds/s`)));
  const find = el("input", { type: "search", placeholder: "find an agent", "aria-label": "find an agent on the map", input: () => paint() });
  const text = el("pre");
  async function seek(to) {
    at = Math.min(count - 1, Math.max(0, to));
    slider.value = at;
    const wanted = at;
    const place = holding(world.places, at);
    const read = (await chunk(place[0]))[wanted - place[1]];
    if (wanted !== at) return;
    frame = read && typeof read === "object" ? read : {};
    quoted = 50;
    mark(at * every);
    paint();
  }
  function paint() {
    if (!frame) return;
    title.textContent = visible(`round ${number(frame.round ?? at * every)} · score ${number(frame.score)}`);
    const grid = Array.isArray(frame.grid) && frame.grid.length;
    canvas.hidden = !grid;
    if (grid) {
      drawn = drawMap(canvas, frame, find.value.trim().toLowerCase());
      legend.replaceChildren(...legendOf(drawn.rows));
      text.textContent = visible(frame.grid.join("\n"));
    }
    const said = messages(frame);
    const facts = Object.entries(frame).filter(([name]) => !["round", "score", "grid", "agents", "messages"].includes(name))
      .flatMap(([name, value]) => (value && typeof value === "object" && !Array.isArray(value) ? Object.entries(value) : [[name, value]]))
      .filter(([, value]) => value !== null && value.length !== 0);
    aside.replaceChildren(
      facts.length ? el("table", {}, el("tbody", {}, facts.slice(0, 30).map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, asText(value).slice(0, 300)))))) : "",
      el("h3", {}, said.length ? `Said in this round (${number(said.length)})` : "Nothing was said in this round"),
      el("ul", { class: "said" }, said.slice(0, quoted).map(([name, words]) => el("li", { dir: "auto" }, el("b", {}, name, name ? ": " : ""), words.slice(0, 2000)))),
      said.length > quoted ? button(`show ${number(Math.min(200, said.length - quoted))} more`, () => { quoted += 200; paint(); }) : "");
  }
  function run(on) {
    clearInterval(timer);
    timer = 0;
    if (on && at >= count - 1) at = -1;
    if (on) timer = setInterval(safely(() => { if (at >= count - 1) run(false); else return seek(at + 1); }), 1000 / Number(speed.value));
    play.textContent = on ? "❚❚ pause" : "▶ play";
  }
  function key(event) {
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: count - 1 }[event.key];
    if (to === undefined && event.key !== " ") return;
    event.preventDefault();
    run(to === undefined ? !timer : false);
    if (to !== undefined) safely(seek)(to);
  }
  canvas.addEventListener("keydown", key);
  canvas.addEventListener("mousemove", (event) => {
    if (!drawn) return;
    const box = canvas.getBoundingClientRect();
    const [i, j] = [event.clientY - box.top, event.clientX - box.left].map((value) => Math.floor(value / box.width * drawn.across));
    const symbol = drawn.rows[i]?.[j];
    if (symbol !== undefined) hint.textContent = visible(`row ${i}, column ${j}: ${(SYMBOLS[symbol] || ["", symbol])[1]} ${drawn.stands.get(i * drawn.across + j)?.[0] ?? ""}`);
  });
  onScheme(paint);
  home.replaceChildren(
    every > 1 ? el("p", { class: "note" }, `All ${number(world.rounds.length)} maps would be too much for this page: every ${every}th is here, all of them are in journal.sqlite (table records).`) : "",
    el("div", { class: "bar" }, play, button("‹", safely(() => seek(at - 1)), { "aria-label": "previous round" }), slider, button("›", safely(() => seek(at + 1)), { "aria-label": "next round" }), title, speed, find),
    el("div", { class: "stage" }, el("div", {}, canvas, hint, legend, el("details", {}, el("summary", {}, "map as text"), text)), aside));
  safely(seek)(0);
  return { seek: safely((round) => seek(Math.floor(round / every))), stop: () => run(false) };
}

function worlds(home, every, found) {
  const names = Object.keys(found);
  if (!names.length) return;
  show("world");
  let current = null;
  const select = el("select", { "aria-label": "world", change: open }, names.map((name) => el("option", { value: name }, name)));
  function open() {
    if (current) current.stop();
    const world = found[select.value] || found[names[0]];
    const mark = lineChart($("score"), { name: "score", x: "round", xs: world.rounds, lines: [["score", world.scores]] }, { pick: (place) => current.seek(place) });
    current = replay(home, world, every, mark);
  }
  if (names.length > 1) $("score").before(el("p", { class: "bar" }, el("label", {}, `${plural(names.length, "world")}: `, select)));
  open();
}
