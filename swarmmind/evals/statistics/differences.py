"""Differences between arms, in pairs on the same instances and seeds, and what they mean in words."""

from __future__ import annotations

from typing import Literal, NamedTuple

from swarmmind.errors import UserError
from swarmmind.evals.statistics.estimates import estimate
from swarmmind.evals.statistics.layout import Layout, Scores, column, plain, together
from swarmmind.evals.statistics.power import detectable, seeds_needed
from swarmmind.evals.statistics.verdicts import Finding, verdict
from swarmmind.evals.table import Difference
from swarmmind.intervals import Bounds

MARGIN = 0.02
"""What is too small to matter, as a share of the range of scores, if nobody says otherwise."""

_EQUAL_CLUSTERS = 6  # so many differences of one sign happen by chance in 2 * 0.5**6 = 3 % of all evals


class Side(NamedTuple):
    """One of two arms.

    Attributes:
        id: of the arm.
        name: as people read it.
        scores: by instance and seed.
        tokens: what an episode spends, on average; `None` if unknown.
    """

    id: str
    name: str
    scores: Scores
    tokens: float | None = None


def paired_difference(
    first: Scores,
    second: Scores,
    *,
    bounds: Bounds | None = None,
    margin: float | None = None,
    names: tuple[str, str] = ("the first", "the second"),
    layout: Layout | None = None,
) -> Difference:
    """The first less the second, on the pairs of instance and seed that both have scores for.

    Instances are the clusters; where there is one, seeds are. The interval is Student's with the variance CR2, so that
    of two equal arms 5 % seem to differ; where differences are whole numbers and mostly 0, fewer do.

    Args:
        first: the scores of the arm that is asked about.
        second: of the one that it is compared with.
        bounds: between what scores (not differences) lie.
        margin: the largest difference that does not matter; by default `MARGIN` times the width of the bounds. Without
            either there is no verdict of `no difference`.
        names: how the two are called in words.
        layout: the columns, cases, units and bounds of the eval that the first is from (`layout_of`); by default all
            instances are a sample of one kind of problem.

    Raises:
        UserError: they share no pair.
    """
    if layout is None:
        layout = plain(dict.fromkeys(instance for instance, _ in (*first, *second)), bounds)
    sides = Side(names[0], names[0], first), Side(names[1], names[1], second)
    found = difference(layout, *sides, margin=margin)
    if found is None:
        raise UserError(f"{names[0]} and {names[1]} share no instance and seed that both have scores for")
    return found


def difference(
    layout: Layout,
    first: Side,
    second: Side,
    why: Literal["arm", "control", "baseline", "floor"] = "arm",
    margin: float | None = None,
) -> Difference | None:
    """One arm against another in the headline's units; `None` if they share no pair.

    Columns in which they share none are left out; the others count as in the headline.
    """
    shared = [(key, first.scores[key] - second.scores[key]) for key in first.scores if key in second.scores]
    if not shared:
        return None
    grouped = layout.group(shared)
    parts = [(layout.weight(name, len(grouped)), column(cases, layout.worlds, None)) for name, cases in grouped.items()]
    found = together(parts)
    reach = None if layout.bounds is None else (layout.bounds[1] - layout.bounds[0]) * sum(abs(w) for w, _ in parts)
    mean = estimate(found.moments, None if reach is None else (-reach, reach), symmetric=True)
    low, high = mean.low, mean.high
    if low == high and mean.clusters < _EQUAL_CLUSTERS:
        low = high = None
    instances = {instance for (instance, _), _ in shared}
    needed = None
    if low is None or high is None or low <= 0 <= high:
        needed = seeds_needed(found.moments, found.seeds, mean.mean, worlds=found.worlds)
    finding = Finding(
        first.name, second.name, why, mean.mean, low, high, len(instances), round(len(shared) / len(instances)),
        detectable(found.moments), needed, _ratio(first.tokens, second.tokens),
        worlds=all(layout.place[instance][1] in layout.worlds for instance in instances),
    )  # fmt: skip
    said, words = verdict(finding, margin if margin is not None else None if reach is None else MARGIN * reach)
    return Difference(
        first.id, second.id, why, mean.mean, low, high, mean.n, mean.clusters, said, words,
        finding.detectable, needed, finding.tokens,
    )  # fmt: skip


def _ratio(first: float | None, second: float | None) -> float | None:
    return first / second if first is not None and second else None
