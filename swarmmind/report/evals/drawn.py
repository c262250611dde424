"""The pictures of an eval as numbers that a template prints: whiskers on an axis, curves with bands, cost and score.

Everything is in the units of the pictures' own view boxes; nothing here is text that was said by anybody but names.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from swarmmind.evals.table import Cell, Estimate, Line, Table
from swarmmind.report.evals import figures

_LOGARITHMIC = 20.0  # of the largest to the smallest: beyond, an axis shows powers
_TICKS = 6
_OWN_MARKS = 10
_CHART = (1100.0, 380.0, 64.0, 16.0, 14.0, 40.0)  # wide, high; margins left, right, top, bottom
_SCATTER = (640.0, 420.0, 60.0, 20.0, 16.0, 42.0)
_LETTER = 6.6  # how wide one is, about


class Axis(NamedTuple):
    """A scale from `low` to `high`, drawn from `start` to `end`.

    Attributes:
        powers: whether it shows powers.
        marks: where its strokes stand, if not at round numbers.
    """

    low: float
    high: float
    start: float
    end: float
    powers: bool = False
    marks: tuple[float, ...] = ()

    def at(self, value: float) -> float:
        """Where a value stands, on the axis even if it lies beyond."""
        low, high, value = (math.log(one) if self.powers else one for one in (self.low, self.high, value))
        share = (value - low) / (high - low) if high > low else 0.5
        return round(self.start + (self.end - self.start) * min(1.0, max(0.0, share)), 1)

    def ticks(self) -> list[tuple[float, str]]:
        """Where strokes stand, and what is written there."""
        values = self.marks or (_powers if self.powers else _steps)(self.low, self.high)
        return [(self.at(value), f"{value:,.12g}") for value in values]


class Bar(NamedTuple):
    """A mean with its whisker: places on an axis; `low` and `high` are `None` if nothing is known of them."""

    at: float
    low: float | None
    high: float | None


class Forest(NamedTuple):
    """A column of means over one axis.

    Attributes:
        axis: the scale; `None` if there is nothing to draw.
        bars: of the rows in their order, `None` without a score.
        published: of papers' rows.
        guess: what a guess scores.
    """

    axis: Axis | None
    bars: list[Bar | None]
    published: list[Bar | None]
    guess: float | None


def forest(table: Table, lines: Sequence[Line], column: str, width: float) -> Forest:
    """A column of the table (`""`: the total) as whiskers, `width` wide."""
    cells: list[Cell | None] = [line.columns.get(column) if column else line.total for line in lines]
    scores = [cell.score if cell else None for cell in cells]
    sds = [paper and Estimate(paper[0], *_around(*paper), 0.0, 0, 0) for paper in figures.papers(table, column)]
    guess = table.guess.get(column)
    ends = [end for one in (*scores, *sds) if one for end in (one.low, one.mean, one.high) if end is not None]
    ends += [] if guess is None else [guess]
    if not ends:
        return Forest(None, [None] * len(cells), [None] * len(sds), None)
    low, high = _range(ends)
    axis = Axis(low, high, 8.0, width - 8.0)
    bars, beside = ([_bar(axis, one) for one in some] for some in (scores, sds))
    return Forest(axis, bars, beside, None if guess is None else axis.at(guess))


def _around(mean: float, sd: float | None) -> tuple[float | None, float | None]:
    return (None, None) if sd is None else (mean - sd, mean + sd)


def _bar(axis: Axis, one: Estimate | None) -> Bar | None:
    if one is None:
        return None
    return Bar(axis.at(one.mean), *(None if end is None else axis.at(end) for end in (one.low, one.high)))


class Curve(NamedTuple):
    """An arm over the curve's axis.

    Attributes:
        name: of the arm.
        ink: the number of its color, from 0.
        path: of its means.
        band: the outline of its intervals; empty if there are none.
        points: place and words of each mean.
    """

    name: str
    ink: int
    path: str
    band: str
    points: list[tuple[float, float, str]]


class Chart(NamedTuple):
    """A picture with two axes."""

    x: Axis
    y: Axis
    curves: list[Curve]


def curves(table: Table) -> Chart | None:
    """The arms over the curve's axis; `None` if no arm has two points."""
    rows = [line for line in figures.ordered(table) if len(line.curve) > 1]
    if not rows:
        return None
    places = [point.at for line in rows for point in line.curve]
    ends = [end for line in rows for point in line.curve for end in _known(point.score)]
    wide, high, left, right, top, bottom = _CHART
    own = tuple(sorted(set(places)))
    x = Axis(own[0], own[-1], left, wide - right, _spread(places), own if len(own) <= _OWN_MARKS else ())
    y = Axis(*_range(ends), high - bottom, top)
    return Chart(x, y, [_curve(line, ink, x, y) for ink, line in enumerate(rows)])


def _curve(line: Line, ink: int, x: Axis, y: Axis) -> Curve:
    points = sorted(line.curve, key=lambda point: point.at)
    said = [(x.at(one.at), y.at(one.score.mean), f"{one.at:,.12g}: {figures.estimate(one.score)}") for one in points]
    sure = [one for one in points if one.score.low is not None and one.score.high is not None]
    upper = [(x.at(one.at), y.at(one.score.high or 0.0)) for one in sure]
    lower = [(x.at(one.at), y.at(one.score.low or 0.0)) for one in reversed(sure)]
    return Curve(
        line.arm.name, ink, _path((a, b) for a, b, _ in said), _path(upper + lower) + "Z" if sure else "", said
    )


