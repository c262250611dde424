/* Lines over rounds: one chart, several charts with a choice of program, and the labels that found no line. */

const INKS = ["#3f7fd6", "#e07b1f", "#2f9e5f", "#d9534f", "#8a63c9", "#1aa3a3", "#b8860b", "#d45a9a", "#7c8a3c", "#8c6450", "#5b8db8", "#8b8f99"];

function ticks(low, high, wanted) {
  const rough = (high - low) / wanted || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at += 1) found.push(Number((at * step).toPrecision(12)));
  return found;
}

/* Lowest and highest of all values, a little apart; where `zero` is wanted, the lowest is 0 at most. */
function span(values, zero) {
  let [low, high] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
  if (zero) low = Math.min(0, low);
  return low === high ? [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2] : [low, high];
}

function curve(values, x, y) {
  let path = "";
  values.forEach((value, place) => {
    const before = place && values[place - 1] !== null;
    const after = values[place + 1] !== undefined && values[place + 1] !== null;
    if (value !== null) path += `${before ? "L" : "M"}${x(place).toFixed(1)} ${y(value).toFixed(1)}${before || after ? "" : "h.1"}`;
  });
  return path;
}

/* Draws {name, x, xs, lines: [[label, values]], per}; returns a function that marks a place. `pick` is called with the
   place that was clicked. */
function lineChart(home, chart, { pick = () => {}, small = false, zero = false } = {}) {
  const { xs, lines } = chart;
  const known = lines.flatMap(([, values]) => values.filter((value) => value !== null));
  if (!known.length) {
    home.replaceChildren(el("p", { class: "note" }, `No ${chart.name} was recorded.`));
    return () => {};
  }
  const [width, height] = small ? [540, 190] : [1100, 260];
  const [left, right, top, bottom] = [64, 16, 18, 34];
  const [low, high] = span(known, zero);
  const last = Math.max(1, xs.length - 1);
  const x = (place) => left + (width - left - right) * place / last;
  const y = (value) => height - bottom - (height - top - bottom) * (value - low) / (high - low);
  const ends = lines.slice(0, 4).map(([label, values]) => { const here = values.filter((value) => value !== null); return `${label} from ${number(here[0])} to ${number(here[here.length - 1])}`; }).join(", ");
  const picture = svg("svg", { class: small ? "chart small" : "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${chart.name} over ${plural(xs.length, chart.x)}: ${ends}, lowest ${number(low)}, highest ${number(high)}` });
  for (const value of ticks(low, high, 4)) {
    picture.append(svg("line", { class: "axis", x1: left, x2: width - right, y1: y(value), y2: y(value) }), svg("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, number(value)));
  }
  for (const place of ticks(0, last, small ? 5 : 10).filter((at) => Number.isInteger(at) && at < xs.length)) {
    picture.append(svg("text", { x: x(place), y: height - bottom + 18, "text-anchor": "middle" }, number(xs[place])));
  }
  picture.append(svg("text", { x: (left + width - right) / 2, y: height - 1, "text-anchor": "middle" }, chart.x), svg("text", { x: 4, y: 11 }, chart.name.slice(0, 60)));
  const paths = lines.map(([label, values], place) => {
    const path = svg("path", { class: "series", d: curve(values, x, y), "stroke-dasharray": place > 5 ? "6 3" : false }, svg("title", {}, label));
    path.style.stroke = lines.length > 1 ? INKS[place % INKS.length] : "";
    return path;
  });
  const mark = svg("line", { class: "mark", y1: top, y2: height - bottom, x1: -9, x2: -9 });
  const dots = lines.map((_, place) => { const dot = svg("circle", { class: "dot", r: 3.5, cx: -9, cy: -9 }); dot.style.fill = lines.length > 1 ? INKS[place % INKS.length] : ""; return dot; });
  picture.append(...[...paths].reverse(), mark, ...dots);
  const hint = el("p", { class: "hint" });
  const said = lines.map((_, place) => { const part = el("b"); part.style.color = lines.length > 1 ? INKS[place % INKS.length] : ""; return part; });
  function point(place) {
    fill(mark, { x1: x(place), x2: x(place) }, []);
    hint.replaceChildren(visible(`${chart.x} ${number(xs[place])}${chart.per > 1 ? ` and ${number(chart.per - 1)} after it, mean` : ""}: `), lines.length > 1 ? "" : said[0]);
    lines.forEach(([, values], at) => {
      fill(dots[at], { cx: x(place), cy: values[place] === null ? -9 : y(values[place]) }, []);
      said[at].textContent = visible(number(values[place]).replace("unknown", lines.length > 1 ? "" : "unknown"));
    });
  }
  const under = (event) => {
    const box = picture.getBoundingClientRect();
    return Math.min(xs.length - 1, Math.max(0, Math.round(((event.clientX - box.left) / box.width * width - left) / (width - left - right) * last)));
  };
  let current = xs.length - 1;
  picture.addEventListener("mousemove", (event) => point(under(event)));
  picture.addEventListener("mouseleave", () => point(current));
  picture.addEventListener("click", (event) => pick(under(event)));
  const lift = (chosen) => paths.forEach((path, at) => path.classList.toggle("dim", chosen >= 0 && at !== chosen));
  const keys = lines.length < 2 ? "" : el("ul", { class: "keys" }, lines.map(([label], at) => {
    const ink = el("i");
    ink.style.background = INKS[at % INKS.length];
    return el("li", { tabindex: 0, mouseenter: () => lift(at), mouseleave: () => lift(-1), focus: () => lift(at), blur: () => lift(-1) }, ink, el("span", { dir: "auto" }, label || "(none)"), " ", said[at]);
  }));
  point(current);
  home.replaceChildren(el("div", { class: "wide" }, picture), hint, keys);
  return (place) => point((current = place));
}

/* A choice where there are several; `open` is called with the chosen one. */
function choose(home, names, what, open) {
  const body = el("div");
  const select = el("select", { "aria-label": what, change: () => open(body, Number(select.value)) }, names.map((name, place) => el("option", { value: place }, name)));
  home.replaceChildren(names.length > 1 ? el("p", { class: "bar" }, el("label", {}, `${plural(names.length, what)}: `, select)) : "", body);
  open(body, 0);
}

function withoutLine(rest) {
  const rows = rest.map(([label, ...values]) => el("tr", {}, el("th", { scope: "row", dir: "auto" }, label), values.map((value) => el("td", { class: "n" }, number(value)))));
  const head = el("tr", {}, ["label", "first", "highest", "last"].map((name, at) => el("th", { scope: "col", class: at ? "n" : "" }, name)));
  return el("details", {}, el("summary", {}, `${plural(rest.length, "label")} without a line`),
    el("div", { class: "wide scroll" }, el("table", { class: "slim" }, el("thead", {}, head), el("tbody", {}, rows))));
}

/* All charts of a series, program by program. */
function seriesCharts(home, programs) {
  choose(home, programs.map(({ program }) => program), "program", (body, place) => {
    const { charts, left_out } = programs[place];
    const alone = charts.length === 1;
    body.replaceChildren(el("div", { class: alone ? "" : "multiples" }, charts.map((chart) => {
      const box = el("div", { class: "chart-box" });
      lineChart(box, chart, { small: !alone, zero: true });
      if (chart.rest.length) box.append(withoutLine(chart.rest));
      return box;
    })), left_out ? el("p", { class: "note" }, `${plural(left_out, "program")} more are in journal.sqlite (table records).`) : "");
  });
}
