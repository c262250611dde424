"""Models that are programs: free, at once, and paid for in calls and tokens like any other.

`Scripted` stands for a language model whose accuracy and latency are known, for tests and rehearsals;
`ScriptedFunction` says what a function says; `PolicyModel` gives each agent a rule-based policy of its own.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias
from weakref import WeakKeyDictionary

import msgspec

from swarmmind.effects import Agent, Choice, Failure, Json, Later, Reply, Usage
from swarmmind.models.example_json import example
from swarmmind.ports import Call, Policy, Request
from swarmmind.rng import Stage, Streams

Latency: TypeAlias = float | Callable[[random.Random], float]
Answered: TypeAlias = Reply | Later | Awaitable[Reply]

_CHARS_PER_TOKEN = 4  # an estimate, good for English within a third or so
_ONE_CALL = Usage(calls=1)
_MAX_MESSAGE_CHARS = 300


class Scripted:
    """A pretended language model: right with a known probability, after a known latency.

    What it answers is a function of the effect's key alone, so it is the same in every run of one seed. Tokens are
    estimated as characters / 4. An agent's own parameter `accuracy` goes before the model's.

    Args:
        accuracy: the probability of a right answer.
        latency: seconds on the run's clock, or a function that draws them; 0 answers at once.
        answers: the right answer by the text of the problem. A request is about the problem that its observation names
            (`question`; `answer`, if there, is right) or that is found in its last user message.
        wrong: what may be said instead of a right text; by default a number nearby.
        distractor: the share of wrong answers that are the same one: the first of `wrong`, or the option after the
            right one.
    """

    stateful = False

    def __init__(
        self,
        accuracy: float = 1.0,
        latency: Latency = 0.0,
        answers: Mapping[str, str] | None = None,
        wrong: Sequence[str] | None = None,
        distractor: float = 0.0,
    ) -> None:
        self.accuracy, self.latency, self.distractor = accuracy, latency, distractor
        self.answers = dict(answers or {})
        self.wrong = tuple(wrong or ())

    def answer(self, request: Request, call: Call) -> Answered:
        """The reply, at once or after the modelled latency.

        Raises:
            Spent: the budget cannot pay for it.
        """
        rng = call.rng()
        said = self._say(request, rng)
        seconds = self.latency(rng) if callable(self.latency) else self.latency
        return _paid(request, call, said, seconds, self._probabilities(request))

    async def close(self) -> None:
        """Nothing is open."""

    def _say(self, request: Request, rng: random.Random) -> str:
        right = rng.random() < self._accuracy(request)  # the first draw, whatever is asked: arms share it
        target = self._target(request)
        output = request.output
        if isinstance(output, Choice):
            return self._option(output, target, right, rng)
        said = self._text(target, right, rng)
        if isinstance(output, Json):
            return msgspec.json.encode(example(output.schema, rng, {"answer": said})).decode()
        return f"The answer is {said}."

    def _accuracy(self, request: Request) -> float:
        return request.agent.parameters.get("accuracy", self.accuracy)

    def _target(self, request: Request) -> str | None:
        """The right answer to what is asked, if it is known."""
        observation = request.observation
        question = ""
        if isinstance(observation, Mapping):
            if observation.get("answer") is not None:
                return str(observation["answer"])
            question = str(observation.get("question") or "")
        if not question:
            question = next((m.content for m in reversed(request.messages) if m.role == "user"), "")
        if question in self.answers:
            return self.answers[question]
        within = [problem for problem in self.answers if problem and problem in question]
        return self.answers[max(within, key=len)] if within else None

    def _option(self, output: Choice, target: str | None, right: bool, rng: random.Random) -> str:
        options = output.options
        if target not in options:
            return rng.choice(options)
        if right:
            return target
        others = _others(options, target)
        return others[0] if rng.random() < self.distractor else rng.choice(others)

    def _probabilities(self, request: Request) -> dict[str, float] | None:
        """How often `_option` says what, if that is wanted: its log-probabilities are those it samples from."""
        output, target = request.output, self._target(request)
        if not isinstance(output, Choice) or not output.logprobs:
            return None
        if target not in output.options:
            return dict.fromkeys(output.options, 1 / len(output.options))
        wrong = 1 - min(max(self._accuracy(request), 0.0), 1.0)
        others = _others(output.options, target)
        likely = {target: 1 - wrong, **dict.fromkeys(others, wrong * (1 - self.distractor) / len(others))}
        likely[others[0]] += wrong * self.distractor
        return {option: likely[option] for option in output.options}

    def _text(self, target: str | None, right: bool, rng: random.Random) -> str:
        if target is None:
            return str(rng.randrange(1000))
        if right:
            return target
        wrong = [text for text in self.wrong if text != target]
        if wrong:
            return wrong[0] if rng.random() < self.distractor else rng.choice(wrong)
        off = 1 if rng.random() < self.distractor else rng.randint(2, 99)
        try:
            return str(int(target) + off)
        except ValueError:
            return f"not {target}"


class ScriptedFunction:
    """Says what a function says; an exception of it is a failure of kind `exception`.

    Args:
        reply: the text of the answer to a request; chance comes from `rng`, which belongs to the effect alone.
        latency: seconds on the run's clock, or a function that draws them.
    """

    stateful = False

    def __init__(self, reply: Callable[[Request, random.Random], str], latency: Latency = 0.0) -> None:
        self.reply, self.latency = reply, latency

    def answer(self, request: Request, call: Call) -> Answered:
        """The reply, at once or after the modelled latency.

        Raises:
            Spent: the budget cannot pay for it.
        """
        seconds = self.latency(call.rng("latency")) if callable(self.latency) else self.latency
        try:
            said: str | Failure = _text(self.reply(request, call.rng()))
        except Exception as error:  # the user's function: its failure is the agent's, and no sibling's
            said = _exception(error)
        return _paid(request, call, said, seconds)

    async def close(self) -> None:
        """Nothing is open."""


class PolicyModel:
    """Rule-based agents: one policy per agent of a stage, made when it is first asked, which remembers.

    Args:
        factory: makes the policy of an agent.
        streams: chance; each agent's stream is named after it and goes on from answer to answer.
    """

    stateful = True

    def __init__(self, factory: Callable[[Agent], Policy], streams: Streams) -> None:
        self._factory, self._streams = factory, streams
        self._agents: WeakKeyDictionary[Stage, dict[str, tuple[Policy, random.Random]]] = WeakKeyDictionary()

    def answer(self, request: Request, call: Call) -> Answered:
        """The policy's answer to the observation; its exception is a failure of kind `exception`.

        Raises:
            Spent: the budget cannot pay for the call.
        """
        if not call.try_reserve(_ONE_CALL):
            return self._later(request, call)
        return self._act(request, call)

    async def close(self) -> None:
        """Nothing is open."""

    def _act(self, request: Request, call: Call) -> Reply:
        agent, stage = request.agent, call.stage
        agents = self._agents.setdefault(stage, {})
        known = agents.get(agent.id)
        try:
            if known is None:
                name = f"{stage.chance}/{agent.id}" if stage.chance else agent.id
                known = agents[agent.id] = (self._factory(agent), self._streams.rng(name))
            said: str | Failure = _text(known[0](request.observation, known[1]))
        except Exception as error:  # a user's policy: its failure is the agent's, and no sibling's
            said = _exception(error)
        call.settle(_ONE_CALL, _ONE_CALL)
        if isinstance(said, Failure):
            return Reply(failure=said, usage=_ONE_CALL)
        return Reply(text=said, usage=_ONE_CALL)

    async def _later(self, request: Request, call: Call) -> Reply:
        await call.reserve(_ONE_CALL)
        return self._act(request, call)


def _others(options: tuple[str, ...], target: str) -> tuple[str, ...]:
    """The wrong options, from the one after the right one on."""
    at = options.index(target)
    return options[at + 1 :] + options[:at]


def _paid(
    request: Request, call: Call, said: str | Failure, seconds: float, likely: dict[str, float] | None = None
) -> Answered:
    """Charge an answer that is already known; where the purse has to wait for calls in flight, wait with it."""
    prompt_chars = sum(len(message.content) for message in request.messages)
    completion_chars = 0 if isinstance(said, Failure) else len(said)
    usage = Usage(1, _tokens(prompt_chars), None, _tokens(completion_chars))
    if isinstance(said, Failure):
        reply = Reply(failure=said, usage=usage)
    else:
        reply = Reply(said, usage=usage, finish="stop", probabilities=likely)
    if not call.try_reserve(usage):
        return _paid_later(call, reply, seconds)
    call.settle(usage, usage)
    return Later(reply, seconds) if seconds > 0 else reply


async def _paid_later(call: Call, reply: Reply, seconds: float) -> Reply:
    await call.reserve(reply.usage)
    call.settle(reply.usage, reply.usage)
    if seconds > 0:
        await call.sleep(seconds)
    return reply


def _text(said: object) -> str:
    if not isinstance(said, str):
        raise TypeError(f"must return a text, got {said!r:.80}")
    return said


def _tokens(chars: int) -> int:
    return -(-chars // _CHARS_PER_TOKEN)


def _exception(error: Exception) -> Failure:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return Failure("exception", text[:_MAX_MESSAGE_CHARS])
