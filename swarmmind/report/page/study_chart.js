/* Every candidate's mean with its interval, in the order they were tried, and the best so far as a line of steps. */

const SPLIT_NAMES = { validate: "validation", train: "training" };
const RINGS = 120; /* of kept ones: more are not ringed */
const CROWD = 300; /* of candidates: from there on, intervals are drawn of the kept ones only */

/* A score as `report.studies.verdict.score` says it. */
function digits(value) {
  if (value === null || value === undefined) return "unknown";
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  return String(Number(size < 0.01 ? value.toPrecision(2) : value.toFixed(size < 10 ? 3 : size < 100 ? 2 : 1)) || 0);
}
const sure = (seen) => (seen ? digits(seen[0]) + (seen[1] === null || seen[1] === seen[2] ? "" : ` (${digits(seen[1])} to ${digits(seen[2])})`) : "");
const scoreOf = (one) => INDEX.seen.validate[one] || INDEX.seen.train[one];
const title = (one) => `#${one + 1}${one === INDEX.winner ? ", the winner" : INDEX.kept[one] ? ", kept" : ""}`;

/* What is said of a candidate in one line. */
function brief(one) {
  const scores = Object.keys(SPLIT_NAMES).filter((split) => INDEX.seen[split][one]).map((split) => `${SPLIT_NAMES[split]} ${sure(INDEX.seen[split][one])}`);
  const from = INDEX.parents[one].map((parent) => `#${parent + 1}`).join(" and ");
  return [`${title(one)}: ${scores.join(", ") || "no score"}`, from && `from ${from}`, INDEX.notes[one]].filter(Boolean).join(" · ");
}

