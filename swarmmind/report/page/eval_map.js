/* The map of instances: arms down, instances across from hard to easy, each cell cut into its seeds. */

const ACROSS = 200; /* instances on a page */
const MOST_STRIPS = 8; /* seeds that are drawn apart; of more, the mean is drawn */

/* From what to what scores go, by case: from 0 to 1 if all do. */
function scoreScales() {
  const ends = INDEX.cases.map(() => [Infinity, -Infinity]);
  INDEX.episodes.forEach(({ scores }) => scores.forEach((score, at) => {
    if (typeof score !== "number") return;
    const end = ends[INDEX.instances[Math.floor(at / INDEX.seeds.length)][1]];
    [end[0], end[1]] = [Math.min(end[0], score), Math.max(end[1], score)];
  }));
  const unit = ends.every(([low, high]) => low >= 0 && high <= 1 || low > high);
  return { unit, ends: ends.map(([low, high]) => (unit || low > high ? [0, 1] : high > low ? [low, high] : [low - 1, high])) };
}

function instanceMap(home, open) {
  const { arms, cases, seeds } = INDEX;
  const { unit, ends } = scoreScales();
  const [left, high, top] = [210, 22, 4];
  const canvas = el("canvas", { tabindex: 0, role: "img", "aria-label": "scores by arm and instance; arrow keys move, Enter opens the instance" });
  const hint = el("p", { class: "hint", dir: "auto", "aria-live": "polite" });
  const more = el("div");
  const legend = el("div", { class: "legend" });
  const which = el("select", { "aria-label": "which instances", change: () => turn(0) }, el("option", { value: -1 }, "all instances"), cases.map((name, place) => el("option", { value: place }, name.slice(0, 60))));
  let [shown, page, cursor] = [[], 0, null];
  const onPage = () => shown.slice(page * ACROSS, (page + 1) * ACROSS);
  const wide = () => Math.max(seeds.length <= MOST_STRIPS ? seeds.length * 2 : 4, 4, Math.min(64, Math.floor(900 / Math.max(1, onPage().length))));
  function shade(pen, inks, score, place, x, y, w, h) {
    const [low, top_] = ends[place];
    pen.globalAlpha = 1;
    pen.fillStyle = inks.ground;
    pen.fillRect(x, y, w, h);
    if (typeof score === "number") {
      pen.globalAlpha = 0.08 + 0.92 * Math.min(1, Math.max(0, (score - low) / (top_ - low)));
      pen.fillStyle = inks.paint;
      pen.fillRect(x, y, w, h);
    } else if (score === false) {
      pen.fillStyle = inks.bad;
      pen.fillRect(x, y + h / 2 - 1.5, w, 3);
    } else {
      pen.globalAlpha = 0.5;
      pen.fillStyle = inks.soft;
      pen.fillRect(x, y + h / 2 - 0.5, w, 1);
    }
  }
  function mean(arm, instance) {
    const scores = seeds.map((_, seed) => scoreOf(arm, instance, seed));
    const known = scores.filter((score) => typeof score === "number");
    return known.length ? known.reduce((a, b) => a + b, 0) / known.length : scores.includes(false) ? false : null;
  }
  function draw() {
    const list = onPage();
    const [scale, step] = [window.devicePixelRatio || 1, wide()];
    const [across, down] = [left + list.length * step + 2, top + arms.length * high + 2];
    canvas.width = across * scale;
    canvas.height = down * scale;
    canvas.style.width = across + "px";
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    const inks = { ground: color("--fill"), paint: color("--accent"), bad: color("--bad"), soft: color("--soft") };
    const gap = step > 12 ? 3 : step > 6 ? 1 : 0;
    const strips = seeds.length <= MOST_STRIPS ? seeds.length : 1;
    arms.forEach((_, arm) => list.forEach((instance, column) => {
      const place = INDEX.instances[instance][1];
      if (!INDEX.planned[arm][place]) return;
      const part = (step - gap) / strips;
      for (let strip = 0; strip < strips; strip += 1) {
        const score = strips > 1 || seeds.length === 1 ? scoreOf(arm, instance, strip) : mean(arm, instance);
        shade(pen, inks, score, place, left + column * step + strip * part, top + arm * high, part, high - 2);
      }
    }));
    pen.globalAlpha = 1;
    pen.fillStyle = inks.soft;
    pen.font = "12px system-ui, sans-serif";
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    arms.forEach(([name], arm) => {
      const label = visible(name);
      pen.fillText(label.length > 32 ? label.slice(0, 14) + "…" + label.slice(-17) : label, left - 8, top + (arm + 0.5) * high - 1, left - 12);
    });
    if (cursor) {
      pen.strokeStyle = color("--ink");
      pen.lineWidth = 2;
      pen.strokeRect(left + cursor[1] * step, top + cursor[0] * high, step, high - 2);
    }
  }
  function tell() {
    const [arm, column] = cursor;
    const instance = onPage()[column];
    const [id, place, head] = INDEX.instances[instance];
    const scores = seeds.map((seed, at) => `seed ${seed} ${scoreText(scoreOf(arm, instance, at))}`).slice(0, 12).join(", ");
    hint.textContent = visible(`${arms[arm][0].slice(0, 80)}, ${id.slice(0, 80)} (${cases[place].slice(0, 60)}): ${INDEX.planned[arm][place] ? scores : "not planned"}${head ? ` · ${head}` : ""}`);
  }
  function move(to) {
    if (String(to) === String(cursor)) return;
    cursor = to;
    draw();
    tell();
  }
  const locate = (event) => {
    const box = canvas.getBoundingClientRect();
    const [row, column] = [Math.floor((event.clientY - box.top - top) / high), Math.floor((event.clientX - box.left - left) / wide())];
    return row >= 0 && row < arms.length && column >= 0 && column < onPage().length ? [row, column] : null;
  };
  function pick(at) {
    const instance = onPage()[at[1]];
    if (INDEX.planned[at[0]][INDEX.instances[instance][1]]) open(instance, [at[0], null]);
  }
  canvas.addEventListener("mousemove", (event) => { const at = locate(event); if (at) move(at); });
  canvas.addEventListener("click", (event) => { const at = locate(event); if (at) pick(at); });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (event.key === "Enter" && cursor) pick(cursor);
    if (!step) return;
    event.preventDefault();
    move(cursor ? [Math.min(arms.length - 1, Math.max(0, cursor[0] + step[0])), Math.min(onPage().length - 1, Math.max(0, cursor[1] + step[1]))] : [0, 0]);
  });
  function turn(to) {
    const wanted = Number(which.value);
    shown = INDEX.instances.map((_, at) => at).filter((at) => wanted < 0 || INDEX.instances[at][1] === wanted);
    [page, cursor] = [to, null];
    hint.textContent = "";
    more.replaceChildren(pager(page, Math.ceil(shown.length / ACROSS), turn, "instances") || "");
    draw();
  }
  const box = (part, kind) => { const one = el("i"); one.style.background = color(kind); one.style.opacity = part; return one; };
  function paint() {
    legend.replaceChildren(el("span", {}, box(0.08, "--accent"), unit ? "0" : "least of its case"), el("span", {}, box(1, "--accent"), unit ? "1" : "most of its case"), el("span", {}, box(1, "--bad"), "no score"), el("span", {}, box(0.3, "--soft"), "not played"));
    draw();
  }
  onScheme(paint);
  home.replaceChildren(el("p", { class: "note" }, `${plural(INDEX.instances.length, "instance")} from the hardest to the easiest, by the mean of the arms${seeds.length > 1 ? seeds.length <= MOST_STRIPS ? "; a cell is cut into its seeds" : "; a cell is the mean of its seeds" : ""}. Click a cell to see the problem and what was answered.`),
    el("div", { class: "bar" }, cases.length > 1 ? el("label", {}, "show ", which) : "", legend), el("div", { class: "wide" }, canvas), hint, more);
  turn(0);
  paint();
}
