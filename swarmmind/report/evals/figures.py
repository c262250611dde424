"""Scores and bills of an eval in words, the same on the terminal, in the page and in the exports."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from swarmmind.evals.record import Case, Instance
from swarmmind.evals.table import Cell, Difference, Estimate, Line, Table
from swarmmind.report.studies.verdict import score
from swarmmind.report.text import number, usd

KINDS = {"arm": "", "control": "same tokens", "baseline": "baseline", "floor": "floor"}
"""What stands beside the name of a row."""
_WHY = ("control", "floor", "baseline", "arm")


def decimals(numbers: Iterable[float]) -> int:
    """With how many decimals numbers that stand below each other are told: the largest gets what means something."""
    size = max(map(abs, numbers), default=0.0)
    if not size or not math.isfinite(size):
        return 3
    if size < 0.01:
        return 1 - math.floor(math.log10(size))
    return 3 if size < 10 else 2 if size < 100 else 1


def estimate(one: Estimate | None, places: int | None = None) -> str:
    """A mean with its interval: `0.712 [0.650, 0.771]`; without `places` each number has as many digits as it likes."""
    if one is None:
        return "no score"
    ends = "" if one.low is None else f" [{_said(one.low, places)}, {_said(one.high, places)}]"
    return _said(one.mean, places) + ends


def published(one: tuple[float, float | None] | None, places: int | None = None) -> str:
    """A paper's mean with its own standard deviation: `9.83 ± 0.50`."""
    if one is None:
        return ""
    return _said(one[0], places) + ("" if one[1] is None else f" ± {_said(one[1], places)}")


def _said(value: float | None, places: int | None) -> str:
    return score(value) if value is None or places is None else f"{value:,.{places}f}"


def tokens(count: float | None) -> str:
    """Tokens per episode, as a whole number; `unknown` if a server did not say."""
    return "unknown" if count is None else number(round(count)) if count >= 100 else number(float(f"{count:.3g}"))


def money(value: float | None) -> str:
    """USD per episode, rounded to what matters; `unknown` if a price is."""
    return usd(value if value is None or value >= 0.01 else float(f"{value:.3g}"))


def names(table: Table) -> dict[str, str]:
    """How the rows are called, by the id of the arm."""
    return {line.arm.id: line.arm.name for line in table.lines}


def ordered(table: Table) -> list[Line]:
    """The rows as they are shown: arms with their controls below them, then baselines, then floors."""
    arms = {line.arm.id for line in table.lines if line.arm.kind == "arm"}
    found: list[Line] = []
    for line in table.lines:
        if line.arm.kind == "arm":
            found += [
                line,
                *(each for each in table.lines if each.arm.kind == "control" and each.arm.of == line.arm.id),
            ]
    strays = [line for line in table.lines if line.arm.kind == "control" and line.arm.of not in arms]
    rest = [line for kind in ("baseline", "floor") for line in table.lines if line.arm.kind == kind]
    return found + strays + rest


def differences(table: Table) -> list[Difference]:
    """The comparisons in the order of what people ask: controls, floors, baselines, other arms."""
    return sorted(table.differences, key=lambda one: _WHY.index(one.why))


def axes(line: Line) -> str:
    """An arm's place in the grid in words."""
    return ", ".join(f"{path}: {value}" for path, value in line.arm.axes.items())


def heads(columns: list[str]) -> list[str]:
    """What stands above columns: the family that all of them belong to, up to the last stroke, says nothing."""
    families = {column.rpartition("/")[0] for column in columns}
    return [column.rpartition("/")[2] for column in columns] if len(families) == 1 < len(columns) else columns


def called(instance: Instance, case: Case) -> str:
    """The name of an instance; a world, which is the only one of its case, is called like that."""
    return case.column if instance.id == case.id and case.column else instance.id


def measured(rows: list[Cell], name: str) -> list[str]:
    """A metric that is shown beside, of each row; empty where it was not measured."""
    found = [one.also.get(name) for one in rows]
    places = decimals(end for one in found if one for end in (one.low, one.mean, one.high) if end is not None)
    return [estimate(one, places) if one else "" for one in found]


def cells(line: Line, columns: list[str]) -> Iterator[tuple[str, Cell]]:
    """A row's cells by column, the total (called `""`) first; a column that it was not tried on is left out."""
    yield "", line.total
    for column in columns:
        if column in line.columns:
            yield column, line.columns[column]


def papers(table: Table, column: str) -> list[tuple[float, float | None] | None]:
    """What papers report in a column (`""`: the total, whose deviation they do not say): mean and deviation."""
    totals = [None if row.total is None else (row.total, None) for row in table.published]
    return [row.columns.get(column) for row in table.published] if column else [*totals]


def values(table: Table, column: str) -> list[float]:
    """Every number that stands in a column of the table."""
    found = [cell.score for line in table.lines for name, cell in cells(line, table.columns) if name == column]
    ends = [end for one in found if one for end in (one.low, one.mean, one.high) if end is not None]
    return ends + [paper[0] for paper in papers(table, column) if paper]


def spends(table: Table) -> bool:
    """Whether anything of this eval cost tokens, or may have."""
    return any(line.total.tokens is None or line.total.tokens > 0 for line in table.lines)
