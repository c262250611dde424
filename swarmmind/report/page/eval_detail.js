/* One instance in full: its problem, and what every arm made of it with every seed. */

/* An episode's score; null if it was not played, false if it has none, undefined if it was never planned. */
function scoreOf(arm, instance, seed) {
  if (!INDEX.planned[arm][INDEX.instances[instance][1]]) return undefined;
  return INDEX.episodes[arm].scores[instance * INDEX.seeds.length + seed];
}
const valueOf = (name, arm, instance, seed) => INDEX.episodes[arm][name][instance * INDEX.seeds.length + seed];
const scoreText = (score) => (score === undefined ? "not planned" : score === null ? "not played" : score === false ? "no score" : number(score));
const KIND_NAMES = { arm: "", control: "same tokens", baseline: "baseline", floor: "floor" };

/* The texts of an instance, or null if they found no place in the page. */
async function instanceTexts(instance) {
  const place = holding(INDEX.places, instance);
  return place && instance < INDEX.instances.length - INDEX.left_out ? (await chunk(place[0]))[instance - place[1]] : null;
}

/* Shows an instance in `home`; the row of `wanted` ([arm, seed]) is marked and comes first into view. */
async function instanceDetail(home, instance, wanted) {
  const [id, place] = INDEX.instances[instance];
  const known = await instanceTexts(instance);
  const rows = [];
  let at = 0;
  INDEX.arms.forEach(([name, kind], arm) => {
    if (!INDEX.planned[arm][place]) return;
    INDEX.seeds.forEach((seed, number_) => {
      const said = known ? known.said[at] : null;
      at += 1;
      const on = wanted && wanted[0] === arm && (wanted[1] === null || wanted[1] === number_);
      rows.push(el("tr", {}, el("th", { scope: "row", dir: "auto" }, number_ ? "" : name, number_ || !KIND_NAMES[kind] ? "" : el("small", {}, ` ${KIND_NAMES[kind]}`)),
        el("td", { class: on ? "n on" : "n" }, String(seed)), el("td", { class: "n scores" }, scoreText(scoreOf(arm, instance, number_))),
        el("td", {}, said ? saidList(said) : el("span", { class: "note" }, known ? "" : "not in this page"))));
    });
  });
  const problem = known && known.text ? [el("h4", {}, "Problem"), words(known.text)] : [];
  const target = known && known.target ? [el("h4", {}, "What is right"), words(known.target, "", 600)] : [];
  home.replaceChildren(el("article", {}, el("h3", { dir: "auto" }, id, el("small", {}, ` ${INDEX.cases[place]}${known && known.kind ? `, ${known.kind}` : ""}`)), problem, target,
    known ? "" : el("p", { class: "warning" }, "The texts of this instance are not in this page; they are in journal.sqlite."),
    el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, ["arm", "seed", "score", "output, reason"].map((head) => el("th", { scope: "col" }, head)))), el("tbody", {}, rows))),
    button("close", () => home.replaceChildren())));
  home.querySelector(".on")?.scrollIntoView({ block: "nearest" });
}

function saidList([output, reason, error, metrics]) {
  const told = Object.entries(metrics).map(([name, value]) => `${name} ${number(value)}`).join(", ");
  return [output ? words(output, "reply", 600) : "", reason ? el("p", { class: "note", dir: "auto" }, reason) : "", error ? el("p", { class: "bad", dir: "auto" }, error) : "", told ? el("p", { class: "note", dir: "auto" }, told) : ""];
}
