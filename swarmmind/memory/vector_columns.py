"""What is known of many traces: a column per fact, so that all of them are compared at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Labels:
    """Words as small numbers, so that a column of them is compared at once; an unused word's number is used again."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._words: list[str] = []
        self._uses: list[int] = []
        self._free: list[int] = []

    def take(self, word: str) -> int:
        """The number of a word, for one more use."""
        number = self._numbers.get(word)
        if number is None:
            number = self._numbers[word] = self._free.pop() if self._free else len(self._words)
            if number == len(self._words):
                self._words.append(word)
                self._uses.append(0)
            self._words[number] = word
        self._uses[number] += 1
        return number

    def release(self, number: int) -> None:
        """One use less."""
        self._uses[number] -= 1
        if not self._uses[number]:
            del self._numbers[self._words[number]]
            self._words[number] = ""
            self._free.append(number)

    def swap(self, number: int, word: str) -> int:
        """One use less of a number, and the number of a word for one more."""
        self.release(number)
        return self.take(word)

    def among(self, words: Iterable[str], column: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which entries of a column are any of these words."""
        numbers = [self._numbers[word] for word in words if word in self._numbers]
        return column == numbers[0] if len(numbers) == 1 else np.isin(column, numbers)

    def fork(self) -> Labels:
        """An independent copy."""
        other = Labels()
        other._numbers, other._words = self._numbers.copy(), self._words.copy()
        other._uses, other._free = self._uses.copy(), self._free.copy()
        return other


class Cells(NamedTuple):
    """Memory views of the columns, for one value at a time: arrays are slow at that."""

    strength: Any
    since: Any
    born: Any
    order: Any
    author: Any
    kind: Any
    key: Any


class Columns:
    """What is known of each slot, one array per fact; a free slot has strength 0."""

    __slots__ = ("author", "born", "cells", "key", "kind", "order", "since", "strength")

    def __init__(self, size: int) -> None:
        self.strength = np.zeros(size)
        self.since = np.zeros(size)  # ticks are whole numbers, kept as floats: nothing is converted to read them
        self.born = np.zeros(size)
        self.order = np.zeros(size, np.int64)
        self.author = np.zeros(size, np.int32)
        self.kind = np.zeros(size, np.int32)
        self.key = np.zeros(size, np.int32)
        self.cells = Cells(*(memoryview(getattr(self, name)) for name in Cells._fields))

    def resized(self, size: int) -> Columns:
        """A copy with room for `size` slots."""
        other = Columns(size)
        for name in Cells._fields:
            old = getattr(self, name)
            getattr(other, name)[: len(old)] = old
        return other
