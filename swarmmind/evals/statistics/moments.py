"""What clusters of values say of their mean: how it would vary, how surely that is known, and how lopsided it is.

The variance is CR2 (Bell and McCaffrey 2002) for a mean: with a cluster's share w of all values and its mean's distance
e from the mean of all, the sum of w² e² / (1 - w). Its degrees of freedom are Satterthwaite's. They depend on how far
values of a cluster go together, which few clusters say badly: they are the geometric mean of those for no correlation
(Bell and McCaffrey) and for the one that is estimated (Imbens and Kolesár 2016); with clusters of one size all three
are the number of clusters less 1. Simulated, the one alone covers too little and the other too much.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from swarmmind.intervals import Bounds

Values: TypeAlias = Sequence[float]
Clusters: TypeAlias = Mapping[str, Values] | Sequence[Values]
"""The values of each cluster; clusters are independent of each other, values of one need not be."""
_Floats: TypeAlias = npt.NDArray[np.float64]

_ROUNDING = 1e-12
_SKEW_FROM = 5  # clusters; fewer say nothing of skewness
_SHARE_FREEDOM = 2.0


class Moments(NamedTuple):
    """What is known of a mean.

    Attributes:
        mean: of the values.
        variance: of that mean; `None` if a single cluster says nothing of it, 0 if all values are equal.
        freedom: the degrees of freedom of that variance.
        third: the third central moment of the mean; 0 where too few clusters tell.
        shrinks: the part of the variance that more values in each cluster would shrink; `None` if clusters of one value
            each cannot tell.
        sd: the population standard deviation of the values.
        n: how many values.
        clusters: how many clusters.
        share: whether every value is one of the two ends of the bounds: the mean is a share.
    """

    mean: float
    variance: float | None
    freedom: float
    third: float
    shrinks: float | None
    sd: float
    n: int
    clusters: int
    share: bool


class _Grouped(NamedTuple):
    """Values as sums.

    Attributes:
        sizes: of the clusters.
        off: of each cluster's mean, the distance from the mean of all.
        mean: of all values.
        sd: of all values, as of a population.
        within: the variance within clusters, pooled; 0 if no cluster has two values.
        scale: the largest absolute value.
    """

    sizes: _Floats
    off: _Floats
    mean: float
    sd: float
    within: float
    scale: float


class Components(NamedTuple):
    """Variances of single values.

    Attributes:
        between: of the clusters' true means; may be negative, as unbiased estimates of 0 are every other time.
        within: around them, pooled over clusters.
    """

    between: float
    within: float


def moments(clusters: Clusters, bounds: Bounds | None = None) -> Moments:
    """The moments of the mean of all values.

    Args:
        clusters: empty ones are left out.
        bounds: between what every value lies; they only serve to tell shares.

    Raises:
        ValueError: there is no value, or one is not finite.
    """
    kept, flat = _flat(clusters)
    grouped = _group(kept, flat)
    count, total = len(kept), len(flat)
    share = bounds is not None and bool(np.all((flat == bounds[0]) | (flat == bounds[1])))
    found = Moments(grouped.mean, None, 0.0, 0.0, None, grouped.sd, total, count, share)
    if count == 1:
        return found
    weights = grouped.sizes / total
    variance = float((weights**2 / (1 - weights) * grouped.off**2).sum())
    parts = _components(grouped)
    if share:
        # Near 0 and 1 the largest clusters are often all equal, and a sum of squares over them is far too small.
        modeled = float((weights**2 * (parts.between + parts.within / grouped.sizes)).sum())
        variance = max(variance, (variance + modeled) / 2)
    if variance <= (_ROUNDING * grouped.scale) ** 2:
        return found._replace(variance=0.0, freedom=count - 1.0, shrinks=0.0)
    spreads = max(parts.between, 0.0) + parts.within / grouped.sizes
    noise = float((weights**2 * parts.within / grouped.sizes).sum() / (weights**2 * spreads).sum())
    freedom = _freedom(weights, spreads)
    return found._replace(
        variance=variance,
        freedom=freedom * _SHARE_FREEDOM if share else freedom,
        third=_skewness(grouped.off, weights, spreads) * variance**1.5,
        shrinks=variance * min(noise, 1.0) if total > count else None,
    )


def combined(parts: Iterable[tuple[float, Moments]]) -> Moments:
    """The moments of a weighted sum of independent means; degrees of freedom by Satterthwaite.

    The standard deviation is that of a sum of one value from each; it has no variance if one of them has none.
    """
    found = [(weight, one) for weight, one in parts]
    if len(found) == 1 and found[0][0] == 1:
        return found[0][1]
    known = [(weight**2 * one.variance, one) for weight, one in found if one.variance is not None]
    shrinks = [weight**2 * one.shrinks for weight, one in found if one.shrinks is not None]
    variance = sum(part for part, _ in known)
    return Moments(
        mean=sum(weight * one.mean for weight, one in found),
        variance=variance if len(known) == len(found) else None,
        freedom=_satterthwaite([(part, one.freedom) for part, one in known]),
        third=sum(weight**3 * one.third for weight, one in found),
        shrinks=sum(shrinks) if len(shrinks) == len(found) else None,
        sd=sum((weight * one.sd) ** 2 for weight, one in found) ** 0.5,
        n=sum(one.n for _, one in found),
        clusters=sum(one.clusters for _, one in found),
        share=all(one.share for _, one in found),
    )


def components(clusters: Clusters) -> Components:
    """How values vary between clusters and within them, by the analysis of variance of one factor.

    Raises:
        ValueError: there are not two clusters, no cluster has two values, or a value is not finite.
    """
    kept, flat = _flat(clusters)
    if len(kept) < 2 or len(flat) == len(kept):
        raise ValueError("needs two clusters, and two values in one of them")
    return _components(_group(kept, flat))


def _flat(clusters: Clusters) -> tuple[list[Values], _Floats]:
    groups = clusters.values() if isinstance(clusters, Mapping) else clusters
    kept = [group for group in groups if len(group)]
    if not kept:
        raise ValueError("there is no value")
    flat = np.array([value for group in kept for value in group], dtype=np.float64)
    if not np.all(np.isfinite(flat)):
        raise ValueError("a value is not finite")
    return kept, flat


def _group(kept: Sequence[Values], flat: _Floats) -> _Grouped:
    counts = np.array([len(group) for group in kept])
    means = np.add.reduceat(flat, np.concatenate(([0], np.cumsum(counts)[:-1]))) / counts
    mean = float(flat.mean())
    spare = len(flat) - len(kept)
    within = float(((flat - np.repeat(means, counts)) ** 2).sum()) / spare if spare else 0.0
    sizes = counts.astype(np.float64)
    return _Grouped(sizes, means - mean, mean, float(flat.std()), within, float(np.abs(flat).max()))


def _components(grouped: _Grouped) -> Components:
    sizes, total, count = grouped.sizes, grouped.sizes.sum(), len(grouped.sizes)
    typical = (total - (sizes**2).sum() / total) / (count - 1)
    between = float((sizes * grouped.off**2).sum()) / (count - 1)
    return Components((between - grouped.within) / float(typical), grouped.within)


def _freedom(weights: _Floats, spreads: _Floats) -> float:
    """Of CR2, between the two working models; `spreads` are the variances of the clusters' means in the second."""
    if np.all(weights == weights[0]):
        return len(weights) - 1.0
    return float((_matched(weights, 1 / weights) * _matched(weights, spreads)) ** 0.5)


