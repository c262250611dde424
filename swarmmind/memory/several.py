"""Several memories at once: what is left is left in each, and each shows its own."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from swarmmind.ports import Durable, Memory
from swarmmind.traces import ANYTHING, Query, Trace, Vector


class Several(Memory):
    """Memories side by side, in the order of the task; each keeps its own bounds, and what it is not for it ignores."""

    def __init__(self, parts: Sequence[Memory]) -> None:
        self.parts = tuple(parts)

    @property
    def embeds(self) -> bool:
        """Whether any of them embeds."""
        return any(part.embeds for part in self.parts)

    def deposit(self, scope: str, trace: Trace, vector: Vector | None = None) -> None:
        """Leave a trace in each."""
        for part in self.parts:
            part.deposit(scope, trace, vector)

    def sense(self, scope: str, query: Query = ANYTHING, rng: random.Random | None = None) -> tuple[Trace, ...]:
        """What each shows, one after the other."""
        return tuple(trace for part in self.parts for trace in part.sense(scope, query, rng))

    def reinforce(self, scope: str, key: str, factor: float) -> None:
        """A verdict, told to each."""
        for part in self.parts:
            part.reinforce(scope, key, factor)

    def tick(self) -> None:
        """One round has passed for each."""
        for part in self.parts:
            part.tick()

    def levels(self) -> dict[str, float]:
        """The levels of the first that has any."""
        return next((levels for part in self.parts if (levels := part.levels())), {})

    def snapshot(self) -> Any:
        """The snapshot of each, in order."""
        return [part.snapshot() for part in self.parts]

    def stores(self) -> Sequence[Durable]:
        """The stores of all."""
        return [store for part in self.parts for store in part.stores()]

    def fork(self) -> Several:
        """An independent copy of each."""
        return Several([part.fork() for part in self.parts])
