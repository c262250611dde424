"""How sure a mean is: Student's intervals, paired gains, and how lucky the best of several looks.

Exact for whole degrees of freedom, in plain Python: whoever prints one number should not wait for a library to load.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from functools import cache
from typing import TypeAlias

import msgspec


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
    """Of k independent standard normals: the integral of x k phi(x) Phi(x)^(k-1), by Simpson's rule on [-8, 8]."""
    normal, steps, reach = statistics.NormalDist(), 1600, 8.0
    width = 2 * reach / steps
    total = 0.0
    for at in range(steps + 1):
        x = at * width - reach
        weight = 1 if at in (0, steps) else 4 if at % 2 else 2
        total += weight * x * k * normal.pdf(x) * normal.cdf(x) ** (k - 1)
    return total * width / 3


@cache
def t_quantile(probability: float, freedom: int) -> float:
    """The quantile of Student's distribution, for probabilities of at least one half.

    Raises:
        ValueError: the probability is not in [0.5, 1), or there is no degree of freedom.
    """
    if not 0.5 <= probability < 1 or freedom < 1:
        raise ValueError(f"needs a probability in [0.5, 1) and a degree of freedom, got {probability}, {freedom}")
    low, high = 0.0, math.pi / 2  # the distribution function is a finite sum of the angle atan(t / sqrt(freedom))
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _central(middle, freedom) < 2 * probability - 1 else (low, middle)
    return math.tan(low) * math.sqrt(freedom)


def _central(angle: float, freedom: int) -> float:
    """The probability of [-t, t] (Abramowitz and Stegun, 26.7.3 and 26.7.4)."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = term if freedom > 1 else 0.0
    for at in range(2 + odd, freedom - 1, 2):
        term *= (at - 1) / at * cosine * cosine
        if term < 1e-17:
            break
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
