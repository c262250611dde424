"""What a run will take, before it is started: its program is rehearsed with agents that say something typical.

The rehearsal goes through the real driver under the virtual clock, so calls and prompts are those of a run without
failures, growth of contexts included. Tokens are estimated as characters / 4.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from swarmmind.agents.asker import Society as AgentSociety
from swarmmind.effects import Ask, Choice, Json, Limits, Nested, Outcome, Reply, Usage
from swarmmind.errors import Spent
from swarmmind.models.embed_hashing import Hashing
from swarmmind.models.embedding import Embeddings
from swarmmind.models.example_json import example
from swarmmind.models.prices import FREE, Price
from swarmmind.ports import Call
from swarmmind.runs.plan import Plan
from swarmmind.runtime.budget import Purse
from swarmmind.runtime.clock import VirtualClock
from swarmmind.runtime.driver import Driver
from swarmmind.runtime.frame import Flight
from swarmmind.runtime.handler import Handler
from swarmmind.runtime.journal import Journal
from swarmmind.runtime.meter import Meter
from swarmmind.runtime.world import World
from swarmmind.spec.embedder import EmbedderSpec
from swarmmind.traces import Embed, Embedding, Load, Loaded, Persist, Persisted

MAX_REHEARSED_CALLS = 5_000
_TYPICAL_TOKENS = 120
_CHARS_PER_TOKEN = 4
_SEVERAL = 5  # pieces that a typical agent breaks a task into


class Estimate(msgspec.Struct, frozen=True):
    """The price of a run without failures.

    Attributes:
        calls: model calls; exact if `counted`, else as rehearsed.
        prompt_tokens: read, all calls together.
        cacheable_tokens: of these, in prompts' heads that were sent before.
        completion_tokens: written, at a typical length of an answer.
        max_completion_tokens: written, if every answer is as long as it may be.
        cost_usd: at the typical length; `None` without a price.
        max_cost_usd: if every answer is as long as it may be.
        rehearsed: how many calls were rehearsed; the rest is extrapolated.
        embedding_calls: requests to the embedder, if it is behind an endpoint; not among `calls`, but in the costs.
        embedding_tokens: read by these.
        counted: whether the topology knows how many calls it makes; else what agents really answer decides.
    """

    calls: int
    prompt_tokens: int
    cacheable_tokens: int
    completion_tokens: int
    max_completion_tokens: int
    cost_usd: float | None
    max_cost_usd: float | None
    rehearsed: int
    embedding_calls: int = 0
    embedding_tokens: int = 0
    counted: bool = True


class _Rehearsal:
    """Counts what is asked, and answers."""

    def __init__(self, limit: int, societies: Mapping[str, AgentSociety]) -> None:
        self.calls = self.prompt = self.cacheable = self.completion = self.longest = 0
        self._limit, self._societies = limit, societies
        self._heads: set[int] = set()

    def __call__(self, ask: Ask, flight: Flight) -> Reply | Nested:
        society = self._societies.get(ask.agent.model)
        if society is not None:
            return society(ask, flight)
        if self.calls >= self._limit:
            flight.frame.purse.broken = "calls"
            raise Spent("calls")
        self.calls += 1
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
        self.completion += min(sampling.max_tokens, _typical(ask))
        return Reply(*_answer(ask, flight), usage=Usage(calls=1))

    def replayed(self, ask: Ask, flight: Flight, result: Reply) -> None:
        """Nothing is remembered."""

    def read(self, ask: Ask, outcome: Outcome) -> Reply:
        """What a swarm that stands for an agent came to."""
        return Reply(text=str(outcome.value), value=outcome.value)


class _Vectors:
    """Gives vectors, whose values nobody will ever read, and counts what they would cost."""

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

    def read(self, effect: Load | Persist, outcome: Outcome) -> Loaded | Persisted:
        """No program answers for a store."""
        return type(effect).result(failure=outcome.failure)


def _typical(ask: Ask) -> int:
    return 4 if isinstance(ask.output, Choice) else _TYPICAL_TOKENS


def _answer(ask: Ask, flight: Flight) -> tuple[str, Any]:
    if isinstance(ask.output, Choice):
        return ask.output.options[-1], ask.output.options[-1]
    if isinstance(ask.output, Json):
        document = _several(ask.output.schema, example(ask.output.schema, flight.rng(), {}))
        return msgspec.json.encode(document).decode(), document
    text = "thinking " * (_TYPICAL_TOKENS * _CHARS_PER_TOKEN // 9) + "\nANSWER: 0"
    return text, text


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


async def estimate(plan: Plan, prices: Mapping[str, Price | None], embedding: Price | None = FREE) -> Estimate:
    """Rehearse a run and price it.

    Args:
        plan: the run; its environment is played and must be reset before it is used again (a run does that).
        prices: by model name; a model without one makes money unknown.
        embedding: the embedder's; without one, money is unknown if anything is embedded.

    Raises:
        Exception: what the program raises; a topology that fails here would fail in the run.
    """
    vectors, stores = _Vectors(plan.task.embedder), _Empty()
    rehearsal = _Rehearsal(min(plan.calls or MAX_REHEARSED_CALLS, MAX_REHEARSED_CALLS), plan.societies)
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.sqlite")
        try:
            journal.start()
            world = World(journal, VirtualClock(), plan.streams, Purse(Limits()), Meter())
            embeddings = Embeddings(vectors, plan.task.embedder.batch)
            handlers: dict[type, Handler] = {Ask: rehearsal, Embed: embeddings, Load: stores, Persist: stores}
            await Driver(world, handlers).run(plan.program)
        finally:
            journal.close()
    return _embedded(_scaled(rehearsal, plan, prices), vectors, embedding)


def _embedded(found: Estimate, vectors: _Vectors, price: Price | None) -> Estimate:
    """An estimate with what its vectors cost."""
    if not vectors.calls:
        return found
    factor = found.calls / max(found.rehearsed, 1)
    calls, tokens = round(vectors.calls * factor), round(vectors.tokens * factor)
    usd = price and price.cost_usd(Usage(calls, tokens, 0, 0))
    costs = [None if usd is None or known is None else known + usd for known in (found.cost_usd, found.max_cost_usd)]
    return msgspec.structs.replace(
        found, cost_usd=costs[0], max_cost_usd=costs[1], embedding_calls=calls, embedding_tokens=tokens
    )


def _scaled(rehearsal: _Rehearsal, plan: Plan, prices: Mapping[str, Price | None]) -> Estimate:
    calls = rehearsal.calls if plan.calls is None else plan.calls
    factor = calls / max(rehearsal.calls, 1)
    prompt, cacheable = round(rehearsal.prompt * factor), round(rehearsal.cacheable * factor)
    typical, longest = round(rehearsal.completion * factor), round(rehearsal.longest * factor)
    price = _single(plan, prices)
    cost = price and price.cost_usd(Usage(calls, prompt, cacheable, typical))
    most = price and price.cost_usd(Usage(calls, prompt, 0, longest))
    counted = plan.calls is not None
    return Estimate(calls, prompt, cacheable, typical, longest, cost, most, rehearsal.calls, counted=counted)


def _single(plan: Plan, prices: Mapping[str, Price | None]) -> Price | None:
    """One price for all: the dearest of the models in use, or none if any is unknown."""
    known = [prices.get(name) for name in plan.specs]
    if any(price is None for price in known):
        return None
    return max((p for p in known if p is not None), key=lambda p: (p.output_usd, p.input_usd), default=None)
