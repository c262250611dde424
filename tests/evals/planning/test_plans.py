"""How a plan is judged."""

from __future__ import annotations

from typing import Any

import pytest

from swarmmind.effects import Program, Record
from swarmmind.evals.datasets import Dataset, factory
from swarmmind.evals.planning import Course, course, graph, hanoi, read_puzzle
from swarmmind.evals.scoring import Answer, Mark

TOWER = hanoi(3).items[0]
BEST = "A to C; A to B; C to B; A to C; B to A; B to C; A to C"


def judged(output: Any, data: Dataset | None = None, at: int = 0) -> tuple[Mark, dict[str, float]]:
    """The mark, and what was measured with it."""
    data = data or hanoi(3)
    assert data.scoring is not None
    assert data.scoring.grade is not None
    item, records = data.items[at], list[Record]()
    context: Any = None  # judging a plan takes no chance
    mark = _driven(data.scoring.grade(context, Answer(item.text, output, item.target)), records)
    assert mark.score == data.scoring.score(output, item.target)
    return mark, records[-1].data


def _driven(grading: Program, records: list[Record]) -> Mark:
    """What a program returns that records facts and nothing else."""
    while True:
        try:
            wanted: Any = next(grading)
        except StopIteration as end:
            return end.value
        records += wanted


@pytest.mark.parametrize(
    ("output", "score", "measured"),
    [
        (f"First this.\nANSWER: {BEST}", 1, {"moves": 7, "invalid": 0, "detour": 0}),
        (f"ANSWER: {BEST.lower()}.", 1, {"moves": 7, "invalid": 0, "detour": 0}),
        (f"ANSWER: B to C; {BEST}", 1, {"moves": 8, "invalid": 1, "detour": 1}),
        (f"ANSWER: hop; {BEST}", 1, {"moves": 8, "invalid": 1, "detour": 1}),
        (f"ANSWER: {BEST}; C to A", 0, {"moves": 8, "invalid": 0}),
        (f"ANSWER: {BEST}; B to A; B to A; B to A; B to A", 0, {"moves": 11, "invalid": 3}),
        ("ANSWER: no moves", 0, {"moves": 0, "invalid": 0}),
        ("I do not know.", 0, {"moves": 1, "invalid": 1}),
    ],
)
def test_a_plan_is_played_move_by_move(output: str, score: float, measured: dict[str, float]) -> None:
    mark, found = judged(output)
    assert (mark.score, found) == (score, measured)
    assert f"{measured['moves']} moves, {measured['invalid']} of them invalid" in mark.reason
    assert mark.reason.endswith("the shortest plan has 7")


def test_a_step_path_must_be_the_shortest_and_a_value_path_need_not_be() -> None:
    steps = graph("step-path-2")
    walk = read_puzzle(steps.items[0].text)
    assert walk is not None
    first, last = steps.items[0].target["plan"].split("; ")
    around = f"{first}; {walk.write_move(walk.start)}; {first}; {last}"
    assert judged(f"ANSWER: {around}", steps)[0].score == 0
    assert judged(f"ANSWER: {first}; {last}", steps)[0].score == 1
    value = graph("value-path")
    start = value.items[5]
    assert "START: room 6" in start.text
    assert judged("ANSWER: room 7; room 8", value, 5)[0].score == 1  # one door would have been enough


def test_the_smaller_reward_ends_the_walk() -> None:
    value = graph("value-path")
    assert "START: room 1\n" in value.items[0].text
    mark, found = judged("ANSWER: room 15; room 1; room 2; room 5; room 6; room 8", value)
    assert (mark.score, found["invalid"]) == (0, 5)


def test_equal_plans_are_read_alike_so_that_they_can_be_voted_on() -> None:
    scoring = hanoi(3).scoring
    assert scoring is not None
    assert scoring.read(f"so ANSWER: {BEST}") == scoring.read(f"ANSWER:  {BEST.upper()}.") == BEST.lower()
    assert scoring.read("ANSWER: no moves") is None


def test_a_target_that_is_none_scores_nothing() -> None:
    scoring = hanoi(3).scoring
    assert scoring is not None
    assert scoring.score(BEST, "A to C") == scoring.score(BEST, {"problem": "How many?"}) == 0


def test_the_course_says_what_came_of_it() -> None:
    found = read_puzzle(TOWER.text)
    assert found is not None
    assert course(found, None) == Course(False, 0, 0, 7)


def test_the_data_sets_are_in_the_box() -> None:
    assert len(factory("planning/hanoi")(disks=4).items) == 80
    assert len(factory("planning/graph")(task="detour").items) == 13
