"""What so many episodes can show, and how many would show more."""

from __future__ import annotations

import math

from swarmmind.evals.statistics.estimates import t_detectable
from swarmmind.evals.statistics.moments import Moments

MOST_SEEDS = 10_000
"""More than that nobody plays: they count as never."""


def detectable(found: Moments) -> float | None:
    """The smallest true difference that 80 % of such evals would show, at 5 %.

    Args:
        found: the moments of the mean difference; its variance is taken for the true one.

    Returns:
        `None` if the variance is unknown, or 0.
    """
    if not found.variance:
        return None
    return t_detectable(found.freedom) * math.sqrt(found.variance)


def seeds_needed(found: Moments, seeds: float, difference: float, *, worlds: bool = False) -> int | None:
    """How many seeds in all would let 80 % of such evals show a true difference of this size.

    More seeds shrink what varies within instances; instances still differ, however many seeds there are.

    Args:
        found: the moments of the mean difference.
        seeds: with which each instance was played, on average.
        difference: the size to be shown, of either sign.
        worlds: whether seeds are the clusters (a single instance): degrees of freedom grow with them.

    Returns:
        At least 2. `None` if no number of seeds would do; or nobody can tell, as instances were played with one seed.
    """
    if not found.variance or not difference or (found.shrinks is None and not worlds):
        return None
    shrinks = found.variance if worlds or found.shrinks is None else found.shrinks

    def enough(count: int) -> bool:
        freedom = found.freedom
        if worlds:
            freedom *= (count - 1) / max(seeds - 1, 1e-9)
        variance = found.variance - shrinks + shrinks * seeds / count if found.variance else 0.0
        return t_detectable(freedom) * math.sqrt(max(variance, 0.0)) <= abs(difference)

    if not enough(MOST_SEEDS):
        return None
    low, high = 1, MOST_SEEDS  # `enough` of the higher, not of the lower
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
