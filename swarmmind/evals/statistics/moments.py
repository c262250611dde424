"""What clusters of values say of their mean: how it would vary, how surely that is known, and how lopsided it is.

The variance is CR2 (Bell and McCaffrey 2002) for a mean: with a cluster's share w of all values and its mean's distance
e from the mean of all, the sum of w² e² / (1 - w). Its degrees of freedom are Satterthwaite's. They depend on how far
values of a cluster go together, which few clusters say badly: they are the geometric mean of those for no correlation
(Bell and McCaffrey) and for the one that is estimated (Imbens and Kolesár 2016); with clusters of one size all three
are the number of clusters less 1. Simulated, the one alone covers too little and the other too much.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from swarmmind.intervals import Bounds

Values: TypeAlias = Sequence[float]
Clusters: TypeAlias = Mapping[str, Values] | Sequence[Values]
"""The values of each cluster; clusters are independent of each other, values of one need not be."""

_ROUNDING = 1e-12
_SKEW_FROM = 5  # clusters; fewer say nothing of skewness
_SHARE_FREEDOM = 1.5


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

    sizes: list[int]
    off: list[float]
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
    kept = _kept(clusters)
    grouped = _group(kept)
    count, total = len(kept), sum(grouped.sizes)
    share = bounds is not None and all(value in bounds for group in kept for value in group)
    found = Moments(grouped.mean, None, 0.0, 0.0, None, grouped.sd, total, count, share)
    if count == 1:
        return found
    weights = [size / total for size in grouped.sizes]
    variance = math.fsum(w * w / (1 - w) * e * e for w, e in zip(weights, grouped.off, strict=True))
    parts = _components(grouped)
    if share:
        # Near 0 and 1 the largest clusters are often all equal, and a sum of squares over them is far too small.
        modeled = _total(weights, [parts.between + parts.within / size for size in grouped.sizes])
        variance = max(variance, (variance + modeled) / 2)
    if variance <= (_ROUNDING * grouped.scale) ** 2:
        return found._replace(variance=0.0, freedom=count - 1.0, shrinks=0.0)
    unit = max(parts.between, 0.0) + parts.within  # only ratios matter, and squares of small numbers are 0
    outer, inner = max(parts.between, 0.0) / unit, parts.within / unit
    spreads = [outer + inner / size for size in grouped.sizes]
    noise = _total(weights, [inner / size for size in grouped.sizes]) / _total(weights, spreads)
    freedom = _freedom(weights, spreads)
    z = [e / math.sqrt(unit) for e in grouped.off]
    return found._replace(
        variance=variance,
        freedom=freedom * _SHARE_FREEDOM if share else freedom,
        third=_skewness(z, grouped.sizes, outer, inner) * variance**1.5,
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
        mean=math.fsum(weight * one.mean for weight, one in found),
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
    kept = _kept(clusters)
    if len(kept) < 2 or max(map(len, kept)) < 2:
        raise ValueError("needs two clusters, and two values in one of them")
    return _components(_group(kept))


def _kept(clusters: Clusters) -> list[Values]:
    groups = clusters.values() if isinstance(clusters, Mapping) else clusters
    kept = [group for group in groups if len(group)]
    if not kept:
        raise ValueError("there is no value")
    if not all(math.isfinite(value) for group in kept for value in group):
        raise ValueError("a value is not finite")
    return kept


def _group(kept: Sequence[Values]) -> _Grouped:
    """In plain Python: an eval has thousands of samples of a few values each."""
    sizes = [len(group) for group in kept]
    total, spare = sum(sizes), sum(sizes) - len(sizes)
    sums = [math.fsum(group) for group in kept]
    mean = math.fsum(sums) / total
    means = [one / size for one, size in zip(sums, sizes, strict=True)]
    inside = math.fsum((value - own) ** 2 for group, own in zip(kept, means, strict=True) for value in group)
    outside = math.fsum(size * (own - mean) ** 2 for size, own in zip(sizes, means, strict=True))
    scale = max(max(map(abs, group)) for group in kept)
    within = inside / spare if spare else 0.0
    return _Grouped(sizes, [own - mean for own in means], mean, math.sqrt((inside + outside) / total), within, scale)


def _components(grouped: _Grouped) -> Components:
    sizes, total, count = grouped.sizes, sum(grouped.sizes), len(grouped.sizes)
    typical = (total - sum(size * size for size in sizes) / total) / (count - 1)
    between = math.fsum(size * e * e for size, e in zip(sizes, grouped.off, strict=True)) / (count - 1)
    return Components((between - grouped.within) / typical, grouped.within)


def _total(weights: Sequence[float], spreads: Sequence[float]) -> float:
    """The variance of a weighted sum of means with these variances."""
    return math.fsum(w * w * spread for w, spread in zip(weights, spreads, strict=True))


def _freedom(weights: Sequence[float], spreads: Sequence[float]) -> float:
    """Of CR2, between the two working models; `spreads` are the variances of the clusters' means in the second."""
    if min(weights) == max(weights):
        return len(weights) - 1.0
    return math.sqrt(_matched(weights, [1 / w for w in weights]) * _matched(weights, spreads))


