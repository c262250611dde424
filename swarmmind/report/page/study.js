/* A candidate in full, and everything put on the page. */

/* What is known of a candidate; `open` is called with the number of another one. */
async function candidate(one, open) {
  const place = holding(INDEX.places, one);
  const known = place && one < INDEX.ids.length - INDEX.left_out ? (await chunk(place[0]))[one - place[1]] : null;
  const parents = INDEX.parents[one];
  const head = [el("h3", {}, title(one), " ", el("code", {}, INDEX.ids[one]))];
  if (!known) return el("article", {}, head, el("p", {}, brief(one)), el("p", { class: "warning" }, "Its values are not in this page; they are in journal.sqlite (table records, candidate)."));
  const told = known.seen.map(([split, mean, low, high, n, asked, measures]) => el("li", {}, `${SPLIT_NAMES[split] || split}: ${sure([mean, low, high])} on ${plural(n, "example")}${asked > n ? `, ${number(asked - n)} without a score` : ""}`,
    Object.keys(measures).length ? el("small", {}, ` · ${Object.entries(measures).slice(0, 12).map(([name, value]) => `${name} ${digits(value)}`).join(", ")}`) : ""));
  const made = parents.length ? el("p", {}, "made from ", parents.map((parent, at) => [at ? " and " : "", button(`#${parent + 1}`, () => safely(open)(parent), { class: "link" })]), known.strangers.length ? `, and from ${plural(known.strangers.length, "candidate")} that ${known.strangers.length === 1 ? "was" : "were"} never tried` : "")
    : el("p", {}, known.strangers.length ? "made from a candidate that was never tried before it" : "a beginning");
  return el("article", {}, head, made, known.note ? el("p", { class: "quote", dir: "auto" }, known.note.slice(0, 4000)) : "", el("ul", {}, told),
    el("h4", {}, parents.length ? `What it changed in #${parents[0] + 1}` : "Its values"), changeList(known.changes, "h5"));
}

async function winnerChanges() {
  const changes = await chunk(0);
  if (!changes.length) return;
  show("changes");
  $("winner").replaceChildren(el("p", { class: "note" }, "From the start to the winner: ", el("del", {}, "taken out"), ", ", el("ins", {}, "put in"), "."), ...changeList(changes, "h3"));
}

function main() {
  const { ids, series, archive } = INDEX;
  for (const home of document.querySelectorAll("[data-series]")) seriesCharts(home, series[Number(home.dataset.series)][1]);
  if (!ids.length) return;
  for (const id of ["scores", "tree", "candidates"]) show(id);
  const left = [];
  if (INDEX.left_out) left.push(`The values of the last ${plural(INDEX.left_out, "candidate")} are not in this page; they are in journal.sqlite (table records, candidate).`);
  if (INDEX.clipped) left.push(`${plural(INDEX.clipped, "value")} ${INDEX.clipped === 1 ? "is" : "are"} cut; journal.sqlite has them in full.`);
  $("left").textContent = left.join(" ");
  const only = candidateTable($("table"));
  scoreChart($("chart"));
  familyTree($("lineage"), only);
  if (archive && archive.axes.length) {
    show("archive");
    archiveMap($("map"), archive);
  }
  safely(winnerChanges)();
}
try { main(); } catch (error) { trouble(error); }
