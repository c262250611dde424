"""What a run will take, before it is started: its program is rehearsed (see `rehearsal`), and what that took is priced.

Tokens are estimated as characters / 4.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from swarmmind.effects import Usage
from swarmmind.models.prices import FREE, Price
from swarmmind.runs.plan import Plan
from swarmmind.runs.rehearsal import Most, Rehearsal, rehearse

MAX_REHEARSED = Most(calls=60_000, tokens=200_000_000)
"""Each of them takes some three seconds of an idle core."""

_REHEARSED_TWICE = 10_000  # calls at most: half a second


class Estimate(msgspec.Struct, frozen=True):
    """The price of a run without failures.

    Attributes:
        calls: model calls; if `counted` exact, or where agents may end it by agreeing (see `fewest_calls`) the most
            there can be; else as rehearsed.
        prompt_tokens: read, all calls together.
        cacheable_tokens: of these, in prompts' heads that were sent before.
        completion_tokens: written, at a typical length of an answer.
        max_completion_tokens: written, if every answer is as long as it may be.
        cost_usd: at the typical length; `None` without a price.
        max_cost_usd: if every answer is as long as it may be.
        rehearsed: how many calls were rehearsed; the rest is extrapolated.
        critical_path: calls on the longest chain of those that wait for each other: at least so many unless
            `complete`; at most, if there are `waiting_seconds`; else exact, as far as `calls` is. So many times as
            long as a call takes the run, where nothing limits how many are under way at once.
        complete: whether the rehearsal came to its end.
        waiting_seconds: of the run's clock, in which no call is under way: pauses and deadlines of the topology.
        seconds: how long the run takes on its clock, if its models state their latency; `None` if any does not.
        embedding_calls: requests to the embedder, if it is behind an endpoint; not among `calls`, but in the costs.
        embedding_tokens: read by these.
        counted: whether the topology knows how many calls it makes; else what agents really answer decides.
        fewest_calls: if all agents agree from the beginning; `calls` if that ends nothing, or was not rehearsed.
    """

    calls: int
    prompt_tokens: int
    cacheable_tokens: int
    completion_tokens: int
    max_completion_tokens: int
    cost_usd: float | None
    max_cost_usd: float | None
    rehearsed: int
    critical_path: int
    complete: bool = True
    waiting_seconds: float = 0.0
    seconds: float | None = None
    embedding_calls: int = 0
    embedding_tokens: int = 0
    counted: bool = True
    fewest_calls: int = 0


async def estimate(plan: Plan, prices: Mapping[str, Price | None], embedding: Price | None = FREE) -> Estimate:
    """Rehearse a run and price it.

    Args:
        plan: the run; its environment is played and must be reset before it is used again (a run does that).
        prices: by model name; a model without one makes money unknown.
        embedding: the embedder's; without one, money is unknown if anything is embedded.

    Raises:
        Exception: what the program raises; a topology that fails here would fail in the run.
    """
    rehearsal = await rehearse(plan, MAX_REHEARSED)
    found = _embedded(_scaled(rehearsal, plan, prices), rehearsal, embedding)
    fewest = found.calls
    if found.counted and found.complete and found.calls <= _REHEARSED_TWICE:
        fewest = min(fewest, (await rehearse(plan, MAX_REHEARSED, agree=True)).calls)
    return msgspec.structs.replace(found, fewest_calls=fewest)


def _embedded(found: Estimate, rehearsal: Rehearsal, price: Price | None) -> Estimate:
    """An estimate with what its vectors cost."""
    vectors = rehearsal.vectors
    if not vectors.calls:
        return found
    factor = found.calls / max(found.rehearsed, 1)
    calls, tokens = round(vectors.calls * factor), round(vectors.tokens * factor)
    usd = price and price.cost_usd(Usage(calls, tokens, 0, 0))
    costs = [None if usd is None or known is None else known + usd for known in (found.cost_usd, found.max_cost_usd)]
    return msgspec.structs.replace(
        found, cost_usd=costs[0], max_cost_usd=costs[1], embedding_calls=calls, embedding_tokens=tokens
    )


def _scaled(rehearsal: Rehearsal, plan: Plan, prices: Mapping[str, Price | None]) -> Estimate:
    calls = rehearsal.calls if plan.calls is None else plan.calls
    factor = calls / max(rehearsal.calls, 1)
    prompt, cacheable = round(rehearsal.prompt * factor), round(rehearsal.cacheable * factor)
    typical, longest = round(rehearsal.completion * factor), round(rehearsal.longest * factor)
    price, latency = _single(plan, prices), _latency(plan)
    return Estimate(
        calls=calls,
        prompt_tokens=prompt,
        cacheable_tokens=cacheable,
        completion_tokens=typical,
        max_completion_tokens=longest,
        cost_usd=price and price.cost_usd(Usage(calls, prompt, cacheable, typical)),
        max_cost_usd=price and price.cost_usd(Usage(calls, prompt, 0, longest)),
        rehearsed=rehearsal.calls,
        critical_path=rehearsal.path,
        complete=rehearsal.complete,
        waiting_seconds=rehearsal.waiting_seconds,
        seconds=None if latency is None else rehearsal.path * latency + rehearsal.waiting_seconds,
        counted=plan.calls is not None,
    )


def _latency(plan: Plan) -> float | None:
    """How long a call takes, by what the models say of themselves; of several the longest."""
    stated = [spec.latency_seconds for spec in plan.specs.values()]
    known = [seconds for seconds in stated if isinstance(seconds, (int, float))]
    return max(known) if known and len(known) == len(stated) else None


def _single(plan: Plan, prices: Mapping[str, Price | None]) -> Price | None:
    """One price for all: the dearest of the models in use, or none if any is unknown."""
    known = [prices.get(name) for name in plan.specs]
    if any(price is None for price in known):
        return None
    return max((p for p in known if p is not None), key=lambda p: (p.output_usd, p.input_usd), default=None)
