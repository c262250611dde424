"""Who was made from whom, as a picture: generations from left to right, the winner's line straight on top.

A study may have thousands of candidates; most of them lead nowhere. Those that matter are drawn (`chosen`), the others
are counted where they hang: a bubble at the nearest ancestor that is drawn.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

ALL, MOST = 40, 80
"""Up to `ALL` candidates are drawn without a choice; never more than `MOST`."""


class Node(NamedTuple):
    """Something in the picture.

    Attributes:
        candidate: its number; `None` is a bubble.
        parent: the place, in the list of nodes, of what it hangs on; -1 if on nothing.
        skipped: generations between it and its parent that are not drawn.
        folded: of a bubble, how many candidates it stands for.
        column: from the left.
        row: from the top.
    """

    candidate: int | None
    parent: int
    skipped: int
    folded: int
    column: int
    row: int


class Lineage(NamedTuple):
    """The picture.

    Attributes:
        nodes: parents come before children.
        joins: `(place of another parent, place of the child)`: merges.
        path: places of the nodes on the winner's line.
        columns: how many there are.
        rows: how many there are.
        alone: candidates that are not drawn and hang on nothing that is.
    """

    nodes: list[Node]
    joins: list[tuple[int, int]]
    path: list[int]
    columns: int
    rows: int
    alone: int


def lineage(parents: Sequence[Sequence[int]], kept: Sequence[int], winner: int | None) -> Lineage:
    """The picture of a study.

    Args:
        parents: by candidate, numbers of its parents, all of them smaller than its own; the first one counts.
        kept: numbers of those that were kept, in that order.
        winner: the last of them, or whoever won without.
    """
    first = [own[0] if own else -1 for own in parents]
    drawn = _chosen(first, kept, winner)
    nearest = _nearest(first, drawn)
    children: dict[int, list[int]] = {}
    up: dict[int, tuple[int, int]] = {}
    for one in sorted(drawn):
        parent, skipped = first[one], 0
        while parent >= 0 and parent not in drawn:
            parent, skipped = first[parent], skipped + 1
        up[one] = parent, skipped
        children.setdefault(parent, []).append(one)
    folded: dict[int, int] = {}
    for one, at in enumerate(nearest):
        if one not in drawn:
            folded[at] = folded.get(at, 0) + 1
    line = set(_line(up, winner))
    placed = _Placing(children, folded, line).nodes(up)
    place = {node.candidate: at for at, node in enumerate(placed) if node.candidate is not None}
    joins = [(place[other], place[one]) for one in sorted(drawn) for other in parents[one][1:] if other in place]
    path = [at for at, node in enumerate(placed) if node.candidate in line]
    columns = 1 + max((node.column for node in placed), default=-1)
    rows = 1 + max((node.row for node in placed), default=-1)
    return Lineage(placed, joins, path, columns, rows, folded.get(-1, 0))


def _chosen(first: Sequence[int], kept: Sequence[int], winner: int | None) -> set[int]:
    """The winner, the start and whoever was kept; if there is room, their ancestors and the other starts.

    Of too many that were kept, evenly spread ones are drawn.
    """
    if len(first) <= ALL:
        return set(range(len(first)))
    matter: list[int] = [0 if winner is None else winner, 0, *_spread(list(dict.fromkeys(kept)))]
    wanted: dict[int, None] = dict.fromkeys(matter)
    for one in list(wanted):
        parent = first[one]
        while parent >= 0 and parent not in wanted and len(wanted) < MOST:
            wanted[parent] = None
            parent = first[parent]
    wanted.update(dict.fromkeys(one for one, parent in enumerate(first) if parent < 0))
    return set(list(wanted)[:MOST])


def _spread(items: Sequence[int]) -> Iterator[int]:
    """All of them, in an order whose every beginning is spread evenly; the last one first."""
    stride = 1 << len(items).bit_length()
    while stride:
        yield from items[::-stride]
        stride //= 2


def _nearest(first: Sequence[int], drawn: Collection[int]) -> list[int]:
    """By candidate, itself if it is drawn, else the nearest ancestor that is, or -1."""
    found: list[int] = []
    for one, parent in enumerate(first):
        found.append(one if one in drawn else found[parent] if parent >= 0 else -1)
    return found


def _line(up: dict[int, tuple[int, int]], winner: int | None) -> list[int]:
    found: list[int] = []
    while winner is not None and winner >= 0 and winner in up:
        found.append(winner)
        winner = up[winner][0]
    return found


class _Placing:
    """Rows and columns: a child goes on in its parent's row if it leads on, others lie below, packed where there is
    room; bubbles come last.
    """

    def __init__(self, children: dict[int, list[int]], folded: dict[int, int], line: Collection[int]) -> None:
        self._children, self._folded, self._line = children, folded, line
        self._size: dict[int, int] = {}
        self._taken: list[list[tuple[int, int]]] = []

    def nodes(self, up: dict[int, tuple[int, int]]) -> list[Node]:
        for one in sorted(up, reverse=True):  # children have greater numbers
            self._size[one] = 1 + sum(self._size[child] for child in self._children.get(one, []))
        found: list[Node] = []
        place: dict[int, int] = {}
        waiting = [(root, 0, 0) for root in reversed(self._by_weight(-1))]
        while waiting:
            head, column, least = waiting.pop()
            chain = self._chain(head)
            bubble = int(self._folded.get(chain[-1], 0) > 0)
            row = self._row(column, column + len(chain) - 1 + bubble, least)
            for at, one in enumerate(chain):
                parent, skipped = up[one]
                place[one] = len(found)
                found.append(Node(one, place.get(parent, -1), skipped, 0, column + at, row))
            for at in range(len(chain) - 1, -1, -1):
                others = [child for child in self._by_weight(chain[at]) if child not in chain[at + 1 : at + 2]]
                waiting += [(child, column + at + 1, row + 1) for child in reversed(others)]
        return found + self._bubbles(found, place)

    def _chain(self, head: int) -> list[int]:
        found = [head]
        while following := self._by_weight(found[-1]):
            found.append(following[0])
        return found

    def _by_weight(self, one: int) -> list[int]:
        """Children, those on the winner's line and those with the most descendants first."""
        return sorted(self._children.get(one, []), key=lambda child: (child not in self._line, -self._size[child]))

    def _row(self, left: int, right: int, least: int) -> int:
        """The first row, from `least` on, that is free from column to column; it is then taken."""
        for row in range(least, len(self._taken) + least + 1):
            while len(self._taken) <= row:
                self._taken.append([])
            if all(right < start or end < left for start, end in self._taken[row]):
                self._taken[row].append((left, right))
                return row
        raise AssertionError("a new row is free")

    def _bubbles(self, nodes: list[Node], place: dict[int, int]) -> list[Node]:
        found: list[Node] = []
        leaves = {node.parent for node in nodes}
        for one, count in sorted(self._folded.items()):
            if one < 0:
                continue
            at = place[one]
            own = nodes[at]
            row = own.row if at not in leaves else self._row(own.column + 1, own.column + 1, own.row + 1)
            found.append(Node(None, at, 0, count, own.column + 1, row))
        return found
