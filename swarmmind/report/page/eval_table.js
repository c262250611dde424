/* All episodes as a table that can be sorted, filtered and paged; a row opens below itself. */

const ROWS = 50;

function episodeTable(home) {
  const { arms, cases, instances, seeds } = INDEX;
  const many = arms.length * instances.length * seeds.length;
  const armOf = (one) => Math.floor(one / (instances.length * seeds.length));
  const instanceOf = (one) => Math.floor(one / seeds.length) % instances.length;
  const seedOf = (one) => one % seeds.length;
  const get = (name) => (one) => INDEX.episodes[armOf(one)][name][one % (instances.length * seeds.length)];
  const score = get("scores");
  const every = [];
  for (let one = 0; one < many; one += 1) if (INDEX.planned[armOf(one)][instances[instanceOf(one)][1]]) every.push(one);
  const cell = (name, say) => (one) => el("td", { class: "n" }, get("scores")(one) === null ? "" : say(get(name)(one)));
  const priced = INDEX.episodes.some(({ usd }) => usd.some(Boolean));
  const columns = [
    { name: "arm", of: armOf, cell: (one) => el("td", { dir: "auto" }, arms[armOf(one)][0]) },
    { name: "case", of: (one) => instances[instanceOf(one)][1], cell: (one) => el("td", { dir: "auto" }, cases[instances[instanceOf(one)][1]]) },
    { name: "instance", of: instanceOf, cell: (one) => el("th", { scope: "row", dir: "auto" }, button(instances[instanceOf(one)][0].slice(0, 80), () => toggle(one), { class: "link", "aria-expanded": one === opened ? "true" : "false" })) },
    { name: "problem", of: (one) => instances[instanceOf(one)][2], cell: (one) => el("td", { dir: "auto", class: "text" }, instances[instanceOf(one)][2]) },
    { name: "seed", of: (one) => seeds[seedOf(one)], cell: (one) => el("td", { class: "n" }, String(seeds[seedOf(one)])), n: true },
    { name: "score", of: (one) => (typeof score(one) === "number" ? score(one) : null), cell: (one) => el("td", { class: score(one) === false ? "n bad" : "n" }, scoreText(score(one))), n: true },
    { name: "tokens", of: get("tokens"), cell: cell("tokens", number), n: true, down: true },
    { name: "USD", of: get("usd"), cell: cell("usd", (value) => (value === null ? "unknown" : String(value))), n: true, down: true },
    { name: "time", of: get("seconds"), cell: cell("seconds", duration), n: true, down: true },
  ].filter(({ name }) => (name !== "USD" || priced) && (name !== "case" || cases.length > 1) && (name !== "problem" || instances.some(([, , head]) => head)));
  let [page, sorted, down, opened] = [0, -1, false, -1];
  const list = el("div", { class: "wide" });
  const more = el("div");
  const count = el("p", { class: "note", "aria-live": "polite" });
  const again = () => { page = 0; paint(); };
  const choose = (label, options) => el("select", { "aria-label": label, change: again }, options.map(([value, name]) => el("option", { value }, name.slice(0, 80))));
  const search = el("input", { type: "search", placeholder: "search instances and problems", "aria-label": "search episodes", input: again });
  const who = choose("which arm", [[-1, "all arms"], ...arms.map(([name], at) => [at, name])]);
  const what = choose("which episodes", [["all", "all episodes"], ["scored", "scored"], ["less", "scored below 1"], ["full", "scored 1 or more"], ["none", "without a score"], ["left", "not played"]]);
  const fits = { all: () => true, scored: (value) => typeof value === "number", less: (value) => typeof value === "number" && value < 1, full: (value) => typeof value === "number" && value >= 1, none: (value) => value === false, left: (value) => value === null };
  function found() {
    const [wanted, arm, fit] = [search.value.trim().toLowerCase(), Number(who.value), fits[what.value]];
    const named = wanted ? instances.map(([id, , head]) => `${id} ${head}`.toLowerCase().includes(wanted)) : null;
    const rows = every.filter((one) => (arm < 0 || armOf(one) === arm) && fit(score(one)) && (!named || named[instanceOf(one)]));
    if (sorted < 0) return rows;
    const { of } = columns[sorted];
    const keys = new Map(rows.map((one) => [one, of(one)]));
    return rows.sort((a, b) => { const [u, v] = [keys.get(a), keys.get(b)]; return u === v ? a - b : u === null ? 1 : v === null ? -1 : (u < v ? -1 : 1) * (down ? -1 : 1); });
  }
  function toggle(one) {
    opened = opened === one ? -1 : one;
    paint();
    list.querySelector("[aria-expanded=true]")?.focus();
  }
  function paint() {
    const rows = found();
    const head = columns.map(({ name, n, down: first }, at) => el("th", { scope: "col", class: n ? "n" : "", "aria-sort": at === sorted ? (down ? "descending" : "ascending") : "none" },
      button(`${name}${at === sorted ? (down ? " ▾" : " ▴") : ""}`, () => { down = at === sorted ? !down : Boolean(first); sorted = at; again(); list.querySelectorAll("thead button")[at].focus(); }, { class: "link" })));
    const body = rows.slice(page * ROWS, (page + 1) * ROWS).flatMap((one) => {
      const row = el("tr", { class: one === opened ? "on" : "" }, columns.map(({ cell: make }) => make(one)));
      if (one !== opened) return [row];
      const place = el("td", { colspan: columns.length, class: "detail" });
      safely(() => instanceDetail(place, instanceOf(one), [armOf(one), seedOf(one)]))();
      return [row, el("tr", {}, place)];
    });
    count.textContent = `${plural(rows.length, "episode")}${rows.length > ROWS ? `, ${ROWS} on a page` : ""}`;
    list.replaceChildren(el("table", { class: "episodes" }, el("thead", {}, el("tr", {}, head)), el("tbody", {}, body)));
    more.replaceChildren(pager(page, Math.ceil(rows.length / ROWS), (to) => { page = to; paint(); }, "episodes") || "");
  }
  home.replaceChildren(el("div", { class: "bar" }, search, who, what), count, list, more);
  paint();
}
