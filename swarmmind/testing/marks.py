"""Agents whose every answer carries a mark of its own, so that words can be followed from prompt to prompt."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple, TypeAlias

import anyio
import msgspec

from swarmmind.agents.prompts import quoted, speakers
from swarmmind.effects import Choice, Json, Later, Message, Output, Reply
from swarmmind.models.example_json import example
from swarmmind.models.local import Answered, ScriptedFunction
from swarmmind.ports import Call, Model, Request

Answer: TypeAlias = Callable[[Request, str], str]
"""From a request and the mark of its answer to the answer, which should hold the mark where it can."""

MARK = re.compile(r"mark-[0-9a-f]{12}")
_ANSWERS = 3  # different ones, so that there are majorities and ties


class Killed(Exception):
    """The run is cut off here, as by a kill -9: calls in flight are lost."""


class Said(NamedTuple):
    """One call.

    Attributes:
        agent: the id of who was asked.
        turn: how many times it had been asked by then, this one included.
        key: the effect's path in the program.
        messages: what it was told.
        output: what it should answer with.
        text: what it said; `None` if it failed.
        mark: stands in the text, unless the output leaves no room for it.
        do: what it was asked to do, if its observation says so.
    """

    agent: str
    turn: int
    key: str
    messages: tuple[Message, ...]
    output: Output
    text: str | None
    mark: str
    do: str = ""


class Marked:
    """A model for all agents: what is said depends on the effect's key alone, and so does how long it takes.

    Args:
        answer: what is said.
        failing: ids of agents that fail whenever they are asked.
        failing_share: of all calls, so many fail, whoever is asked.
        speeds: another text gives other latencies.
        kill_after: so many calls are answered, and the next one kills the run.

    Attributes:
        calls: what was asked and paid for, in that order.
    """

    stateful = False

    def __init__(
        self,
        answer: Answer,
        failing: Collection[str] = (),
        failing_share: float = 0.0,
        speeds: str = "",
        kill_after: int | None = None,
    ) -> None:
        self._answer, self._failing, self._share = answer, failing, failing_share
        self._speeds, self._kill_after = speeds, kill_after
        self._turns: Counter[str] = Counter()
        self.calls: list[Said] = []

    def answer(self, request: Request, call: Call) -> Answered:
        """The marked answer after a latency between half a second and one and a half.

        Raises:
            Killed: this is one call too many.
            Spent: the budget cannot pay for it.
        """
        if len(self.calls) == self._kill_after:
            raise Killed
        mark, name = f"mark-{_digest(call.key)}", request.agent.id
        fails = name in self._failing or _chance("fails", call.key) < self._share
        text = None if fails else self._answer(request, mark)

        def say(request: Request, rng: random.Random) -> str:
            if text is None:
                raise ConnectionError("this agent fails")
            return text

        latency = 0.5 + _chance(self._speeds, call.key)
        answered = ScriptedFunction(say, latency).answer(request, call)
        self._turns[name] += 1
        do = str(request.observation.get("do", "")) if isinstance(request.observation, Mapping) else ""
        self.calls.append(Said(name, self._turns[name], call.key, request.messages, request.output, text, mark, do))
        return answered

    async def close(self) -> None:
        """Nothing is open."""


class Placed:
    """A model at an endpoint with so many places: whoever has none waits.

    Args:
        inner: the model.
        places: how many calls can be under way at once.
    """

    def __init__(self, inner: Model, places: int) -> None:
        self._inner, self.stateful = inner, inner.stateful
        self._places = anyio.Semaphore(places)

    async def answer(self, request: Request, call: Call) -> Reply:
        """The inner model's reply, once there is a place."""
        async with self._places:
            answer = self._inner.answer(request, call)
            if isinstance(answer, Later):
                await call.sleep(answer.seconds)
                return answer.reply
            return await answer if isinstance(answer, Awaitable) else answer

    async def close(self) -> None:
        """Nothing is open."""


def marked(request: Request, mark: str) -> str:
    """A sentence with the mark and one of three answers; one of the options; or a document of marked texts."""
    number = int(mark[-4:], 16)
    output = request.output
    if isinstance(output, Choice):
        return output.options[number % len(output.options)]
    if isinstance(output, Json):
        return msgspec.json.encode(filled(example(output.schema, random.Random(mark)), mark)).decode()
    return f"I thought about it: {mark}. ANSWER: {number % _ANSWERS}"


def filled(document: Any, mark: str) -> Any:
    """The same document, its empty texts replaced with the mark."""
    if isinstance(document, dict):
        return {name: filled(value, mark) for name, value in document.items()}
    if isinstance(document, list):
        return [filled(value, mark) for value in document]
    return mark if isinstance(document, str) and set(document) <= {"x"} else document


def _digest(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=6).hexdigest()


def _chance(*parts: str) -> float:
    return int(_digest(*parts), 16) / 16**12


def quotations(content: str) -> Iterator[tuple[str, str]]:
    """A message in pieces: each quotation with its author's name, and every line of what is no quotation with none."""
    author, body = "", list[str]()
    for line in content.split("\n"):
        if author and line.startswith(">"):
            body.append(line.removeprefix(">").removeprefix(" "))
            continue
        if body:
            yield author, "\n".join(body)
        author, body = next(iter(speakers(f"{line}\n>")), ""), []
        yield "", line
    if body:
        yield author, "\n".join(body)


def sayings(text: str) -> list[str]:
    """What of a text may stand in a quotation: all of it, and where it is a document every text in it."""
    try:
        leaves = list(_leaves(msgspec.json.decode(text)))
    except msgspec.DecodeError:
        leaves = []
    return [body for one in (text, *leaves) for author, body in quotations(quoted("somebody", one)) if author]


def _leaves(document: Any) -> Iterator[str]:
    if isinstance(document, str):
        yield document
    elif isinstance(document, (dict, list)):
        for value in document.values() if isinstance(document, dict) else document:
            yield from _leaves(value)
