"""A run without its models: agents that say something typical, vectors and stores that cost nothing.

It goes through the real driver under the virtual clock, so its calls, its prompts and who waits for whom are those of a
run without failures. No two answers agree (unless they shall) and every choice is the last option, so that a topology
that may stop early does not: what is counted here is what a run takes at most, as far as agents' words decide it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from swarmmind.agents.asker import Society as AgentSociety
from swarmmind.effects import Ask, Choice, Json, Later, Limits, Nested, Outcome, Reply, Usage
from swarmmind.errors import Spent
from swarmmind.evals.sandbox.tests import Ran, RunTests
from swarmmind.models.embed_hashing import Hashing
from swarmmind.models.embedding import Embeddings
from swarmmind.models.example_json import example
from swarmmind.ports import Call
from swarmmind.runs.plan import Plan
from swarmmind.runtime.budget import Purse
from swarmmind.runtime.clock import VirtualClock
from swarmmind.runtime.driver import Driver
from swarmmind.runtime.frame import Flight
from swarmmind.runtime.handler import Handler
from swarmmind.runtime.journal import Journal, Question, Timing
from swarmmind.runtime.meter import Meter
from swarmmind.runtime.world import World
from swarmmind.spec.embedder import EmbedderSpec
from swarmmind.traces import Embed, Embedding, Load, Loaded, Persist, Persisted

_CALL_SECONDS = 2**-10  # of the virtual clock: sums of it are exact, and no program's deadline is as short as that
_TYPICAL_TOKENS = 120
_CHARS_PER_TOKEN = 4
_SEVERAL = 5  # pieces that a typical agent breaks a task into


class Most(NamedTuple):
    """Where a rehearsal is cut off: at whichever comes first.

    Attributes:
        calls: answered.
        tokens: read, all calls together.
    """

    calls: int
    tokens: int


class Rehearsal:
    """Answers what agents are asked, and counts it.

    Attributes:
        calls: how many there were.
        prompt: tokens read.
        cacheable: of these, in prompts' heads that were sent before.
        completion: tokens written, at a typical length.
        longest: tokens written, if every answer is as long as it may be.
        path: the calls on the longest chain of those that wait for each other; if anything is waited for besides
            calls (`waiting_seconds`), at most so many.
        waiting_seconds: how long the clock ran while no call was under way: pauses and deadlines.
        complete: whether it came to its end, rather than to its limit.
        vectors: what is embedded.
    """

    def __init__(
        self, most: Most, societies: Mapping[str, AgentSociety], embedder: EmbedderSpec, *, agree: bool = False
    ) -> None:
        self.calls = self.prompt = self.cacheable = self.completion = self.longest = self.path = 0
        self.waiting_seconds, self.complete = 0.0, True
        self.vectors = Vectors(embedder)
        self._most, self._societies, self._agree = most, societies, agree
        self._heads: set[int] = set()
        self._calling = self._until = 0.0  # how long at least one call was under way, and until when one is

    def __call__(self, ask: Ask, flight: Flight) -> Later | Nested:
        """Answer an ask (see `Handler`)."""
        society = self._societies.get(ask.agent.model)
        if society is not None:
            return society(ask, flight)
        if self.calls >= self._most.calls or self.prompt >= self._most.tokens:
            self.complete, flight.frame.purse.broken = False, "calls"
            raise Spent("calls")
        self.calls += 1
        self._count(ask)
        start, end = flight.started, flight.started + _CALL_SECONDS
        self._calling += end - max(start, self._until)
        self._until = end
        return Later(
            Reply(*_answer(ask, flight, 0 if self._agree else self.calls), usage=Usage(calls=1)), _CALL_SECONDS
        )

    def _count(self, ask: Ask) -> None:
        head, shared = 0, True
        for message in ask.messages:
            tokens = -(-len(message.content) // _CHARS_PER_TOKEN) + 4
            self.prompt += tokens
            head = hash((head, ask.agent.model, message))
            shared = shared and head in self._heads
            self.cacheable += tokens if shared else 0
            self._heads.add(head)
        sampling = ask.sampling or ask.agent.sampling
        self.longest += sampling.max_tokens
        self.completion += min(sampling.max_tokens, 4 if isinstance(ask.output, Choice) else _TYPICAL_TOKENS)

    def over(self, now: float) -> None:
        """It ended at this time: what is still under way, nobody waits for."""
        calling = self._calling - max(0.0, self._until - now)
        self.path = round(calling / _CALL_SECONDS)
        self.waiting_seconds = max(0.0, round(now - calling, 6))

    def replayed(self, ask: Ask, flight: Flight, result: Reply) -> None:
        """Nothing is remembered."""

    def read(self, ask: Ask, outcome: Outcome, meter: Meter | None = None) -> Reply:
        """What a swarm that stands for an agent came to."""
        return Reply(text=str(outcome.value), value=outcome.value)


async def rehearse(plan: Plan, most: Most, *, agree: bool = False) -> Rehearsal:
    """Play a plan's program, to its end or to a limit.

    Args:
        plan: its environment is played and must be reset before it is used again (a run does that).
        most: where it is cut off.
        agree: whether all texts end with the same answer: what may stop early, does.

    Raises:
        Exception: what the program raises; a topology that fails here would fail in the run.
    """
    rehearsal, stores = Rehearsal(most, plan.societies, plan.task.embedder, agree=agree), _Empty()
    embeddings = Embeddings(rehearsal.vectors, plan.task.embedder.batch)
    handlers: dict[type, Handler] = {
        Ask: rehearsal,
        Embed: embeddings,
        Load: stores,
        Persist: stores,
        RunTests: _Untested(),
    }
    with tempfile.TemporaryDirectory() as folder:
        journal = _Forgetful(Path(folder) / "journal.sqlite")
        try:
            clock = VirtualClock()
            world = World(journal, clock, plan.streams, Purse(Limits()), Meter())
            await Driver(world, handlers).run(plan.program)
            rehearsal.over(clock.now())
        finally:
            journal.close()
    return rehearsal


class Vectors:
    """Gives vectors, whose values nobody will ever read, and counts what they would cost.

    Attributes:
        calls: requests, if the embedder is behind an endpoint.
        tokens: read by these.
    """

    name = "rehearsal"

    def __init__(self, spec: EmbedderSpec) -> None:
        self._hashing, self._remote = Hashing(), spec.remote
        self.calls = self.tokens = 0

    def embed(self, texts: Sequence[str], call: Call) -> Embedding:
        """The vectors of the texts."""
        if self._remote:
            self.calls += 1
            self.tokens += sum(-(-len(text) // _CHARS_PER_TOKEN) for text in texts)
        return self._hashing.embed(texts, call)

    async def close(self) -> None:
        """Nothing is open."""


class _Empty:
    """Stores that hold nothing and forget everything: a rehearsal leaves no trace."""

    def __call__(self, effect: Load | Persist, flight: Flight) -> Loaded | Persisted:
        return Loaded() if isinstance(effect, Load) else Persisted(len(effect.changes))

    def replayed(self, effect: Load | Persist, flight: Flight, result: Loaded | Persisted) -> None:
        """Nothing is remembered."""

    def read(self, effect: Load | Persist, outcome: Outcome, meter: Meter | None = None) -> Loaded | Persisted:
        """No program answers for a store."""
        return type(effect).result(failure=outcome.failure)


class _Untested:
    """No code is run in a rehearsal."""

    def __call__(self, effect: RunTests, flight: Flight) -> Ran:
        return Ran(passed=True)

    def replayed(self, effect: RunTests, flight: Flight, result: Ran) -> None:
        """Nothing is remembered."""

    def read(self, effect: RunTests, outcome: Outcome, meter: Meter | None = None) -> Ran:
        """No program answers for a sandbox."""
        return Ran(failure=outcome.failure)


class _Forgetful(Journal):
    """A journal that keeps nothing: nobody resumes a rehearsal."""

    def digest(self, effect: Any) -> Question:
        return _NOTHING

    def question(self, effect: Any, question: Question) -> None:
        pass

    def result(self, key: str, effect: Any, request: bytes, value: Any, timing: Timing) -> None:
        pass

    def flush(self) -> None:
        callbacks, self._callbacks = self._callbacks, []
        self._rows, self._count = {}, 0
        for callback in callbacks:
            callback()


_NOTHING = Question(b"", (), b"")


def _answer(ask: Ask, flight: Flight, number: int) -> tuple[str, Any]:
    if isinstance(ask.output, Choice):
        return ask.output.options[-1], ask.output.options[-1]
    if isinstance(ask.output, Json):
        document = _several(ask.output.schema, example(ask.output.schema, flight.rng(), {}))
        return msgspec.json.encode(document).decode(), document
    text = _TYPICAL_TEXT + f"\nANSWER: {number}"
    return text, text


_TYPICAL_TEXT = "thinking " * (_TYPICAL_TOKENS * _CHARS_PER_TOKEN // 9)


def _several(schema: Any, document: Any) -> Any:
    """A document whose lists of objects, if they may not be empty, hold a few different ones, as an agent's would."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    for name, rule in properties.items() if isinstance(properties, dict) and isinstance(document, dict) else ():
        found, item = document.get(name), rule.get("items") if isinstance(rule, dict) else None
        one = found[0] if isinstance(found, list) and found else None
        if isinstance(item, dict) and isinstance(one, dict) and rule.get("maxItems", _SEVERAL) >= _SEVERAL:
            texts = [key for key, value in one.items() if isinstance(value, str) and _is_free(item, key)]
            document[name] = [one | {key: f"{one[key]}-{at}" for key in texts} for at in range(_SEVERAL)]
    return document


def _is_free(schema: dict[str, Any], name: str) -> bool:
    """Whether a property may be any text."""
    rule = schema.get("properties", {}).get(name)
    return isinstance(rule, dict) and rule.keys() <= {"type", "minLength", "title", "description"}
