"""How sure a mean is: Student's intervals, paired gains, and how lucky the best of several looks."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any, TypeAlias

import msgspec
import numpy as np

_REACH = 12.0  # of standard normals


class Interval(msgspec.Struct, frozen=True):
    """A mean with its confidence interval.

    Attributes:
        mean: of the values.
        low: the interval's lower end; `None` if a single value says nothing of it.
        high: its upper end; `None` likewise.
        n: how many values.
    """

    mean: float
    low: float | None
    high: float | None
    n: int


Bounds: TypeAlias = tuple[float, float]
"""Between what every value lies that could have been seen, e.g. (0, 1) for the share of a test that was passed."""


def interval(values: Sequence[float], level: float = 0.95, bounds: Bounds | None = None) -> Interval | None:
    """The mean of independent values with Student's interval; `None` without any.

    Args:
        values: the values.
        level: how often, on average, such an interval holds what it should.
        bounds: see `spread`; they are ignored if a value lies outside.
    """
    n = len(values)
    if not n:
        return None
    mean = math.fsum(values) / n
    if n == 1:
        return Interval(mean, None, None, 1)
    ends = spread(mean, statistics.stdev(values), n, level, _holding(bounds, values))
    return Interval(mean, *ends, n)


def spread(mean: float, sd: float, n: int, level: float = 0.95, bounds: Bounds | None = None) -> tuple[float, float]:
    """The ends of the interval of a mean of two values or more.

    They are Student's, cut off at the bounds. Equal values have no spread, and yet the next one may be another: with
    bounds, as many values as would all be equal by chance of (1 - level) / 2 could have been anything (for values of 0
    and 1 that is the interval of Clopper and Pearson). Without bounds nobody can tell, and the interval is a point.
    """
    if bounds is None or sd > 0:
        half = t_quantile(0.5 + level / 2, n - 1) * sd / math.sqrt(n)
        low, high = mean - half, mean + half
        return (low, high) if bounds is None else (max(low, bounds[0]), min(high, bounds[1]))
    other = 1 - (0.5 - level / 2) ** (1 / n)
    return mean + other * (bounds[0] - mean), mean + other * (bounds[1] - mean)


def paired(
    first: Sequence[float], second: Sequence[float], level: float = 0.95, bounds: Bounds | None = None
) -> Interval | None:
    """By how much the second of each pair is higher.

    Args:
        first: one value of each pair.
        second: the other.
        level: as of `interval`.
        bounds: between what the values of the pairs lie; no difference is larger than these are apart.

    Raises:
        ValueError: there are not as many of one as of the other.
    """
    gains = [b - a for a, b in zip(first, second, strict=True)]
    held = _holding(bounds, [*first, *second])
    return interval(gains, level, held and (held[0] - held[1], held[1] - held[0]))


def _holding(bounds: Bounds | None, values: Sequence[float]) -> Bounds | None:
    """The bounds, if they hold for all values."""
    return bounds if bounds is not None and all(bounds[0] <= one <= bounds[1] for one in values) else None


def inflation(candidates: int, sd: float, n: int) -> float:
    """By how much the best of equally good candidates reads too high on average, from luck alone.

    Each is scored on `n` examples; a candidate's scores have this standard deviation, its mean the error sd / sqrt(n),
    and the largest of k such errors is E[max of k standard normals] times that. Take the deviation of all candidates:
    the luckiest one's alone is too small, and 0 if it got everything right.
    """
    return expected_maximum(candidates) * sd / math.sqrt(n) if candidates > 1 and n else 0.0


@cache
def expected_maximum(k: int) -> float:
    """Of k independent standard normals: b less the integral of Phi(x)^k up to b, which no such number exceeds."""
    x = np.linspace(-_REACH, _REACH, 4001)
    return float(_REACH - np.trapezoid(_special().ndtr(x) ** k, x))


@cache
def t_quantile(probability: float, freedom: int) -> float:
    """The quantile of Student's distribution, for probabilities of at least one half.

    Raises:
        ValueError: the probability is not in [0.5, 1), or there is no degree of freedom.
    """
    if not 0.5 <= probability < 1 or freedom < 1:
        raise ValueError(f"needs a probability in [0.5, 1) and a degree of freedom, got {probability}, {freedom}")
    return float(_special().stdtrit(freedom, probability))


def _special() -> Any:
    """It is slow to import, and only who says how sure a number is needs it."""
    return import_module("scipy.special")
