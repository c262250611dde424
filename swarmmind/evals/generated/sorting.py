"""Sorting and counting (as in Graph of Thoughts, Besta et al. 2023, arXiv 2308.09687): exact at any length."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import Any

from swarmmind.agents.answers import after_mark
from swarmmind.errors import UserError
from swarmmind.evals.datasets import Dataset, Item
from swarmmind.evals.generated.sizes import drawing
from swarmmind.evals.scorers import number
from swarmmind.evals.scoring import Scoring

MAX_LENGTH = 10_000
_LIST = re.compile(r"\d(?:[,\s]+\d)*")
_FRUIT = ("apple", "cherry", "fig", "lemon", "mango", "olive", "peach", "plum")


def sorting(size: int = 100, seed: int = 0, length: int = 32) -> Dataset:
    """Digits to be sorted; the score is 1 less the share of errors.

    An error is a pair of neighbors in the wrong order, or a digit too often or too rarely, as in the paper.

    Args:
        size: how many lists.
        seed: of their digits.
        length: digits in each.

    Raises:
        UserError: the size or the length is out of bounds.
    """
    rng = drawing("sorting", size, seed)
    _check(length)
    items: list[Item] = []
    for _ in range(size):
        digits = [rng.randint(0, 9) for _ in range(length)]
        text = f"Sort these digits in ascending order and answer with the list: {digits}"
        items.append(Item(text, str(sorted(digits))))
    return Dataset(items, Scoring(_sorted, _read))


def counting(size: int = 100, seed: int = 0, length: int = 40) -> Dataset:
    """Words in a list to be counted; scored by the number.

    Args:
        size: how many lists.
        seed: of their words.
        length: words in each.

    Raises:
        UserError: the size or the length is out of bounds.
    """
    rng = drawing("counting", size, seed)
    _check(length)
    items: list[Item] = []
    for _ in range(size):
        words = [rng.choice(_FRUIT) for _ in range(length)]
        wanted = rng.choice(_FRUIT)
        items.append(
            Item(f"How often does {wanted!r} stand in this list? {', '.join(words)}", str(words.count(wanted)))
        )
    return Dataset(items, number())


def _check(length: int) -> None:
    if not 2 <= length <= MAX_LENGTH:
        raise UserError(f"length must be between 2 and {MAX_LENGTH:,}, got {length:,}")


def _read(output: Any) -> str | None:
    digits = _digits(output)
    return str(digits) if digits else None


def _digits(output: Any) -> list[int]:
    """The digits of the answer: what follows the last mark, if that is a list and no more, or all of a list alone."""
    text = (after_mark(str(output)) or str(output)).strip(" \t\n`*.").removeprefix("[").removesuffix("]").strip()
    return [int(digit) for digit in re.findall(r"\d", text)] if _LIST.fullmatch(text) else []


def _sorted(output: Any, target: Any) -> float:
    found, wanted = _digits(output), _digits(target)
    if not found:
        return 0.0
    disorder = sum(a > b for a, b in pairwise(found))
    had, needed = Counter(found), Counter(wanted)
    spoilt = sum(abs(had[digit] - needed[digit]) for digit in set(had) | set(needed))
    return max(0.0, 1 - (disorder + spoilt) / len(wanted))
