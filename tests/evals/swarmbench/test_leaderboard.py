from __future__ import annotations

import csv
import io
from statistics import mean, pstdev

import pytest

from swarmmind.errors import UserError
from swarmmind.evals.published import published
from swarmmind.evals.record import Arm
from swarmmind.evals.swarmbench.leaderboard import COLUMNS, as_csv, as_markdown, leaderboard
from swarmmind.evals.table import Cell, Estimate, Line, PublishedRow, Table

SCORES = {
    "pursuit": [9, 12],
    "synchronization": [100, 100],
    "foraging": [4, 5],
    "flocking": [11.5, 12],
    "transport": [8],
}


def line(name: str, scores: dict[str, list[float]]) -> Line:
    columns: dict[str, Cell] = {}
    for task, found in scores.items():
        score = Estimate(mean(found), None, None, pstdev(found), len(found), len(found)) if found else None
        columns[f"swarmbench/{task}"] = Cell(score, max(1, len(found)), 0)
    return Line(Arm(name, name), Cell(None, 1, 1), columns)


def table(*lines: Line, beside: list[PublishedRow] | None = None) -> Table:
    return Table("t", list(COLUMNS), "sum", list(lines), [], beside or [], 2, 5, 9, 9, 0, 0)


def test_rows_stand_in_order_of_the_sum_of_the_means_beside_the_papers() -> None:
    rules = line("rules", {task: [float(x) for x in found] for task, found in SCORES.items()})
    silent = line("still", {task: [0.0, 0.0] for task in SCORES})
    found = leaderboard(table(silent, rules, beside=published("swarmbench")))
    assert [row.name for row in found[:4]] == [
        "rules", "central gemini-2.0-flash", "gemini-2.0-flash", "o4-mini",
    ]  # fmt: skip
    assert found[0].total == pytest.approx(10.5 + 100 + 4.5 + 11.75 + 8)
    assert found[0].cells[0] == (10.5, 1.5)  # the population's deviation
    assert (found[0].runs, found[0].source) == (1, "")
    assert found[2].total == 27.4
    assert [row.name for row in found[-2:]] == ["still", "human players"]  # nobody hunted by hand: no total
    assert found[-1].total is None


def test_what_was_not_played_is_empty_and_has_no_total() -> None:
    broken = line("broken", {**{task: [1.0] for task in SCORES}, "flocking": []})
    [row] = leaderboard(table(broken))
    assert (row.cells[3], row.total, row.runs) == (None, None, 0)
    assert (
        as_markdown([row]).splitlines()[2]
        == "| broken | 1.00 ± 0.00 | 1.00 ± 0.00 | 1.00 ± 0.00 |  | 1.00 ± 0.00 |  | 0 | this eval |"
    )


def test_a_table_of_something_else_is_refused() -> None:
    other = Table("t", ["a"], "mean", [], [], [], 1, 1, 1, 1, 0, 0)
    with pytest.raises(UserError, match=r"expected the columns swarmbench/pursuit.*found a"):
        leaderboard(other)


def test_csv_reads_back_and_holds_no_formula() -> None:
    evil = line('=cmd|"x",\n', {task: [0.1 + 0.2] for task in SCORES})
    [head, row] = csv.reader(io.StringIO(as_csv(leaderboard(table(evil)))))
    assert head[:3] == ["model", "pursuit_mean", "pursuit_std"]
    assert row[0] == '\'=cmd|"x",\n'
    assert float(row[1]) == 0.1 + 0.2  # every digit
    assert row[-2:] == ["1", ""]


def test_markdown_keeps_names_in_their_cells() -> None:
    evil = line("a|b\n| <script> [x](y)", {task: [1.0] for task in SCORES})
    text = as_markdown(leaderboard(table(evil)))
    assert len(text.splitlines()) == 3
    assert "a\\|b \\| \\<script\\> \\[x\\](y)" in text