function scoreChart(home, open) {
  const { ids, seen, kept, keeps } = INDEX;
  const count = ids.length;
  const splits = Object.keys(SPLIT_NAMES).filter((split) => seen[split].some(Boolean));
  const shown = Object.fromEntries(splits.map((split) => [split, true]));
  const [width, height, left, right, top, bottom] = [1100, 320, 60, 16, 16, 36];
  const x = (one) => left + 8 + (width - left - right - 16) * (count > 1 ? one / (count - 1) : 0.5);
  const radius = count > 1500 ? 1.6 : count > CROWD ? 2.4 : 4;
  const holder = el("div", { class: "wide" });
  const hint = el("p", { class: "hint" });
  const panel = el("div", { class: "detail", "aria-live": "polite" });
  let [picture, mark, cursor] = [null, null, INDEX.winner || 0];
  function draw() {
    const wanted = splits.filter((split) => shown[split]);
    const points = wanted.flatMap((split) => seen[split].map((one, at) => [split, at, one]).filter(([, , one]) => one));
    const barred = (at) => count <= CROWD || kept[at];
    const means = points.map(([, , one]) => one[0]).concat(keeps.map((keep) => keep[1]));
    const bars = points.filter(([, at, one]) => barred(at) && one[1] !== null).flatMap(([, , one]) => [one[1], one[2]]);
    const [lowest, highest] = span(means.length ? means : [0, 1], false);
    const beyond = 0.3 * (highest - lowest); /* an interval of a few examples may be wider than all there is to see */
    const low = Math.max(lowest - beyond, Math.min(...span([lowest, ...bars], false)));
    const high = Math.min(highest + beyond, Math.max(...span([highest, ...bars], false)));
    const y = (value) => height - bottom - (height - top - bottom) * (Math.min(high, Math.max(low, value)) - low) / (high - low);
    picture = svg("svg", { class: count > CROWD ? "chart scores crowd" : "chart scores", viewBox: `0 0 ${width} ${height}`, tabindex: 0, role: "img", "aria-label": `mean scores of ${plural(count, "candidate")} in the order they were tried, from ${digits(low)} to ${digits(high)}; arrow keys move, Enter opens` });
    for (const value of ticks(low, high, 6)) picture.append(svg("line", { class: "axis", x1: left, x2: width - right, y1: y(value), y2: y(value) }), svg("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, number(value)));
    for (const place of ticks(1, count, 10).filter((at) => Number.isInteger(at) && at >= 1 && at <= count)) picture.append(svg("text", { x: x(place - 1), y: height - bottom + 18, "text-anchor": "middle" }, number(place)));
    picture.append(svg("text", { x: (left + width - right) / 2, y: height - 2, "text-anchor": "middle" }, "candidate, in the order tried"));
    for (const split of [...wanted].reverse()) {
      const own = points.filter((point) => point[0] === split);
      const whiskers = own.filter(([, at, one]) => barred(at) && one[1] !== null).map(([, at, one]) => `M${x(at).toFixed(1)} ${y(one[1]).toFixed(1)}V${y(one[2]).toFixed(1)}`).join("");
      const dots = own.map(([, at, one]) => `M${(x(at) - radius).toFixed(1)} ${y(one[0]).toFixed(1)}a${radius} ${radius} 0 1 0 ${2 * radius} 0a${radius} ${radius} 0 1 0 ${-2 * radius} 0`).join("");
      picture.append(svg("path", { class: `${split} whisker`, d: whiskers }), svg("path", { class: `${split} dots`, d: dots }));
    }
    if (keeps.length) {
      let latest = 0;
      const steps = keeps.map(([one, mean], at) => `${at ? "H" : "M"}${x((latest = Math.max(latest, one))).toFixed(1)}${at ? "V" : " "}${y(mean).toFixed(1)}`).join("") + `H${x(count - 1).toFixed(1)}`;
      picture.append(svg("path", { class: "halo", d: steps }), svg("path", { class: "steps", d: steps }));
      const rings = (keeps.length > RINGS ? [] : keeps).map(([one, mean]) => `M${(x(one) - 6).toFixed(1)} ${y(mean).toFixed(1)}a6 6 0 1 0 12 0a6 6 0 1 0-12 0`).join("");
      picture.append(svg("path", { class: "rings", d: rings }));
    }
    mark = svg("line", { class: "mark", y1: top, y2: height - bottom, x1: -9, x2: -9 });
    picture.append(mark);
    picture.addEventListener("mousemove", (event) => point(under(event)));
    picture.addEventListener("click", (event) => { point(under(event)); safely(look)(cursor); });
    picture.addEventListener("keydown", (event) => {
      const to = { ArrowLeft: cursor - 1, ArrowRight: cursor + 1, Home: 0, End: count - 1 }[event.key];
      if (event.key === "Enter") safely(look)(cursor);
      if (to === undefined) return;
      event.preventDefault();
      point(Math.min(count - 1, Math.max(0, to)));
    });
    holder.replaceChildren(picture);
    point(cursor);
  }
  const under = (event) => {
    const box = picture.getBoundingClientRect();
    const place = ((event.clientX - box.left) / box.width * width - left - 8) / (width - left - right - 16);
    return Math.min(count - 1, Math.max(0, Math.round(place * (count - 1))));
  };
  const look = async (one) => panel.replaceChildren(await candidate(one, look));
  function point(one) {
    cursor = one;
    fill(mark, { x1: x(one), x2: x(one) }, []);
    hint.textContent = visible(brief(one));
  }
  const swatch = (kind) => svg("svg", { class: "swatch", viewBox: "0 0 26 12", "aria-hidden": "true" }, svg("g", { class: "scores" }, kind === "steps" ? svg("path", { class: "steps", d: "M1 9H9V3H25" }) : [svg("path", { class: `${kind} whisker`, d: "M13 0V12" }), svg("circle", { class: `${kind} dots`, cx: 13, cy: 6, r: 4 })]));
  const choices = splits.map((split) => el("label", {}, splits.length > 1 ? el("input", { type: "checkbox", checked: true, change: (event) => { shown[split] = event.target.checked; draw(); } }) : "", " ", swatch(split), SPLIT_NAMES[split]));
  home.replaceChildren(el("div", { class: "legend choices" }, choices, el("span", {}, swatch("steps"), "best so far")),
    holder, hint, el("p", { class: "note" }, `Bars are 95 % intervals of the mean${count > CROWD ? ", here of kept candidates only" : ""}. Scores of candidates that were tried on other examples are not strictly comparable. Click, or press Enter, to see a candidate.`), panel);
  draw();
}
