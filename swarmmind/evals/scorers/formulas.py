"""A reader of final answers in LaTeX or plain notation; what it reads is computed with numbers, and never run."""

from __future__ import annotations

import re
from collections.abc import Iterable

from swarmmind.evals.scorers.arithmetic import Unreadable, computed
from swarmmind.evals.scorers.expressions import parsed
from swarmmind.evals.scorers.meanings import Group, Meaning, Number, Words

__all__ = ["Unreadable", "evaluated"]

_MAX_DEPTH = 6  # of brackets that make groups
_DROPPED = re.compile(
    r"\\(?:left|right|displaystyle|limits|bigl?|bigr?|Bigl?|Bigr?)(?![a-zA-Z])|(?<!\\)\\[!,;: ]|~|"
    r"\^\s*(?:\\circ|\{\s*\\circ\s*\})|\\degree|\N{DEGREE SIGN}|\\?\$|\N{POUND SIGN}|\N{EURO SIGN}"
)
_RENAMED = (
    (re.compile(r"\\[dtc]frac(?![a-zA-Z])"), r"\\frac"),
    (re.compile(r"\\(?:cdot|times|ast)(?![a-zA-Z])|[\u00b7\u00d7\u2217\u22c5]"), "*"),
    (re.compile(r"\\div(?![a-zA-Z])|[\u00f7\u2044\u2215]"), "/"),
    (re.compile(r"[\u2212\u2013]"), "-"),
    (re.compile(r"\\%"), "%"),
    (re.compile("\u03c0"), r"\\pi "),
    (re.compile("\u221e"), r"\\infty "),
    (re.compile(r"\u221a\s*(\d+|[a-zA-Z])"), r"\\sqrt{\1}"),
    (re.compile("\u221a"), r"\\sqrt"),
    (re.compile(r"\\(?:dots|ldots|cdots)(?![a-zA-Z])"), "..."),
    (re.compile(r"(?<=\d)(?:\{,\}|\\[,:; ]|,\\!)(?=\d{3}(?!\d))"), ","),  # between thousands
    (re.compile(r"(?<![\d.,])(\d+)\s+(\d+)\s*/\s*(\d+)(?![\d.])"), r"(\1+\2/\3)"),  # two and a half
    (re.compile(r"\\frac\s*(\d)\s*(\d)"), r"\\frac{\1}{\2}"),
    (re.compile(r"\\frac\s*(\d)\s*(?=\{)"), r"\\frac{\1}"),
    (re.compile(r"\\sqrt\s*(\d)"), r"\\sqrt{\1}"),
    (re.compile(r"(?<=\d)_(?:\{\s*\d+\s*\}|\d+)"), ""),  # the base of a number
)
_TEXT = re.compile(r"\\(?:text|mbox|mathrm|textrm|textbf|mathbf|textit|mathit|operatorname)\s*\{([^{}]*)\}")
_UNIT = re.compile(
    r"(?<=[\d.)}%])(?:\s*\\(?:text\w*|mathrm|mbox)\s*\{[^{}]*\}|(?:\s+[a-zA-Z]{2,}\.?){1,4}|"
    r"(?:mm|cm|dm|km|mg|kg|ml|ft|min|sec|hrs?|mph))(?:\s*(?:\^|\*\*)\s*\{?[23]\}?)?\s*$"
)
_THOUSANDS = re.compile(r"[-+]?\s*\d{1,3}(?:,\d{3})+(?:\.\d+)?\s*%?")
_NAMED = re.compile(r"^\s*[a-zA-Z](?:_\{?\w+\}?)?(?:\s*\(\s*[a-zA-Z]\s*\))?\s*(?:=|\\in(?![a-zA-Z]))\s*(?!=)")
_MATRIX = re.compile(r"\\begin\{([bpvBV]?matrix|array)\}(?:\{[lcr|]*\})?(.*?)\\end\{\1\}", re.DOTALL)
_OPEN, _CLOSE = "([{", ")]}"


