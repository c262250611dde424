"""The scorer of final answers in mathematics, as the MATH benchmark asks for them: equal if they mean the same."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Hashable
from typing import Any

from swarmmind.agents.answers import final_number, marked
from swarmmind.evals.scorers.formulas import Unreadable, evaluated
from swarmmind.evals.scorers.meanings import Meaning, key, same
from swarmmind.evals.scoring import Scoring

_MAX_CHARS = 400
_MAX_BOXES = 20
_MAX_WORDS = 12  # of an output that is the answer as a whole
_RAISED = re.compile("[\u00b2\u00b3]")  # to whom normalization would do no good
_BOXED = re.compile(r"\\(?:boxed|fbox)\s*(?:\{|([^\s{}$\\.,;]+))")
_MATHS = re.compile(r"\$\$(.{1,400}?)\$\$|\$([^$\n]{1,400})\$|\\\((.{1,400}?)\\\)|\\\[(.{1,400}?)\\\]", re.DOTALL)


def mathematics() -> Scoring:
    r"""1 if the final answer means what the target means, however it is written.

    The final answer is what the last `\boxed{...}` holds, else what follows the last `ANSWER:`, else the last formula
    between `$`, else a short output as a whole, else the last number. The target is read in the same way, so that a
    whole solution may be the target.

    Equal are `\frac{1}{2}`, `1/2`, `0.5` and `.50`; `\sqrt{8}` and `2\sqrt2`; `3\pi` and `3\cdot\pi`; `x^2+2x` and
    `x(x+2)` (formulas with letters are compared at several points); `50\%`, `50` and `0.5`; `\$1,000` and `1000`;
    `5\text{ cm}` and `5`; `90^\circ` and `90`; `x=5` and `5`; `\{1,2\}` and `\{2,1\}`, also without the braces;
    `(1,2]` as an interval, `(1,2)` as a point or an interval in this order; `\text{Monday}` and `monday`; matrices by
    their elements. Fractions are compared exactly, other numbers to 1e-9 of their size: `0.333` is not `\frac{1}{3}`.

    Limits: units are not looked at (`5 cm` is `5 m`), and a word after a number and a blank is one; nor is the base of
    `1011_2`; digits in threes between commas are one number; letters in a row are a word, unless they follow a number
    (`2xy`) or have no vowel; `i` is the imaginary unit and `e` Euler's number; what cannot be read, or is longer than
    400 characters, is compared as text. Texts are read and never run, and nothing is computed that grows too large.
    """

    def score(output: Any, target: Any) -> float:
        found = _meaning(output)
        return float(found is not None and (wanted := _meaning(target)) is not None and same(found, wanted))

    return Scoring(score, _read)


def _read(output: Any) -> Hashable | None:
    found = _meaning(output)
    return None if found is None else key(found)


def _meaning(output: Any) -> Meaning | None:
    if output is None:
        return None
    text = _final(output)
    if not text:
        return None
    try:
        return evaluated(text) if len(text) <= _MAX_CHARS else plain(text)
    except Unreadable:
        return plain(text)


def _final(output: Any) -> str:
    raised = _RAISED.sub(lambda found: f"^{unicodedata.digit(found[0])}", str(output))
    text = unicodedata.normalize("NFKC", raised).strip()
    boxed = _boxed(text)
    if boxed is not None:
        return boxed
    answer = marked(text)
    if answer is not None:
        text = answer
    formulas = [next(part for part in found if part) for found in _MATHS.findall(text)]
    if formulas and (answer is None or text.strip().startswith(("$", "\\(", "\\["))):
        return formulas[-1].strip()
    if answer is not None or ("\n" not in text and len(text.split()) <= _MAX_WORDS):
        return text.rstrip(".")
    number = final_number(text)
    return text if number is None else str(number)


def _boxed(text: str) -> str | None:
    """What the last box holds."""
    for found in list(_BOXED.finditer(text))[: -_MAX_BOXES - 1 : -1]:
        if found[1]:  # as TeX writes a short one
            return found[1]
        depth, start = 1, found.end()
        for at in range(start, min(len(text), start + 10 * _MAX_CHARS)):
            depth += (text[at] == "{") - (text[at] == "}")
            if not depth:
                return text[start:at].strip()
    return None


def plain(text: str) -> str:
    """A text as text: without what only shapes how it looks."""
    bare = re.sub(r"\\(?:text|mbox|mathrm|textbf|mathbf)\s*", "", text)
    bare = re.sub(r"\\(le|ge|ne)q(?![a-zA-Z])", r"\\\1", bare.replace(r"\varnothing", r"\emptyset"))
    bare = re.sub(r"\\[ ,;:!]|\\(?:left|right|quad|qquad)|[\s{}$]", "", bare)
    return bare.strip(".()").casefold()
