"""What the page of a study says: read from records and result.json, with exact numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.errors import RunError
from swarmmind.report import render_study
from swarmmind.report.read import Source
from swarmmind.report.studies.lineage import MOST, lineage
from swarmmind.report.studies.records import Refused, Search
from swarmmind.report.studies.refusals import reasons
from swarmmind.report.studies.verdict import score, verdict
from swarmmind.runs.result import StudyResult
from swarmmind.runtime.journal import Journal

from . import runs, studies
from .pages import Page


def searched(folder: Path) -> Search:
    source = Source(folder)
    try:
        return Search(source)
    finally:
        source.close()


def candidate(one: str, *parents: str, note: str = "", **values: Any) -> tuple[str, Any]:
    return "candidate", {"id": one, "parents": list(parents), "note": note, "values": values or {"a": one}}


def evaluation(one: str, mean: float, n: int = 10, split: str = "validate", **more: Any) -> tuple[str, Any]:
    return "evaluation", {"candidate": one, "split": split, "mean": mean, "n": n, "sd": 0.2, **more}


# --- records ---------------------------------------------------------------------------------------------------------


def test_a_real_study_is_read(tmp_path: Path):
    search = searched(studies.small(tmp_path / "run"))
    assert [one.parents for one in search.candidates] == [[], [0], [0], [1], [1], [3], [3], [5, 6]]
    assert [kept.candidate for kept in search.kept] == [0, 1, 3, 5]
    assert [round(kept.mean, 9) for kept in search.kept] == [0, 0.25, 0.5, 0.75]
    assert search.winner is search.candidates[5]
    assert (search.refusals, search.unreadable) == (6, 0)
    assert search.totals is not None
    assert (search.totals.examples, search.totals.asks) == (10 * 7 + 4 * 3 + 10, 1)
    seen = search.candidates[1].seen
    assert (seen["train"].n, seen["validate"].n) == (4, 10)
    half = 2.262157 * 0.1 * math.sqrt(10 / 9) / math.sqrt(10)  # of ten scores, 0.1 above and below their mean in turn
    assert seen["validate"].mean == pytest.approx(0.25)
    assert seen["validate"].high == pytest.approx(0.25 + half, abs=1e-6)
    assert seen["validate"].low == pytest.approx(0.25 - half, abs=1e-6)


def test_the_start_is_the_tasks_own_whoever_was_tried_first(tmp_path: Path):
    folder = studies.written(tmp_path / "run", candidate("a", a="first"), candidate("b", "a", a="second"))
    told = {"start": {"id": "s", "values": {"a": "own"}}, "best": {"id": "b", "values": {"a": "second"}}}
    assert searched(folder).start is not None
    search = searched(runs.result(folder, study=told))
    assert search.start is not None
    assert (search.start.id, search.start.values) == ("s", {"a": "own"})
    search = searched(runs.result(folder, study={**told, "start": {"id": "b", "values": {}}}))
    assert search.start is search.candidates[1]


def test_where_a_study_failed_nobody_won(tmp_path: Path):
    folder = studies.written(tmp_path / "run", candidate("a"))
    told = {"reason": "failed", "start": {"id": "a", "values": {"a": "a"}}, "best": None}
    assert searched(folder).winner is not None
    assert searched(runs.result(folder, study=told)).winner is None
    assert Page(render_study(folder)).index["winner"] is None


@pytest.mark.parametrize(("problem", "high"), [("{dataset: a.jsonl}", 1.0), ("{environment: a}", 1.1430714)])
def test_intervals_of_a_data_sets_scores_end_where_scores_do(problem: str, high: float, tmp_path: Path):
    folder = studies.written(tmp_path / "run", candidate("a"), evaluation("a", 1.0))
    (folder / "task.yaml").write_text(f"problem: {problem}\n")
    seen = searched(folder).candidates[0].seen["validate"]
    assert seen.high == pytest.approx(high)


def test_only_the_searchs_own_records_count(tmp_path: Path):
    folder = tmp_path / "run"

    def write(kept: Journal) -> Iterator[None]:
        kept.record("run/0/search/3/c.e.0/1/candidate", "candidate", {"id": "nested"})
        kept.record("run/0/search/3/c.e.0/2/best", "best", {"id": "a", "mean": 9.0})
        kept.record("run/0/search/0/candidate", "candidate", {"id": "a", "values": {"x": 1}})
        kept.record("run/0/search/1/evaluation", "evaluation", evaluation("a", 0.5)[1])
        kept.record("run/1/held-out/0/evaluation", "evaluation", evaluation("a", 0.1, 99)[1])
        kept.record("run/1/held-out/1/study", "study", {"examples": 7})
        yield

    search = searched(runs.journal(folder, write))
    assert (search.program, [one.id for one in search.candidates], search.kept) == ("run/0/search", ["a"], [])
    assert search.candidates[0].seen["validate"].n == 10
    assert search.totals is None
    assert search.winner is search.candidates[0]


def test_the_evaluation_on_most_examples_counts_and_the_latest_of_these(tmp_path: Path):
    rows = [evaluation("a", 0.1, 5), evaluation("a", 0.2, 50), evaluation("a", 0.3, 50), evaluation("a", 0.9, 3)]
    search = searched(studies.written(tmp_path / "run", candidate("a"), *rows))
    assert search.candidates[0].seen["validate"].mean == 0.3


def test_what_cannot_be_read_is_counted_and_strangers_are_no_parents(tmp_path: Path):
    rows = [
        candidate("a", "never"), candidate("b", "c", "a"), candidate("c", "b"), candidate("a", "c"),
        evaluation("nobody", 1.0), ("evaluation", {"candidate": "a", "split": "train", "mean": None, "n": 0}),
        ("best", {"id": "nobody", "mean": 1.0}), ("best", 7), ("refused", {"problems": {"x": "no list"}}),
        ("study", []),
    ]  # fmt: skip
    search = searched(studies.written(tmp_path / "run", *rows))
    assert [(one.id, one.parents, one.strangers) for one in search.candidates] == [
        ("a", [], ["never"]), ("b", [0], ["c"]), ("c", [1], []),
    ]  # fmt: skip
    assert (search.unreadable, search.kept, search.refused) == (4, [], [])
    assert "4 records of the journal could not be read" in Page(render_study(tmp_path / "run")).text


def test_an_archive_is_read(tmp_path: Path):
    page = Page(render_study(studies.archive(tmp_path / "run", axes=2, steps=4)))
    archive = page.index["archive"]
    assert [axis["measure"] for axis in archive["axes"]] == ["depth", "calls"]
    assert len(archive["cells"]) == archive["filled"] == archive["rounds"][-1][1]
    assert [row[0] for row in archive["rounds"]] == [0, 1, 2, 3, 4]
    assert archive["qd_score"] == pytest.approx(sum(quality for _, _, quality in archive["cells"]))
    for place, one, quality in archive["cells"]:
        assert page.index["seen"]["train"][one][0] == pytest.approx(quality, abs=1e-5)
        assert all(0 <= bin_ < 5 for bin_ in place)
    children = dict(archive["came"])
    assert all(sum(counts[at] for counts in children.values()) == 8 for at in (1, 2, 3, 4))


# --- refusals --------------------------------------------------------------------------------------------------------


def test_refusals_with_like_reasons_are_together():
    lost = [Refused(problems={"p": [f"must have at most 9 characters, got {n}"]}, gates={"p": "node"}) for n in (1, 2)]
    others = [
        Refused(problems={"p": ["lost the placeholder {{ a }}"], "q": ["must be one of 'x', 'y', got 'z'"]}),
        Refused(note="the edit of p"),
        Refused(gates={"p": "performance"}),
    ]
    found = reasons([*others, *lost])
    assert [(one.what, one.gate, one.count) for one in found] == [
        ("p", "node", 2), ("p", "", 1), ("q", "", 1), ("no change", "", 1), ("p", "performance", 1),
    ]  # fmt: skip
    assert found[0].examples == [f"must have at most 9 characters, got {n}" for n in (1, 2)]
    assert found[0].kind == "must have at most … characters, got …"


# --- lineage ---------------------------------------------------------------------------------------------------------


def test_the_winners_line_is_straight_and_merges_join():
    found = lineage([[], [0], [0], [1], [1], [3], [3], [5, 6]], [0, 1, 3, 5], 5)
    nodes = {node.candidate: node for node in found.nodes}
    assert [nodes[one].row for one in (0, 1, 3, 5, 7)] == [0, 0, 0, 0, 0]
    assert [nodes[one].column for one in (0, 1, 3, 5, 7)] == [0, 1, 2, 3, 4]
    assert {found.nodes[at].candidate for at in found.path} == {0, 1, 3, 5}
    [(other, child)] = found.joins
    assert (found.nodes[other].candidate, found.nodes[child].candidate) == (6, 7)
    assert all(nodes[one].row == 1 for one in (2, 4, 6))


def test_what_leads_nowhere_is_folded_where_it_hangs():
    parents = [[], *([[0]] * 30), [30], *([[31]] * 20), [1]]
    found = lineage(parents, [0, 31], 31)
    drawn = [node.candidate for node in found.nodes if node.candidate is not None]
    bubbles = [(found.nodes[node.parent].candidate, node.folded) for node in found.nodes if node.candidate is None]
    assert drawn == [0, 30, 31]
    assert sorted(bubbles, key=str) == [(0, 30), (31, 20)]
    assert found.alone == 0


def test_a_long_line_is_drawn_in_steps():
    found = lineage([[], *([one] for one in range(4999))], range(5000), 4999)
    drawn = [node for node in found.nodes if node.candidate is not None]
    assert len(drawn) == MOST
    assert (drawn[0].candidate, drawn[-1].candidate) == (0, 4999)
    assert sum(node.skipped + 1 for node in drawn[1:]) == 4999
    assert max(node.skipped for node in drawn) < 140  # evenly spread
    assert sum(node.folded for node in found.nodes) == 5000 - MOST


@given(st.lists(st.lists(st.integers(0, 200), max_size=3), max_size=120), st.data())
def test_any_lineage_is_a_picture(wished: list[list[int]], data: st.DataObject):
    parents = [[one for one in own if one < at] for at, own in enumerate(wished)]
    kept = data.draw(st.lists(st.integers(0, len(parents) - 1), max_size=20)) if parents else []
    found = lineage(parents, kept, kept[-1] if kept else None)
    drawn = [node.candidate for node in found.nodes if node.candidate is not None]
    assert len(drawn) == len(set(drawn)) <= MOST
    assert sum(node.folded for node in found.nodes) + found.alone + len(drawn) == len(parents)
    spots = [(node.column, node.row) for node in found.nodes]
    assert len(spots) == len(set(spots))
    for at, node in enumerate(found.nodes):
        assert node.parent < at
        assert node.parent < 0 or node.column == found.nodes[node.parent].column + 1
        assert node.column < found.columns
        assert node.row < found.rows
    assert set(kept) <= set(drawn)


# --- the verdict -----------------------------------------------------------------------------------------------------


def told(**study: Any) -> dict[str, Any]:
    assert set(study) <= set(StudyResult.__struct_fields__)  # what it reads is what is written
    return {"study": {"start": {"id": "a"}, "best": {"id": "b"}, "reason": "patience", "tried": 12, **study}}


@pytest.mark.parametrize(
    ("low", "high", "answer"),
    [
        (0.1, 0.3, "It helped"),
        (-0.1, 0.5, "It may be chance"),
        (-0.5, -0.1, "It made things worse"),
        (None, None, "Nobody can tell"),
    ],
)
def test_the_held_out_gain_decides(low: float | None, high: float | None, answer: str):
    wrong = studies.means(0.5, 0.9, 0.3, 0.5)  # on what it was chosen by it always looks good
    found = verdict(told(held_out=studies.means(0.5, 0.5 + ((low or 0) + (high or 0)) / 2, low, high), validate=wrong))
    assert found.answer == answer
    assert found.ended.startswith("nothing better had come")
    assert [one.split for one in found.compared] == ["held_out", "validate"]


def test_its_numbers_are_those_of_the_result():
    found = verdict(told(held_out=studies.means(0.31, 0.68, 0.28, 0.46), inflation=0.0312))
    assert found.because == (
        "On 100 held-out examples, which nothing was chosen by, the mean score rose from 0.31 (0.21 to 0.41) to "
        "0.68 (0.58 to 0.78): a gain of +0.37 (+0.28 to +0.46) an example."
    )
    assert found.luck.startswith("The best of 12 candidates looks better than it is")
    assert "by 0.031 on average" in found.luck


def test_without_a_held_out_test_nobody_is_sure():
    found = verdict(told(validate=studies.means(0.5, 0.9, 0.3, 0.5)))
    assert (found.answer, found.kind) == ("Perhaps it helped", "fair")
    assert "No held-out examples were scored" in found.because


def test_nothing_better_and_nothing_yet():
    same = verdict(told(best={"id": "a"}))
    assert (same.answer, same.because[:21]) == ("Nothing better was found", "None of 12 candidates")
    assert verdict(told(best={"id": "a"}, tried=1)).because.startswith("Only the start was tried")
    assert verdict({}).answer == "No winner yet"
    assert verdict({"study": 7}).answer == "No winner yet"
    assert verdict(told(held_out={"start": {"mean": "x"}, "best": 3})).answer == "Nobody can tell"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (0.12345, "0.123"),
        (0.0552, "0.055"),
        (0.00123, "0.0012"),
        (0.9996, "1"),
        (1.008, "1.008"),
        (12.345, "12.35"),
        (123.456, "123.5"),
        (123456.7, "123,457"),
        (-0.5, "-0.5"),
    ],
)
def test_scores_have_digits_that_mean_something(value: float, words: str):
    assert score(value) == words


# --- the page --------------------------------------------------------------------------------------------------------


def test_the_page_tells_before_any_script(tmp_path: Path):
    held_out = studies.means(0.1, 0.8, 0.5, 0.9)
    folder = studies.small(tmp_path / "run", held_out=held_out, inflation=0.06, parts="runs/it's here/best")
    (folder / "best").mkdir()
    (folder / "best" / "best.diff").write_text("--- a\n+++ b\n@@ -1 +1 @@\n-old <b>\n+new\n same\n")
    page = Page(render_study(folder))
    assert "It helped On 100 held-out examples" in page.text
    assert "by 0.06 on average" in page.text
    assert "swarmmind run 'runs/it'\"'\"'s here/best/task.yaml'" in page.text
    assert "8 candidates were tried, 4 times one was kept as the best so far, and 6 changes were refused" in page.text
    assert "lost the placeholder {{ task }}" in page.text
    kinds = [value for tag, name, value in page.attributes if (tag, name) == ("span", "class")]
    assert [kind for kind in kinds if kind in ("head", "place", "in", "out")] == ["head", "head", "place", "out", "in"]
    assert page.index["winner"] == 5
    assert page.chunk(0) == [
        ["prompts.worker", studies.START["prompts.worker"], f"{studies.START['prompts.worker']}\n- Rule 0.\n- Rule 1."
         "\n- Rule 2."],
    ]  # fmt: skip


def test_a_candidate_is_shown_by_what_it_changed(tmp_path: Path):
    page = Page(render_study(studies.small(tmp_path / "run")))
    [[chunk, first]] = page.index["places"]
    details = page.chunk(chunk)
    assert (first, len(details)) == (0, 8)
    assert [name for name, old, _ in details[0]["changes"] if old is None] == ["prompts.worker", "swarm.rounds"]
    assert details[2]["changes"] == [["swarm.rounds", "1", "2"]]
    assert details[2]["note"] == "more rounds: 2"
    assert details[1]["seen"][0][0:2] == ["train", 0.25]
    assert page.index["changed"][7] == ["swarm.rounds"]


def test_what_is_too_much_is_left_out_and_said(tmp_path: Path):
    page = Page(render_study(studies.large(tmp_path / "run", 600), limit_bytes=60_000))
    shown = sum(len(page.chunk(chunk)) for chunk, _ in page.index["places"])
    assert 0 < page.index["left_out"] == 600 - shown
    assert len(page.index["ids"]) == 600
    assert all(first == sum(len(page.chunk(c)) for c, _ in page.index["places"][:at])
               for at, (_, first) in enumerate(page.index["places"]))  # fmt: skip


def test_the_cost_is_split(tmp_path: Path):
    spent = {"evaluating": {"calls": 3150, "tokens": 70, "usd": 0.5}, "asking": {"calls": 40, "tokens": None, "usd": 0}}
    text = Page(render_study(studies.small(tmp_path / "told", **spent))).text
    assert "running candidates 3,150 70 $0.50" in text
    assert "critic and editor 40 unknown $0.00" in text
    folder = studies.small(tmp_path / "untold")
    (folder / "result.json").unlink()
    text = Page(render_study(folder)).text
    assert "running candidates 0 0 $0.00" in text  # as the journal's totals say: one call, of the critic
    assert "critic and editor 1 " in text
    assert "There is no result.json" in text
    assert "The best so far is candidate #6, with a mean of 0.75 (validate)." in text


def test_the_optimizers_own_numbers_are_charts_and_those_of_runs_are_not(tmp_path: Path):
    rows = [("front", {"pool": at, "front": at % 3}) for at in range(9)]
    folder = tmp_path / "run"

    def write(kept: Journal) -> Iterator[None]:
        for at, (name, data) in enumerate([candidate("a"), evaluation("a", 0.5), *rows]):
            kept.record(f"run/0/search/{at}/{name}", name, data)
            kept.record(f"run/0/search/1/a.e.0/{at}/agreement", "agreement", {"share": at / 10})
        yield

    [(name, programs)] = Page(render_study(runs.journal(folder, write))).index["series"]
    assert (name, [one["program"] for one in programs]) == ("front", ["run/0/search"])
    [[label, values]] = programs[0]["charts"][0]["lines"]
    assert (label, values) == ("front", [0, 1, 2, 0, 1, 2, 0, 1, 2])


def test_an_empty_study_and_no_study(tmp_path: Path):
    page = Page(render_study(studies.written(tmp_path / "empty")))
    assert page.index["ids"] == []
    assert "No winner yet" in page.text
    with pytest.raises(RunError, match="not a run's folder"):
        render_study(tmp_path / "none")
