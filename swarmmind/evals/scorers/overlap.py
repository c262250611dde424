"""Token F1: how many words an answer shares with the right one, as SQuAD, HotpotQA and DROP count."""

from __future__ import annotations

import string
from collections import Counter
from typing import Any

from swarmmind.agents.answers import final_text
from swarmmind.evals.scorers.texts import accepted, words
from swarmmind.evals.scoring import Scoring

_ARTICLES = frozenset(("a", "an", "the"))
_CLOSED = (["yes"], ["no"], ["noanswer"])
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def f1(numbers: bool = False) -> Scoring:
    """The words that final answer and target share: 2 x shared / (words of both).

    The final answer is what follows the last `ANSWER:`, else the whole output. Case, punctuation and the words a, an,
    the do not count; of a list of targets the best counts. `the cat sat` against `cat` is 2 x 1 / (2 + 1) = 0.67;
    nothing against nothing is 1. Yes and no are right or wrong and never half right, as in HotpotQA.

    Args:
        numbers: as in DROP: words are also parted at hyphens, a number is the same however it is written (`1,000` is
            `1000.0`), and an answer that has none of the target's numbers scores 0 whatever else they share. An answer
            of several spans is compared as one text, where DROP matches them one by one.
    """
    tokens = _drop_tokens if numbers else _squad_tokens

    def score(output: Any, target: Any) -> float:
        answer = final_text(output)
        if answer is None:
            return 0.0
        found = tokens(answer)
        return max((_shared(found, tokens(right), numbers=numbers) for right in accepted(target)), default=0.0)

    return Scoring(score)


def _squad_tokens(text: Any) -> list[str]:
    return [word for word in words(text).translate(_NO_PUNCTUATION).split() if word not in _ARTICLES]


def _drop_tokens(text: Any) -> list[str]:
    bare = (_number(word) or word.translate(_NO_PUNCTUATION) for word in words(text).replace("-", " ").split())
    return [word for word in bare if word and word not in _ARTICLES]


def _number(word: str) -> str:
    """A number in one spelling; empty if it is none."""
    digits = word.strip(string.punctuation).replace(",", "")
    if not digits[:1].isdecimal():
        return ""
    try:
        return str(float(digits))
    except ValueError:
        return ""


def _shared(found: list[str], right: list[str], *, numbers: bool) -> float:
    if not found or not right or found in _CLOSED or right in _CLOSED:
        return float(found == right)
    wanted = {word for word in right if _number(word)}
    if numbers and wanted and wanted.isdisjoint(found):
        return 0.0
    common = sum((Counter(found) & Counter(right)).values())
    return 2 * common / (len(found) + len(right))
