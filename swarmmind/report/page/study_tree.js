/* Who was made from whom: generations from left to right, the winner's line on top. */

function shade(share) {
  return `color-mix(in oklab, var(--accent) ${Math.round(8 + 92 * share)}%, var(--fill))`;
}

/* The lowest and the highest of these scores; a function that places one between them. */
function scale(values) {
  const known = values.filter((value) => value !== null && value !== undefined);
  const [low, high] = known.length ? [known.reduce((a, b) => Math.min(a, b)), known.reduce((a, b) => Math.max(a, b))] : [0, 0];
  return [low, high, (value) => (high > low ? (value - low) / (high - low) : 0.6)];
}

function colorKey(low, high) {
  const shades = high > low ? [[0, low], [0.5, (low + high) / 2], [1, high]] : [[0.6, low]];
  return shades.map(([share, value]) => {
    const box = el("i");
    box.style.background = shade(share);
    return el("span", {}, box, digits(value));
  });
}

function familyTree(home, filterBelow) {
  const { nodes, joins, path, columns, rows, alone } = INDEX.tree;
  if (!nodes.length) return;
  const [wide, high, margin] = [Math.max(52, Math.min(104, Math.floor(1040 / columns))), 46, 30];
  const [width, height] = [Math.max(1100, 2 * margin + wide * (columns - 1)), rows * high + 26];
  const [low, top, place] = scale(nodes.map(([one]) => (one === null ? null : scoreOf(one)?.[0])));
  const line = new Set(path);
  const at = (node) => [margin + wide * nodes[node][4], 18 + high * nodes[node][5]];
  const picture = svg("svg", { class: "graph family", viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `lineage of ${plural(INDEX.ids.length, "candidate")}: generations from left to right. Arrow keys move, Enter opens.` });
  picture.style.minWidth = Math.min(width, Math.max(560, 2 * margin + wide * columns)) + "px";
  if (2 * margin + wide * columns > 1100) picture.style.width = width + "px";
  const hint = el("p", { class: "hint", "aria-live": "polite" });
  const panel = el("div", { class: "detail", "aria-live": "polite" });
  const look = async (one) => {
    picture.querySelector(".node.on")?.classList.remove("on");
    drawn[nodes.findIndex(([number]) => number === one)]?.classList.add("on");
    panel.replaceChildren(await candidate(one, look));
  };
  const bend = (from, to, kind) => {
    const [[x1, y1], [x2, y2]] = [at(from), at(to)];
    return svg("path", { class: kind, d: y1 === y2 ? `M${x1} ${y1}H${x2}` : `M${x1} ${y1}C${x1 + wide * 0.55} ${y1} ${x2 - wide * 0.75} ${y2} ${x2} ${y2}` });
  };
  nodes.forEach(([, parent, skipped], node) => {
    if (parent >= 0) picture.append(bend(parent, node, `branch${line.has(node) && line.has(parent) ? " path" : ""}${skipped ? " skips" : ""}`));
  });
  for (const [other, node] of joins) picture.append(bend(other, node, "branch join"));
  const said = ([one, parent, skipped, folded]) => (one === null ? `${plural(folded, "candidate")} more made from #${nodes[parent][0] + 1}, or from what was made from it` : brief(one) + (skipped ? ` · ${plural(skipped, "generation")} between are not drawn` : ""));
  const focus = (group) => { picture.querySelector("[tabindex='0']")?.setAttribute("tabindex", -1); group.setAttribute("tabindex", 0); group.focus(); };
  const drawn = nodes.map((node, index) => {
    const [one, parent, , folded] = node;
    const [x, y] = at(index);
    const open = () => (one === null ? filterBelow(nodes[parent][0]) : safely(look)(one));
    const about = said(node);
    const group = svg("g", { class: "node", role: "button", tabindex: index ? -1 : 0, "aria-label": about, click: open, mouseenter: () => { hint.textContent = visible(about); }, focus: () => { hint.textContent = visible(about); }, keydown: (event) => key(event, index, open) }, svg("title", {}, about));
    if (one === null) {
      group.classList.add("bubble");
      const label = `+${folded < 1000 ? folded : `${digits(folded / 1000)}k`}`;
      const long = 12 + 7 * label.length;
      group.append(svg("rect", { x: x - 12, y: y - 10, width: long, height: 20, rx: 10 }), svg("text", { x: x - 12 + long / 2, y: y + 4, "text-anchor": "middle" }, label));
    } else {
      const score = scoreOf(one);
      const dot = svg("circle", { class: "dot", cx: x, cy: y, r: 9 });
      dot.style.fill = score ? shade(place(score[0])) : "none";
      if (INDEX.kept[one]) group.append(svg("circle", { class: one === INDEX.winner ? "kept won" : "kept", cx: x, cy: y, r: one === INDEX.winner ? 13 : 12 }));
      if (!INDEX.seen.validate[one]) group.classList.add("unsure");
      group.append(dot);
      const label = wide < 60 ? `${one + 1}` : `#${one + 1}  ${score ? digits(score[0]) : ""}`;
      if (wide >= 60 || INDEX.kept[one] || columns < 60) group.append(svg("text", { x, y: y + 26, "text-anchor": "middle" }, label));
    }
    return group;
  });
  picture.append(...drawn);
  function key(event, index, open) {
    const [, , , , column, row] = nodes[index];
    const near = (wanted, weigh) => nodes.map((node, other) => [wanted(node) ? weigh(node) : Infinity, other]).sort((a, b) => a[0] - b[0])[0];
    const next = { ArrowRight: () => near((node) => node[4] > column, (node) => (node[4] - column) + 3 * Math.abs(node[5] - row)), ArrowLeft: () => near((node) => node[4] < column, (node) => (column - node[4]) + 3 * Math.abs(node[5] - row)),
      ArrowDown: () => near((node) => node[5] > row, (node) => 3 * Math.abs(node[4] - column) + (node[5] - row)), ArrowUp: () => near((node) => node[5] < row, (node) => 3 * Math.abs(node[4] - column) + (row - node[5])) }[event.key];
    if (event.key === "Enter" || event.key === " ") open();
    else if (next) { const [far, other] = next(); if (far < Infinity) focus(drawn[other]); }
    else return;
    event.preventDefault();
  }
  const ring = (kind) => svg("svg", { class: "swatch round", viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("circle", { class: kind, cx: 8, cy: 8, r: 6 }));
  home.replaceChildren(el("div", { class: "legend" }, el("span", {}, "score "), colorKey(low, top), el("span", {}, ring("kept won"), "winner"), el("span", {}, ring("kept"), "kept"),
    nodes.some(([one]) => one !== null && !INDEX.seen.validate[one]) ? el("span", {}, ring("hollow"), "not scored on validation") : null,
    joins.length ? el("span", {}, "dashed: another parent") : null, nodes.some(([, , skipped]) => skipped) ? el("span", {}, "dotted: generations between are not drawn") : null),
  el("div", { class: "wide scroll tall" }, picture), hint,
  alone ? el("p", { class: "note" }, `${plural(alone, "candidate")} more ${alone === 1 ? "hangs" : "hang"} on nothing that is drawn.`) : "", panel);
}
