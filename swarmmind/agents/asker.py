"""How one agent is asked: an `Ask` becomes requests to its model, and what the model says becomes a value.

The conversation with a model is itself a generator (`_dialogue`), so that agents that answer at once and agents that
answer over a network are asked in the same words by two drivers of a few lines each.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any

import msgspec

from swarmmind.agents.outputs import Unreadable, read
from swarmmind.effects import Ask, Choice, Failure, Json, Later, Message, Nested, Outcome, Output, Reply, Usage
from swarmmind.errors import Spent
from swarmmind.ports import Model, Request
from swarmmind.runtime.frame import Flight
from swarmmind.runtime.journal import characters
from swarmmind.runtime.meter import Meter

Society = Callable[[Ask, Flight], Nested]
"""A whole swarm that stands where an agent stands: from an ask, and its flight, to the program that answers it. What it
remembers belongs to that agent in the program that asks."""


class Asker:
    """The runtime's handler of `Ask`.

    Args:
        models: by the name that agents know them by.
        societies: swarms that stand where an agent's model would, by the same kind of name.
        reasks: per model, how often an unreadable answer is asked for again; 2 where it is not given.
    """

    def __init__(
        self,
        models: Mapping[str, Model],
        societies: Mapping[str, Society] | None = None,
        reasks: Mapping[str, int] | None = None,
    ) -> None:
        self._models, self._societies, self._reasks = models, societies or {}, reasks or {}

    def __call__(self, ask: Ask, flight: Flight) -> Reply | Later | Awaitable[Reply] | Nested:
        """Ask the agent's model (see `Handler`)."""
        name = ask.agent.model
        society = self._societies.get(name)
        if society is not None:
            return society(ask, flight)
        model = self._models[name]
        dialogue = self._dialogue(ask, flight)
        delay = 0.0
        reply: Reply | None = None
        while True:
            try:
                request = next(dialogue) if reply is None else dialogue.send(reply)
                answer = model.answer(request, flight)
            except StopIteration as end:
                return Later(end.value, delay) if delay else end.value
            except Spent as spent:
                return _spent(dialogue, spent)
            if isinstance(answer, Later):
                delay += answer.seconds
                reply = answer.reply
            elif isinstance(answer, Reply):
                reply = answer
            else:
                return _talk(dialogue, answer, model, flight, delay)

    def replayed(self, ask: Ask, flight: Flight, result: Reply) -> None:
        """Let a model that remembers live through an answer that came from the journal."""
        model = self._models.get(ask.agent.model)
        if model is not None and model.stateful:
            for number in range(max(1, result.usage.calls)):
                model.answer(_request(ask, ask.messages, flight, number), flight)

    def read(self, ask: Ask, outcome: Outcome, meter: Meter | None = None) -> Reply:
        """What a swarm came to, as the answer of the agent it stands for."""
        if outcome.failure is not None:
            return Reply(failure=outcome.failure)
        text = outcome.value if isinstance(outcome.value, str) else str(outcome.value)
        try:
            return Reply(text=text, value=read(ask.output, text))
        except Unreadable as problem:
            return Reply(text=text, failure=Failure("unparsed", str(problem)))

    def _dialogue(self, ask: Ask, flight: Flight) -> Generator[Request, Reply, Reply]:
        """Ask, read, and ask again for what cannot be read; every paid reply on the way is kept at once."""
        messages, spent, problem = ask.messages, Usage(), ""
        reply = Reply()
        for number in range(1 + self._reasks.get(ask.agent.model, 2)):
            if number:
                flight.keep(number, reply)
                messages = (*ask.messages, Message("assistant", reply.text or ""), _again(ask.output, problem))
            if number < len(flight.earlier):
                reply = flight.earlier[number]
            else:
                try:
                    reply = _whole((yield _request(ask, messages, flight, number)))
                except Spent as out:
                    return Reply(failure=Failure("budget", f"not asked: no {out.limit} left"), usage=spent)
            spent = reply.usage if not number else spent + reply.usage
            if reply.failure is not None:
                return Reply(text=reply.text, failure=reply.failure, usage=spent, finish=reply.finish)
            try:
                value = read(ask.output, reply.text or "")
            except Unreadable as unreadable:
                problem = str(unreadable)
            else:
                return msgspec.structs.replace(reply, value=value, usage=spent)
        return Reply(text=reply.text, failure=Failure("unparsed", problem), usage=spent, finish=reply.finish)


def _whole(reply: Reply) -> Reply:
    """As a journal can hold it."""
    text, failure = reply.text, reply.failure
    if failure is None and text is not None and text.isascii():
        return reply
    if failure is not None:
        failure = Failure(failure.kind, characters(failure.message))
    return msgspec.structs.replace(reply, text=None if text is None else characters(text), failure=failure)


def _request(ask: Ask, messages: tuple[Message, ...], flight: Flight, number: int) -> Request:
    agent = ask.agent
    return Request(agent, messages, ask.output, ask.sampling or agent.sampling, flight.seed(number), ask.observation)


def _again(output: Output, problem: str) -> Message:
    kind = "one of the options" if isinstance(output, Choice) else "JSON" if isinstance(output, Json) else "text"
    return Message("user", f"Your answer could not be read as {kind}: {problem}.")


def _spent(dialogue: Generator[Request, Reply, Reply], spent: Spent) -> Reply:
    try:
        dialogue.throw(spent)
    except StopIteration as end:
        return end.value
    raise RuntimeError("the dialogue went on without money")


async def _talk(
    dialogue: Generator[Request, Reply, Reply], answer: Awaitable[Reply], model: Model, flight: Flight, delay: float
) -> Reply:
    if delay:
        await flight.sleep(delay)
    while True:
        try:
            reply = await answer
        except Spent as spent:
            return _spent(dialogue, spent)
        try:
            request = dialogue.send(reply)
        except StopIteration as end:
            return end.value
        try:
            following: Any = model.answer(request, flight)
        except Spent as spent:
            return _spent(dialogue, spent)
        answer = following if isinstance(following, Awaitable) else _settled(following, flight)


async def _settled(answer: Reply | Later, flight: Flight) -> Reply:
    if not isinstance(answer, Later):
        return answer
    await flight.sleep(answer.seconds)
    return answer.reply
