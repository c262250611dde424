"""Small societies for topologies to coordinate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from swarmmind.effects import TEXT, Agent, Choice, Message, Output, Program, Reply
from swarmmind.memory import Window
from swarmmind.models.local import Latency, ScriptedFunction
from swarmmind.ports import Call, Context, Memory, Request, Turn
from swarmmind.topologies import TOPOLOGIES, Policy, Question, Society
from tests.runtime.stage import Played, play

SKIP, FAIL = Policy("skip"), Policy("fail")


def society(
    count: int, output: Output = TEXT, *, policy: Policy = SKIP, memory: Memory | None = None, **more: Any
) -> Society:
    agents = [Agent(f"a{at}", "solver", "You solve.", "m", index=at) for at in range(count)]
    question = Question("How many?", output)
    return Society(agents, memory or Window(0), question, policy=policy, **more)


def program(name: str, members: Society, **parameters: Any) -> Callable[[Context], Program]:
    return lambda ctx: TOPOLOGIES[name].program(ctx, members, **parameters)


def calls(name: str, members: Society, **parameters: Any) -> int:
    counted = TOPOLOGIES[name].calls
    assert counted is not None
    return counted(members, **parameters)


class Said:
    """Agents that say what their script says, one text per call, the last one for ever; an `Exception` fails.

    Attributes:
        heard: what each agent was told, call by call.
    """

    stateful = False

    def __init__(
        self, scripts: Mapping[str, Sequence[str | Exception]], latency: Mapping[str, float] | None = None
    ) -> None:
        self.scripts, self._latency = scripts, latency or {}
        self.heard: dict[str, list[tuple[Message, ...]]] = {name: [] for name in scripts}

    def answer(self, request: Request, call: Call) -> Any:
        seconds: Latency = self._latency.get(request.agent.id, 0.0)
        return ScriptedFunction(self._say, seconds).answer(request, call)

    def _say(self, request: Request, rng: object) -> str:
        heard, script = self.heard[request.agent.id], self.scripts[request.agent.id]
        said = script[min(len(heard), len(script) - 1)]
        heard.append(request.messages)
        if isinstance(said, Exception):
            raise said
        return said

    async def close(self) -> None: ...


def saying(*texts: str | Exception | Sequence[str | Exception]) -> Said:
    """Agents a0, a1, ...: what each of them says always, or call by call."""
    return Said({f"a{at}": [text] if isinstance(text, (str, Exception)) else text for at, text in enumerate(texts)})


def played(folder: Path, name: str, members: Society, model: Any, limits: Any = None, **parameters: Any) -> Played:
    return play(program(name, members, **parameters), folder / "journal.sqlite", model=model, limits=limits)


class Counter:
    """A world whose agents each call out a number; its score is the sum of all that were readable.

    Attributes:
        rounds_seen: what `step` was given, round by round: the text of each reply, `None` for no action.
    """

    def __init__(self, count: int = 3, rounds: int = 4, leaving: Mapping[int, str] | None = None) -> None:
        self.agents = [f"player-{at}" for at in range(count)]
        self.rounds, self._leaving = rounds, leaving or {}
        self.score, self._round, self.seed = -1.0, -1, -1
        self.rounds_seen: list[dict[str, str | None]] = []

    def reset(self, seed: int) -> None:
        self.seed, self.score, self._round, self.rounds_seen = seed, 0.0, 0, []

    def turns(self) -> dict[str, Turn]:
        gone = {name for at, name in self._leaving.items() if at <= self._round}
        shared = Message("user", "the rules")
        private = "round {} score {:g} for {}"
        return {
            name: Turn(
                (shared, Message("user", private.format(self._round, self.score, name))),
                {"name": name},
                Choice(("1", "2")),
            )
            for name in self.agents
            if name not in gone
        }

    def step(self, replies: Mapping[str, Reply | None]) -> None:
        told = {name: reply.value if reply and reply.ok else None for name, reply in replies.items()}
        self.rounds_seen.append(told)
        self.score += sum(int(value) for value in told.values() if value)
        self._round += 1

    @property
    def done(self) -> bool:
        return self._round >= self.rounds

    def frame(self) -> dict[str, Any]:
        return {"round": self._round, "score": self.score}

    def metrics(self) -> dict[str, float]:
        return {}