def _matched(w: _Floats, spreads: _Floats) -> float:
    """2 E[v]² / Var[v] of v = x'Bx for independent normal x with these variances.

    B = (I - 1w')' diag(d) (I - 1w') with d = w² / (1 - w), its traces written out so that time is linear.
    """
    d, r = w**2 / (1 - w), w / (1 - w)
    s, q = d.sum(), w**2 * spreads
    expected = (spreads * (d - 2 * d * w + s * w**2)).sum()
    cross = s**2 * q.sum() ** 2 - 4 * s * q.sum() * (q * r).sum() + 2 * q.sum() * (q * r**2).sum()
    cross += 2 * (q * r).sum() ** 2
    return float(expected**2 / (cross + (spreads**2 * (d**2 + 2 * d * w**2 * (s - 2 * r))).sum()))


def _skewness(off: _Floats, weights: _Floats, spreads: _Floats) -> float:
    """Of the mean, if all clusters' means are as skewed as each other, each by its own measure of spread."""
    count = len(off)
    if count < _SKEW_FROM:
        return 0.0
    z = off / np.sqrt(np.maximum(spreads, _ROUNDING * spreads.max()))
    z -= z.mean()
    sd = float(np.sqrt((z**2).sum() / (count - 1)))
    if sd == 0:
        return 0.0
    single = count / ((count - 1) * (count - 2)) * float(((z / sd) ** 3).sum())
    return single * float((weights**3 * spreads**1.5).sum() / (weights**2 * spreads).sum() ** 1.5)


def _satterthwaite(parts: Sequence[tuple[float, float]]) -> float:
    """Of a sum of variance estimates; with v² / (f + 2), which is unbiased unlike v² / f: few seeds make many parts."""
    positive = [(variance, freedom) for variance, freedom in parts if variance > 0]
    if not positive:
        return float(sum(freedom for _, freedom in parts))
    total = sum(variance for variance, _ in positive)
    found = total**2 / sum(variance**2 / (freedom + 2) for variance, freedom in positive) - 2
    return min(max(found, min(f for _, f in positive)), sum(f for _, f in positive))
