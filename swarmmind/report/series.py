"""Series of records as lines: any numbers that were recorded again and again, by program, over rounds.

Which columns make a chart, and what its axis is, is found in the records: a number is a line, an object of numbers
(`{"levels": {"maple": 0.4}}`) is a chart of lines, numbers of like size share a chart, numbers that are 0 or 1 are
shown as shares of several records. A series is read twice, once to see what it has and once for the strongest lines;
memory is some thousand labels and the points that are drawn.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

import msgspec

from swarmmind.report.read import Source, natural, program_of
from swarmmind.report.records import MAX_CHARACTERS

MAX_LINES, MAX_POINTS, MAX_PROGRAMS, MAX_CHARTS, MAX_REST = 12, 300, 12, 4, 200
_LABELS, _LABEL_CHARACTERS = 5000, 60
_LIKE = 12  # numbers whose highest are within this factor share a chart
_JUDGED_A_POINT = 5  # of numbers that are 0 or 1, single ones say nothing
_OWN = frozenset({"round", "draw", "verdict", "event", "graph"})  # drawn in their own way

Column: TypeAlias = tuple[str, str]
"""A number of a record: its name, and its label if it stands in an object."""


@dataclass
class _Seen:
    """What there is of a column: how often, its first, last and highest value.

    `counts` is whether it only counts up by one, `judges` whether it is only 0 or 1.
    """

    count: int = 0
    first: float = 0.0
    last: float = 0.0
    high: float = -math.inf
    size: float = 0.0
    counts: bool = True
    judges: bool = True

    def add(self, value: float) -> None:
        if self.count == 0:
            self.first = value
        elif value != self.last + 1:
            self.counts = False
        self.count += 1
        self.judges = self.judges and value in (0, 1)
        self.last = value
        self.high = max(self.high, value)
        self.size = max(self.size, abs(value))


@dataclass
class _Program:
    """A program's records of a series."""

    count: int = 0
    columns: dict[Column, _Seen] = field(default_factory=dict[Column, _Seen])


class Series:
    """The charts of all series of records.

    Args:
        source: the run.
        program: whose records alone are read; `None` is everybody's.
        without: series that are left out.

    Attributes:
        charts: by series, one entry for every program: `program`, `left_out` (programs more) and `charts`, each with
            `name`, `x` (its axis), `xs`, `lines` ([label, values]; `None` is no value), `per` (so many records are one
            point, their mean) and `rest` ([label, first, highest, last] of labels without a line).
    """

    def __init__(self, source: Source, program: str | None = None, without: Collection[str] = _OWN) -> None:
        self._source, self._program = source, program
        self.charts: dict[str, list[dict[str, Any]]] = {}
        for name, count, _ in source.series:
            if name not in without and count > 1:
                found = self._of(name)
                if found:
                    self.charts[name] = found

    def _of(self, name: str) -> list[dict[str, Any]]:
        programs: dict[str, _Program] = {}
        left_out: set[str] = set()
        for key, data in self._source.records(name):
            program = program_of(key)
            if self._program not in (None, program):
                continue
            if program not in programs and len(programs) >= MAX_PROGRAMS:
                left_out.add(program)
            else:
                _see(programs.setdefault(program, _Program()), data)
        drawn = {program: _plan(name, seen) for program, seen in programs.items()}
        drawn = {program: plan for program, plan in drawn.items() if plan.charts}
        if drawn:
            self._fill(name, drawn)
        order = sorted(drawn, key=natural)
        return [
            {"program": program, "left_out": len(left_out), "charts": [chart.data() for chart in drawn[program].charts]}
            for program in order
        ]

    def _fill(self, name: str, drawn: dict[str, _Plan]) -> None:
        for key, data in self._source.records(name):
            plan = drawn.get(program_of(key))
            if plan is not None:
                plan.add(dict(numbers(data)))


def numbers(data: str) -> Iterator[tuple[Column, float]]:
    """The numbers of a record, and those one level down; none if it is no object or too long to be read here."""
    value: Any = None if len(data) > MAX_CHARACTERS else msgspec.json.decode(data)
    if not isinstance(value, dict):
        return
    for name, part in cast("dict[str, Any]", value).items():
        if _is_number(part):
            yield (name[:_LABEL_CHARACTERS], ""), float(part)
        elif isinstance(part, dict):
            for label, number in cast("dict[str, Any]", part).items():
                if _is_number(number):
                    yield (name[:_LABEL_CHARACTERS], label[:_LABEL_CHARACTERS] or " "), float(number)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _see(program: _Program, data: str) -> None:
    program.count += 1
    for column, value in numbers(data):
        seen = program.columns.get(column)
        if seen is None:
            if len(program.columns) >= _LABELS:
                continue
            seen = program.columns[column] = _Seen()
        seen.add(value)


