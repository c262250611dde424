"""Agents for graphs that work flows through: every text they write can be told apart, and all they are told is kept."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from swarmmind.effects import Agent, Limits, Sampling
from swarmmind.memory import Window
from swarmmind.models.local import ScriptedFunction
from swarmmind.ports import Call, Request
from swarmmind.topologies import Policy, Question, Society
from swarmmind.topologies.graphs import Graph
from tests.runtime.stage import Played

from .swarms import SKIP
from .swarms import played as stage_played

KINDS = ("chain", "star", "tree", "mesh", "layered", "random", "small-world", "scale-free", "delaunay", "ring", "grid")


class Told(NamedTuple):
    """One call as its agent saw it, and what it said; `said` is `None` if it failed."""

    at: float
    agent: str
    do: str
    system: str
    prompt: str
    sampling: Sampling
    seen: Mapping[str, Any]
    said: str | None


Fails = Callable[[str, str, int], bool]
"""From an agent, what it is asked to do, and how many asks there were before, to whether it fails."""


def nobody(agent: str, do: str, number: int) -> bool:
    return False


class Cast:
    """Says `<agent> <do> <number>`, each text once; fails where `fails` says so; `says` speaks in its stead.

    Attributes:
        told: every call, in the order they were made.
    """

    stateful = False

    def __init__(
        self,
        fails: Fails = nobody,
        says: Callable[[Request], str | None] = lambda _: None,
        latency: Mapping[str, float] | None = None,
        seconds: float = 1.0,
    ) -> None:
        self.fails, self.says, self.latency, self.seconds = fails, says, latency or {}, seconds
        self.told: list[Told] = []

    def answer(self, request: Request, call: Call) -> Any:
        def say(request: Request, rng: random.Random) -> str:
            agent, do = request.agent.id, request.observation["do"]
            said = None
            if not self.fails(agent, do, len(self.told)):
                said = self.says(request)
                said = f"{agent} {do} {len(self.told)}" if said is None else said
            *before, last = request.messages
            system, seen = "".join(message.content for message in before), request.observation
            self.told.append(Told(call.now(), agent, do, system, last.content, request.sampling, seen, said))
            if said is None:
                raise OSError("down")
            return said

        return ScriptedFunction(say, self.latency.get(request.agent.id, self.seconds)).answer(request, call)

    async def close(self) -> None: ...

    def did(self, do: str, agent: str | None = None) -> list[Told]:
        return [told for told in self.told if told.do == do and agent in (None, told.agent)]


def society(count: int, *, policy: Policy = SKIP, seed: int = 0, question: Question | None = None) -> Society:
    agents = [
        Agent(f"a{at}", "solver", f"You are number {at}.", "m", Sampling(0.2, max_tokens=99), index=at)
        for at in range(count)
    ]
    return Society(agents, Window(0), question or Question("Write a poem."), policy=policy, seed=seed)


def played(
    folder: Path, members: Society, cast: Any, graph: Any = "layered", limits: Limits | None = None, **more: Any
) -> Played:
    return stage_played(folder, "macnet", members, cast, limits, graph=Graph.model_validate(graph), **more)


def dead(names: Collection[str]) -> Fails:
    return lambda agent, do, number: agent in names
