"""The leaderboard as Markdown, in the units of the paper whose suite it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from xml.sax.saxutils import escape

from swarmmind.evals.published import BOARDS
from swarmmind.evals.table import Table
from swarmmind.report import text
from swarmmind.report.evals import figures
from swarmmind.report.evals.source import Told

_MARKUP = re.compile(r"([\\`*_{}\[\]#|~$])")
_NAME_CHARACTERS = 1000


def markdown(given: Told) -> Iterator[str]:
    """The table with its intervals, papers' rows below, and how much of it was played."""
    table = given.table
    coverage = {name: getattr(table, name) for name in ("planned", "finished", "failed", "cancelled")}
    yield f"# {_plain(table.name)}\n\n"
    yield text.visible(_own(table, given.recorded.manifest.published))
    yield f"\n{text.number(table.instances)} instances, {text.number(table.seeds)} seeds each; "
    yield f"{text.coverage_line(coverage)} episodes.\n"
    for warning in table.warnings:
        yield f"\n> {_plain(warning)}\n"


def _board(table: Table) -> str:
    """Means with 95 % intervals; a paper's with its standard deviation."""
    columns = ["", *table.columns]
    places = {column: figures.decimals(figures.values(table, column)) for column in columns}
    total = "sum" if table.headline == "sum" else "mean"
    found = [["arm", total, *map(_plain, table.columns), "n", "tokens", "USD", "source"]]
    found.append(["---", *["---:"] * (len(columns) + 3), "---"])
    for line in figures.ordered(table):
        cells = dict(figures.cells(line, table.columns))
        scores = [figures.estimate(cells[name].score, places[name]) if name in cells else "" for name in columns]
        n = line.total.score.n if line.total.score else 0
        bill = [figures.tokens(line.total.tokens), figures.money(line.total.usd)]
        kind = figures.KINDS[line.arm.kind]
        name = _plain(line.arm.name) + (f" ({kind})" if kind else "")
        found.append([name, *scores, text.number(n), *bill, "this eval"])
    for row, paper in enumerate(table.published):
        scores = [figures.published(figures.papers(table, name)[row], places[name]) for name in columns]
        found.append([_plain(paper.name), *scores, "", "", "", _plain(paper.source)])
    return "".join(f"| {' | '.join(cells)} |\n" for cells in found)


def _own(table: Table, published: str) -> str:
    """The leaderboard as the paper of a suite prints it, where it has all of its columns."""
    board = import_module(BOARDS[published]) if published in BOARDS else None
    if board is None or not set(board.COLUMNS) <= set(table.columns):
        return _board(table)
    return board.as_markdown(board.leaderboard(table))


def _plain(words: str) -> str:
    """Words that stay words: no markup, no line of their own."""
    shown = escape(text.visible(" ".join(words.split())))
    return _MARKUP.sub(r"\\\1", shown if len(shown) <= _NAME_CHARACTERS else f"{shown[:_NAME_CHARACTERS]} ...")
