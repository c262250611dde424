"""An eval as rows: CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from swarmmind.evals.record import Played, Row
from swarmmind.evals.table import Cell, Estimate
from swarmmind.report import text
from swarmmind.report.evals import figures
from swarmmind.report.evals.source import Told
from swarmmind.version import __version__

_CELL_CHARACTERS = 32_000  # what a cell of a spreadsheet holds
_METRICS = 100
_FORMULAS = "=+-@\uff1d\uff0b\uff0d\uff20"  # and as wide letters
_COUNTS = ("planned", "finished", "failed", "cancelled")
_EPISODE = ("arm", "kind", "of", "case", "column", "instance", "seed", "status", "score", "output", "reason", "error")
_SPENT = ("calls", "prompt_tokens", "cached_tokens", "completion_tokens", "cost_usd", "seconds", *_COUNTS)
_PROBLEM = ("problem", "target", "arm_id", "arm_axes", "case_axes")
_ESTIMATE = ("mean", "low", "high", "sd", "n", "clusters")
_CELL = ("planned", "missing", "calls", "tokens", "usd", "seconds", "flip_rate")


def status(played: Played | None) -> str:
    """`scored`, `failed` (played, without a score) or `missing` (not played)."""
    return "missing" if played is None else "failed" if played.score is None else "scored"


def episodes_csv(given: Told) -> Iterator[str]:
    """Every planned episode as a line; what is unknown or missing is empty."""
    measured = dict.fromkeys(name for one in given.recorded.played.values() for name in one.metrics)
    metrics = list(measured)[:_METRICS]
    yield _line([*_EPISODE, *_SPENT, *_PROBLEM, *(f"metric.{name}" for name in metrics)])
    for row in given.recorded.rows():
        played = row.played or Played()
        usage = [getattr(played.usage, name) for name in _SPENT[:5]]
        counts = [getattr(played, name) for name in _COUNTS]
        spent = [""] * len(_SPENT) if row.played is None else [*usage, played.seconds, *counts]
        arm, case = row.arm, row.case
        yield _line(
            [arm.name, arm.kind, arm.of, case.id, case.column, row.instance.id, row.seed, status(row.played)]
            + [played.score, played.output, played.reason, played.error, *spent]
            + [row.instance.text, row.instance.target, arm.id, _json(arm.axes), _json(case.axes)]
            + [played.metrics.get(name) for name in metrics]
        )


def table_csv(given: Told) -> Iterator[str]:
    """The table, a line for each row and column, the total as column `total`; then papers, as they report."""
    table = given.table
    every = [cell for line in table.lines for _, cell in figures.cells(line, table.columns)]
    ks = sorted({k for cell in every for k in cell.pass_at}, key=lambda k: (len(k), k))
    also = list(dict.fromkeys(name for cell in every for name in cell.also))[:_METRICS]
    heads = [*_ESTIMATE, *_CELL, *(f"pass@{k}" for k in ks), *(f"also.{name}" for name in also)]
    yield _line(["arm", "kind", "of", "column", *heads, "source"])
    for line in figures.ordered(table):
        for column, cell in figures.cells(line, table.columns):
            head = [line.arm.name, line.arm.kind, line.arm.of, column or "total"]
            yield _line([*head, *_numbers(cell, ks, also), ""])
    for row in table.published:
        reported = {**({} if row.total is None else {"total": (row.total, None)}), **row.columns}
        for column, (mean, sd) in reported.items():
            rest = ["" for _ in heads[4:]]
            yield _line([row.name, "published", "", column, mean, "", "", sd, *rest, row.source])


def _numbers(cell: Cell, ks: list[str], also: list[str]) -> list[Any]:
    means = [cell.also[name].mean if name in cell.also else None for name in also]
    return [*_sure(cell.score), *(getattr(cell, name) for name in _CELL), *(cell.pass_at.get(k) for k in ks), *means]


def _sure(one: Estimate | None) -> list[Any]:
    return [None if one is None else getattr(one, name) for name in _ESTIMATE]


def _line(cells: Iterable[Any]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(map(_cell, cells))
    return out.getvalue()


def _cell(value: Any) -> Any:
    """Text as people may see it, and never as a formula; numbers as they are."""
    if not isinstance(value, str):
        return "" if value is None else value
    words = text.visible(value)
    if len(words) > _CELL_CHARACTERS:
        words = f"{words[:_CELL_CHARACTERS]} ... {len(words) - _CELL_CHARACTERS:,} characters more"
    return f"'{words}" if words.lstrip()[:1] in tuple(_FORMULAS) or words[:1] in ("\t", "\n") else words


def everything(given: Told) -> Iterator[str]:
    """All of it as one JSON object: `manifest`, `table`, and `episodes`, one in a line. Nothing but ASCII."""
    yield f'{{"swarmmind": {_json(__version__)},\n"run": {_json(given.folder.name)},\n'
    yield f'"manifest": {_json(given.recorded.manifest)},\n"table": {_json(given.table)},\n"episodes": ['
    between = "\n"
    for row in given.recorded.rows():
        yield between + _json(_episode(row))
        between = ",\n"
    yield "\n]}\n"


def _episode(row: Row) -> dict[str, Any]:
    place = {"arm": row.arm.id, "case": row.case.id, "instance": row.instance.id, "seed": row.seed}
    told = {} if row.played is None else msgspec.to_builtins(row.played)
    return {**place, "status": status(row.played), "score": None, **told}


def _json(value: Any) -> str:
    letters = json.dumps(msgspec.to_builtins(value), separators=(", ", ": "), allow_nan=False)
    return letters.replace("\x7f", "\\u007f")
