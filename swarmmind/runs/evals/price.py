"""What an eval will take, before it is started: each of its arms is rehearsed on each case."""

from __future__ import annotations

from collections import Counter

import msgspec

from swarmmind.runs.evals.plan import EvalPlan
from swarmmind.runs.models import embedder_price, prices
from swarmmind.runs.price import Estimate, estimate

_MOST_REHEARSED = 60_000  # calls of all plays together; what is left is taken for the average


class EvalPrice(msgspec.Struct, frozen=True):
    """The price of an eval without failures.

    Attributes:
        episodes: that are played, controls included.
        calls: of all arms; controls come on top.
        prompt_tokens: read, controls included: they spend what their arms spend.
        completion_tokens: written, likewise, at a typical length of an answer.
        cost_usd: at that length; `None` without a price.
        max_cost_usd: if every answer is as long as it may be.
        controls: how many of the episodes are controls.
        counted: whether the topologies know how many calls they make, and each was rehearsed.
    """

    episodes: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    max_cost_usd: float | None
    controls: int
    counted: bool


async def price_eval(plan: EvalPlan) -> EvalPrice:
    """Rehearse an eval and price it."""
    episodes, controls = plan.episodes(), plan.episodes(controls=True)
    times = Counter(episode.play for episode in episodes)
    follow = Counter(plan.crews[episode.play].of for episode in controls)
    known: dict[str, Estimate] = {}
    rehearsed = 0
    for play in times:
        if rehearsed >= _MOST_REHEARSED:
            break
        crew = plan.crews[play].plan
        known[play] = await estimate(crew, prices(crew), embedder_price(crew))
        rehearsed += known[play].rehearsed
    shares = {play: times[play] / _runs(plan, play) for play in known}
    beyond = sum(times.values()) / sum(times[play] for play in known)
    spending = {play: (times[play] + follow[play]) / _runs(plan, play) for play in known}

    def total(name: str, share: dict[str, float]) -> float:
        return beyond * sum(getattr(one, name) * share[play] for play, one in known.items())

    free = all(one.cost_usd is not None for one in known.values())
    return EvalPrice(
        episodes=len(episodes) + len(controls),
        calls=round(total("calls", shares)),
        prompt_tokens=round(total("prompt_tokens", spending)),
        completion_tokens=round(total("completion_tokens", spending)),
        cost_usd=total("cost_usd", spending) if free else None,
        max_cost_usd=total("max_cost_usd", spending) if free else None,
        controls=len(controls),
        counted=len(known) == len(times) and all(one.counted and one.complete for one in known.values()),
    )


def _runs(plan: EvalPlan, play: str) -> int:
    """How many episodes a run of the play's plan is."""
    crew = plan.crews[play].plan
    return 1 if crew.team.whole or crew.society.environment is not None else max(1, len(crew.items))
