"""What agents remember in a step: what was there before the work began, and what the steps behind theirs left.

Steps that do not wait for each other know nothing of each other, so what is remembered, and by it what is asked, never
depends on which of them was done first.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from swarmmind.ports import Memory
from swarmmind.topologies.recall import Steps, persisted
from swarmmind.topologies.society import Society
from swarmmind.topologies.workflow.steps import Step
from swarmmind.traces import ANYTHING, Query, Trace, Vector


class Past:
    """The memory of a run, as each step sees it.

    Args:
        society: whose memory it is; it changes when everything is settled.
        steps: in an order in which they may be done.
    """

    def __init__(self, society: Society, steps: Sequence[Step]) -> None:
        self._society = society
        self._behind: dict[str, set[str]] = {}
        for step in steps:
            self._behind[step.name] = {*step.reads}.union(*(self._behind[name] for name in step.reads))
        self._notes = {step.name: _Notes(society.memory) for step in steps}

    def before(self, step: Step) -> Society:
        """The society as it goes to work in a step: what it remembers from now on is noted."""
        memory = self._society.memory.fork()
        for name, notes in self._notes.items():
            if name in self._behind[step.name]:
                notes.leave(memory)
        notes = self._notes[step.name] = _Notes(memory)
        return self._society._replace(memory=notes)

    def settle(self) -> Steps[None]:
        """Let the society remember all of it, step after step.

        Raises:
            Failed: a store could not be written.
        """
        memory = self._society.memory
        for notes in self._notes.values():
            notes.leave(memory)
        yield from persisted(memory)


class _Notes(Memory):
    """A memory that knows what was left in it; it has no stores, since all of it is left in another one later."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._left: list[tuple[str, Trace, Vector | None]] = []

    @property
    def embeds(self) -> bool:
        return self._memory.embeds

    def deposit(self, scope: str, trace: Trace, vector: Vector | None = None) -> None:
        self._left.append((scope, trace, vector))
        self._memory.deposit(scope, trace, vector)

    def sense(self, scope: str, query: Query = ANYTHING, rng: random.Random | None = None) -> tuple[Trace, ...]:
        return self._memory.sense(scope, query, rng)

    def fork(self) -> Memory:
        return self._memory.fork()

    def leave(self, memory: Memory) -> None:
        """Leave the same in another memory."""
        for scope, trace, vector in self._left:
            memory.deposit(scope, trace, vector)
