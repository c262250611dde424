"""A walk along a line of numbers, and modules that know all about it, for what a planner does with its modules.

    START: 0
    GOAL: 3
    MOVES: at most 10

A move is `+1`, `-1` or `+2`; `+2` is allowed from even numbers alone.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from swarmmind.effects import TEXT, Agent, Limits, Output
from swarmmind.memory import Window
from swarmmind.models.local import ScriptedFunction
from swarmmind.ports import Call, Request
from swarmmind.topologies import Policy, Question, Society
from tests.runtime.stage import Played, play

from .swarms import program

ROLES = ("actor", "decomposer", "monitor", "predictor", "evaluator", "coordinator")
LEGAL = {"+1": 1, "-1": -1, "+2": 2}
RULE = "only even numbers allow +2"


def problem(start: int = 0, goal: int = 3, moves: int = 10) -> str:
    return f"Walk along a line.\n\nSTART: {start}\nGOAL: {goal}\nMOVES: at most {moves}\n\nHow?"


def cast(roles: Collection[str] = ROLES, policy: str = "skip", text: str = "", output: Output = TEXT) -> Society:
    agents = [Agent(f"{role}-0", role, f"You are the {role}.", "m", index=at) for at, role in enumerate(roles)]
    kind: Any = policy
    return Society(agents, Window(0), Question(text or problem(), output), policy=Policy(kind))


class Heard(NamedTuple):
    """One call: who was asked, in which step of the program, what it saw, what it was told and what it said."""

    role: str
    key: str
    seen: Mapping[str, Any]
    prompt: str
    text: str


class Modules:
    """Modules without a fault; `says` replaces what some of them say, `down` makes some fail.

    Attributes:
        heard: every call, in the order asked.
    """

    stateful = False

    def __init__(
        self,
        says: Mapping[str, Callable[[Mapping[str, Any]], Any]] | None = None,
        down: Callable[[str, str], bool] | None = None,
        latency: float = 0.0,
    ) -> None:
        self._says, self._latency = dict(says or {}), latency
        self._down = down
        self.heard: list[Heard] = []

    def answer(self, request: Request, call: Call) -> Any:
        seen: Mapping[str, Any] = request.observation
        role = request.agent.role
        text = "" if self._down and self._down(role, call.key) else self._text(seen)

        def say(request: Request, rng: random.Random) -> str:
            if not text:
                raise OSError("down")
            return text

        answered = ScriptedFunction(say, self._latency).answer(request, call)
        self.heard.append(Heard(role, call.key, seen, request.messages[-1].content, text))
        return answered

    async def close(self) -> None: ...

    def _text(self, seen: Mapping[str, Any]) -> str:
        own: Callable[[Mapping[str, Any]], Any] = getattr(self, f"_{seen['do']}")
        said = self._says.get(seen["do"], own)(seen)
        return said if isinstance(said, str) else json.dumps(said)

    def _decompose(self, seen: Mapping[str, Any]) -> Any:
        return {"subgoal": ""}

    def _propose(self, seen: Mapping[str, Any]) -> Any:
        return {"moves": ["+1", "-1", "+2"][: seen["count"]]}

    def _check(self, seen: Mapping[str, Any]) -> Any:
        allowed = seen["move"] in LEGAL and (seen["move"] != "+2" or where(seen) % 2 == 0)
        return {"why": "it is allowed" if allowed else RULE, "possible": allowed}

    def _predict(self, seen: Mapping[str, Any]) -> Any:
        return {"state": str(where(seen) + LEGAL.get(seen["move"], 0))}

    def _estimate(self, seen: Mapping[str, Any]) -> Any:
        return {"why": "subtract", "moves_left": abs(where(seen) - int(seen["goal"]))}

    def _compare(self, seen: Mapping[str, Any]) -> str:
        return "yes" if where(seen) == int(seen["goal"]) else "no"

    # --- what can be seen --------------------------------------------------------------------------------------------

    def told(self, do: str) -> list[Heard]:
        """The calls of one kind."""
        return [one for one in self.heard if one.seen["do"] == do]

    def rounds(self) -> list[list[Heard]]:
        """The calls that were made at once, in their order."""
        steps: dict[str, list[Heard]] = {}
        for one in self.heard:
            steps.setdefault(one.key.split("/")[1], []).append(one)
        return list(steps.values())


def where(seen: Mapping[str, Any]) -> int:
    """The number of a state, all moves since included."""
    return int(seen["state"]) + sum(LEGAL.get(move, 0) for move in seen["since"])


def planned(
    folder: Path,
    model: Modules,
    society: Society | None = None,
    limits: Limits | None = None,
    seed: int = 7,
    **given: Any,
) -> Played:
    members = society or cast()
    return play(program("planner", members, **given), folder / "journal.sqlite", model=model, limits=limits, seed=seed)


def moves(value: Any) -> Sequence[str]:
    """The moves of a plan."""
    assert value.startswith("ANSWER: ")
    return [] if value == "ANSWER: no moves" else value.removeprefix("ANSWER: ").split("; ")