def _matched(weights: Sequence[float], spreads: Sequence[float]) -> float:
    """2 E[v]² / Var[v] of v = x'Bx for independent normal x with these variances.

    B = (I - 1w')' diag(d) (I - 1w') with d = w² / (1 - w), its traces written out so that time is linear.
    """
    s = math.fsum(w * w / (1 - w) for w in weights)
    expected = own = q0 = q1 = q2 = 0.0
    for w, spread in zip(weights, spreads, strict=True):
        r = w / (1 - w)
        d, q = w * r, w * w * spread
        expected += spread * (d - 2 * d * w + s * w * w)
        own += spread * spread * (d * d + 2 * d * w * w * (s - 2 * r))
        q0, q1, q2 = q0 + q, q1 + q * r, q2 + q * r * r
    return expected**2 / (s * s * q0 * q0 - 4 * s * q0 * q1 + 2 * q0 * q2 + 2 * q1 * q1 + own)


def _skewness(off: Sequence[float], sizes: Sequence[int], outer: float, inner: float) -> float:
    """Of the mean, from that of clusters' means, each by its own measure of spread.

    Means of large clusters are less skewed than those of small ones: between clusters and within them (with variances
    `outer` and `inner`) values are taken to be equally skewed.
    """
    count, total = len(sizes), sum(sizes)
    if count < _SKEW_FROM:
        return 0.0
    spreads = [max(outer + inner / size, _ROUNDING) for size in sizes]
    z = [e / math.sqrt(spread) for e, spread in zip(off, spreads, strict=True)]
    center = math.fsum(z) / count
    square = math.fsum((one - center) ** 2 for one in z) / (count - 1)
    if square < _ROUNDING:
        return 0.0
    seen = count / ((count - 1) * (count - 2)) * math.fsum((one - center) ** 3 for one in z) / square**1.5
    thirds = [outer**1.5 + inner**1.5 / size**2 for size in sizes]  # of their means, if the skewness of values is 1
    single = math.fsum(third / spread**1.5 for third, spread in zip(thirds, spreads, strict=True)) / count
    weights = [size / total for size in sizes]
    whole = math.fsum(w**3 * third for w, third in zip(weights, thirds, strict=True))
    return seen / single * whole / _total(weights, spreads) ** 1.5


def _satterthwaite(parts: Sequence[tuple[float, float]]) -> float:
    """Of a sum of variance estimates; with v² / (f + 2), which is unbiased unlike v² / f: few seeds make many parts."""
    positive = [(variance, freedom) for variance, freedom in parts if variance > 0]
    if not positive:
        return float(sum(freedom for _, freedom in parts))
    total = sum(variance for variance, _ in positive)
    found = total**2 / sum(variance**2 / (freedom + 2) for variance, freedom in positive) - 2
    return min(max(found, min(f for _, f in positive)), sum(f for _, f in positive))
