/* The grid of elites: a cell for each kind of behavior; of more than two axes, the best over the others is shown. */

function edges({ low, high, bins, scale: kind }) {
  const found = [];
  for (let at = 0; at <= bins; at += 1) found.push(kind === "log" ? low * (high / low) ** (at / bins) : low + (high - low) * at / bins);
  return found;
}

function archiveMap(home, archive) {
  const { axes, cells } = archive;
  const picked = [0, Math.min(1, axes.length - 1)];
  const body = el("div", { class: "wide" });
  const key = el("div", { class: "legend" });
  const hint = el("p", { class: "hint", "aria-live": "polite" });
  const history = el("div", { class: "multiples" });
  const panel = el("div", { class: "detail", "aria-live": "polite" });
  const look = async (one) => panel.replaceChildren(await candidate(one, look));
  function draw() {
    const [across, down] = [axes[picked[0]], axes.length > 1 ? axes[picked[1]] : null];
    const best = new Map();
    for (const [place, one, quality] of cells) {
      const spot = [place[picked[0]], down ? place[picked[1]] : 0];
      const before = best.get(spot.join());
      if (!before || quality > before[2]) best.set(spot.join(), [spot, one, quality, (before ? before[3] : 0) + 1]);
      else before[3] += 1;
    }
    const rows = down ? down.bins : 1;
    const [left, bottom] = [84, 52];
    const wide = Math.max(3, Math.min(72, 980 / across.bins));
    const high = Math.max(3, Math.min(46, 520 / rows));
    const [width, height] = [left + wide * across.bins + 16, 12 + high * rows + bottom];
    const [low, top, place] = scale([...best.values()].map(([, , quality]) => quality));
    const picture = svg("svg", { class: "graph elites", viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `${plural(best.size, "cell")} of ${number(across.bins * rows)} filled. Arrow keys move, Enter opens.` });
    picture.style.maxWidth = `${width}px`;
    picture.style.minWidth = `${Math.min(width, 560)}px`;
    const x = (bin) => left + wide * bin;
    const y = (bin) => 12 + high * (rows - 1 - bin);
    picture.append(svg("rect", { class: "ground", x: left, y: 12, width: wide * across.bins, height: high * rows }));
    const names = (axis) => edges(axis).map(digits);
    const every = (count, size, room) => Math.ceil(room / size / 1) || 1;
    names(across).forEach((name, at) => { if (at % every(across.bins, wide, 44) === 0) picture.append(svg("text", { x: x(at), y: height - bottom + 16, "text-anchor": "middle" }, name)); });
    if (down) names(down).forEach((name, at) => { if (at % every(rows, high, 18) === 0) picture.append(svg("text", { x: left - 8, y: y(at) + high + 4, "text-anchor": "end" }, name)); });
    picture.append(svg("text", { class: "value", x: left + wide * across.bins / 2, y: height - 12, "text-anchor": "middle" }, across.measure.slice(0, 60)));
    if (down) picture.append(svg("text", { class: "value", x: 14, y: 12 + high * rows / 2, "text-anchor": "middle", transform: `rotate(-90 14 ${12 + high * rows / 2})` }, down.measure.slice(0, 60)));
    const filled = [...best.values()].sort((a, b) => b[0][1] - a[0][1] || a[0][0] - b[0][0]);
    const drawn = filled.map(([spot, one, quality, count], index) => {
      const range = (axis, bin) => `${axis.measure} ${digits(edges(axis)[bin])} to ${digits(edges(axis)[bin + 1])}`;
      const about = `${range(across, spot[0])}${down ? `, ${range(down, spot[1])}` : ""}: quality ${digits(quality)}${count > 1 ? `, the best of ${plural(count, "elite")}` : ""}${one >= 0 ? `, candidate #${one + 1}` : ""}`;
      const open = () => { picture.querySelector(".on")?.classList.remove("on"); group.classList.add("on"); if (one >= 0) safely(look)(one); };
      const rect = svg("rect", { x: x(spot[0]) + 0.5, y: y(spot[1]) + 0.5, width: wide - 1, height: high - 1 });
      rect.style.fill = shade(place(quality));
      const strong = place(quality) > 0.55;
      const group = svg("g", { class: one === INDEX.winner ? "node cell won" : "node cell", role: "button", tabindex: index ? -1 : 0, "aria-label": about, click: open, mouseenter: () => { hint.textContent = visible(about); }, focus: () => { hint.textContent = visible(about); }, keydown: (event) => move(event, index, open) }, svg("title", {}, about), rect,
        wide >= 34 && high >= 16 ? svg("text", { class: strong ? "strong" : "", x: x(spot[0]) + wide / 2, y: y(spot[1]) + high / 2 + 4, "text-anchor": "middle" }, digits(quality)) : null);
      return group;
    });
    function move(event, index, open) {
      const [[column, row]] = filled[index];
      const side = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (event.key === "Enter" || event.key === " ") open();
      else if (side) {
        const far = ([[c, r]]) => { const [along, aside] = side[0] ? [(c - column) * side[0], Math.abs(r - row)] : [(r - row) * side[1], Math.abs(c - column)]; return along > 0 ? along + 3 * aside : Infinity; };
        const next = filled.map((cell, at) => [far(cell), at]).sort((a, b) => a[0] - b[0])[0];
        if (next[0] < Infinity) { drawn[index].setAttribute("tabindex", -1); drawn[next[1]].setAttribute("tabindex", 0); drawn[next[1]].focus(); }
      } else return;
      event.preventDefault();
    }
    picture.append(...drawn);
    body.replaceChildren(picture);
    key.replaceChildren(el("span", {}, "quality "), ...colorKey(low, top));
  }
  const pick = (which) => el("select", { "aria-label": which ? "axis from bottom to top" : "axis from left to right", change: (event) => { const other = picked[1 - which]; picked[which] = Number(event.target.value); if (other === picked[which]) picked[1 - which] = (other + 1) % axes.length; home.querySelectorAll(".axes select").forEach((select, at) => { select.value = picked[at]; }); draw(); } },
    axes.map((axis, at) => el("option", { value: at, selected: at === picked[which] }, axis.measure)));
  home.replaceChildren(el("p", {}, `${number(archive.filled)} of ${plural(archive.total, "cell")} filled (${digits(100 * archive.coverage)} %), QD score ${digits(archive.qd_score)}, best quality ${digits(archive.best)}, after round ${number(archive.round)}.`),
    axes.length > 2 ? el("div", { class: "bar axes" }, el("label", {}, "across ", pick(0)), el("label", {}, "up ", pick(1)), el("span", { class: "note" }, "each cell shows the best over the other axes")) : "",
    key, body, hint, panel, history);
  draw();
  const { rounds, came } = archive;
  if (rounds.length < 2) return;
  const xs = rounds.map(([round]) => round);
  const charts = [["cells filled", 1], ["QD score", 2], ["best quality", 3]].map(([name, at]) => [name, [[name, rounds.map((row) => row[at])]]]);
  if (came.length) charts.push(["what became of children", came]);
  history.replaceChildren(...charts.map(([name, lines]) => {
    const box = el("div", { class: "chart-box" });
    lineChart(box, { name, x: "round", xs, lines, per: 1 }, { small: true, zero: name !== "best quality" });
    return box;
  }));
}
