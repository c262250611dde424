/* What changed between two texts, word by word; others' words are text nodes, whatever they say. */

const [CELLS, UNCHANGED] = [4e6, 240];

function common(a, b, from) {
  const most = Math.min(a.length, b.length);
  let count = 0;
  if (from > 0) while (count < most && a[count] === b[count]) count += 1;
  else while (count < most && a[a.length - 1 - count] === b[b.length - 1 - count]) count += 1;
  return count;
}

/* The longest common subsequence of two lists of tokens as [kind, text]: 0 in both, -1 in the first, 1 in the second. */
function aligned(a, b) {
  const wide = b.length + 1;
  const best = new Uint32Array((a.length + 1) * wide);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      best[i * wide + j] = a[i] === b[j] ? best[(i + 1) * wide + j + 1] + 1 : Math.max(best[(i + 1) * wide + j], best[i * wide + j + 1]);
    }
  }
  const found = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) { found.push([0, a[i]]); i += 1; j += 1; }
    else if (best[(i + 1) * wide + j] >= best[i * wide + j + 1]) found.push([-1, a[i++]]);
    else found.push([1, b[j++]]);
  }
  while (i < a.length) found.push([-1, a[i++]]);
  while (j < b.length) found.push([1, b[j++]]);
  return found;
}

/* Of two texts; too long ones are compared by lines, and still longer ones not at all. */
function differences(before, after) {
  for (const token of [/[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu, /[^\n]*\n|[^\n]+/g]) {
    const [a, b] = [before.match(token) || [], after.match(token) || []];
    const head = common(a, b, 1);
    const [restA, restB] = [a.slice(head), b.slice(head)];
    const tail = common(restA, restB, -1);
    const [midA, midB] = [restA.slice(0, restA.length - tail), restB.slice(0, restB.length - tail)];
    if (midA.length * midB.length <= CELLS) return joined([[0, a.slice(0, head).join("")], ...aligned(midA, midB), [0, restA.slice(restA.length - tail).join("")]]);
  }
  return [[-1, before], [1, after]];
}

/* Runs of one kind become one; what is the same between two changes, and no word, is part of the change. */
function joined(parts) {
  const runs = [];
  let [out, into] = ["", ""];
  const flush = () => { if (out) runs.push([-1, out]); if (into) runs.push([1, into]); [out, into] = ["", ""]; };
  parts = parts.filter(([, text]) => text);
  parts.forEach(([kind, text], at) => {
    const inside = kind === 0 && (out || into) && !/[\p{L}\p{N}]/u.test(text) && !text.includes("\n") && at + 1 < parts.length && parts[at + 1][0] !== 0;
    if (kind < 0 || inside) out += text;
    if (kind > 0 || inside) into += text;
    if (kind === 0 && !inside) {
      flush();
      if (runs.length && runs[runs.length - 1][0] === 0) runs[runs.length - 1][1] += text;
      else runs.push([0, text]);
    }
  });
  flush();
  return runs;
}

/* Long stretches that did not change are folded; a button unfolds them. */
function unchanged(text, first, last) {
  const [keepHead, keepTail] = [first ? 0 : UNCHANGED / 2, last ? 0 : UNCHANGED / 2];
  if (text.length <= UNCHANGED * 2) return [text];
  const middle = text.slice(keepHead, text.length - keepTail);
  const more = button(`… ${number(middle.length)} characters unchanged …`, () => more.replaceWith(visible(middle)), { class: "link fold" });
  return [text.slice(0, keepHead), more, keepTail ? text.slice(-keepTail) : ""];
}

function wordDiff(before, after) {
  if (before === null) return words(after === null ? "(gone)" : after, "", 3000);
  if (after === null) return el("pre", { class: "words", dir: "auto" }, el("del", {}, before.slice(0, 3000)));
  if (!/\s/.test(before + after)) return el("pre", { class: "words", dir: "auto" }, el("del", {}, before), " → ", el("ins", {}, after));
  const runs = differences(before, after);
  return el("pre", { class: "words", dir: "auto" }, runs.map(([kind, text], at) => (kind < 0 ? el("del", {}, text) : kind > 0 ? el("ins", {}, text) : unchanged(text, at === 0, at === runs.length - 1))));
}

/* All changes of a candidate: [name, old, new]. */
function changeList(changes, title) {
  if (!changes.length) return el("p", { class: "note" }, "Nothing changed.");
  return changes.map(([name, before, after]) => el("div", { class: "change" }, el(title, { dir: "auto" }, name), wordDiff(before, after)));
}
