"""Runs against each other: what is paired, where they part, and what cannot be compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import swarmmind
from swarmmind.errors import UserError
from swarmmind.runs.compare import compare_runs
from tests.runs.evals.test_evals import evaluate, suite
from tests.runs.projects import task

WRONG, RIGHT = ({"name": "scripted", "accuracy": accuracy} for accuracy in (0.0, 1.0))


def run(work: Path, **changes: Any) -> Path:
    suite(work)
    data: dict[str, Any] = {"problem": {"dataset": "sums.jsonl"}, "score": {"use": "number"}, **changes}
    return swarmmind.run_sync(task(**data), env={}).path


def test_runs_of_one_data_set_are_paired_and_part_at_the_first_answer(work: Path) -> None:
    found = compare_runs([run(work, model=WRONG), run(work, model=RIGHT)])
    [difference], [parting] = found.differences, found.partings
    assert (difference.mean, difference.n) == (1.0, 3)
    assert parting.found is not None
    assert (parting.found.what, parting.found.alike) == ("answered", 0)
    assert found.notes == []


def test_a_run_is_what_another_one_with_its_seed_is(work: Path) -> None:
    found = compare_runs([run(work), run(work)])
    assert (found.differences[0].mean, found.partings[0].found) == (0.0, None)


def test_runs_that_differ_in_their_seeds_alone_are_one_side(work: Path) -> None:
    seeds = [run(work, model=RIGHT, seed=seed) for seed in (7, 8)]
    found = compare_runs([*seeds, run(work, model=WRONG)])
    assert [len(side.runs) for side in found.sides] == [2, 1]
    with pytest.raises(UserError, match="differ in their seeds alone and are one side"):
        compare_runs(seeds)


def test_evals_are_paired_arm_by_arm_of_one_name(work: Path) -> None:
    grid = {"swarm.topology.samples": [1, 3]}
    first, second = (evaluate(suite(work, grid=grid, model=model)).path for model in (WRONG, RIGHT))
    found = compare_runs([first, second])
    assert [(one.mean, one.n) for one in found.differences] == [(1.0, 6), (1.0, 6)]
    assert len(compare_runs([first]).differences) == 1


def test_what_shares_nothing_is_one_clear_line(work: Path) -> None:
    one = run(work)
    with pytest.raises(UserError, match="not one of each"):
        compare_runs([one, evaluate(suite(work)).path])
    with pytest.raises(UserError, match="share no problem and seed"):
        compare_runs([one, run(work, problem="What is 2 + 3?", score={"use": "number", "target": "5"})])
    with pytest.raises(UserError, match="needs two runs"):
        compare_runs([one])
