"""Self-sorting cells (arXiv 2401.05375) as an `Environment`: every cell of an array is an agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from swarmmind.effects import Choice, Reply
from swarmmind.errors import UserError
from swarmmind.evals.sorting import measures, prompt
from swarmmind.evals.sorting.row import ALGOTYPES, Algotype, Cell, Row, Rules, parse
from swarmmind.ports import Turn

STAY = "STAY"
PATIENCE = 100
"""So many answers in a row that change nothing end a game: nobody wants to act any more."""
_OUTPUTS: dict[Algotype, Choice] = {
    "bubble": Choice(("LEFT", "RIGHT", STAY)),
    "insertion": Choice(("LEFT", STAY)),
    "selection": Choice(("SWAP", STAY)),
}


class Seen(msgspec.Struct, frozen=True, gc=False):
    """What a cell may know when it is asked.

    Attributes:
        algotype: its rule.
        value: its own.
        left: its left neighbor's value; `None` at the end, and for the rule `selection`.
        right: its right neighbor's value; `None` likewise, and for the rule `insertion`.
        aimed: the value of the cell at the place it aims at; `None` but for the rule `selection`.
        actions: what may be answered.
        speaks: never: the answer is one word.
    """

    algotype: Algotype
    value: int
    left: int | None
    right: int | None
    aimed: int | None
    actions: tuple[str, ...]
    speaks: bool = False


class Overview(msgspec.Struct, frozen=True, gc=False):
    """What a controller knows.

    Attributes:
        values: of all cells, from the left.
        ordered: the place of its last order, from 0; `None` before the first.
        moved: whether that order was carried out.
        actions: what may be answered: a place, from 1, or to stay.
        speaks: never: the answer is one word.
    """

    values: tuple[int, ...]
    ordered: int | None
    moved: bool
    actions: tuple[str, ...]
    speaks: bool = False


Observation: TypeAlias = Seen | Overview


class SortingCells:
    """Cells of a row bring it in order, each by a rule of its own on the little that it sees (arXiv 2401.05375).

    *Bubble* looks at one neighbor, either, and changes places if the two stand in the wrong order. *Insertion* changes
    places with a larger left neighbor while all who can act to its left stand in order. *Selection* wants the leftmost
    place, takes it from a larger cell wherever that is, and otherwise wants the next one. Frozen cells never act; if
    they are not movable, nobody takes their place either, and nobody is told who they are.

    Cells get their turns at random (see `Row.acting`); asked is only who could act by its rule, and who is asked does
    what it answers, be it against the rule. It ends when nobody could act, when twice as many answers as there are
    cells changed nothing, or after `rounds`.

    The score is the share of adjacent pairs that stand in order, in [0, 1].

    Args:
        agents: how many; `Cell_0`, `Cell_1`, ..., or, if there is a controller, that one alone.
        algotype: `bubble`, `insertion`, `selection`, or two of them that share the row, `bubble+selection`.
        labels: whether cells of a single rule carry one of two labels that mean nothing: the control for clustering.
        frozen: how many cells never act.
        movable: whether others may take a frozen cell's place.
        central: whether a controller who sees the whole row orders cells to change places with their right neighbor;
            a frozen one does not obey.
        cells: how many; as many as agents if left out.
        rounds: how many are played at most.

    Raises:
        UserError: a value is out of range.
    """

    def __init__(
        self,
        agents: int = 50,
        *,
        algotype: str = "bubble",
        labels: bool = False,
        frozen: int = 0,
        movable: bool = True,
        central: bool = False,
        cells: int | None = None,
        rounds: int = 2500,
    ) -> None:
        count = agents if cells is None else cells
        self.rules = Rules(count, _algotypes(algotype, labels), labels, frozen, movable)
        if count < 2:
            raise UserError(f"sorting-cells: cells must be at least 2, got {count}")
        if not 0 <= frozen < count:
            raise UserError(f"sorting-cells: frozen must be from 0 to {count - 1}, got {frozen}")
        if rounds < 1:
            raise UserError(f"sorting-cells: rounds must be at least 1, got {rounds}")
        if agents != (1 if central else count):
            wanted = "central: needs a single agent" if central else f"cells: needs an agent for each of {count}"
            raise UserError(f"sorting-cells: {wanted}, got {agents}")
        self._rounds, self._central = rounds, central
        self._names = ["Controller"] if central else [f"Cell_{number}" for number in range(count)]
        self._shared = {name: prompt.shared(name) for name in ALGOTYPES}
        self._orders = Choice((*map(str, range(1, count)), STAY))
        self.reset(0)

    @property
    def agents(self) -> Sequence[str]:
        """`Cell_0`, `Cell_1`, ..., or `Controller`."""
        return self._names

    @property
    def rounds(self) -> int:
        """How many are played at most."""
        return self._rounds

    @property
    def done(self) -> bool:
        """Whether nobody could act, nobody wants to, or all rounds are played."""
        return not self._acting or self._idle >= PATIENCE or self._round >= self._rounds

    @property
    def score(self) -> float:
        """The share of adjacent pairs that stand in order."""
        return 1.0 - self.row.errors[-1]

    def reset(self, seed: int) -> None:
        """Begin anew."""
        self.row = Row(self.rules, seed)
        self._round = self._idle = 0
        self._ordered: int | None = None
        self._moved = False
        self._turns: dict[str, Turn] | None = None
        self._acting = self.row.cells[:1] if self._central else self.row.acting()

    def turns(self) -> dict[str, Turn]:
        """What each cell is told that acts in this round; the controller always does."""
        if self._turns is None:
            if self._central:
                self._turns = {"Controller": self._overview()}
            else:
                self._turns = {f"Cell_{cell.number}": self._turn(cell) for cell in self._acting}
        return self._turns

    def step(self, replies: Mapping[str, Reply | None]) -> None:
        """Play a round; a missing or failed reply changes nothing.

        Raises:
            UserError: a reply is for somebody who was not asked.
        """
        unknown = replies.keys() - self.turns().keys()
        if unknown:
            raise UserError(f"sorting-cells: {min(unknown)!r} was not asked")
        said = {name: reply.value for name, reply in replies.items() if reply is not None and reply.ok}
        if self._central:
            self._order(said.get("Controller"))
        else:
            for cell in self._acting:
                changed = self._act(cell, said.get(f"Cell_{cell.number}"))
                self._idle = 0 if changed else self._idle + 1
            self._acting = self.row.acting()
        self._round += 1
        self._turns = None

    def frame(self) -> dict[str, Any]:
        """The state for people: each cell by its size, from 0 to 9, and by its rule; a frozen one is `#`."""
        order, count = self.row.order, self.rules.cells
        sizes = "".join(str(10 * (cell.value - 1) // count) for cell in order)
        kinds = "".join("#" if cell.frozen else cell.algotype[0] for cell in order)
        return {
            "round": self._round,
            "score": self.score,
            "grid": [sizes, kinds],
            "values": self.row.values(),
            "swaps": len(self.row.errors) - 1,
            "aggregation": self.row.clusters[-1],
        }

    def metrics(self) -> dict[str, float]:
        """The error, swaps, what detours were worth, and how clustered equal labels are now and were at most."""
        row = self.row
        return {
            "error": row.errors[-1],
            "swaps": float(len(row.errors) - 1),
            "delayed_gratification": measures.delayed_gratification(row.errors),
            "aggregation": row.clusters[-1],
            "aggregation_peak": max(row.clusters),
        }

    def _turn(self, cell: Cell) -> Turn:
        order, place, output = self.row.order, cell.place, _OUTPUTS[cell.algotype]
        left = right = aimed = None
        if cell.algotype == "selection":
            aimed = order[cell.aim].value
            told = prompt.at(cell.value, place, cell.aim, aimed)
        elif cell.algotype == "insertion":
            left = order[place - 1].value
            told = prompt.before(cell.value, left)
        else:
            left = order[place - 1].value if place else None
            right = order[place + 1].value if place + 1 < len(order) else None
            told = prompt.beside(cell.value, left, right)
        seen = Seen(cell.algotype, cell.value, left, right, aimed, output.options)
        return Turn((*self._shared[cell.algotype], told), seen, output)

    def _overview(self) -> Turn:
        values = self.row.values()
        seen = Overview(tuple(values), self._ordered, self._moved, self._orders.options)
        return Turn((*prompt.orders(), prompt.whole(values, self._ordered, self._moved)), seen, self._orders)

    def _act(self, cell: Cell, word: Any) -> bool:
        """Do what a cell says; whether that changed anything."""
        if cell.algotype == "selection":
            if word == "SWAP" and self.row.swap(cell, cell.aim):
                return True
            if word in ("SWAP", STAY):
                cell.aim += 1
            return word in ("SWAP", STAY)
        side = {"LEFT": -1, "RIGHT": 1}.get(word, 0)
        return bool(side) and self.row.swap(cell, cell.place + side)

    def _order(self, word: Any) -> None:
        """Let the cell at a place change places with its right neighbor, if it can act and that one yields."""
        self._moved = False
        if word == STAY:
            self._acting = []
        elif word in self._orders.options:
            self._ordered = int(word) - 1
            cell = self.row.order[self._ordered]
            self._moved = not cell.frozen and self.row.swap(cell, self._ordered + 1)
        self._idle = 0 if self._moved else self._idle + 1


def _algotypes(algotype: str, labels: bool) -> tuple[Algotype, ...]:
    try:
        found = parse(algotype)
    except ValueError:
        known = ", ".join(ALGOTYPES)
        raise UserError(
            f"sorting-cells: algotype must be one of {known}, or two of them as in bubble+selection, got {algotype!r}"
        ) from None
    if labels and len(found) > 1:
        raise UserError("sorting-cells: labels are for cells of a single algotype; two algotypes are labels themselves")
    return found
