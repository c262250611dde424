"""Makes `eval.html` of an eval's folder (see `report.shell` for what keeps it harmless)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from swarmmind.evals.table import Cell, Difference, Line, Table
from swarmmind.report import shell, text
from swarmmind.report.evals import drawn, figures
from swarmmind.report.evals.episodes import LIMIT_BYTES, Episodes
from swarmmind.report.evals.source import Told, told

PAGE = "eval.html"
_DIFFERENCE_WIDTH = 260.0
_MOST_DIFFERENCES = 400
_FEW_COLUMNS = 3
_SCRIPTS = ("core.js", "eval_detail.js", "eval_map.js", "eval_table.js", "eval.js")


def render_eval(folder: Path, table: Table | None = None, limit_bytes: int = LIMIT_BYTES) -> Path:
    """Write an eval's `eval.html`; the eval may still go on, the page then shows what was there.

    Args:
        folder: the run's folder: `manifest.json` and `journal.sqlite`, and `result.json` and `task.yaml` if they are
            there.
        table: the eval in numbers, if that is at hand.
        limit_bytes: how much of problems and answers, in the page, is enough; the page says what was left out.

    Returns:
        The path of the page.

    Raises:
        RunError: the folder holds no eval.
        OSError: the page cannot be written; an older one is still there then.
    """
    return shell.write(folder / PAGE, _pieces(told(folder, table), limit_bytes))


class _Place(NamedTuple):
    """A cell of the leaderboard: its mean, its interval, and its whisker in the picture of its column."""

    cell: Cell | None
    words: str
    ends: str
    bar: drawn.Bar | None


def _pieces(given: Told, limit_bytes: int) -> Iterator[str]:
    table, manifest = given.table, given.recorded.manifest
    result = shell.Lenient(given.result)
    rows = figures.ordered(table)
    widths = (320, 150) if len(table.columns) <= _FEW_COLUMNS else (220, 116)
    forests = {name: drawn.forest(table, rows, name, widths[bool(name)]) for name in ("", *table.columns)}
    decimals = {column: figures.decimals(figures.values(table, column)) for column in forests}
    episodes = Episodes(given, limit_bytes)
    return shell.document(
        "eval.html.j2",
        _SCRIPTS,
        ["report.css", "eval.css"],
        chunks=episodes.chunks(),
        index=episodes.data,
        result=result,
        table=table,
        manifest=manifest,
        rows=rows,
        heads=figures.heads(table.columns),
        widths=widths,
        kinds=figures.KINDS,
        forests=forests,
        places=[_places(line, row, forests, decimals) for row, line in enumerate(rows)],
        decimals=decimals,
        published=figures.published,
        bill=_bill(rows),
        differences=_differences(table),
        more_differences=max(0, len(table.differences) - _MOST_DIFFERENCES),
        chart=drawn.curves(table),
        curve=manifest.curve,
        scatters=drawn.scatters(table),
        episodes=episodes,
        folder=given.folder.name,
        task=_task(given.folder),
        models=", ".join(map(text.plain, result["models"] or [])),
    )


def _places(line: Line, row: int, forests: dict[str, drawn.Forest], decimals: dict[str, int]) -> dict[str, _Place]:
    """A row's cells by column."""
    cells = {"": line.total, **line.columns}
    return {name: _place(cells.get(name), decimals[name], forest.bars[row]) for name, forest in forests.items()}


def _place(cell: Cell | None, decimals: int, bar: drawn.Bar | None) -> _Place:
    words, stroke, ends = ("" if cell is None else figures.estimate(cell.score, decimals)).partition("[")
    return _Place(cell, words, stroke + ends, bar)


def _bill(rows: list[Line]) -> tuple[list[str], list[list[str]]]:
    """What rows cost per episode, and how they vary: heads, those without any value left out, and cells row by row."""
    ks = sorted({k for line in rows for k in line.total.pass_at}, key=lambda k: (len(k), k))
    also = list(dict.fromkeys(name for line in rows for name in line.total.also))
    heads = ["calls", "tokens", "USD", "time", "episodes", "missing", "flip rate", *(f"pass@{k}" for k in ks), *also]
    beside = [figures.measured([line.total for line in rows], name) for name in also]
    cells = [[*_costs(line.total, ks), *(one[row] for one in beside)] for row, line in enumerate(rows)]
    kept = [place for place in range(len(heads)) if any(row[place] for row in cells)]
    return [heads[place] for place in kept], [[row[place] for place in kept] for row in cells]


def _costs(cell: Cell, ks: list[str]) -> list[str]:
    known = [text.number(float(f"{cell.calls:.4g}")), figures.tokens(cell.tokens), figures.money(cell.usd)]
    known += [text.duration(cell.seconds), text.number(cell.planned), text.number(cell.missing) if cell.missing else ""]
    shares = [cell.flip_rate, *(cell.pass_at.get(k) for k in ks)]
    return known + ["" if share is None else text.share(share, 1) for share in shares]


class _Compared(NamedTuple):
    """A comparison: what it is, the names of both, and its whisker with the place of no difference."""

    one: Difference
    first: str
    second: str
    words: str
    bar: drawn.Bar
    zero: float


def _differences(table: Table) -> list[_Compared]:
    found = figures.differences(table)[:_MOST_DIFFERENCES]
    ends = [end for one in found for end in (one.low, one.mean, one.high) if end is not None]
    axis = drawn.Axis(min([0.0, *ends]), max([0.0, *ends]), 8.0, _DIFFERENCE_WIDTH - 8.0)
    names = figures.names(table)
    return [
        _Compared(one, names.get(one.first, one.first), names.get(one.second, one.second), *_drawn(one, axis))
        for one in found
    ]


def _drawn(one: Difference, axis: drawn.Axis) -> tuple[str, drawn.Bar, float]:
    places = (None if end is None else axis.at(end) for end in (one.low, one.high))
    sure = "" if one.low is None else f" [{figures.score(one.low)}, {figures.score(one.high)}]"
    sign = "+" if one.mean > 0 else ""
    return f"{sign}{figures.score(one.mean)}{sure}", drawn.Bar(axis.at(one.mean), *places), axis.at(0.0)


def _task(folder: Path) -> str:
    try:
        return (folder / "task.yaml").read_text("utf-8", "replace")
    except OSError:
        return ""
