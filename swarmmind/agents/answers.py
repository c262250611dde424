"""Final answers in prose: how they are asked for, found again, and compared."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Hashable, Iterable
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from typing import Any, TypeAlias

ASK_FOR_ANSWER = "End with one line of the form `ANSWER: <your answer>`, with nothing after it."

Reader: TypeAlias = Callable[[Any], Hashable | None]
"""From an output to the answer in it, in a form that equal answers share; `None` if there is none."""

EXACT = Context(prec=2000, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
"""Arithmetic for answers: the last of forty digits counts, and no number however odd raises."""

_ANSWER = r"\bANSWER[*_`\"']{0,4}\s{0,3}"  # bounded, so that no text makes the search slow
_MARKS = (
    re.compile(rf"{_ANSWER}(?:IS\b\s{{0,3}})?[:=]", re.IGNORECASE),
    re.compile(rf"{_ANSWER}IS\b", re.IGNORECASE),
)
_NUMBER = re.compile(
    r"(?P<sign>(?<![\w)])[-+])?[$€£¥]?"  # the minus of `7-2` is none, the one of `-$2` is
    r"(?P<digits>(?:\d{1,3}(?:,\d{3}){1,100}+(?!,?\d)|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?|(?<![\d.])\.\d+)"
)
_RAISED = re.compile("[²³¹\u2070-\u209f]")  # the 2 of `25 m²` is no number of its own
_AROUND = "\"'`* \u201c\u201d\u2018\u2019\u00ab\u00bb"  # quotes of all kinds, and emphasis
_MAX_WRITTEN_OUT_DIGITS = 40


def final_text(output: Any) -> str | None:
    """What follows the last `ANSWER:` on its line, else the last `answer is`, else the whole output; normalized.

    Normalized: NFKC, one blank between words, no blanks, quotes, emphasis or full stop around, case folded.
    """
    if output is None:
        return None
    text, _ = _marked(str(output))
    words = " ".join(unicodedata.normalize("NFKC", text).split())
    return words.strip(_AROUND).rstrip(".").strip(_AROUND).casefold() or None


def final_number(output: Any) -> Decimal | None:
    """The number of the final answer: the first one after the mark (see `final_text`), else the output's last one.

    Thousands separators are read (`1,234` is 1234), units and currency around it are not part of it.
    """
    if isinstance(output, (int, float)) and not isinstance(output, bool):
        return _decimal(repr(output))
    text, marked = _marked(str(output))
    text = unicodedata.normalize("NFKC", _RAISED.sub(" ", text)).replace("\u2212", "-")
    numbers = [(found["sign"] or "") + found["digits"] for found in _NUMBER.finditer(text)]
    return _decimal(numbers[0 if marked else -1]) if numbers else None


def marked(text: str) -> str | None:
    """The line after the last mark (see `final_text`), as it is written; `None` if there is no mark."""
    answer, found = _marked(text)
    return answer if found else None


def after_mark(text: str) -> str | None:
    """All lines after the last mark (see `final_text`), as they are written; `None` if there is no mark."""
    answer, found = _after(text)
    return answer if found else None


def _marked(text: str) -> tuple[str, bool]:
    """The line after the last mark, or the whole text; and whether there was a mark."""
    answer, found = _after(text)
    return (answer.partition("\n")[0], True) if found else (text, False)


def _after(text: str) -> tuple[str, bool]:
    """What follows the last mark, or the whole text; and whether there was a mark."""
    marked = False
    for mark in _MARKS:  # the second is looked for in the line after the first: `ANSWER: The answer is 4.`
        within = text.partition("\n")[0] if marked else text
        for found in reversed(list(mark.finditer(within))):
            rest = text[found.end() :].lstrip(" \t\r\n*_`")
            if rest:
                text, marked = rest, True
                break
    return text, marked


def _decimal(text: str) -> Decimal | None:
    value = EXACT.create_decimal(text.replace(",", "")).normalize(EXACT)
    if not value.is_finite():
        return None
    if value.adjusted() < _MAX_WRITTEN_OUT_DIGITS and value == value.to_integral_value():
        return value.quantize(Decimal(1), context=EXACT) or Decimal(0)  # 540 rather than 5.4E+2, 0 rather than -0
    return value


def plurality(answers: Iterable[Hashable | None]) -> Hashable | None:
    """The most frequent answer, the first one given on ties; `None` (no answer) has no vote."""
    counts: dict[Hashable, int] = {}
    for answer in answers:
        if answer is not None:
            counts[answer] = counts.get(answer, 0) + 1
    return max(counts, key=lambda answer: counts[answer]) if counts else None
