"""A small swarm for SwarmSys: scripted explorers, workers and validators, and what was recorded of a run."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from swarmmind.effects import TEXT, Agent, Limits, Message, Output, Program
from swarmmind.memory import Window
from swarmmind.models.local import ScriptedFunction
from swarmmind.ports import Call, Context, Memory, Request
from swarmmind.runtime.journal import content
from swarmmind.topologies import Policy, Question, Society
from swarmmind.topologies.swarmsys import swarmsys
from tests.runtime.stage import Played, play

Say = Callable[[str, Any], str | Exception]
"""From an agent's id and what it observes to what it says."""


def event(name: str, *needs: str, requires: str = "sums", priority: int = 0) -> dict[str, Any]:
    task = f"Find out about {name}."
    return {"id": name, "task": task, "requires": requires, "depends_on": list(needs), "priority": priority}


def plan(*turns: Sequence[dict[str, Any]]) -> Say:
    """What explorers propose, turn by turn, all of them the same; nothing after that."""
    taken: dict[str, int] = {}

    def say(name: str, seen: Any) -> str:
        turn = taken.get(name, 0)
        taken[name] = turn + 1
        return json.dumps({"events": list(turns[turn]) if turn < len(turns) else []})

    return say


def answer(name: str, seen: Any) -> str:
    return json.dumps({"justification": f"{name} knows {seen['event']}", "answer": f"{seen['event']} is done"})


def accept(name: str, seen: Any) -> str:
    return json.dumps({"reason": f"{name} agrees", "accept": True})


class Cast:
    """Answers for everybody; what is not said here is said in the plainest way.

    Attributes:
        heard: who was told what, in the order asked.
    """

    stateful = False

    def __init__(
        self,
        explore: Say,
        work: Say = answer,
        judge: Say = accept,
        end: Say = lambda name, seen: '{"missing": "", "end": true}',
        assemble: Say = lambda name, seen: "all in all\nANSWER: 42",
        dies_at: int | None = None,
    ) -> None:
        self.says = {"explore": explore, "work": work, "judge": judge, "end": end, "assemble": assemble}
        self.heard: list[tuple[str, str, tuple[Message, ...]]] = []
        self._dies_at = dies_at

    def answer(self, request: Request, call: Call) -> Any:
        if len(self.heard) == self._dies_at:
            raise Died
        return ScriptedFunction(self._say).answer(request, call)

    def _say(self, request: Request, rng: random.Random) -> str:
        seen = request.observation
        self.heard.append((seen["do"], request.agent.id, request.messages))
        said = self.says[seen["do"]](request.agent.id, seen)
        if isinstance(said, Exception):
            raise said
        return said

    def told(self, do: str, name: str = "") -> list[str]:
        """The prompts for one kind of work, of everybody or of one agent."""
        return [messages[-1].content for what, who, messages in self.heard if what == do and who.startswith(name)]

    async def close(self) -> None: ...


class Died(Exception):
    """The process is no more."""


def society(
    *counts: int,
    output: Output = TEXT,
    policy: Policy | None = None,
    memory: Memory | None = None,
) -> Society:
    """So many explorers, workers and validators; 2, 4 and 3 unless given."""
    roles = zip(("explorer", "worker", "validator"), counts or (2, 4, 3), strict=True)
    agents = [Agent(f"{role}-{at}", role, f"You are a {role}.", "m") for role, count in roles for at in range(count)]
    return Society(agents, memory or Window(0), Question("What is it?", output), policy=policy or Policy("skip"))


def program(members: Society, **parameters: Any) -> Callable[[Context], Program]:
    return lambda ctx: swarmsys(ctx, members, **parameters)


def played(
    folder: Path, cast: Cast, members: Society | None = None, limits: Limits | None = None, **parameters: Any
) -> Played:
    return play(program(members or society(), **parameters), folder / "journal.sqlite", model=cast, limits=limits)


def records(folder: Path, name: str) -> list[dict[str, Any]]:
    """What was recorded under a name, in the order of the steps."""
    rows = [row for row in content(folder / "journal.sqlite") if row[0] == "record" and row[2] == name]
    rows.sort(key=lambda row: (int(row[1].split("/")[1]), len(row[1]), row[1]))
    return [json.loads(row[3]) for row in rows]
