"""A small stage for programs: a real driver, journal and purse, and one model that answers for everybody."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import anyio

from swarmmind.agents.asker import Asker
from swarmmind.effects import Ask, Limits, Outcome, Program
from swarmmind.memory.store import Stores
from swarmmind.models.embed_hashing import Hashing
from swarmmind.models.embedding import Embeddings
from swarmmind.models.local import Answered, ScriptedFunction
from swarmmind.ports import Call, Context, Model, Request
from swarmmind.rng import Streams
from swarmmind.runtime.budget import Purse
from swarmmind.runtime.clock import RealClock, VirtualClock
from swarmmind.runtime.driver import Driver
from swarmmind.runtime.handler import Handler
from swarmmind.runtime.journal import Journal
from swarmmind.runtime.meter import Meter
from swarmmind.runtime.world import World
from swarmmind.traces import Embed, Load, Persist

MODEL = "m"
"""The name under which agents on this stage know their model."""


class Played(NamedTuple):
    """What a program came to, and what the runtime counted.

    Attributes:
        outcome: what it returned, or why not.
        meter: what was counted.
        purse: what was spent.
        seconds: on the run's clock; under the virtual clock an exact makespan.
        asked: the agents that the model really answered, each with the last message it was told, in that order.
    """

    outcome: Outcome
    meter: Meter
    purse: Purse
    seconds: float
    asked: list[str]


def echo(request: Request, rng: random.Random) -> str:
    """Who is asked, and the last message."""
    return f"{request.agent.id}: {request.messages[-1].content}"


class _Counted:
    """A model whose answers are counted."""

    def __init__(self, inner: Model) -> None:
        self._inner, self.stateful = inner, inner.stateful
        self.asked: list[str] = []

    def answer(self, request: Request, call: Call) -> Answered:
        answer = self._inner.answer(request, call)  # raises if it cannot be paid for
        self.asked.append(f"{request.agent.id}: {request.messages[-1].content}")
        return answer

    async def close(self) -> None: ...


def play(
    program: Callable[[Context], Program],
    journal: Path,
    *,
    model: Model | None = None,
    limits: Limits | None = None,
    seed: int = 7,
    real: bool = False,
    societies: Mapping[str, Any] | None = None,
    cut_after_seconds: float | None = None,
    handlers: Mapping[type, Handler] | None = None,
) -> Played:
    """Run a program to its end; again with the same journal, it is resumed.

    Args:
        program: from a context to the generator.
        journal: the file; made if it does not exist.
        model: answers for all agents, whose model is called `m`; by default an echo.
        limits: the budget.
        seed: the run's master seed.
        real: whether time is real, rather than simulated.
        societies: swarms that stand for agents.
        cut_after_seconds: from outside.
        handlers: execute effects other than asks, by type; vectors come from hashing unless they say otherwise.

    Raises:
        TimeoutError: it was cut off from outside after `cut_after_seconds`.
        Exception: what the program or the model raises; the journal keeps what was paid for.
    """
    counted = _Counted(model or ScriptedFunction(echo))

    async def main() -> Played:
        record = Journal(journal)
        record.start()
        stores = Stores(journal.parent, "run", at_once=not real)
        try:
            meter, purse = Meter(), Purse(limits)
            clock = RealClock() if real else VirtualClock()
            asker = Asker({MODEL: counted}, societies)
            own = {Ask: asker, Embed: Embeddings(Hashing()), Load: stores, Persist: stores}
            known = {**own, **(handlers or {})}
            driver = Driver(World(record, clock, Streams(seed), purse, meter), known)
            with anyio.fail_after(cut_after_seconds):
                outcome = await driver.run(program)
            return Played(outcome, meter, purse, clock.now(), counted.asked)
        finally:
            record.close()
            stores.close()

    return anyio.run(main)
