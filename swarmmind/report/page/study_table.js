/* All candidates as a table that can be sorted, searched and paged; a row opens below itself. */

const ROWS = 50;

function candidateTable(home) {
  const { ids, parents, notes, kept, changed, seen, winner } = INDEX;
  const mean = (split) => (one) => (seen[split][one] ? seen[split][one][0] : null);
  const columns = [
    { name: "#", of: (one) => one, cell: (one) => el("th", { scope: "row", class: "n" }, button(`#${one + 1}`, () => toggle(one), { class: "link", "aria-expanded": one === opened ? "true" : "false" })), n: true },
    { name: "", label: "kept", of: (one) => (one === winner ? 2 : kept[one] ? 1 : 0), down: true, cell: (one) => el("td", {}, one === winner ? el("b", { class: "good" }, "winner") : kept[one] ? el("span", { class: "good" }, "kept") : "") },
    { name: "validation", of: mean("validate"), down: true, cell: (one) => el("td", { class: "n" }, sure(seen.validate[one])), n: true },
    { name: "training", of: mean("train"), down: true, cell: (one) => el("td", { class: "n" }, sure(seen.train[one])), n: true },
    { name: "from", of: (one) => (parents[one].length ? parents[one][0] : -1), cell: (one) => el("td", {}, parents[one].map((parent) => `#${parent + 1}`).join(", ")) },
    { name: "changed", of: (one) => changed[one].join(", "), cell: (one) => el("td", { dir: "auto" }, changed[one].slice(0, 4).join(", "), changed[one].length > 4 ? `, ${number(changed[one].length - 4)} more` : "") },
    { name: "note", of: (one) => notes[one], cell: (one) => el("td", { dir: "auto", class: "remark" }, notes[one]) },
  ].filter(({ of, name }) => name !== "training" && name !== "validation" || ids.some((_, one) => of(one) !== null));
  let [page, sorted, down, opened, below] = [0, 0, false, -1, null];
  const list = el("div", { class: "wide" });
  const more = el("div");
  const count = el("p", { class: "note", "aria-live": "polite" });
  const search = el("input", { type: "search", placeholder: "search ids, notes and parameters", "aria-label": "search candidates", input: () => { page = 0; paint(); } });
  const which = el("select", { "aria-label": "which candidates", change: () => { page = 0; paint(); } }, [["all", "all candidates"], ["kept", "kept ones"], ["not", "those not kept"], ["line", "the winner's line"]].map(([value, name]) => el("option", { value }, name)));
  const chip = el("span");
  const line = new Set();
  for (let one = winner; one !== null && one !== undefined; one = parents[one][0]) line.add(one);
  const inside = (one) => below === null || below.has(one);
  function found() {
    const wanted = search.value.trim().toLowerCase();
    const fits = { all: () => true, kept: (one) => kept[one], not: (one) => !kept[one], line: (one) => line.has(one) }[which.value];
    const rows = ids.map((_, one) => one).filter((one) => inside(one) && fits(one) && (!wanted || `#${one + 1} ${ids[one]} ${notes[one]} ${changed[one].join(" ")}`.toLowerCase().includes(wanted)));
    const { of } = columns[sorted];
    const order = (a, b) => { const [u, v] = [of(a), of(b)]; return u === v ? a - b : u === null ? 1 : v === null ? -1 : (u < v ? -1 : 1) * (down ? -1 : 1); };
    return rows.sort(order);
  }
  function toggle(one) {
    opened = opened === one ? -1 : one;
    paint();
    list.querySelector("[aria-expanded=true]")?.focus();
  }
  function paint() {
    const rows = found();
    const head = columns.map(({ name, label, n, down: first }, at) => el("th", { scope: "col", class: n ? "n" : "", "aria-sort": at === sorted ? (down ? "descending" : "ascending") : "none" },
      button(`${name || label}${at === sorted ? (down ? " ▾" : " ▴") : ""}`, () => { down = at === sorted ? !down : Boolean(first); sorted = at; page = 0; paint(); list.querySelectorAll("thead button")[at].focus(); }, { class: "link" })));
    const body = rows.slice(page * ROWS, (page + 1) * ROWS).flatMap((one) => {
      const row = el("tr", { class: one === opened ? "on" : "" }, columns.map(({ cell }) => cell(one)));
      if (one !== opened) return [row];
      const place = el("td", { colspan: columns.length, class: "detail" });
      safely(async () => place.replaceChildren(await candidate(one, jump)))();
      return [row, el("tr", {}, place)];
    });
    count.textContent = `${plural(rows.length, "candidate")}${rows.length > ROWS ? `, ${ROWS} on a page` : ""}`;
    list.replaceChildren(el("table", { class: "candidates" }, el("thead", {}, el("tr", {}, head)), el("tbody", {}, body)));
    more.replaceChildren(pager(page, Math.ceil(rows.length / ROWS), (to) => { page = to; paint(); }, "candidates") || "");
  }
  /* To another candidate's row, whatever is searched for now. */
  async function jump(one) {
    [search.value, which.value, below, opened] = ["", "all", null, one];
    chip.replaceChildren();
    page = Math.floor(found().indexOf(one) / ROWS);
    paint();
    const row = list.querySelector("[aria-expanded=true]");
    row?.focus();
    row?.scrollIntoView({ block: "center" });
  }
  /* Only those that the tree folds away below one that it shows. */
  function only(top) {
    const shown = new Set(INDEX.tree.nodes.map(([one]) => one));
    const nearest = [];
    ids.forEach((_, one) => nearest.push(shown.has(one) ? one : parents[one].length ? nearest[parents[one][0]] : -1));
    below = new Set(ids.map((_, one) => one).filter((one) => !shown.has(one) && nearest[one] === top));
    page = 0;
    chip.replaceChildren(button(`made from #${top + 1}, not in the tree ✕`, () => { below = null; chip.replaceChildren(); page = 0; paint(); }));
    paint();
    $("candidates").scrollIntoView({ block: "start" });
    chip.querySelector("button").focus({ preventScroll: true });
  }
  home.replaceChildren(el("div", { class: "bar" }, search, which, chip), count, list, more);
  paint();
  return only;
}
