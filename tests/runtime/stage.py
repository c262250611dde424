"""A small stage for programs: a real driver, journal and purse, and agents that are functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import anyio

from swarmmind.agents.asker import Asker
from swarmmind.effects import Agent, Ask, Limits, Message, Outcome, Program
from swarmmind.memory.store import Stores
from swarmmind.models.embed_hashing import Hashing
from swarmmind.models.embedding import Embeddings
from swarmmind.models.local import ScriptedFunction
from swarmmind.ports import Context, Model, Request
from swarmmind.rng import Streams
from swarmmind.runtime.budget import Purse
from swarmmind.runtime.clock import RealClock, VirtualClock
from swarmmind.runtime.driver import Driver
from swarmmind.runtime.handler import Handler
from swarmmind.runtime.journal import Journal
from swarmmind.runtime.meter import Meter
from swarmmind.runtime.world import World
from swarmmind.traces import Embed, Load, Persist


class Played(NamedTuple):
    """What a program came to, and what the runtime counted."""

    outcome: Outcome
    meter: Meter
    purse: Purse
    seconds: float
    asked: list[str]


def agent(name: str, role: str = "worker") -> Agent:
    return Agent(name, role, model="m")


def ask(name: str, text: str = "?", **more: Any) -> Ask:
    return Ask(agent(name), (Message("user", text),), **more)


def echo(request: Request, rng: Any) -> str:
    return f"{request.agent.id}: {request.messages[-1].content}"


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
    """Run a program to its end against one model; `asked` lists the agents that the model really answered.

    `handlers` execute effects other than asks, by type; vectors come from hashing unless they say otherwise.

    Raises:
        TimeoutError: it was cut off from outside after `cut_after_seconds`.
    """
    asked: list[str] = []
    inner = model or ScriptedFunction(echo)

    class Counted:
        stateful = inner.stateful

        def answer(self, request: Request, call: Any) -> Any:
            answer = inner.answer(request, call)  # raises if it cannot be paid for
            asked.append(f"{request.agent.id}: {request.messages[-1].content}")
            return answer

        async def close(self) -> None: ...

    async def main() -> Played:
        record = Journal(journal)
        record.start()
        stores = Stores(journal.parent, "run", at_once=not real)
        try:
            meter, purse = Meter(), Purse(limits)
            clock = RealClock() if real else VirtualClock()
            asker = Asker({"m": Counted()}, societies)
            own = {Ask: asker, Embed: Embeddings(Hashing()), Load: stores, Persist: stores}
            known = {**own, **(handlers or {})}
            driver = Driver(World(record, clock, Streams(seed), purse, meter), known)
            with anyio.fail_after(cut_after_seconds):
                outcome = await driver.run(program)
            return Played(outcome, meter, purse, clock.now(), asked)
        finally:
            record.close()
            stores.close()

    return anyio.run(main)
