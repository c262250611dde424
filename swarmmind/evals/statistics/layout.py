"""How scores of an eval hang together: columns are put together by the headline, cases of a column are strata.

What is a cluster depends on the case. One with several instances is a sample of problems: instances are its clusters.
One with a single instance is a world, and its seeds are. Cases are chosen, not drawn, so how much they differ does not
make a column's mean less sure; unless seeds show no chance at all or a case has a lone cluster: then the clusters of a
column are its instances, whatever their cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import fsum
from typing import NamedTuple, TypeAlias

from swarmmind.evals.record import Case, Manifest
from swarmmind.evals.statistics.moments import Moments, combined, moments
from swarmmind.intervals import Bounds

Scores: TypeAlias = Mapping[tuple[str, int], float]
"""By instance and seed; what is missing is left out."""
Cases: TypeAlias = Mapping[str, Mapping[str, Sequence[float]]]
"""Values by case and instance, one for each seed."""


class Layout(NamedTuple):
    """Where scores belong.

    Attributes:
        weights: of each column, by which its mean counts in the headline: units included.
        place: of each instance, its column and case.
        worlds: the cases of a single instance.
        bounds: between what scores lie, before units; `None` if nobody says.
        mean: whether the headline is the mean of the columns, not their sum.
    """

    weights: dict[str, float]
    place: dict[str, tuple[str, str]]
    worlds: frozenset[str]
    bounds: Bounds | None
    mean: bool = True

    def weight(self, column: str, measured: int) -> float:
        """A column's weight where only so many of the columns were measured: a mean is over those, a sum lacks some."""
        return self.weights[column] * (len(self.weights) / measured if self.mean else 1.0)

    def group(self, scores: Iterable[tuple[tuple[str, int], float]]) -> dict[str, dict[str, dict[str, list[float]]]]:
        """The scores by column, case and instance."""
        found: dict[str, dict[str, dict[str, list[float]]]] = {}
        for (instance, _), score in scores:
            column, case = self.place[instance]
            found.setdefault(column, {}).setdefault(case, {}).setdefault(instance, []).append(score)
        return found


class Measured(NamedTuple):
    """The moments of a mean, and what more seeds would do.

    Attributes:
        moments: of the mean.
        bounds: between what it lies, if that is known.
        seeds: with which an instance was played, on average.
        worlds: whether seeds are the clusters.
    """

    moments: Moments
    bounds: Bounds | None
    seeds: float
    worlds: bool


def plain(instances: Iterable[str], bounds: Bounds | None) -> Layout:
    """All instances in one case of one column."""
    place: dict[str, tuple[str, str]] = dict.fromkeys(instances, ("", ""))
    return Layout({"": 1.0}, place, frozenset([""] if len(place) == 1 else []), bounds)


def of(manifest: Manifest, keep: Callable[[Case], bool] = lambda _: True) -> Layout:
    """The layout of an eval, or of the cases to keep.

    An eval without columns has one that is called "". Where kinds make the columns, instances of none are "other".
    """
    cases = {case.id: case for case in manifest.cases if keep(case)}
    instances = [one for one in manifest.instances if one.case in cases]
    kinds = manifest.columns == "kind" and any(one.kind for one in instances)
    place = {one.id: (one.kind or "other" if kinds else cases[one.case].column, one.case) for one in instances}
    columns = list(dict.fromkeys(column for column, _ in place.values()))
    share = 1 / max(len(columns), 1) if manifest.headline == "mean" else 1.0
    held: dict[str, int] = {}
    for one in instances:
        held[one.case] = held.get(one.case, 0) + 1
    worlds = frozenset(case for case, count in held.items() if count == 1)
    weights = {column: share * manifest.units.get(column, 1.0) for column in columns}
    return Layout(weights, place, worlds, manifest.bounds, manifest.headline == "mean")


def column(cases: Cases, worlds: frozenset[str], bounds: Bounds | None) -> Measured:
    """The mean of the episodes of a column, before units.

    Args:
        cases: the values; at least one.
        worlds: the cases of a single instance.
        bounds: between what values lie; ignored if one lies outside.
    """
    values = [value for case in cases.values() for group in case.values() for value in group]
    instances = [group for case in cases.values() for group in case.values()]
    if bounds is not None and not all(bounds[0] <= value <= bounds[1] for value in values):
        bounds = None
    seeds = len(values) / len(instances)
    strata = [
        (sum(map(len, case.values())), _case(case, name in worlds, bounds)) for name, case in cases.items() if case
    ]
    sole = len(strata) == 1
    if sole or (all(one.clusters > 1 for _, one in strata) and any(one.variance for _, one in strata)):
        found = combined((size / len(values), one) for size, one in strata)
        sd = found.sd if sole else moments([values]).sd
        return Measured(found._replace(sd=sd), bounds, seeds, all(name in worlds for name in cases))
    return Measured(moments(instances, bounds), bounds, seeds, worlds=False)


def _case(case: Mapping[str, Sequence[float]], world: bool, bounds: Bounds | None) -> Moments:
    if not world:
        return moments(list(case.values()), bounds)
    found = moments([[value] for group in case.values() for value in group], bounds)
    return found._replace(shrinks=found.variance)


def together(parts: Sequence[tuple[float, Measured]]) -> Measured:
    """The weighted sum of columns' means; they are independent of each other.

    Args:
        parts: of each column its weight and what was measured; at least one.
    """
    bounds = [(weight, one.bounds) for weight, one in parts]
    ends = [sorted((weight * held[0], weight * held[1])) for weight, held in bounds if held is not None]
    whole = (fsum(low for low, _ in ends), fsum(high for _, high in ends)) if len(ends) == len(parts) else None
    found = combined((weight, one.moments) for weight, one in parts)
    seeds = max(one.seeds for _, one in parts)
    return Measured(found, whole, seeds, all(one.worlds for _, one in parts))
