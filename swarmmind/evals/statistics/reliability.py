"""How alike the seeds of an instance are: flip rate, pass@k, correlation within instances, design effect."""

from __future__ import annotations

import math
from collections.abc import Sequence

from swarmmind.evals.statistics.moments import Clusters, Values, components, moments

_SHOWN = (1, 2, 3, 4, 5, 8, 10, 16, 32, 50, 64, 100)


def flip_rate(clusters: Sequence[Values]) -> float | None:
    """The share of instances, of those with several values, whose values are not all equal; `None` without any."""
    several = [group for group in clusters if len(group) > 1]
    return sum(min(group) != max(group) for group in several) / len(several) if several else None


def pass_at_k(n: int, right: int, k: int) -> float:
    """The chance that at least one of k samples is right, estimated without bias from n of which some were right.

    1 - C(n - right, k) / C(n, k): Chen et al. 2021 (arXiv 2107.03374), equation 1.

    Raises:
        ValueError: k is not in 1 to n, or `right` not in 0 to n.
    """
    if not 1 <= k <= n or not 0 <= right <= n:
        raise ValueError(f"needs 1 <= k <= n and 0 <= right <= n, got k {k}, right {right}, n {n}")
    return 1 - math.comb(n - right, k) / math.comb(n, k)


def pass_at(clusters: Sequence[Values]) -> dict[str, float]:
    """By k: the mean over instances of the chance that the best of k seeds scores 1; scores are in [0, 1].

    k goes to the least number of seeds that an instance was played with; empty if that is 1 or less.
    """
    kept = [group for group in clusters if len(group)]
    least = min(map(len, kept), default=0)
    if least < 2:
        return {}
    counted = [(len(group), sum(value >= 1 for value in group)) for group in kept]
    return {
        str(k): math.fsum(pass_at_k(n, right, k) for n, right in counted) / len(counted) for k in _SHOWN if k <= least
    }


def intraclass_correlation(clusters: Clusters) -> float | None:
    """The share of the variance of a value that is between clusters, by the analysis of variance.

    It is negative if values of a cluster differ more than chance would have it; `None` if all values are equal.

    Raises:
        ValueError: there are not two clusters, no cluster has two values, or a value is not finite.
    """
    found = components(clusters)
    total = found.between + found.within
    return found.between / total if total > 0 else None


def design_effect(clusters: Clusters) -> float | None:
    """By how much clusters make the mean's variance larger than that of as many independent values.

    `None` if there is a single cluster, or all values are equal.

    Raises:
        ValueError: there is no value, or one is not finite.
    """
    found = moments(clusters)
    if not found.variance or found.sd == 0:
        return None
    return found.variance * (found.n - 1) / found.sd**2
