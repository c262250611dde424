"""The world behind the prompts: where food and agents are, what each agent remembers, and what lies on the cells.

Everything is on a torus of `size` x `size` cells, which are counted row by row. Chance comes from streams of the seed
that are named after what they are for, so that two conditions of one seed share their food and their starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from swarmmind.memory.grid import Grid
from swarmmind.rng import Streams

MOVES: dict[str, tuple[int, int]] = {"NORTH": (-1, 0), "EAST": (0, 1), "SOUTH": (1, 0), "WEST": (0, -1), "STAY": (0, 0)}
"""What an agent may do: rows and columns, rows growing southwards."""
_HEADINGS = tuple(MOVES)[:4]

CAPACITY = 50  # entries of a private memory
FORGOTTEN = 0.1  # a memory less sure than this is dropped
FOOD_RETENTION = 0.98  # of a memory of food, per round
TRACE_RETENTION = 0.95
TRACE_FLOOR = 0.3  # a trace weaker than this is not read
ALPHA = 0.1  # of the consensus factor
CONTRADICTED = 0.3  # what is left of a trace of food where somebody sees that there is none


class Rules(NamedTuple):
    """What kind of world it is; see `Collective` for each. `stock`: meals in a cell of a new patch."""

    agents: int
    size: int
    memory: bool
    traces: bool
    reader: str
    patches: int
    patch: int
    stock: int
    lifetime: int
    away: int
    vision: int
    reach: int


class Forager:
    """One agent: where it is, where it is heading, how long it must still walk away, and what it remembers."""

    __slots__ = ("away", "cell", "heading", "meals", "memory", "rng")

    def __init__(self, cell: int, heading: str, streams: Streams, number: int) -> None:
        self.cell, self.heading, self.away, self.meals = cell, heading, 0, 0
        self.memory: dict[int, tuple[float, int]] = {}
        """By cell: how sure it was that food is there, and in which round."""
        self.rng = streams.rng(f"away/{number}")


class World:
    """The state of one game, and its laws."""

    def __init__(self, rules: Rules, seed: int) -> None:
        self.rules, self.round = rules, 0
        self._readable = 0
        streams = Streams(seed)
        self._layout = streams.rng("food")
        size = rules.size
        self._near = [self._around(cell, rules.vision) for cell in range(size * size)]
        self._stocks: dict[int, int] = {}
        self._patches: list[tuple[int, ...]] = []
        self._place_all()
        self.grid = Grid(size, size, ("food",), retention=TRACE_RETENTION, ceiling=1.0, consensus=ALPHA)
        starts = streams.rng("starts")
        self.foragers = [
            Forager(starts.randrange(size * size), starts.choice(_HEADINGS), streams, number)
            for number in range(rules.agents)
        ]
        self._look_round()

    # --- reading ----------------------------------------------------------------------------------------------------

    @property
    def meals(self) -> int:
        """Eaten so far, by all."""
        return sum(forager.meals for forager in self.foragers)

    @property
    def food(self) -> Sequence[int]:
        """The cells with food."""
        return tuple(self._stocks)

    def offset(self, here: int, there: int) -> tuple[int, int]:
        """The shortest way between two cells: rows and columns, in [-size / 2, size / 2)."""
        size = self.rules.size
        rows, columns = there // size - here // size, there % size - here % size
        half = size // 2
        return (rows + half) % size - half, (columns + half) % size - half

    @property
    def readable(self) -> int:
        """How many cells have a trace that can be read."""
        return self._readable

    def seen(self, forager: Forager) -> list[int]:
        """Food that an agent sees, row by row."""
        return self._sights.get(forager.cell, [])

    def sure(self, forager: Forager) -> dict[int, float]:
        """What an agent remembers: how sure it is now, by cell."""
        return {
            cell: sureness
            for cell, (then, at) in forager.memory.items()
            if (sureness := then * FOOD_RETENTION ** (self.round - at)) >= FORGOTTEN
        }

    def smelt(self, forager: Forager) -> list[tuple[int, float]]:
        """Traces of food within reach of an agent, with their strengths."""
        return self._smells.get(forager.cell, [])

    # --- moving on --------------------------------------------------------------------------------------------------

    def step(self, moves: Sequence[str | None]) -> None:
        """Everybody moves, who stands on food eats and walks away, everybody looks around; then time passes."""
        self.round += 1
        for forager, move in zip(self.foragers, moves, strict=True):
            if forager.away:
                forager.away -= 1
                self._move(forager, forager.heading)
            elif move is not None:
                self._move(forager, move)
        for number, forager in enumerate(self.foragers):
            if not forager.away and forager.cell in self._stocks:
                self._eat(number, forager)
        self.grid.tick()
        if self.round % self.rules.lifetime == 0:
            self._place_all()
        self._look_round()

    def _move(self, forager: Forager, move: str) -> None:
        size = self.rules.size
        rows, columns = MOVES[move]
        forager.cell = (forager.cell // size + rows) % size * size + (forager.cell + columns) % size
        if move != "STAY":
            forager.heading = move

    def _eat(self, number: int, forager: Forager) -> None:
        forager.meals += 1
        forager.away, forager.heading = self.rules.away, forager.rng.choice(_HEADINGS)
        if self.rules.traces:
            self._leave(number, forager.cell)
        self._stocks[forager.cell] -= 1
        if not self._stocks[forager.cell]:
            self._eaten_up(forager.cell)

    def _leave(self, number: int, cell: int) -> None:
        self.grid.deposit("food", *divmod(cell, self.rules.size), 1.0, number)

    # --- food -------------------------------------------------------------------------------------------------------

    def _place_all(self) -> None:
        self._stocks, self._patches = {}, []
        for _ in range(self.rules.patches):
            self._place()
        self._spot()

    def _place(self) -> None:
        """A new patch where there is no food yet."""
        size, side = self.rules.size, self.rules.patch
        while True:
            row, column = self._layout.randrange(size), self._layout.randrange(size)
            cells = tuple((row + r) % size * size + (column + c) % size for r in range(side) for c in range(side))
            if not any(cell in self._stocks for cell in cells):
                break
        self._patches.append(cells)
        self._stocks.update(dict.fromkeys(cells, self.rules.stock))

    def _eaten_up(self, cell: int) -> None:
        """The cell is empty; a patch of which nothing is left comes up again elsewhere."""
        del self._stocks[cell]
        for at, cells in enumerate(self._patches):
            if cell in cells and not any(other in self._stocks for other in cells):
                del self._patches[at]
                self._place()
                break
        self._spot()

    def _spot(self) -> None:
        """From which cells which food is seen."""
        self._sights: dict[int, list[int]] = {}
        for cell in sorted(self._stocks):
            for viewer in self._near[cell]:
                self._sights.setdefault(viewer, []).append(cell)

    # --- what is known ----------------------------------------------------------------------------------------------

    def _look_round(self) -> None:
        """Everybody files what it sees, leaves traces of it, and contradicts what is not so."""
        rules = self.rules
        for number, forager in enumerate(self.foragers):
            for cell in self.seen(forager):
                if rules.memory:
                    forager.memory[cell] = (1.0, self.round)
                if rules.traces:
                    self._leave(number, cell)
        self._smells: dict[int, list[tuple[int, float]]] = {}
        if rules.traces:
            self._contradict_traces()
        if rules.memory:
            for forager in self.foragers:
                self._file(forager)

    def _contradict_traces(self) -> None:
        """Weaken traces of food where somebody sees none, then find out who smells what."""
        size = self.rules.size
        rows, columns = np.nonzero(self.grid.layer("food"))
        left = [int(row) * size + int(column) for row, column in zip(rows, columns, strict=True)]
        wrong = [cell for cell in left if cell not in self._stocks]
        if wrong:
            crowd: dict[int, int] = {}
            for forager in self.foragers:
                crowd[forager.cell] = crowd.get(forager.cell, 0) + 1
            for cell in wrong:
                viewers = sum(crowd.get(viewer, 0) for viewer in self._near[cell])
                if viewers:
                    self.grid.reinforce("food", *divmod(cell, size), CONTRADICTED**viewers)
        self._readable = 0
        for cell in left:
            strength = self.grid.read("food", *divmod(cell, size))
            if strength >= TRACE_FLOOR:
                self._readable += 1
                for smeller in self._around(cell, self.rules.reach):
                    self._smells.setdefault(smeller, []).append((cell, strength))

    def _file(self, forager: Forager) -> None:
        """What an agent reads from traces goes into its memory; what it sees to be wrong goes out of it."""
        memory = forager.memory
        if self.rules.reader == "memory":
            for cell, strength in self.smelt(forager):
                then, at = memory.get(cell, (0.0, 0))
                if then * FOOD_RETENTION ** (self.round - at) < min(strength, 1.0):
                    memory[cell] = (min(strength, 1.0), self.round)
        if not memory:
            return
        for cell in self._near[forager.cell]:
            if cell in memory and cell not in self._stocks:
                del memory[cell]
        sure = self.sure(forager)
        if len(sure) < len(memory):
            forager.memory = memory = {cell: memory[cell] for cell in sure}
        while len(memory) > CAPACITY:
            del memory[min(sure, key=lambda cell: (sure[cell], cell))]
            sure = self.sure(forager)

    def _around(self, cell: int, radius: int) -> list[int]:
        size = self.rules.size
        row, column = divmod(cell, size)
        span = range(-radius, radius + 1)
        return [(row + r) % size * size + (column + c) % size for r in span for c in span]
