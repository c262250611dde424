"""A graph that grows edge by edge and knows at once whether the next one would close a cycle (Italiano, 1986)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator


class Acyclic:
    """What each node reaches, kept up to date as sets of bits.

    The question takes constant time; all additions to a graph of n nodes together at most 2 n^2 unions of sets.

    Args:
        edges: to begin with.

    Raises:
        ValueError: they hold a cycle.
    """

    def __init__(self, edges: Iterable[tuple[Hashable, Hashable]] = ()) -> None:
        self._number: dict[Hashable, int] = {}
        self._below: list[int] = []  # for each node those that it reaches, itself included, as bits
        self._above: list[int] = []
        for u, v in edges:
            self.add(u, v)

    def reaches(self, u: Hashable, v: Hashable) -> bool:
        """Whether a path leads from u to v; every node reaches itself. If it does, the edge v -> u closes a cycle."""
        return u == v or bool(self._below[self._of(u)] >> self._of(v) & 1)

    def add(self, u: Hashable, v: Hashable) -> None:
        """Add the edge u -> v.

        Raises:
            ValueError: it closes a cycle.
        """
        if self.reaches(v, u):
            raise ValueError(f"{u!r} -> {v!r} closes a cycle")
        at, to = self._of(u), self._of(v)
        above, below = self._above[at], self._below[to]
        upper, lower = above & ~self._above[to], below & ~self._below[at]  # to the others this is no news
        for node in _bits(upper):
            self._below[node] |= below
        for node in _bits(lower):
            self._above[node] |= above

    def _of(self, node: Hashable) -> int:
        number = self._number.get(node)
        if number is None:
            number = self._number[node] = len(self._below)
            self._below.append(1 << number)
            self._above.append(1 << number)
        return number


def _bits(numbers: int) -> Iterator[int]:
    """The members of a set, from the lowest."""
    while numbers:
        lowest = numbers & -numbers
        yield lowest.bit_length() - 1
        numbers ^= lowest
