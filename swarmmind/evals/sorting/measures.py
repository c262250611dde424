"""How well a row is sorted, what detours were worth, and who stands beside whom (arXiv 2401.05375, methods)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import pairwise
from statistics import fmean


def error(values: Sequence[float]) -> float:
    """The share of adjacent pairs that are out of order, in [0, 1]; 0 is sorted."""
    return sum(left > right for left, right in pairwise(values)) / max(1, len(values) - 1)


def aggregation(labels: Sequence[Hashable]) -> float:
    """The share of adjacent pairs with one label; by chance about the sum of the labels' squared shares."""
    return sum(left == right for left, right in pairwise(labels)) / max(1, len(labels) - 1)


def delayed_gratification(errors: Sequence[float]) -> float:
    """What is gained after a loss, over that loss, on average over all of them; 0 if nothing was ever lost.

    A loss is what the error rises by until it falls again, the gain what it then falls by until it rises again.

    Args:
        errors: after every swap, in order.
    """
    worth: list[float] = []
    loss = gain = 0.0
    for before, after in pairwise(errors):
        rise = after - before
        if rise > 0 and gain:
            worth += [gain / loss]
            loss = gain = 0.0
        if rise > 0:
            loss += rise
        elif loss:
            gain -= rise
    if gain:
        worth.append(gain / loss)
    return fmean(worth) if worth else 0.0


def aligned(curves: Sequence[Sequence[float]], points: int = 101) -> list[float]:
    """The mean of curves of unequal lengths at the same shares of their ways, from the start to the end.

    The largest value of this is what is systematic. The mean of each curve's own largest value is not: it is high for
    any noise.

    Args:
        curves: at least one; each with at least one value.
        points: how many shares, the first 0 and the last 1.
    """
    shares = [at / (points - 1) for at in range(points)]
    return [fmean(curve[round(share * (len(curve) - 1))] for curve in curves) for share in shares]
