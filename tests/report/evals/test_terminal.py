"""The table on the terminal: what it says, and that nothing in it is wider or wilder than it may be."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from swarmmind.evals.record import Arm
from swarmmind.evals.table import Estimate, Table
from swarmmind.report import eval_lines

from . import evals

TABLE = evals.table(
    evals.dice(evals.manifest()),
    published=evals.PUBLISHED,
    guess={"": 0.11, "sums": 0.1},
    threshold=0.8,
    below=["ring"],
    warnings=["of one arm a server failed"],
)


def row(lines: list[str], start: str) -> str:
    return next(line for line in lines if line.startswith(start))


def test_rows_stand_in_order_with_their_controls_below():
    lines = eval_lines(TABLE)
    names = ["vllm/Qwen3-8B · debate ", "  vote (same tokens)", "  solo (same tokens)", "vllm/Qwen3-8B · ring "]
    names += ["rules (baseline)", "random (floor)", "guess ", "published", "  o4-mini", "  gpt-4.1"]
    places = [lines.index(row(lines, name)) for name in names]
    assert places == list(range(places[0], places[0] + len(names)))


def test_scores_have_their_interval_and_papers_their_deviation():
    lines = eval_lines(TABLE, width_characters=300)
    score = TABLE.lines[0].total.score
    assert score is not None
    assert f"{score.mean:.3f} [{score.low:.3f}, {score.high:.3f}]" in row(lines, "vllm/Qwen3-8B · debate ")
    assert re.search(r"0\.855 .*○.* 0\.910 ± 0\.040 +0\.800$", row(lines, "  o4-mini"))
    assert re.search(r"0\.110 .*¦.* 0\.100$", row(lines, "guess"))
    missing = row(lines[lines.index("per episode") :], "  vote")
    assert re.search(r" 2\.95 +944 +\$0\.00207 .* 1 +25 % +71\.2 %", missing)


def test_a_bar_is_drawn_from_the_lower_end_over_the_mean_to_the_upper():
    ends = [Estimate(0.0, 0.0, 0.0, 0, 9, 9), Estimate(1.0, 1.0, 1.0, 0, 9, 9), Estimate(0.5, 0.25, 1.0, 0, 9, 9)]
    lines = [msgspec.structs.replace(line, total=msgspec.structs.replace(line.total, score=score))
             for line, score in zip(TABLE.lines[3:], ends, strict=True)]  # fmt: skip
    told = eval_lines(msgspec.structs.replace(TABLE, lines=lines, published=[], guess={}))
    bars = [re.findall("[●├┤─·]{24}", line)[0] for line in told if "●" in line]
    assert [bar.index("●") for bar in bars] == [0, 23, 12]
    assert (bars[2].index("├"), bars[2].index("┤")) == (6, 23)


def test_what_differs_and_what_was_played_is_said(tmp_path: Path):
    lines = eval_lines(TABLE, tmp_path)
    verdicts = [line for line in lines if line.startswith("- ")]
    assert [line.split(":")[0] for line in verdicts] == ["- better", "- better", "- better", "- worse", "- better"]
    assert "less vote" in verdicts[0]
    assert "episodes: 360 planned = 357 finished + 2 failed + 1 cancelled" in lines
    assert "threshold 0.8: not reached by vllm/Qwen3-8B · ring" in lines
    assert "warning: of one arm a server failed" in lines
    assert lines[-1] == f"report: {tmp_path}/eval.html"
    assert "threshold 0.8: reached by every arm" in eval_lines(msgspec.structs.replace(TABLE, below=[]))


def test_only_so_many_comparisons_are_told():
    told = eval_lines(msgspec.structs.replace(TABLE, differences=TABLE.differences * 10))
    assert sum(line.startswith("- ") for line in told) == 24
    assert "  and 26 comparisons more in the report" in told


@pytest.mark.parametrize("width", [60, 80, 100, 240])
def test_lines_keep_within_the_width(width: int):
    lines = eval_lines(TABLE, width_characters=width)
    assert max(map(cell_len, lines)) <= width
    assert sum("words" in line.split() for line in lines) == 1
    assert not any("\x1b" in line for line in lines)


@given(st.text(max_size=300), st.text(max_size=300), st.integers(60, 120))
def test_any_name_leaves_the_table_in_shape(name: str, column: str, width: int):
    recorded = evals.dice(evals.manifest(2, 1, [Arm("a", name), Arm("b", name * 9, "control", of="a")]))
    plain = evals.table(recorded)
    lines = [msgspec.structs.replace(line, columns={column: line.total}) for line in plain.lines]
    told = eval_lines(msgspec.structs.replace(plain, name=name, columns=[column], lines=lines), None, width)
    assert max(map(cell_len, told)) <= width
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", "".join(told))


def test_hostile_texts_are_signs():
    told = "\n".join(eval_lines(evals.table(evals.hostile(), warnings=[evals.HOSTILE])))
    assert evals.SIGNS in told
    assert not re.search("[\x00\x1b\u202e]", told)


def test_an_eval_without_anything_is_told():
    given_ = evals.manifest(3, 2, evals.ARMS[:2])
    lines = eval_lines(evals.table(evals.Recorded(given_, {})))
    assert "no score" in row(lines, "vllm/Qwen3-8B · debate")
    assert "episodes: 12 planned = 0 finished + 0 failed + 12 cancelled" in lines
    assert eval_lines(Table("none", [], "mean", [], [], [], 1, 0, 0, 0, 0, 0))[0].startswith(
        "none: 0 instances x 1 seed"
    )
