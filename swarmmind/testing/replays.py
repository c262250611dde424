"""What checks of programs share: cuts spread over a run, other people's chance, and where two journals part."""

from __future__ import annotations

import random as everybodys  # nothing is drawn from it: its state is what is changed and put back
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from typing import TypeAlias

import numpy as np

Rows: TypeAlias = Sequence[tuple[str, ...]]
"""What a journal holds (`journal.content`)."""


@contextmanager
def global_chance(seed: int) -> Generator[None]:
    """Seed what programs must not draw from; it is put back as it was."""
    plain, arrays = everybodys.getstate(), np.random.get_state()
    everybodys.setstate(everybodys.Random(seed).getstate())
    np.random.set_state(np.random.RandomState(seed).get_state())
    try:
        yield
    finally:
        everybodys.setstate(plain)
        np.random.set_state(arrays)


def spread(count: int, most: int) -> Sequence[int]:
    """Numbers below a count: all of them, or at most so many, evenly, with the first and the last."""
    if count <= most:
        return range(count)
    return sorted({round(at * (count - 1) / (most - 1)) for at in range(most)})


def parting(one: Rows, other: Rows) -> str | None:
    """Where two sorted journals part, in words; `None` if they do not."""
    for row, there in zip_longest(one, other):
        if row != there:
            return _difference(row, there)
    return None


def _difference(one: tuple[str, ...] | None, other: tuple[str, ...] | None) -> str:
    if one is None or other is None or one[:2] != other[:2]:
        keys = [row[1] if row else "nothing" for row in (one, other)]
        return f"{keys[0]} against {keys[1]}"
    at = next(at for at, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
    a, b = one[at], other[at]
    same = next((at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), 0)
    return f"{one[1]}: {short(a[max(0, same - 20) :])} against {short(b[max(0, same - 20) :])}"


def short(text: str) -> str:
    """A text as it stands in a message."""
    return repr(text if len(text) <= 80 else text[:77] + "...")
