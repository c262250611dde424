/* Everything put on the page. */

function main() {
  if (!INDEX.instances.length || !INDEX.arms.length) return;
  const left = [];
  if (INDEX.left_out) left.push(`The texts of the ${plural(INDEX.left_out, "easiest instance")} are not in this page; they are in journal.sqlite.`);
  if (INDEX.clipped) left.push(`${plural(INDEX.clipped, "text")} ${INDEX.clipped === 1 ? "is" : "are"} cut; journal.sqlite has them in full.`);
  const units = Object.entries(INDEX.units).map(([name, unit]) => `${name} by ${number(unit)}`);
  if (units.length) left.push(`Scores of episodes are as they were given; the leaderboard multiplies ${units.join(", ")}.`);
  if (INDEX.shared) left.push(`${plural(INDEX.shared, "episode")} ${INDEX.shared === 1 ? "is" : "are"} shown more than once: rows that are the same share theirs.`);
  $("left").textContent = left.join(" ");
  for (const id of ["map", "episodes"]) show(id);
  instanceMap($("heat"), safely(async (instance, wanted) => {
    await instanceDetail($("instance"), instance, wanted);
    $("instance").scrollIntoView({ block: "nearest" });
  }));
  episodeTable($("list"));
}
try { main(); } catch (error) { trouble(error); }
