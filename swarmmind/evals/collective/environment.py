"""Emergent collective memory (arXiv 2512.10166) as an `Environment`: foragers, private memories, traces on cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Literal

import msgspec

from swarmmind.effects import Choice, Reply
from swarmmind.errors import UserError
from swarmmind.evals.collective import prompt
from swarmmind.evals.collective.world import MOVES, Forager, Rules, World
from swarmmind.ports import Turn

_OUTPUT = Choice(tuple(MOVES))


class Observation(msgspec.Struct, frozen=True, gc=False):
    """Everything one agent may know in one round: its prompt, unrendered.

    Attributes:
        round: rounds played so far.
        heading: its last move.
        sees: food in sight, as rows (south) and columns (east) away.
        remembers: places where it remembers food, and how sure it is, in (0, 1]; empty without a memory.
        senses: traces of food within reach, and their strengths; empty unless the reader is reactive.
    """

    round: int
    heading: str
    sees: tuple[tuple[int, int], ...]
    remembers: tuple[tuple[int, int, float], ...]
    senses: tuple[tuple[int, int, float], ...]

    @property
    def actions(self) -> tuple[str, ...]:
        """What may be done."""
        return tuple(MOVES)

    @property
    def speaks(self) -> bool:
        """Never: the answer is a move alone."""
        return False


class Collective:
    """Foragers on a torus look for patches of food that move, with or without memories and traces (arXiv 2512.10166).

    Who reads the traces is a parameter. In the paper they feed an agent's *memory*, so agents without memory cannot
    read them; a `reactive` reader steers on them directly. The world keeps each agent's memory and shows it, so that a
    rule and a language model decide on the same: nothing else is known to either. Of the paper's four categories only
    food is kept: there is no danger here, and no rule that reads the other two.

    In each round: all move (those that have eaten walk straight on, unasked), who stands on food eats, traces fade,
    food moves if it is time, and all look around: food in sight is remembered with confidence 1 and gets a trace (so
    does a cell that is eaten from), a memory of food on an empty cell in sight is deleted and its trace is weakened to
    0.3 of itself per viewer; then traces in reach are read. Memories keep 0.98 a round and are dropped below 0.1, 50
    of them at most; traces keep 0.95 a round, are read from 0.3 on, and distinct depositors strengthen them.

    The score is meals per agent.

    Args:
        agents: how many; they are called `Forager_0`, `Forager_1`, ...
        size: rows and columns, at least 8.
        memory: whether agents remember.
        traces: whether agents leave traces.
        reader: what traces feed: `memory`, the paper's, or `reactive`: the decision itself.
        patches: how many patches of food there are at any time.
        patch: rows and columns of a patch.
        food: meals per agent that lie out in a whole set of new patches; each cell has at least one.
        lifetime: rounds after which all patches move; one that is eaten up moves at once.
        away: rounds of walking away after a meal.
        vision: rows and columns that food is seen from.
        reach: rows and columns that traces are sensed from.
        rounds: how many are played.

    Raises:
        UserError: a value is out of range.
    """

    def __init__(
        self,
        agents: int = 28,
        *,
        size: int = 24,
        memory: bool = True,
        traces: bool = True,
        reader: Literal["memory", "reactive"] = "memory",
        patches: int = 2,
        patch: int = 2,
        food: float = 1.5,
        lifetime: int = 80,
        away: int = 8,
        vision: int = 1,
        reach: int = 4,
        rounds: int = 240,
    ) -> None:
        least = {"agents": (agents, 1), "size": (size, 8), "patches": (patches, 1), "patch": (patch, 1),
                 "lifetime": (lifetime, 1), "away": (away, 0), "vision": (vision, 0), "reach": (reach, 0),
                 "rounds": (rounds, 1)}  # fmt: skip
        for name, (value, bound) in least.items():
            if value < bound:
                raise UserError(f"collective-memory: {name} must be at least {bound}, got {value}")
        if reader not in ("memory", "reactive"):
            raise UserError(f"collective-memory: reader must be 'memory' or 'reactive', got {reader!r}")
        for name, radius in (("vision", vision), ("reach", reach)):
            if 2 * radius >= size:
                raise UserError(f"collective-memory: {name} must be less than half of the size {size}, got {radius}")
        if 2 * patches * patch * patch > size * size // 2 or patch > size // 2:
            raise UserError(f"collective-memory: patches must cover at most a quarter of the grid, got {patches}")
        if not 0 < food < 1e6:
            raise UserError(f"collective-memory: food must be above 0 and finite, got {food}")
        stock = max(1, round(food * agents / (patches * patch * patch)))
        self.rules = Rules(
            agents, size, memory, traces, reader, patches, patch, stock, lifetime, away, vision, reach
        )  # fmt: skip
        self._rounds = rounds
        self._names = [f"Forager_{number}" for number in range(agents)]
        self._shared = prompt.shared(self.rules)
        self.reset(0)

    @property
    def agents(self) -> Sequence[str]:
        """`Forager_0`, `Forager_1`, ..."""
        return self._names

    @property
    def rounds(self) -> int:
        """How many rounds are played."""
        return self._rounds

    @property
    def done(self) -> bool:
        """Whether all rounds are played."""
        return self.world.round >= self._rounds

    @property
    def score(self) -> float:
        """Meals per agent so far."""
        return self.world.meals / len(self._names)

    def reset(self, seed: int) -> None:
        """Begin anew."""
        self.world = World(self.rules, seed)
        self._trail = blake2b(digest_size=8)
        self._walked()
        self._turns: dict[str, Turn] | None = None

    def turns(self) -> dict[str, Turn]:
        """What each agent is told that is not walking away from a meal."""
        if self._turns is None:
            players = zip(self._names, self.world.foragers, strict=True)
            self._turns = {name: self._turn(forager) for name, forager in players if not forager.away}
        return self._turns

    def step(self, replies: Mapping[str, Reply | None]) -> None:
        """Play a round; a missing or failed reply is to stay.

        Raises:
            UserError: a reply is for a name that is no agent here.
        """
        unknown = replies.keys() - set(self._names)
        if unknown:
            raise UserError(f"collective-memory: no agent {min(unknown)!r}")
        self.world.step([_move(replies.get(name)) for name in self._names])
        self._walked()
        self._turns = None

    def frame(self) -> dict[str, Any]:
        """The state for people; `trail` is a digest of where everybody has been in every round so far."""
        world, size = self.world, self.rules.size
        symbols = ["."] * (size * size)
        for cell in world.food:
            symbols[cell] = "F"
        for forager in world.foragers:
            symbols[forager.cell] = "a" if forager.away else "A"
        return {
            "round": world.round,
            "score": self.score,
            "grid": ["".join(symbols[start : start + size]) for start in range(0, size * size, size)],
            "agents": {
                name: list(divmod(forager.cell, size))
                for name, forager in zip(self._names, world.foragers, strict=True)
            },
            "trail": self._trail.hexdigest(),
        }

    def metrics(self) -> dict[str, float]:
        """Meals and places remembered per agent, cells with a trace that can be read, and the walks as a number.

        `trail` is the head of the frame's digest: two games have the same only if everybody walked the same way.
        """
        foragers = self.world.foragers
        return {
            "meals_per_agent": self.score,
            "remembered_per_agent": sum(len(forager.memory) for forager in foragers) / len(foragers),
            "readable_traces": float(self.world.readable),
            "trail": float(int.from_bytes(self._trail.digest()[:6], "big")),
        }

    def _walked(self) -> None:
        self._trail.update(b"".join(forager.cell.to_bytes(4, "big") for forager in self.world.foragers))

    def _turn(self, forager: Forager) -> Turn:
        world, offset = self.world, self.world.offset
        sees = tuple([offset(forager.cell, cell) for cell in world.seen(forager)])
        remembers = senses = ()
        if self.rules.memory:
            remembers = tuple([(*offset(forager.cell, cell), sure) for cell, sure in world.sure(forager).items()])
        if self.rules.reader == "reactive":
            senses = tuple([(*offset(forager.cell, cell), strength) for cell, strength in world.smelt(forager)])
        observation = Observation(world.round, forager.heading, sees, remembers, senses)
        tail = prompt.private(world.round, forager.heading, sees, remembers, senses)
        return Turn((*self._shared, tail), observation, _OUTPUT)


def _move(reply: Reply | None) -> str | None:
    return reply.value if reply is not None and reply.ok and reply.value in MOVES else None
