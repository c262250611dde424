"""Final answers in prose: how they are asked for, found again, and compared."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Hashable, Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

ASK_FOR_ANSWER = "End with one line of the form `ANSWER: <your answer>`, with nothing after it."

Reader: TypeAlias = Callable[[Any], Hashable | None]
"""From an output to the answer in it, in a form that equal answers share; `None` if there is none."""

_MARK = re.compile(r"\bANSWER(?:\s+IS)?\s*[:=]?\s+(?P<answer>[^\n]+)", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?|[-+]?\.\d+")


def final_text(output: Any) -> str | None:
    """What follows the last `ANSWER:` (or `answer is`) on its line, else the whole output; normalized.

    Normalized: NFKC, one blank between words, no blanks, quotes, emphasis or full stop around, case folded.
    """
    text = str(output)
    marks = list(_MARK.finditer(text))
    answer = marks[-1]["answer"] if marks else text
    words = " ".join(unicodedata.normalize("NFKC", answer).split())
    return words.strip("\"'`* ").rstrip(".").strip("\"'`* ").casefold() or None


def final_number(output: Any) -> Decimal | None:
    """The number of the final answer: the first one after the last `ANSWER:`, else the last one in the output.

    Thousands separators are read (`1,234` is 1234), units and currency around it are not part of it.
    """
    if isinstance(output, (int, float)) and not isinstance(output, bool):
        return _decimal(repr(output))
    text = unicodedata.normalize("NFKC", str(output)).replace("\u2212", "-")
    marks = list(_MARK.finditer(text))
    if marks:
        found = _NUMBER.search(marks[-1]["answer"])
        return _decimal(found[0]) if found else None
    numbers = _NUMBER.findall(text)
    return _decimal(numbers[-1]) if numbers else None


def _decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(text.replace(",", ""))
    except InvalidOperation:
        return None
    return value.normalize() if value.is_finite() else None


def plurality(answers: Iterable[Hashable | None]) -> Hashable | None:
    """The most frequent answer, the first one given on ties; `None` (no answer) has no vote."""
    counts: dict[Hashable, int] = {}
    for answer in answers:
        if answer is not None:
            counts[answer] = counts.get(answer, 0) + 1
    return max(counts, key=lambda answer: counts[answer]) if counts else None
