"""Strengths of items from pairwise verdicts (Bradley and Terry 1952), by minorize-maximize (Hunter 2004).

`P(i beats j) = g_i / (g_i + g_j)`. Each step sets `g_i = W_i / sum_j N_ij / (g_i + g_j)`, with W_i the weight of i's
wins and N_ij that of all verdicts between i and j, which never lowers the likelihood. Fortytwo (arXiv 2510.24801) ranks
answers this way, each verdict weighted by its judge's reputation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

PRIOR_WINS = 0.1
"""Of every item over every other one: nobody is unbeaten or unconnected, so all strengths and errors are finite."""

_TOLERANCE = 1e-6
_MAX_STEPS = 10_000


class Strengths(NamedTuple):
    """What the verdicts say of each item, in the order of the items.

    Attributes:
        values: `g`, positive, with geometric mean 1; higher is better.
        errors: standard errors of `log g`, from the inverse Hessian; what their sum is, is not an uncertainty.
        steps: until the largest relative change was at most 1e-6.
    """

    values: Floats
    errors: Floats
    steps: int


def strengths(
    items: int,
    winners: Sequence[int] | NDArray[np.int64],
    losers: Sequence[int] | NDArray[np.int64],
    weights: Sequence[float] | Floats | None = None,
    *,
    prior_wins: float = PRIOR_WINS,
) -> Strengths:
    """The strengths that make the verdicts most likely.

    Only ratios of weights count: they are scaled to sum to Kish's effective number of verdicts, `(sum w)^2 / sum w^2`,
    which is their number if all are equal. So ten verdicts of which nine weigh next to nothing pass for about one, in
    the errors and against the prior.

    Args:
        items: how many; at least 1.
        winners: of each verdict, the item that was found better, from 0.
        losers: of each verdict, the other item.
        weights: of each verdict, at least 0; all 1 by default. Those of weight 0 do not count.
        prior_wins: pseudo-verdicts each way for every pair of items; above 0.

    Raises:
        ValueError: the lengths differ, an item is unknown or meets itself, or a weight is negative or not finite.
    """
    if items < 1 or prior_wins <= 0:
        raise ValueError(f"needs at least one item and a positive prior, got {items} and {prior_wins}")
    wins = _wins(items, np.asarray(winners, np.int64), np.asarray(losers, np.int64), weights)
    wins += prior_wins * (1 - np.eye(items))
    met, won = wins + wins.T, wins.sum(axis=1)
    values, steps = np.ones(items), 0
    while items > 1 and steps < _MAX_STEPS:
        fresh = won / (met / (values[:, None] + values)).sum(axis=1)
        fresh /= np.exp(np.log(fresh).mean())
        change = float(np.abs(fresh / values - 1).max())
        values, steps = fresh, steps + 1
        if change <= _TOLERANCE:
            break
    return Strengths(values, _errors(values, met), steps)


def _wins(
    items: int, winners: NDArray[np.int64], losers: NDArray[np.int64], weights: Sequence[float] | Floats | None
) -> Floats:
    """The weight of each item's wins over each other one."""
    scaled = np.ones(len(winners)) if weights is None else np.asarray(weights, np.float64)
    if not len(winners) == len(losers) == len(scaled):
        raise ValueError(f"{len(winners)} winners, {len(losers)} losers and {len(scaled)} weights")
    wins = np.zeros((items, items))
    if not len(winners):
        return wins
    low, high = min(winners.min(), losers.min()), max(winners.max(), losers.max())
    if low < 0 or high >= items or (winners == losers).any():
        raise ValueError(f"a verdict is between two different items from 0 to {items - 1}")
    if not np.isfinite(scaled).all() or (scaled < 0).any():
        raise ValueError("a weight is a finite number, at least 0")
    if scaled.any():
        scaled = scaled / scaled.max()  # so that no square is lost, however small they all are
        np.add.at(wins, (winners, losers), scaled * (scaled.sum() / (scaled**2).sum()))
    return wins


def _errors(values: Floats, met: Floats) -> Floats:
    """Of the logarithms, whose sum is fixed: the diagonal of the Hessian's pseudo-inverse."""
    information = -met * np.outer(values, values) / (values[:, None] + values) ** 2
    np.fill_diagonal(information, 0.0)
    np.fill_diagonal(information, -information.sum(axis=1))
    center = 1 / len(values)  # the constant vector is the Hessian's only kernel: put it in, invert, take it out
    covariance = np.linalg.inv(information + center) - center
    return np.sqrt(np.maximum(np.diag(covariance), 0.0))
