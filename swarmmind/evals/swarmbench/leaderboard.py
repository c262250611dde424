"""SwarmBench's leaderboard as the paper prints it: mean and population deviation per task, and the sum of the means.

Table S.1 of arXiv 2505.04364 v4. Flocking is in the paper's units if the suite says so (`units`), as `swarmbench` does.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import NamedTuple

from swarmmind.errors import UserError
from swarmmind.evals.swarmbench.published import TASK_ORDER
from swarmmind.evals.table import Line, PublishedRow, Table

COLUMNS = tuple(f"swarmbench/{task}" for task in TASK_ORDER)
"""The columns that a table must have, in the paper's order."""
_MARKUP = re.compile(r"([\\`*_{}\[\]<>|~#])")
_FORMULA = ("=", "+", "-", "@")


class Standing(NamedTuple):
    """A row of the leaderboard.

    Attributes:
        name: the model, or method.
        cells: per task of `TASK_ORDER` the mean and the population standard deviation (`None` if it is not given);
            `None` where nothing was played.
        total: the sum of the five means; `None` if one of them is missing.
        runs: with how many runs the task with the fewest was played; `None` for a published row.
        source: where a published row stands; empty for a row of this eval.
    """

    name: str
    cells: tuple[tuple[float, float | None] | None, ...]
    total: float | None
    runs: int | None
    source: str


def leaderboard(table: Table) -> list[Standing]:
    """The rows of an eval and of the papers beside it, best first; rows without a total come last.

    Raises:
        UserError: the table lacks one of the five tasks.
    """
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        found = ", ".join(table.columns) or "no columns"
        raise UserError(f"leaderboard: expected the columns {', '.join(COLUMNS)}, found {found}")
    standings = [*map(_measured, table.lines), *map(_published, table.published)]
    return sorted(standings, key=lambda row: (row.total is None, -(row.total or 0.0)))


def as_markdown(standings: Sequence[Standing]) -> str:
    """The leaderboard as a Markdown table; names are text, never markup."""
    heads = ["Model", *(task.capitalize() for task in TASK_ORDER), "Total", "Runs", "Source"]
    lines = [heads, ["---", *["---:"] * 7, "---"]]
    for row in standings:
        total = "" if row.total is None else f"{row.total:.2f}"
        runs = "" if row.runs is None else str(row.runs)
        lines.append([_plain(row.name), *map(_shown, row.cells), total, runs, _plain(row.source or "this eval")])
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def as_csv(standings: Sequence[Standing]) -> str:
    """The leaderboard as CSV; what is not known is empty, and no name begins like a spreadsheet's formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    heads = [f"{task}_{what}" for task in TASK_ORDER for what in ("mean", "std")]
    writer.writerow(["model", *heads, "total", "runs", "source"])
    for row in standings:
        cells = [value for cell in row.cells for value in (cell or (None, None))]
        writer.writerow([_harmless(row.name), *cells, row.total, row.runs, _harmless(row.source)])
    return out.getvalue()


def _measured(line: Line) -> Standing:
    scores = [line.columns[column].score if column in line.columns else None for column in COLUMNS]
    cells = tuple((score.mean, score.sd) if score else None for score in scores)
    runs = min(score.n if score else 0 for score in scores)
    return Standing(line.arm.name, cells, _total(cells), runs, "")


def _published(row: PublishedRow) -> Standing:
    cells = tuple(row.columns.get(column) for column in COLUMNS)
    return Standing(row.name, cells, _total(cells) if row.total is None else row.total, None, row.source)


def _total(cells: Sequence[tuple[float, float | None] | None]) -> float | None:
    means = [cell[0] for cell in cells if cell is not None]
    return sum(means) if len(means) == len(TASK_ORDER) else None


def _shown(cell: tuple[float, float | None] | None) -> str:
    if cell is None:
        return ""
    mean, deviation = cell
    return f"{mean:.2f}" if deviation is None else f"{mean:.2f} ± {deviation:.2f}"


def _plain(text: str) -> str:
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
