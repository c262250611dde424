from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

import swarmmind
from swarmmind.effects import Agent
from swarmmind.evals.worksheet import needs, parts, solve, worksheet
from swarmmind.runtime.journal import content
from swarmmind.spec import load_task

EXAMPLE = Path(__file__).parents[2] / "examples" / "swarmsys" / "task.yaml"


@pytest.mark.parametrize(
    ("task", "answer"),
    [
        ("Which number is the Roman numeral MCMXCIV?", 1994),
        ("How many letters has 1888 as a Roman numeral?", 13),
        ("How many letters has 444 as a Roman numeral?", 6),
        ("How many days is it from 2023-12-31 to 2024-03-01?", 61),
        ("Which day of the week is 1969-07-20? Answer 1 for Monday to 7 for Sunday.", 7),
        ("Which decimal number is ff in base 16?", 255),
        ("What is the digit sum of 14 in base 3?", 4),
        ("What is the digit sum of the result of part 3 in base 10?", 6),
        ("Add the results of parts 1, 2 and 3.", 136),
        ("Multiply 6 by the result of part 1.", 60),
        ("What is the remainder of the result of part 3 divided by 100?", 23),
        ("Add the results of parts 1 and 9.", None),
        ("Add the result of part 4.", None),
        ("Which number is the Roman numeral IVORY?", None),
        ("Which day of the week is 2023-02-30? Answer 1 for Monday to 7 for Sunday.", None),
        ("Which decimal number is 9 in base 2?", None),
        ("What is love?", None),
    ],
)
def test_parts_are_solved_from_what_is_there(task: str, answer: int | None) -> None:
    assert solve(task, {"1": "10", "2": "3", "3": "123", "4": "unknown"}) == answer


def test_a_worksheet_is_read_with_what_its_parts_need() -> None:
    text = "Two parts.\n  1. [roman] Which number is the Roman numeral X?\n2. [sum] Add the results of parts 1 and 1.\n"
    assert [(part.number, part.kind, part.needs) for part in parts(text)] == [(1, "roman", ()), (2, "sum", ("1", "1"))]
    assert needs("Add the results of parts 10, 2 and 13.") == ("10", "2", "13")


def test_the_answer_of_the_example_is_right() -> None:
    task = load_task(EXAMPLE, env={}).task
    results: dict[str, str] = {}
    for part in parts(str(task.problem)):
        results[str(part.number)] = str(solve(part.task, results))
    assert len(results) == 24
    assert task.score is not None
    assert results["24"] == task.score.target


def asked(role: str, observation: dict[str, Any], **parameters: Any) -> list[dict[str, Any]]:
    policy, rng = worksheet(Agent(f"{role}-0", role, parameters=parameters)), random.Random(1)
    return [json.loads(policy(observation, rng)) for _ in range(600)]


SUM = {"event": "1", "task": "Add 2 and 3.", "requires": "sum", "results": {}, "own": None, "others": []}


def test_workers_are_right_as_often_as_their_hidden_skill_lets_them() -> None:
    right = {
        skill: sum(one["answer"] == "5" for one in asked("worker", {"do": "work", **SUM}, skill=skill)) / 600
        for skill in ("sum", "roman")
    }
    assert right["sum"] == pytest.approx(0.95, abs=0.04)
    assert right["roman"] == pytest.approx(0.35, abs=0.07)


def test_validators_check_and_slip_now_and_then() -> None:
    for answer, holds in (("5", True), ("6", False), ("five", False)):
        accepted = [one["accept"] for one in asked("validator", {"do": "judge", **SUM, "answer": answer})]
        assert accepted.count(holds) / 600 == pytest.approx(0.96, abs=0.03)


def test_explorers_propose_everything_once_and_again_what_was_refused() -> None:
    task = "\n".join(f"{n}. [sum] Add {n} and 1." for n in range(1, 11))
    policy, rng = worksheet(Agent("explorer-0", "explorer")), random.Random(1)
    turns = [
        [event["id"] for event in json.loads(policy({"task": task, "refused": refused}, rng))["events"]]
        for refused in ([], ["3"], [])
    ]
    assert turns == [list("12345678"), ["3", "9", "10"], []]


def test_the_example_learns_whom_to_ask(work: Path) -> None:
    """Over a few seeds: the chance given to those whose work was accepted grows, and without learning it does not."""
    gains: dict[float, list[float]] = {0.25: [], 0.0: []}
    for pull, found in gains.items():
        for seed in range(3):
            result = swarmmind.run_sync(
                EXAMPLE, runs=work, env={}, overrides=[f"seed={seed}", f"swarm.topology.learning.pull={pull}"]
            )
            assert result.status == "finished"
            [metrics] = [row[3] for row in content(Path(result.folder) / "journal.sqlite") if row[2] == "metrics"]
            found.append(json.loads(metrics)["allocation_gain"])
    assert min(gains[0.25]) > max(gains[0.0])
