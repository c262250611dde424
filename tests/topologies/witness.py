"""Agents whose every answer bears a mark of who gave it and where, and what can be seen of a run from their prompts.

A mark reads `{author~key}`: the agent, and the key of its call. What else an answer says depends on its key alone, so a
run is the same whatever the latencies.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from swarmmind.effects import Agent, Choice, Json, Limits, Message, Program
from swarmmind.memory import Window, memory
from swarmmind.models.example_json import example
from swarmmind.models.local import ScriptedFunction
from swarmmind.ports import Call, Context, Request
from swarmmind.runs.parameters import checked
from swarmmind.runtime.journal import content
from swarmmind.spec import load_part
from swarmmind.topologies import TOPOLOGIES, Lesson, Policy, Question, Society
from swarmmind.topologies.recall import with_stores
from tests.runtime.stage import Played, play

from .swarms import SKIP, Counter

MARK = re.compile(r"\{([^{}~]+)~([^{}]+)\}")
_HEAD = re.compile(r"\[([^\[\],]+)(?:, [^\[\]]*)?\]")
_LESSONS = [Lesson(f"Problem {at}?", f"ANSWER: {at % 2}", f"kind {at % 2}") for at in range(6)]

Down = Callable[[str, str], bool]
"""Whether an agent (its id) fails at a call (its key)."""
Latency = Callable[[str, str], float]


def share(*words: object) -> float:
    """A number in [0, 1) that depends on the words alone."""
    return crc32("/".join(map(str, words)).encode()) / 2**32


# --- who takes part in what -------------------------------------------------------------------------------------------


def ends_with(output: Any, target: Any) -> float:
    """Whether an answer ends with the right one."""
    return float(str(output).endswith(str(target)))


def a_second(agent: str, key: str) -> float:
    """Everybody takes a second."""
    return 1.0


def never(agent: str, key: str) -> bool:
    """Nobody fails."""
    return False


class Scene(NamedTuple):
    """What a topology needs beside ten solvers and a question, so that it can be seen at work.

    Attributes:
        roles: how many of each there are.
        parameters: in place of its part's.
        lessons: whether it works on a data set.
        remembers: by the name of a memory, if not by a window.
        world: whether it plays one.
    """

    roles: Mapping[str, int] = {"solver": 10}
    parameters: Mapping[str, Any] = {}
    lessons: bool = False
    remembers: str = "window"
    world: bool = False


_STEPS = [
    {"name": "look", "roles": ["explorer"], "aggregate": "refine"},
    {"name": "draft", "roles": ["worker"]},
    {"name": "check", "roles": ["validator", "worker"], "inputs": ["draft"], "aggregate": "vote"},
    {"name": "finish", "roles": ["worker"], "inputs": ["problem", "look", "check"], "aggregate": "vote"},
]
SCENES = {
    "world": Scene(world=True),
    "omne": Scene({"solver": 8, "curator": 2}, {"consolidate_every": 2}, lessons=True, remembers="traces"),
    "sapo": Scene(parameters={"rounds": 3, "tasks": 2}, lessons=True),
    "swarmsys": Scene({"explorer": 2, "worker": 5, "validator": 3}),
    "hierarchy": Scene(parameters={"branching": 3}),
    "planner": Scene(
        {"decomposer": 1, "actor": 2, "monitor": 3, "predictor": 2, "evaluator": 2, "coordinator": 1},
        {"moves": 2, "tries": 3},
    ),
    "peer-ranking": Scene(parameters={"pairs": 3}),
    "workflow": Scene({"explorer": 2, "worker": 5, "validator": 3}, {"steps": _STEPS}),
}
"""By the name of the part; whoever is not here makes do with a `Scene()`."""


def society(name: str, policy: Policy = SKIP, *, forgetful: bool = False) -> Society:
    """Who takes part in a topology."""
    scene = SCENES.get(name, Scene())
    agents = [
        Agent(f"{role}-{at}", role, f"You are a {role}.", "m", index=at)
        for role, count in scene.roles.items()
        for at in range(count)
    ]
    agents = [Agent(a.id, a.role, a.instructions, "m", index=at) for at, a in enumerate(agents)]
    remembers = TOPOLOGIES[load_part("topologies", name).use].memory and not forgetful
    made = memory(scene.remembers)() if remembers else Window(0)
    known = Society(agents, made, Question("How many?"), policy=policy)
    if scene.lessons:
        known = known._replace(lessons=_LESSONS, judge=ends_with)
    return known._replace(environment=Counter(len(agents))) if scene.world else known


def members(name: str) -> list[str]:
    """The ids of all who take part."""
    return [agent.id for agent in society(name).agents]


def program(name: str, cast: Society) -> Callable[[Context], Program]:
    """A topology's program with the parameters that its part and its scene give it."""
    part = load_part("topologies", name)
    known = TOPOLOGIES[part.use].program
    given = checked(known, {**part.parameters, **SCENES.get(name, Scene()).parameters}, 2, part.error)
    return lambda ctx: with_stores(cast.memory, known(ctx, cast, **given))


