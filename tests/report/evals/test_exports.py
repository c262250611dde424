"""The formats that other programs read: read back by such programs."""

from __future__ import annotations

import csv
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmmind.errors import RunError, UserError
from swarmmind.evals.record import Arm, Manifest, Played, Recorded
from swarmmind.evals.swarmbench.leaderboard import COLUMNS
from swarmmind.evals.table import PublishedRow, Table
from swarmmind.report import EXPORTS, export, format_of

from . import evals

WILD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def quiz(tmp_path: Path) -> tuple[Path, Recorded, Table]:
    """An eval in which one episode in seven has no score."""
    recorded = evals.dice(evals.manifest(6, 2), missing=7)
    table = evals.table(recorded, published=evals.PUBLISHED, threshold=0.7, below=["ring"])
    return evals.written(tmp_path / "run", recorded, table), recorded, table


def cells(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_episode_is_a_line(quiz: tuple[Path, Recorded, Table]):
    folder, recorded, _ = quiz
    [path] = export(folder, "csv")
    assert path == folder / "episodes.csv"
    found, rows = cells(path), list(recorded.rows())
    assert len(found) == len(rows) == 72
    for cell, row in zip(found, rows, strict=True):
        assert (cell["arm"], cell["kind"], cell["instance"]) == (row.arm.name, row.arm.kind, row.instance.id)
        assert (int(cell["seed"]), cell["case"], json.loads(cell["arm_axes"])) == (row.seed, row.case.id, row.arm.axes)
        if row.played is None:
            assert (cell["status"], cell["score"], cell["calls"], cell["seconds"]) == ("missing", "", "", "")
        elif row.played.score is None:
            assert (cell["status"], cell["score"], cell["failed"]) == ("failed", "", "3")
        else:
            assert (cell["status"], float(cell["score"])) == ("scored", row.played.score)
            assert cell["output"] == row.played.output
            assert float(cell["cost_usd"]) == row.played.usage.cost_usd
    assert {cell["status"] for cell in found} == {"missing", "failed", "scored"}


def test_the_table_has_a_line_for_each_row_and_column(quiz: tuple[Path, Recorded, Table]):
    folder, _, table = quiz
    [path] = export(folder, "table")
    found = {(cell["arm"], cell["column"]): cell for cell in cells(path)}
    assert len(found) == 6 * 3 + 2 + 2
    words = table.lines[0].columns["words"]
    assert words.score is not None
    cell = found["vllm/Qwen3-8B · debate", "words"]
    assert (float(cell["mean"]), float(cell["low"]), int(cell["n"])) == (
        words.score.mean,
        words.score.low,
        words.score.n,
    )
    assert float(cell["pass@3"]) == words.pass_at["3"]
    paper = found["o4-mini", "sums"]
    assert (paper["kind"], paper["mean"], paper["sd"], paper["low"]) == ("published", "0.91", "0.04", "")
    assert found["o4-mini", "total"]["mean"] == "0.855"


def test_json_holds_all_of_it(quiz: tuple[Path, Recorded, Table]):
    folder, recorded, table = quiz
    [path] = export(folder, "json")
    found = json.loads(path.read_bytes())
    assert msgspec.convert(found["table"], Table) == table
    assert msgspec.convert(found["manifest"], Manifest) == recorded.manifest
    rows = list(recorded.rows())
    assert [one["score"] for one in found["episodes"]] == [row.played.score if row.played else None for row in rows]
    first = msgspec.convert(found["episodes"][0], Played)
    assert rows[0].played is not None
    assert (first.output, first.usage) == (rows[0].played.output, rows[0].played.usage)


def test_build_servers_count_what_failed(quiz: tuple[Path, Recorded, Table]):
    folder, recorded, _ = quiz
    [path] = export(folder, "junit")
    suites = ET.parse(path).getroot()
    assert [suite.get("name") for suite in suites] == [
        "eval.vllm/Qwen3-8B · debate", "eval.vllm/Qwen3-8B · ring", "eval.threshold",
    ]  # fmt: skip
    rows = [row for row in recorded.rows() if row.arm.id == "ring"]
    scores = [row.played and row.played.score for row in rows]
    assert suites[1].get("tests") == str(len(rows)) == str(len(suites[1]))
    assert suites[1].get("failures") == str(scores.count(0.0)) == str(len(suites[1].findall("testcase/failure")))
    lost = sum(row.played is not None and row.played.score is None for row in rows)
    assert suites[1].get("errors") == str(lost) == str(len(suites[1].findall("testcase/error")))
    assert suites[1].get("skipped") == str(sum(row.played is None for row in rows))
    assert suites[1][0].get("classname") == "eval.vllm/Qwen3-8B · ring"
    failure = suites[1].find("testcase/failure")
    assert failure is not None
    assert "score 0, expected 1 or more: expected" in str(failure.get("message"))
    assert "output: I think it is" in str(failure.text)
    assert [case.get("name") for case in suites[2] if len(case)] == ["vllm/Qwen3-8B · ring"]


def test_an_episode_passes_with_the_threshold_where_that_speaks_of_one(tmp_path: Path):
    def failures(**more: object) -> int:
        given_ = evals.manifest(2, 1, evals.ARMS[:1], threshold=0.6, **more)
        recorded = evals.dice(given_)
        played = {label: Played(0.7) for label in recorded.played}
        folder = evals.written(tmp_path / str(len(list(tmp_path.iterdir()))), Recorded(given_, played))
        return len(ET.parse(export(folder, "junit")[0]).getroot()[0].findall("testcase/failure"))

    assert failures() == 0
    assert failures(headline="sum") == 2
    assert failures(units={"sums": 0.5}) == 2


def test_a_leaderboard_in_markdown(quiz: tuple[Path, Recorded, Table]):
    folder, _, _ = quiz
    lines = export(folder, "markdown")[0].read_text("utf-8").splitlines()
    board = [line for line in lines if line.startswith("|")]
    assert len({line.count(" | ") for line in board}) == 1
    assert len(board) == 2 + 6 + 2
    assert board[3].startswith("| vote (same tokens) | ")
    assert "| 0.910 ± 0.040 |" in board[-2]
    assert lines[-1] == "6 instances, 2 seeds each; 72 planned = 62 finished + 5 failed + 5 cancelled episodes."


def test_swarmbench_has_the_units_of_its_paper(tmp_path: Path):
    recorded = evals.dice(evals.manifest(published="swarmbench"))
    plain = evals.table(recorded)
    lines = [
        msgspec.structs.replace(line, columns=dict.fromkeys(COLUMNS, line.columns["sums"])) for line in plain.lines
    ]
    paper = PublishedRow("o4-mini", dict.fromkeys(COLUMNS, (1.5, 0.25)), None, "table 1")
    table = msgspec.structs.replace(plain, columns=list(COLUMNS), lines=lines, published=[paper])
    board = export(evals.written(tmp_path, recorded, table), "markdown")[0].read_text("utf-8")
    assert "| 1.50 ± 0.25 |" in board
    assert "| 7.50 |" in board
    other = export(evals.written(tmp_path / "other", recorded, plain), "markdown")[0].read_text("utf-8")
    assert "| arm | mean | sums | words |" in other


@pytest.mark.parametrize("name", EXPORTS)
def test_hostile_texts_stay_texts(tmp_path: Path, name: str):
    folder = evals.written(tmp_path / "run", evals.hostile(), talk=1)
    for path in export(folder, name):
        raw = path.read_bytes()
        if name != "inspect":
            assert not WILD.search(raw.decode("utf-8"))
        if name in ("junit", "markdown"):
            assert b"<script" not in raw
            assert b"<img" not in raw
        if name == "junit":
            [case, *_] = ET.fromstring(raw.decode()).iter("testcase")
            assert evals.SIGNS in str(case.get("classname"))
        if name == "csv":
            assert all(len(cell) < 33_000 for line in cells(path) for cell in line.values())
        if name == "json":
            assert json.loads(raw)["episodes"][0]["reason"] == f"-{evals.HOSTILE}"
            assert len(json.loads(raw)["episodes"][0]["output"]) > 200_000


@settings(max_examples=30)
@given(st.text(max_size=60), st.sampled_from(["", "=", "+", "-", "@", "\t=", " =", "\r@", "＝", "\n-"]))
def test_no_text_is_a_formula_or_breaks_a_file(words: str, start: str):
    said = start + words
    given_ = evals.manifest(2, 1, [Arm("a", said)])
    recorded = Recorded(given_, {label: Played(0.5, said, said, error=said, metrics={said: 1.0})
                                 for label in evals.dice(given_).played})  # fmt: skip
    with TemporaryDirectory() as name:
        folder = evals.written(Path(name), recorded)
        found = cells(export(folder, "csv")[0])
        case = ET.parse(export(folder, "junit")[0]).getroot()[0][0]
        told = json.loads(export(folder, "json")[0].read_bytes())["episodes"][0]
    assert len(found) == 2
    for text in (value for line in found for value in line.values()):
        assert not re.match(r"\s*[=+@＝＋－＠]|\s*-(?![\d.])", text)
        assert not WILD.search(text)
    assert "score 0.5, expected 1 or more" in str(case[0].get("message"))
    assert told.get("output", "") == said


def test_paths_and_their_mistakes(quiz: tuple[Path, Recorded, Table], tmp_path: Path):
    folder, _, _ = quiz
    assert export(folder, "csv", tmp_path / "out.csv") == [tmp_path / "out.csv"]
    assert export(folder, "json", tmp_path) == [tmp_path / "eval.json"]
    with pytest.raises(UserError, match=r"expected one of csv, .*got 'jnit'; did you mean 'junit'\?"):
        export(folder, "jnit")
    with pytest.raises(UserError, match=r"nowhere/out\.csv: cannot be written \(No such file"):
        export(folder, "csv", tmp_path / "nowhere" / "out.csv")
    with pytest.raises(UserError, match="expected a folder, for 6 rows make as many logs"):
        export(folder, "inspect", tmp_path / "one.eval")
    with pytest.raises(RunError, match="is no eval"):
        export(tmp_path, "csv")


def test_a_format_is_known_by_its_ending():
    paths = ["a.csv", "a.table.csv", "a.json", "a.xml", "a.md", "a.eval"]
    assert [format_of(Path(path)) for path in paths] == list(EXPORTS)
    with pytest.raises(UserError, match=r"a\.txt: expected a path that ends in one of \.csv, "):
        format_of(Path("a.txt"))


def test_files_are_whole_or_not_there(quiz: tuple[Path, Recorded, Table]):
    folder, _, _ = quiz
    path = folder / "episodes.csv"
    path.write_text("the old one")
    db = folder / "journal.sqlite"
    db.write_bytes(db.read_bytes()[:100] + b"damaged")
    with pytest.raises(RunError):
        export(folder, "csv")
    assert path.read_text() == "the old one"
    assert not [one for one in folder.iterdir() if one.name.startswith(".")]


def test_an_eval_that_goes_on_is_told_as_it_is(quiz: tuple[Path, Recorded, Table]):
    folder, recorded, table = quiz
    stale = msgspec.structs.replace(table, finished=1, failed=0, cancelled=71)
    evals.runs.result(folder, eval=msgspec.to_builtins(stale))
    found = json.loads(export(folder, "json")[0].read_bytes())["table"]
    assert (found["finished"], found["failed"], found["cancelled"]) == (62, 5, 5)
    (folder / "result.json").unlink()
    assert json.loads(export(folder, "json")[0].read_bytes())["table"]["finished"] == 62
    assert recorded.manifest.name == found["name"]