class Lines:
    """A chart in the making: records come one by one, points are means of as many as it takes.

    Args:
        name: its title.
        x: the name of its axis.
        labels: of its lines.
        count: how many records will come.
        points: at most so many are drawn.
    """

    def __init__(self, name: str, x: str, labels: list[str], count: int, points: int = MAX_POINTS) -> None:
        self.name, self.x, self.labels = name, x, labels
        self.rest: list[tuple[str, float, float, float]] = []
        self._per = -(-count // points)
        self._xs: list[float] = []
        self._sums: list[list[float]] = [[] for _ in labels]
        self._counts: list[list[int]] = [[] for _ in labels]
        self._seen = 0

    def add(self, x: float | None, values: list[float | None]) -> None:
        """One record: its place on the axis (`None`: the next) and a value for each line, `None` if there is none."""
        if self._seen % self._per == 0:
            self._xs.append(self._seen + 1 if x is None else x)
            for sums, counts in zip(self._sums, self._counts, strict=True):
                sums.append(0.0)
                counts.append(0)
        self._seen += 1
        for value, sums, counts in zip(values, self._sums, self._counts, strict=True):
            if value is not None:
                sums[-1] += value
                counts[-1] += 1

    def data(self) -> dict[str, Any]:
        """The chart as JSON data."""
        lines = [
            (label, list(map(_mean, sums, counts)))
            for label, sums, counts in zip(self.labels, self._sums, self._counts, strict=True)
        ]
        return {"name": self.name, "x": self.x, "xs": self._xs, "lines": lines, "per": self._per, "rest": self.rest}


def _mean(total: float, count: int) -> float | None:
    return float(f"{total / count:.5g}") if count else None


class _Plan:
    """The charts of one program, and which columns are their lines."""

    def __init__(self, x: Column | None) -> None:
        self.x = x
        self.charts: list[Lines] = []
        self._columns: list[list[Column]] = []

    def put(self, chart: Lines, columns: list[Column]) -> None:
        self.charts.append(chart)
        self._columns.append(columns)

    def add(self, found: dict[Column, float]) -> None:
        x = found.get(self.x) if self.x else None
        for chart, columns in zip(self.charts, self._columns, strict=True):
            chart.add(x, [found.get(column) for column in columns])


def _plan(name: str, program: _Program) -> _Plan:
    """What to draw of a series: a chart of every object of numbers, and of scalars of like size."""
    own = program.columns.get((name, ""))
    x = ("round", "") if ("round", "") in program.columns else (name, "") if own is not None and own.counts else None
    plan = _Plan(x)
    columns = {column: seen for column, seen in program.columns.items() if column != x and seen.count > 1}
    scalars = {column: seen for column, seen in columns.items() if not column[1] and not seen.counts}
    groups = _alike(scalars)
    for outer in dict.fromkeys(column[0] for column in columns if column[1]):
        groups.append({column: seen for column, seen in columns.items() if column[0] == outer and column[1]})
    for group in groups[:MAX_CHARTS]:
        ranked = sorted(group, key=lambda column: -group[column].high)
        lines = sorted(ranked[:MAX_LINES], key=lambda column: -group[column].last)
        inner = bool(lines[0][1])
        labels = [column[1] if inner else column[0] for column in lines]
        title = lines[0][0] if inner else ", ".join(labels[:3]) + (" ..." if len(labels) > 3 else "")
        share = any(group[column].judges and group[column].high > 0 for column in lines)
        points = max(8, program.count // _JUDGED_A_POINT) if share else MAX_POINTS
        chart = Lines(title, x[0] if x else "record", labels, program.count, min(points, MAX_POINTS))
        for column in ranked[MAX_LINES : MAX_LINES + MAX_REST]:
            seen = group[column]
            chart.rest.append((column[1] or column[0], seen.first, seen.high, seen.last))
        plan.put(chart, lines)
    return plan


def _alike(scalars: dict[Column, _Seen]) -> list[dict[Column, _Seen]]:
    groups: list[dict[Column, _Seen]] = []
    least = math.inf
    for column in sorted(scalars, key=lambda column: -scalars[column].size):
        size = scalars[column].size
        if not groups or size * _LIKE < least:
            groups.append({})
            least = size
        groups[-1][column] = scalars[column]
    return groups
