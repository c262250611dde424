"""Means with 95 % intervals that know the design: episodes of an instance are not independent of each other.

Simulated (`make acceptance`, name `intervals`), they cover 93 to 97 % from 5 clusters up: normal and skewed values,
shares, values between bounds, equal and unequal clusters, whether or not their values go together. Where few episodes
are shares, no interval can come so close to 95 %, and these cover more, up to all of the time. They cover less, 92 %,
where all there is are 5 single exponential values; and down to 89 % where nearly all clusters are at one end, as 30
instances of which one in twenty is ever solved.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any

from swarmmind.evals.statistics.moments import Clusters, Moments, moments
from swarmmind.evals.table import Estimate
from swarmmind.intervals import Bounds

FEW_CLUSTERS = 5
"""Fewer clusters make an interval that is valid, and so wide that it says little."""

_TAIL = 0.025
_FARTHEST = 1.5
"""Times as far as Student's an end may lie from the mean. A few values look skewed by chance, and then Hall's end lies
anywhere: without this, intervals of 5 normal values are half as wide again, and of 5 skewed ones no better covering."""


def mean_interval(clusters: Clusters, bounds: Bounds | None = None, *, symmetric: bool = False) -> Estimate:
    """The mean of all values with its 95 % interval, robust to what values of a cluster have in common.

    * Values without bounds: Student's, on the variance CR2 and its degrees of freedom (see `moments`). Values may be
      skewed: each end lies half-way between Hall's (1992), which undoes skewness and takes too much where a few
      clusters only look skewed, and the wider of Hall's and Student's; and at most half as far again as Student's.
    * Values between bounds: Wilson's (1927) on the effective sample size (Korn and Graubard 1998; no design effect is
      assumed), with Student's quantile. A share's variance follows in part from its mean: its degrees of freedom
      count one and a half times.
    * All values equal: between bounds, the interval of Clopper and Pearson as if each cluster were one value. Without
      bounds it is a point.
    * One cluster says nothing: no interval. With 2 to 4 Student's quantiles are large, and so are intervals.

    Args:
        clusters: the values of each cluster: of each instance, its seeds; where there is one instance, each seed is a
            cluster. Empty ones are left out.
        bounds: between what every value lies that could have been seen; ignored if one lies outside.
        symmetric: Student's interval in any case: for differences of arms, which chance makes as often negative as
            positive. With clusters of one value it is that of `scipy.stats.ttest_1samp`.

    Raises:
        ValueError: there is no value, or one is not finite.
    """
    held = holding(bounds, clusters)
    return estimate(moments(clusters, held), held, symmetric=symmetric)


def holding(bounds: Bounds | None, clusters: Clusters) -> Bounds | None:
    """The bounds, if they hold for all values."""
    if bounds is None:
        return None
    groups = clusters.values() if isinstance(clusters, Mapping) else clusters
    low, high = bounds
    return bounds if all(low <= value <= high for group in groups for value in group) else None


def estimate(found: Moments, bounds: Bounds | None = None, *, symmetric: bool = False) -> Estimate:
    """The mean with its interval; see `mean_interval`."""
    low, high = _ends(found, bounds, symmetric)
    return Estimate(found.mean, low, high, found.sd, found.n, found.clusters)


def _ends(found: Moments, bounds: Bounds | None, symmetric: bool) -> tuple[float | None, float | None]:
    mean, variance = found.mean, found.variance
    if variance is None:
        return None, None
    if variance == 0:
        if bounds is None:
            return mean, mean
        other = 1 - _TAIL ** (1 / found.clusters)
        return mean + other * (bounds[0] - mean), mean + other * (bounds[1] - mean)
    t, error = t_upper(found.freedom), math.sqrt(variance)
    if bounds is not None and not symmetric:
        return _wilson(mean, t * t * variance, bounds)
    low, high = mean - t * error, mean + t * error
    if symmetric:
        return (low, high) if bounds is None else (max(low, bounds[0]), min(high, bounds[1]))
    cube = variance**1.5
    skewness = found.third / cube if cube else 0.0  # of very small numbers it is 0
    hall = [mean - error * _unskewed(end, skewness) for end in (t, -t)]
    far = _FARTHEST * t * error
    low, high = (min(low, hall[0]) + hall[0]) / 2, (max(high, hall[1]) + hall[1]) / 2
    return max(low, mean - far), min(high, mean + far)


def _wilson(mean: float, reach: float, bounds: Bounds) -> tuple[float, float]:
    """All shares p of the range with (mean - p)² <= t² p (1 - p) / n; n is such that p (1 - p) / n is the variance.

    `reach` is t² times the variance.
    """
    low, width = bounds[0], bounds[1] - bounds[0]
    p = (mean - low) / width
    ratio = reach / width**2 / (p * (1 - p))
    center = (p + ratio / 2) / (1 + ratio)
    half = math.sqrt(ratio * p * (1 - p) + ratio**2 / 4) / (1 + ratio)
    return low + width * max(center - half, 0.0), low + width * min(center + half, 1.0)


def _unskewed(x: float, skewness: float) -> float:
    """Hall's cubic transformation of the t statistic, inverted; x itself without skewness."""
    if abs(skewness) < 1e-6:
        return x
    return 3 / skewness * (math.cbrt(1 + skewness * (x - skewness / 6)) - 1)


@lru_cache(maxsize=4096)
def t_upper(freedom: float) -> float:
    """What Student's t exceeds with a chance of 2.5 %; degrees of freedom need not be whole."""
    return float(_special().stdtrit(freedom, 1 - _TAIL))


@lru_cache(maxsize=4096)
def t_detectable(freedom: float) -> float:
    """How many standard errors a difference must be for a two-sided test at 5 % to find it 4 times out of 5.

    By the noncentral t distribution; the other tail, which would find it on the wrong side, does not count.
    """
    return float(_special().nctdtrinc(freedom, 0.2, t_upper(freedom)))


def _special() -> Any:
    """It is slow to import, and only who says how sure a number is needs it."""
    return import_module("scipy.special")