# --- what they say ----------------------------------------------------------------------------------------------------


class Told(NamedTuple):
    """One call: who was told what, when, and what came of it.

    Attributes:
        agent: its id.
        key: its place in the program.
        do: what was asked for, if the observation says so.
        messages: the prompt.
        start: on the run's clock, seconds.
        end: when the answer was there.
        text: the answer; `None` if it failed.
    """

    agent: str
    key: str
    do: str
    messages: tuple[Message, ...]
    start: float
    end: float
    text: str | None


class Marked:
    """Agents whose answers bear marks.

    Attributes:
        told: every call, in the order asked.
    """

    stateful = False

    def __init__(self, latency: Latency = a_second, down: Down = never) -> None:
        self.told: list[Told] = []
        self._latency, self._down = latency, down

    def answer(self, request: Request, call: Call) -> Any:
        name, key = request.agent.id, call.key
        seconds = self._latency(name, key)
        text = None if self._down(name, key) else _text(request, key)

        def say(request: Request, rng: random.Random) -> str:
            if text is None:
                raise OSError(f"down at {key}")
            return text

        answered = ScriptedFunction(say, seconds).answer(request, call)
        seen = request.observation
        do = str(seen.get("do", "")) if isinstance(seen, dict) else ""
        self.told.append(Told(name, key, do, request.messages, call.now(), call.now() + seconds, text))
        return answered

    async def close(self) -> None: ...


def _text(request: Request, key: str) -> str:
    mark, output, seen = f"{{{request.agent.id}~{key}}}", request.output, request.observation
    if isinstance(output, Choice):
        return output.options[int(share("option", key) * len(output.options))]
    if isinstance(output, Json):
        return json.dumps(_document(output, seen, request.agent.id, key, mark))
    return f"{mark} has thought about it.\nANSWER: {int(share('answer', key) * 3)}"


def _document(output: Json, seen: Any, name: str, key: str, mark: str) -> Any:
    """Events once, and after that none; most is accepted; all else is as plain as it can be, with a mark."""
    document = _written(example(output.schema, random.Random(key)), output.schema, mark)
    if "events" in document:
        event = {"task": f"Find out {mark}.", "requires": "sums", "depends_on": [], "priority": 0}
        document["events"] = [] if seen.get("events") else [{"id": f"event-{name}-{at}", **event} for at in range(2)]
    verdict = {"accept": share("accept", key) < 0.7, "end": True}
    return document | {word: value for word, value in verdict.items() if word in document}


def _written(document: Any, schema: Any, mark: str) -> Any:
    """A document with the mark in every text that may be anything."""
    if not isinstance(document, dict):
        return document
    rules = schema.get("properties", {})
    free = {key for key, rule in rules.items() if rule.get("type") == "string" and not rule.keys() & {"enum", "const"}}
    return {key: f"{mark} {value}" if key in free else value for key, value in document.items()}


# --- what can be seen -------------------------------------------------------------------------------------------------


class Quote(NamedTuple):
    """A mark in somebody's prompt: whose it is, of which call, and under whose name it stands; `None` is nobody's."""

    author: str
    key: str
    under: str | None


def quotes(messages: tuple[Message, ...]) -> Iterator[Quote]:
    """The marks in a prompt; what an agent said itself, as its turn of the conversation, stands under `assistant`."""
    for message in messages:
        head: str | None = None
        for line in message.content.split("\n"):
            found = _HEAD.fullmatch(line)
            head = found[1] if found else head if line.startswith(">") else None
            for author, key in MARK.findall(line):
                yield Quote(author, key, "assistant" if message.role == "assistant" else head)


def run(folder: Path, name: str, model: Marked, cast: Society, limits: Limits | None = None) -> Played:
    """Run a topology in a folder, or go on with the run that is in it."""
    folder.mkdir(exist_ok=True)
    return play(program(name, cast), folder / "journal.sqlite", model=model, limits=limits)


def results(folder: Path) -> list[tuple[str, ...]]:
    """What agents were asked and answered, by key."""
    return sorted(row[1:] for row in content(folder / "journal.sqlite") if row[0] == "result" and row[2] == "Ask")


def outputs(value: Any) -> list[Any]:
    """The value of a run as a list: of a data set all that are there."""
    return [one for one in (value if isinstance(value, list) else [value]) if one is not None]