class Spot(NamedTuple):
    """A row in the picture of cost and score; `label` is where its name stands, `None` if it found no place."""

    name: str
    kind: str
    x: float
    y: float
    low: float
    high: float
    words: str
    label: tuple[float, float, str] | None


class Scatter(NamedTuple):
    """Cost against score.

    Attributes:
        cost: `tokens` or `USD`.
        x: what an episode costs.
        y: the headline.
        spots: the rows that cost something.
        front: a stair through those that no other beats for its price or less.
        free: height and name of rows that cost nothing.
    """

    cost: str
    x: Axis
    y: Axis
    spots: list[Spot]
    front: str
    free: list[tuple[float, str]]


def scatters(table: Table) -> list[Scatter]:
    """What scores cost: in tokens, and in USD, where each is known of two rows or more."""
    priced = {"tokens": [(line, line.total.tokens) for line in figures.ordered(table)]}
    priced["USD"] = [(line, line.total.usd) for line in figures.ordered(table)]
    found = [
        _scatter(cost, [(line, price) for line, price in rows if price is not None]) for cost, rows in priced.items()
    ]
    return [one for one in found if one is not None]


def _scatter(cost: str, rows: list[tuple[Line, float]]) -> Scatter | None:
    paid = [(line, price, line.total.score) for line, price in rows if price > 0 and line.total.score]
    if len(paid) < 2:
        return None
    free = [(line.arm.name, line.total.score.mean) for line, price in rows if price == 0 and line.total.score]
    prices = [price for _, price, _ in paid]
    powers = _spread(prices)
    wide, high, left, right, top, bottom = _SCATTER
    ends = (min(prices) / 1.3, max(prices) * 1.3) if powers else (0.0, max(prices) * 1.08)
    x = Axis(*ends, left, wide - right, powers)
    y = Axis(
        *_range([end for _, _, one in paid for end in _known(one)] + [mean for _, mean in free]), high - bottom, top
    )
    spots = [_spot(line, price, one, x, y, cost) for line, price, one in paid]
    return Scatter(cost, x, y, _labeled(spots), _front(spots, x), [(y.at(mean), name) for name, mean in free])


def _spot(line: Line, price: float, one: Estimate, x: Axis, y: Axis, cost: str) -> Spot:
    known = _known(one)
    said = figures.money(price) if cost == "USD" else f"{figures.tokens(price)} tokens"
    words = f"{line.arm.name}: {figures.estimate(one)} for {said} an episode"
    return Spot(line.arm.name, line.arm.kind, x.at(price), y.at(one.mean), y.at(known[0]), y.at(known[-1]), words, None)


def _front(spots: list[Spot], x: Axis) -> str:
    """Heights grow downward: who is cheapest first, then whoever is better than all that are cheaper."""
    best: list[Spot] = []
    for spot in sorted(spots, key=lambda spot: (spot.x, spot.y)):
        if not best or spot.y < best[-1].y:
            best.append(spot)
    return f"M{best[0].x} {best[0].y}" + "".join(f"H{one.x}V{one.y}" for one in best[1:]) + f"H{x.end}"


def _labeled(spots: list[Spot]) -> list[Spot]:
    """Names beside their dots where they cover neither a dot nor another name."""
    taken = [(one.x - 6, one.y - 6, one.x + 6, one.y + 6) for one in spots]
    found: list[Spot] = []
    for spot in spots:
        long = min(len(spot.name), 40) * _LETTER
        label = None
        for dx, dy, anchor in (
            (10, 4, "start"),
            (-10, 4, "end"),
            (10, -9, "start"),
            (-10, 17, "end"),
            (0, -11, "middle"),
        ):
            start = spot.x + dx - {"start": 0, "end": long, "middle": long / 2}[anchor]
            box = (start, spot.y + dy - 11, start + long, spot.y + dy + 3)
            if box[0] > 0 and box[2] < _SCATTER[0] and not any(_touch(box, other) for other in taken):
                label = (spot.x + dx, spot.y + dy, anchor)
                taken.append(box)
                break
        found.append(spot._replace(label=label))
    return found


def _touch(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _known(one: Estimate) -> list[float]:
    """Lower end, mean and upper end, as far as they are known."""
    return [end for end in (one.low, one.mean, one.high) if end is not None]


def _range(values: Sequence[float]) -> tuple[float, float]:
    """From the least to the greatest, never of no width; what lies in [0, 1] begins at 0."""
    low, high = min(values), max(values)
    if low >= 0 and high <= 1.0:
        return 0.0, 1.0 if high > 0.5 else high or 1.0
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _spread(values: Sequence[float]) -> bool:
    return min(values) > 0 and max(values) / min(values) > _LOGARITHMIC


def _steps(low: float, high: float) -> list[float]:
    """Round numbers between two: steps of 1, 2 or 5 by some power of ten."""
    if not high > low or not math.isfinite(high - low):
        return [low]
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{place * step:.10g}") for place in range(first, last + 1)]


def _powers(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    few = high / low < 1000
    return [
        v for p in powers for factor in ((1, 2, 5) if few else (1,)) if low <= (v := float(f"{factor}e{p}")) <= high
    ]


def _path(points: Iterable[tuple[float, float]]) -> str:
    found = "L".join(f"{x} {y}" for x, y in points)
    return f"M{found}" if found else ""
