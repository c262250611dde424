/* Activity of agent by step. */

const METRICS = {
  failures: { name: "failures", of: (a, at) => a.failures[at] / a.exchanges[at], say: (value) => number(100 * value) + " % failed", ink: "--bad" },
  tokens: { name: "tokens", of: (a, at) => (a.tokens[at] === null ? null : a.tokens[at] / a.exchanges[at]), say: (value) => number(Math.round(value)) + " tokens an exchange", ink: "--accent" },
  seconds: { name: "latency", of: (a, at) => a.seconds[at] / a.exchanges[at], say: (value) => duration(value), ink: "--fair" },
  exchanges: { name: "exchanges", of: (a, at) => a.exchanges[at], say: (value) => plural(value, "exchange"), ink: "--good" },
};

/* The map of activity: agents down, steps across; `open` is called with an agent's place. */
function heatMap(home, activity, agents, columns, open) {
  const { rows, columns: across } = activity;
  const high = Math.max(2, Math.min(22, Math.floor(560 / rows)));
  const wide = Math.max(2, Math.min(60, Math.floor(940 / across)));
  const left = 130;
  const names = columns.map((step) => visible(stepName(step)));
  const canvas = el("canvas", { tabindex: 0, role: "img", "aria-label": "activity by agent and step; arrow keys move, Enter opens the agent" });
  const hint = el("p", { class: "hint", "aria-live": "polite" });
  const legend = el("div", { class: "legend" });
  let metric = activity.failures.some(Boolean) ? "failures" : activity.tokens.some(Boolean) ? "tokens" : activity.seconds.some(Boolean) ? "seconds" : "exchanges";
  let cursor = null;
  const firstAgent = (row) => Math.ceil(row * activity.agents / rows);
  const firstStep = (column) => Math.ceil(column * activity.steps / across);
  function draw() {
    const scale = window.devicePixelRatio || 1;
    canvas.width = (left + across * wide) * scale;
    canvas.height = (rows * high + 22) * scale;
    canvas.style.width = left + across * wide + "px";
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const { of, say, ink } = METRICS[metric];
    const values = activity.exchanges.map((count, at) => (count ? of(activity, at) : null));
    const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
    const top = sorted[Math.min(sorted.length - 1, Math.floor(0.995 * sorted.length))] || sorted[sorted.length - 1] || 1;
    const [ground, paint] = [color("--fill"), color(ink)];
    const gap = wide > 5 && high > 5 ? 1 : 0;
    values.forEach((value, at) => {
      const [px, py] = [left + (at % across) * wide, Math.floor(at / across) * high];
      pen.globalAlpha = 1;
      pen.fillStyle = ground;
      if (value !== null) pen.fillRect(px, py, wide - gap, high - gap);
      pen.globalAlpha = value ? Math.min(1, 0.06 + 0.94 * value / top) : 0;
      pen.fillStyle = paint;
      if (value) pen.fillRect(px, py, wide - gap, high - gap);
    });
    pen.globalAlpha = 1;
    pen.fillStyle = color("--soft");
    pen.font = "11px system-ui, sans-serif";
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (let row = 0; row < rows; row += Math.ceil(18 / high)) pen.fillText(visible(agents[firstAgent(row)][0]).slice(0, 20), left - 6, Math.max(6, (row + 0.5) * high), left - 8);
    pen.textAlign = "left";
    let free = 0;
    for (let column = 0; column < across; column += 1) {
      const name = names[column];
      const start = left + column * wide;
      if (start < free || start + pen.measureText(name).width > left + across * wide) continue;
      pen.fillText(name, start, rows * high + 11);
      free = start + pen.measureText(name).width + 14;
    }
    if (cursor) {
      pen.strokeStyle = color("--ink");
      pen.lineWidth = 2;
      pen.strokeRect(left + cursor[1] * wide, cursor[0] * high, wide, high);
    }
    const shade = (part) => { const box = el("i"); box.style.background = paint; box.style.opacity = part; return box; };
    legend.replaceChildren(el("span", {}, shade(0.06), say(0)), el("span", {}, shade(0.5), say(top / 2)), el("span", {}, shade(1), say(top) + (sorted[sorted.length - 1] > top ? " or more" : "")), el("span", {}, "no color: not asked, or unknown"));
  }
  function tell() {
    const [row, column] = cursor;
    const at = row * across + column;
    const [one, next] = [firstAgent(row), row + 1 < rows ? firstAgent(row + 1) : activity.agents];
    const who = next - one > 1 ? `${agents[one][0]} to ${agents[next - 1][0]}` : agents[one][0];
    const lots = (column + 1 < across ? firstStep(column + 1) : activity.steps) - firstStep(column);
    const where = names[column] + (lots > 1 ? ` and ${plural(lots - 1, "step")} after it` : "");
    const count = activity.exchanges[at];
    hint.textContent = visible(`${who}, ${where}: ` + (count ? `${plural(count, "exchange")}, ${activity.failures[at]} failed, ${number(activity.tokens[at])} tokens, ${duration(activity.seconds[at] / count)} on average` : "not asked"));
  }
  const locate = (event) => {
    const box = canvas.getBoundingClientRect();
    const zoom = (left + across * wide) / box.width;
    const [row, column] = [Math.floor((event.clientY - box.top) * zoom / high), Math.floor(((event.clientX - box.left) * zoom - left) / wide)];
    return row >= 0 && row < rows && column >= 0 && column < across ? [row, column] : null;
  };
  canvas.addEventListener("mousemove", (event) => {
    const at = locate(event);
    if (!at || String(at) === String(cursor)) return;
    cursor = at;
    draw();
    tell();
  });
  canvas.addEventListener("click", (event) => { const at = locate(event); if (at) open(firstAgent(at[0])); });
  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (event.key === "Enter" && cursor) open(firstAgent(cursor[0]));
    if (!move) return;
    event.preventDefault();
    cursor = cursor ? [Math.min(rows - 1, Math.max(0, cursor[0] + move[0])), Math.min(across - 1, Math.max(0, cursor[1] + move[1]))] : [0, 0];
    draw();
    tell();
  });
  const choice = el("select", { "aria-label": "what the colors show", change: () => { metric = choice.value; draw(); } },
    Object.entries(METRICS).map(([key, { name }]) => el("option", { value: key, selected: key === metric }, name)));
  onScheme(draw);
  const bins = rows < activity.agents || across < activity.steps
    ? `${plural(activity.agents, "agent")} and ${plural(activity.steps, "step")}, shown in ${rows} by ${across} bins. ` : "";
  home.replaceChildren(el("p", { class: "note" }, bins + "Agents from top to bottom, steps from left to right. Click a row to read the agent's transcript."),
    el("div", { class: "bar" }, el("label", {}, "color ", choice), legend), el("div", { class: "wide" }, canvas), hint);
  draw();
}
