"""The table of an eval as data: estimates with their intervals, rows, differences, and published results beside them.

`evals.statistics.tabulate` makes it from a `Recorded`; the terminal, the report and the exports only print it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from swarmmind.evals.record import Arm


class Estimate(msgspec.Struct, frozen=True):
    """A mean with its 95 % interval; scores are in the column's units.

    Attributes:
        mean: of the episodes that have a value.
        low: the interval's lower end; `None` if one cluster says nothing of it.
        high: its upper end; `None` likewise.
        sd: the population standard deviation over episodes, as papers print it; in a total, of the sum (or mean) of
            one episode of each column.
        n: episodes with a value.
        clusters: how many of these are independent: instances, or seeds where a case has a single instance (a world).
    """

    mean: float
    low: float | None
    high: float | None
    sd: float
    n: int
    clusters: int


class Cell(msgspec.Struct, frozen=True):
    """What an arm came to in one column, or in all.

    Attributes:
        score: `None` if nothing was scored.
        planned: episodes.
        missing: of these, those without a score: not played yet, or their servers failed.
        calls: per episode.
        tokens: per episode; `None` if any server did not say.
        usd: per episode; `None` if a price is unknown.
        seconds: per episode, on the run's clock.
        flip_rate: the share of instances, of those played with several seeds, that are not always scored the same;
            `None` without any.
        pass_at: by k, as text: the chance that the best of k seeds is fully right (Chen et al. 2021), for scores in
            [0, 1]; empty where that makes no sense.
        also: the metrics that are shown beside.
    """

    score: Estimate | None
    planned: int
    missing: int
    calls: float = 0.0
    tokens: float | None = None
    usd: float | None = None
    seconds: float = 0.0
    flip_rate: float | None = None
    pass_at: dict[str, float] = {}
    also: dict[str, Estimate] = {}


class Point(msgspec.Struct, frozen=True):
    """A point of a curve: the value on the axis, and what the arm came to there."""

    at: float
    score: Estimate


class Line(msgspec.Struct, frozen=True):
    """A row of the table.

    Attributes:
        arm: whose.
        total: all columns together, by the headline's rule.
        columns: by column.
        curve: over the curve's axis; empty if there is none.
    """

    arm: Arm
    total: Cell
    columns: dict[str, Cell]
    curve: list[Point] = []


Verdict = Literal["better", "worse", "no difference", "cannot tell"]
"""`no difference`: the interval lies within what is too small to matter; `cannot tell`: it holds 0 and more."""


class Difference(msgspec.Struct, frozen=True):
    """One arm against another, on the pairs of instance and seed that both have scores for.

    Attributes:
        first: the id of the arm that is asked about.
        second: the id of the one that it is compared with.
        why: `control` (for the same tokens), `floor`, `baseline`, or `arm`.
        mean: the first less the second, paired; scores in the headline's units.
        low: the lower end of the 95 % interval; `None` if one cluster says nothing of it.
        high: its upper end; `None` likewise.
        n: pairs.
        clusters: how many of these are independent.
        verdict: in one word.
        words: in a sentence, with numbers.
        detectable: the smallest true difference that so many pairs would show in 80 % of all such evals; `None` if
            that is unknown.
        seeds_needed: how many seeds in all would show a difference as large as the one seen in 80 % of all such evals;
            `None` if one shows already, none ever would, or one seed of each instance cannot tell.
        tokens: what the first spent over what the second spent; `None` if unknown.
    """

    first: str
    second: str
    why: Literal["arm", "control", "baseline", "floor"]
    mean: float
    low: float | None
    high: float | None
    n: int
    clusters: int
    verdict: Verdict
    words: str
    detectable: float | None = None
    seeds_needed: int | None = None
    tokens: float | None = None


class PublishedRow(msgspec.Struct, frozen=True):
    """What a paper reports, in its own units.

    Attributes:
        name: the model, or method.
        columns: mean and standard deviation (`None` if it is not given) by column.
        total: its headline; `None` if it is not given.
        source: where it stands.
    """

    name: str
    columns: dict[str, tuple[float, float | None]]
    total: float | None
    source: str


class Table(msgspec.Struct, frozen=True):
    """An eval in numbers.

    Attributes:
        name: of the eval.
        columns: in order; empty if the table has none.
        headline: how they are put together.
        lines: the rows: arms with their controls below them, baselines, floors.
        differences: arms against controls, baselines, floors and each other.
        published: rows of papers.
        seeds: with how many seeds each instance was played.
        instances: how many there are.
        planned: episodes: planned = finished + failed + cancelled.
        finished: played and scored.
        failed: played, without a score.
        cancelled: not played: the budget ended, the eval was interrupted, or the arm of a control has no score.
        threshold: the headline that every arm must reach; `None` if none is asked for.
        below: ids of the arms that do not reach it.
        guess: what the answer to another problem would score on average, in each column where that can be said and
            under `""` in all: the floor of who knows what answers look like.
        warnings: what a person should know about these numbers.
    """

    name: str
    columns: list[str]
    headline: Literal["mean", "sum"]
    lines: list[Line]
    differences: list[Difference]
    published: list[PublishedRow]
    seeds: int
    instances: int
    planned: int
    finished: int
    failed: int
    cancelled: int
    threshold: float | None = None
    below: list[str] = []
    guess: dict[str, float] = {}
    warnings: list[str] = []