def evaluated(text: str) -> Meaning:
    """What an answer means.

    Raises:
        Unreadable: it is none that is known here.
    """
    words = _TEXT.fullmatch(text.strip().strip("$").strip())
    if words:
        text = words[1]
    for pattern, written in _RENAMED:
        text = pattern.sub(written, text)
    text = _DROPPED.sub(" ", text).strip().rstrip(".,;").strip()
    return _answer(text, 0)


def _answer(text: str, depth: int) -> Meaning:
    text = text.strip()
    if not text or depth > _MAX_DEPTH:
        raise Unreadable
    matrix = _MATRIX.fullmatch(text)
    if matrix:
        return _matrix(matrix[2], depth)
    text = _NAMED.sub("", text) or text
    if not depth and _THOUSANDS.fullmatch(_UNIT.sub("", text)):
        text = text.replace(",", "")
    unions = _split(text, r"\cup")
    if len(unions) > 1:
        return Group("union", tuple(_answer(part, depth + 1) for part in unions))
    parts = _listed(text)
    if len(parts) > 1:
        return Group("{}", tuple(_answer(part, depth + 1) for part in _both(parts)))
    brackets = _brackets(text)
    if brackets is not None:
        kind, inner = brackets
        items = _split(inner, ",")
        if kind == "{}" or len(items) > 1:
            items = [item for item in items if item.strip()]
            return Group(kind, tuple(_answer(item, depth + 1) for item in (_both(items) if kind == "{}" else items)))
    return _single(text, depth)


def _matrix(body: str, depth: int) -> Meaning:
    rows = [row for row in body.split(r"\\") if row.strip()]
    made = [Group("row", tuple(_answer(cell, depth + 1) for cell in row.split("&"))) for row in rows]
    return Group("matrix", tuple(made))


def _listed(text: str) -> list[str]:
    """The answers of `1, 2 and 3`."""
    text = re.sub(r"\\(?:text|mbox)\s*\{\s*(and|or)\s*\}", r" \1 ", text)
    parts = [part for comma in _split(text, ",") for part in re.split(r"(?<![\w\\])(?:and|or)(?!\w)", comma)]
    return [part for part in parts if part.strip()]


def _brackets(text: str) -> tuple[str, str] | None:
    """The kind of brackets around the whole of a text, and what is in them."""
    for left, right in ((r"\{", r"\}"), (r"\lbrace", r"\rbrace"), ("{", "}")):
        if text.startswith(left) and text.endswith(right) and (len(left) > 1 or "," in text):
            return "{}", text[len(left) : -len(right)]
    if text[0] not in "([" or text[-1] not in ")]":
        return None
    depth = 0
    for at, letter in enumerate(text):
        depth += (letter in _OPEN) - (letter in _CLOSE)
        if not depth and at < len(text) - 1:
            return None
    return None if depth else (text[0] + text[-1], text[1:-1])


def _split(text: str, at: str) -> list[str]:
    """The parts of a text between separators that stand in no bracket."""
    parts, depth, start, here = list[str](), 0, 0, 0
    while here < len(text):
        depth += (text[here] in _OPEN) - (text[here] in _CLOSE)
        if depth == 0 and text.startswith(at, here):
            parts.append(text[start:here])
            here = start = here + len(at)
        else:
            here += 1
    return [*parts, text[start:]]


def _both(texts: Iterable[str]) -> list[str]:
    """Texts, in the place of one with a plus or minus the two that it stands for."""
    found: list[str] = []
    for text in texts:
        sign = next((sign for sign in (r"\pm", "\u00b1") if text.count(sign) == 1), None)
        found += [text.replace(sign, one) for one in ("+", "-")] if sign else [text]
    return found


def _single(text: str, depth: int) -> Meaning:
    both = _both([text])
    if len(both) > 1:
        return Group("{}", tuple(_answer(one, depth + 1) for one in both))
    text = _UNIT.sub("", text)
    percent = text.endswith("%")
    try:
        meaning = computed(parsed(text.rstrip("% ")))
    except Unreadable:
        words = re.sub(r"\s+", " ", _TEXT.sub(r"\1", text)).strip(" ().")
        if re.fullmatch(r"[^\W\d_][\w' -]*", words):
            return Words(words.casefold())
        raise
    return Number(meaning.value, percent) if isinstance(meaning, Number) else meaning
