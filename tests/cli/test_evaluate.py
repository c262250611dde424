"""`swarmmind eval` at the terminal: one record, its exit codes, and mistakes that are told at once."""

from __future__ import annotations

import json
from pathlib import Path

from tests.runs.evals.test_evals import suite

from .conftest import Command
from .test_commands import is_refused, record


def test_it_prints_one_record_and_what_misses_the_threshold_is_the_exit_code(swarmmind: Command, work: Path) -> None:
    suite(work, model={"name": "scripted", "accuracy": 1.0}, compare=["vote"])
    said = swarmmind("eval", "task.yaml", "--json", "--seeds", "1", "--threshold", "0.9", "-o", "rows.json")
    assert (said.code, record(said)["eval"]["finished"]) == (0, 6)
    assert json.loads((work / "rows.json").read_text(encoding="utf-8"))
    said = swarmmind("eval", "task.yaml", "--json", "--set", "model.accuracy=0", "--threshold", "0.9")
    assert (said.code, record(said)["eval"]["below"]) == (100, ["a1"])


def test_a_file_that_cannot_be_written_is_told_before_anything_is_played(swarmmind: Command, work: Path) -> None:
    suite(work)
    said = swarmmind("eval", "task.yaml", "-o", "nowhere/rows.csv")
    assert is_refused(said, work)
    assert "there is no folder nowhere" in said.err
