"use strict";
/* Nothing here makes markup from text: elements are made by name, texts are set as text, and no address comes from data. */

const HOSTILE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]|\p{Surrogate}/gu;
const INDEX = JSON.parse(document.getElementById("index").textContent);
const CACHED_CHUNKS = 12;

function sign(letter) {
  const code = letter.codePointAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return code === 0x7f ? "\u2421" : "\u27e8U+" + code.toString(16).toUpperCase().padStart(4, "0") + "\u27e9";
}
const visible = (text) => String(text).replace(HOSTILE, sign);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, visible(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) node.append(child instanceof Node ? child : visible(child));
  }
  return node;
}
const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
const $ = (id) => document.getElementById(id);
const button = (label, act, attributes) => el("button", { type: "button", click: act, ...attributes }, label);
function show(id) {
  $(id).hidden = false;
  for (const link of document.querySelectorAll("nav a")) if (link.getAttribute("href") === "#" + id) link.hidden = false;
}

const number = (value) => (value === null || value === undefined ? "unknown"
  : typeof value !== "number" ? String(value)
  : Number.isInteger(value) || Math.abs(value) >= 1e4 ? Math.round(value).toLocaleString("en-US") : String(Number(value.toPrecision(4))));
function duration(seconds) {
  if (seconds === null || seconds === undefined) return "unknown";
  const round = (value) => String(Number(value.toPrecision(3)));
  if (seconds < 1) return round(seconds * 1000) + " ms";
  if (seconds < 99.95) return round(seconds) + " s";
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${Math.round(seconds % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
const plural = (count, word) => `${number(count)} ${word}${count === 1 ? "" : "s"}`;
const asText = (value) => (typeof value === "string" ? value : JSON.stringify(value));
/* On paper everything is light: charts are drawn anew when the scheme changes or the page is printed. */
const onScheme = (draw) => window.matchMedia("screen and (prefers-color-scheme: dark)").addEventListener("change", draw);
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/* A text in full if it is short, else its head and a button. */
function words(text, kind = "", limit = 1500) {
  const pre = el("pre", { class: kind, dir: "auto" }, text.length > limit ? text.slice(0, limit) + " ..." : text);
  if (text.length <= limit) return pre;
  const more = button(`show all ${number(text.length)} characters`, () => {
    pre.textContent = visible(text);
    more.remove();
  });
  return el("div", {}, pre, more);
}

function trouble(error) {
  $("trouble").hidden = false;
  $("trouble").textContent = visible("A part of this page could not be shown: " + (error && error.message ? error.message : error));
}
/* Event handlers that await: what goes wrong is said on the page. */
const safely = (act) => (...given) => Promise.resolve().then(() => act(...given)).catch(trouble);

const chunks = new Map();
function chunk(number) {
  if (!chunks.has(number)) {
    if (chunks.size >= CACHED_CHUNKS) chunks.delete(chunks.keys().next().value);
    chunks.set(number, inflate($("c" + number).textContent));
  }
  return chunks.get(number);
}
async function inflate(letters) {
  if (typeof DecompressionStream === "undefined") {
    throw new Error("this browser has no DecompressionStream; a browser of 2023 or later shows transcripts and replays");
  }
  const raw = atob(letters);
  const bytes = new Uint8Array(raw.length);
  for (let at = 0; at < raw.length; at += 1) bytes[at] = raw.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}
/* Of [[chunk, first], ...] in order: the entry that holds a number. */
function holding(places, wanted) {
  let found = null;
  for (const place of places) if (place[1] <= wanted) found = place;
  return found;
}

/* A step of a world's program is named by the round that it led to. */
function stepName(step) {
  const cut = step.lastIndexOf("/");
  const world = INDEX.worlds[step.slice(0, cut)];
  const next = world ? world.steps.findIndex((at) => at > Number(step.slice(cut + 1))) : -1;
  if (next < 0) return step.replace(/^run\//, "").replace(/^\d+$/, "step $&");
  const several = Object.keys(INDEX.worlds).length > 1 ? step.slice(0, cut).split("/").pop() + " " : "";
  return `${several}round ${number(world.rounds[next])}`;
}

/* Buttons for pages of a list; `go` is called with the new page. */
function pager(page, pages, go, what) {
  if (pages < 2) return null;
  const jump = el("input", { type: "number", min: 1, max: pages, value: page + 1, "aria-label": `page of ${what}`,
    change: () => go(Math.min(pages, Math.max(1, Number(jump.value) || 1)) - 1) });
  return el("div", { class: "bar" },
    button("‹", () => go(page - 1), { disabled: page === 0, "aria-label": `previous page of ${what}` }),
    jump, `of ${number(pages)}`,
    button("›", () => go(page + 1), { disabled: page >= pages - 1, "aria-label": `next page of ${what}` }));
}
