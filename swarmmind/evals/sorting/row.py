"""A row of cells, each with a value and a rule of its own, and whose turn it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias, get_args

from swarmmind.evals.sorting import measures
from swarmmind.rng import Streams

Algotype: TypeAlias = Literal["bubble", "insertion", "selection"]
ALGOTYPES: tuple[Algotype, ...] = get_args(Algotype)


class Rules(NamedTuple):
    """What is the same for a whole game.

    Attributes:
        cells: how many.
        algotypes: whose rules there are, one or two; as many cells of each.
        labeled: whether cells of a single rule carry one of two labels that mean nothing.
        frozen: how many cells never act.
        movable: whether others may take a frozen cell's place.
    """

    cells: int
    algotypes: tuple[Algotype, ...]
    labeled: bool
    frozen: int
    movable: bool


class Cell:
    """One cell: what it is, and where.

    Attributes:
        number: from 0; its place at the start.
        value: from 1 to the number of cells, all different.
        algotype: its rule.
        label: what aggregation counts: its rule, or a label that means nothing.
        frozen: whether it never acts.
        place: from 0, the left end.
        aim: the place that a cell of the rule `selection` wants.
    """

    __slots__ = ("aim", "algotype", "frozen", "label", "number", "place", "value")

    def __init__(self, number: int, value: int, algotype: Algotype, label: str, frozen: bool) -> None:
        self.number = self.place = number
        self.algotype: Algotype = algotype
        self.value, self.label, self.frozen, self.aim = value, label, frozen, 0


class Row:
    """The cells in their places, and everything that has happened to them.

    Chance comes from streams that are named after what they are for, so that games of one seed begin with the same
    values and the same frozen cells, whatever the cells' rules are.

    Attributes:
        cells: by number.
        order: by place.
        errors: at the start and after every swap.
        clusters: the aggregation at the start and after every swap.
    """

    def __init__(self, rules: Rules, seed: int) -> None:
        streams, count = Streams(seed), rules.cells
        values = list(range(1, count + 1))
        streams.rng("values").shuffle(values)
        frozen = set(streams.rng("frozen").sample(range(count), rules.frozen))
        kinds: list[Algotype] = [rules.algotypes[at * len(rules.algotypes) // count] for at in range(count)]
        labels: list[str] = [str(2 * at // count) for at in range(count)] if rules.labeled else list(kinds)
        drawn = list(range(count))
        streams.rng("algotypes").shuffle(drawn)
        self.rules = rules
        self.cells = [
            Cell(number, values[number], kinds[at], labels[at], number in frozen) for number, at in enumerate(drawn)
        ]
        self.order = list(self.cells)
        self.errors, self.clusters = [self._error()], [self._cluster()]
        self._turn = streams.rng("turns")
        self._drawn: Cell | None = None

    # --- who acts ----------------------------------------------------------------------------------------------------

    def acting(self) -> list[Cell]:
        """Those who act at once now; empty if nobody could act any more.

        Cells get their turns at random, one after another and with replacement: nobody waits for anybody, as with the
        threads of the original. Those at the head of that queue act in one round, up to the first one who would see
        something that they may change; it is first in the next round. So every round comes to the same as its turns
        one by one, and no act is ever stale.
        """
        sorted_until = self.sorted_until()
        if not any(self.able(cell, sorted_until) for cell in self.cells):
            return []
        acting: list[Cell] = []
        touched: set[int] = set()
        for cell in self._queue():
            if any(place in touched for place in self._view(cell)):
                self._drawn = cell
                break
            if self.able(cell, sorted_until):
                acting.append(cell)
                touched.update(self._reach(cell))
        return acting

    def _queue(self) -> Iterator[Cell]:
        if self._drawn is not None:
            cell, self._drawn = self._drawn, None
            yield cell
        draw, cells = self._turn.random, self.cells
        while True:
            yield cells[int(draw() * len(cells))]

    def able(self, cell: Cell, sorted_until: int) -> bool:
        """Whether a cell's rule leaves it anything to do.

        Args:
            cell: which.
            sorted_until: see the method of that name.
        """
        place, order = cell.place, self.order
        if cell.frozen:
            return False
        if cell.algotype == "selection":
            return cell.aim < place
        left = place > 0 and order[place - 1].value > cell.value and self.yields(order[place - 1])
        if cell.algotype == "insertion":
            return left and place <= sorted_until
        return left or (
            place + 1 < len(order) and order[place + 1].value < cell.value and self.yields(order[place + 1])
        )

    def yields(self, cell: Cell) -> bool:
        """Whether others may take its place."""
        return self.rules.movable or not cell.frozen

    def sorted_until(self) -> int:
        """The last place to the left of which all cells are in order, frozen ones left out."""
        largest = 0
        for place, cell in enumerate(self.order):
            if cell.frozen:
                continue
            if cell.value < largest:
                return place
            largest = cell.value
        return len(self.order)

    def _view(self, cell: Cell) -> range | tuple[int, ...]:
        """The places that its rule looks at."""
        place = cell.place
        if cell.algotype == "bubble":
            return (place - 1, place, place + 1)
        return range(place + 1) if cell.algotype == "insertion" else (cell.aim, place)

    def _reach(self, cell: Cell) -> tuple[int, ...]:
        """The places that it may change."""
        place = cell.place
        if cell.algotype == "bubble":
            return (place - 1, place, place + 1)
        return (place - 1, place) if cell.algotype == "insertion" else (cell.aim, place)

    # --- what is done ------------------------------------------------------------------------------------------------

    def swap(self, cell: Cell, place: int) -> bool:
        """Let a cell change places with whoever stands at `place`; whether that happened: a place may not yield."""
        if not 0 <= place < len(self.order) or not self.yields(self.order[place]):
            return False
        other = self.order[place]
        self.order[cell.place], self.order[place] = other, cell
        cell.place, other.place = place, cell.place
        self.errors.append(self._error())
        self.clusters.append(self._cluster())
        return True

    def values(self) -> list[int]:
        """By place."""
        return [cell.value for cell in self.order]

    def _error(self) -> float:
        return measures.error(self.values())

    def _cluster(self) -> float:
        return measures.aggregation([cell.label for cell in self.order])


def parse(algotype: str) -> tuple[Algotype, ...]:
    """`bubble` or `bubble+selection` as names of rules.

    Raises:
        ValueError: a name is unknown, or there are more than two, or one twice.
    """
    names: dict[str, Algotype] = {name: name for name in ALGOTYPES}
    found: tuple[Algotype, ...] = tuple(names[name] for name in algotype.split("+") if name in names)
    if len(set(found)) != algotype.count("+") + 1 or len(found) > 2:
        raise ValueError(algotype)
    return found
