"""What an arm came to in some of an eval: its score with an interval, what that cost, and how reliable it is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from swarmmind.evals.record import Manifest, Played
from swarmmind.evals.statistics.estimates import estimate
from swarmmind.evals.statistics.layout import Layout, Measured, Scores, column, together
from swarmmind.evals.statistics.reliability import flip_rate, pass_at
from swarmmind.evals.table import Cell, Estimate

Episodes = Mapping[tuple[str, int], Played | None]
"""By instance and seed; `None` is not played yet."""


class Costs(NamedTuple):
    """Per episode that was played; see `table.Cell`."""

    calls: float
    tokens: float | None
    usd: float | None
    seconds: float


def scores(episodes: Episodes) -> dict[tuple[str, int], float]:
    """What has a score."""
    return {key: one.score for key, one in episodes.items() if one is not None and one.score is not None}


def costs(episodes: Iterable[Played | None]) -> Costs:
    """What an episode costs on average; unknown if it is unknown of any, or none was played."""
    played = [one for one in episodes if one is not None]
    if not played:
        return Costs(0.0, None, None, 0.0)
    return Costs(
        calls=sum(one.calls for one in played) / len(played),
        tokens=_average([one.tokens for one in played]),
        usd=_average([one.usage.cost_usd for one in played]),
        seconds=math.fsum(one.seconds for one in played) / len(played),
    )


def _average(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if len(known) == len(values) else None


def measured(layout: Layout, found: Scores) -> dict[str, Measured]:
    """The columns in which anything was scored, before units."""
    return {name: column(cases, layout.worlds, layout.bounds) for name, cases in layout.group(found.items()).items()}


def headline(layout: Layout, columns: Mapping[str, Measured]) -> Estimate | None:
    """All columns together; `None` if none has a score, or one that a sum needs has none."""
    if not columns or (not layout.mean and len(columns) < len(layout.weights)):
        return None
    whole = together([(layout.weight(name, len(columns)), one) for name, one in columns.items()])
    return estimate(whole.moments, whole.bounds)


def cell(manifest: Manifest, layout: Layout, episodes: Episodes, score: Estimate | None) -> Cell:
    """A cell.

    Args:
        manifest: of the eval.
        layout: of the columns the cell is of.
        episodes: the arm's in these columns.
        score: what they came to.
    """
    found = scores(episodes)
    grouped: dict[str, list[float]] = {}
    for (instance, _), value in found.items():
        grouped.setdefault(instance, []).append(value)
    spent = costs(episodes.values())
    return Cell(
        score,
        planned=len(episodes),
        missing=len(episodes) - len(found),
        calls=spent.calls,
        tokens=spent.tokens,
        usd=spent.usd,
        seconds=spent.seconds,
        flip_rate=flip_rate(list(grouped.values())) if manifest.bounds is not None else None,
        pass_at=pass_at(list(grouped.values())) if manifest.bounds == (0, 1) else {},
        also=_also(manifest.also, layout, episodes),
    )


def _also(names: Sequence[str], layout: Layout, episodes: Episodes) -> dict[str, Estimate]:
    """Metrics: means of column means, without units or bounds."""
    found: dict[str, Estimate] = {}
    bare = layout._replace(weights=dict.fromkeys(layout.weights, 1 / len(layout.weights)), bounds=None, mean=True)
    for name in names:
        values = {key: one.metrics[name] for key, one in episodes.items() if one is not None and name in one.metrics}
        mean = headline(bare, measured(bare, values))
        if mean is not None:
            found[name] = mean
    return found
