"""The rule-based modules slip as often as they say, and their rates are their agents' parameters."""

from __future__ import annotations

import json
import random
from statistics import mean, stdev
from typing import Any

import pytest

from swarmmind.effects import Agent
from swarmmind.evals import environments
from swarmmind.evals.planning import Hanoi, course, graph, hanoi, read_puzzle
from swarmmind.ports import Policy

TOWER = hanoi(3).items[0].text
PUZZLE = Hanoi((0, 0, 0), (2, 2, 2), 10)
MANY = 4000


def module(name: str = "planner", **parameters: Any) -> Policy:
    return environments.policies()[name](Agent("a", "actor", parameters=parameters))


def seen(do: str, **more: Any) -> dict[str, Any]:
    start = "A = [3, 2, 1], B = [], C = []"
    return {"question": TOWER, "do": do, "state": start, "since": [], "goal": "A = [], B = [], C = [3, 2, 1]", **more}


def said(policy: Policy, observation: Any, seed: int = 1) -> Any:
    return json.loads(policy(observation, random.Random(seed)))


def test_the_actor_proposes_as_many_moves_as_it_is_asked_for_with_the_specs_slips() -> None:
    moves = [PUZZLE.read_move(move) for move in said(module(), seen("propose", count=MANY))["moves"]]
    legal = [move for move in moves if move in PUZZLE.moves(PUZZLE.start)]
    assert len(moves) == MANY
    assert 1 - len(legal) / MANY == pytest.approx(0.35, abs=0.03)
    assert legal.count((0, 2)) / len(legal) == pytest.approx(0.5 + 0.5 / 2, abs=0.03)  # there are two legal ones


def test_its_slips_are_its_agents_parameters() -> None:
    assert set(said(module(invalid=0, best=1), seen("propose", count=50))["moves"]) == {"A to C"}
    moves = said(module(invalid=1), seen("propose", count=50))["moves"]
    assert all(PUZZLE.read_move(move) in PUZZLE.illegal(PUZZLE.start) for move in moves)


def test_the_best_move_is_towards_the_goal_it_is_told() -> None:
    actor = module(invalid=0, best=1)
    assert said(actor, seen("propose", count=1, goal="A = [3], B = [2, 1], C = []"))["moves"] == ["A to C"]
    assert said(actor, seen("propose", count=1, goal="A = [3, 2], B = [1], C = []"))["moves"] == ["A to B"]


def test_a_state_is_what_was_described_and_the_moves_since() -> None:
    actor = module(invalid=0, best=1)
    assert said(actor, seen("propose", count=1, since=["A to C"]))["moves"] == ["A to B"]
    assert said(actor, seen("predict", move="A to B", since=["A to C"]))["state"] == "A = [3], B = [2], C = [1]"


@pytest.mark.parametrize(("move", "objects"), [("B to C", 0.95), ("A to C", 0.05), ("hop", 0.95)])
def test_the_monitor_objects_with_reasons(move: str, objects: float) -> None:
    monitor, rng = module(), random.Random(2)
    verdicts = [json.loads(monitor(seen("check", move=move), rng)) for _ in range(MANY)]
    assert mean(not verdict["possible"] for verdict in verdicts) == pytest.approx(objects, abs=0.02)
    assert len({verdict["why"] for verdict in verdicts}) == 2


def test_the_predictor_is_exact_and_leaves_a_state_that_a_move_cannot_change() -> None:
    assert said(module(), seen("predict", move="A to C"))["state"] == "A = [3, 2], B = [], C = [1]"
    assert said(module(), seen("predict", move="C to A"))["state"] == seen("predict")["state"]


def test_the_evaluator_knows_the_distance_give_or_take_a_move() -> None:
    evaluator, rng = module(), random.Random(3)
    values = [json.loads(evaluator(seen("estimate"), rng))["moves_left"] for _ in range(MANY)]
    assert mean(values) == pytest.approx(7, abs=0.06)
    assert stdev(values) == pytest.approx(1, abs=0.05)


def test_an_evaluator_may_count_what_is_misplaced_or_know_nothing() -> None:
    half = {"state": "A = [3], B = [2], C = [1]"}
    assert said(module(knows="mismatch", noise=0), seen("estimate", **half))["moves_left"] == 2
    assert said(module(knows="nothing"), seen("estimate", **half))["moves_left"] == 0


def test_decomposer_and_coordinator_make_no_mistakes() -> None:
    assert said(module(), seen("decompose"))["subgoal"] == "A = [3], B = [2, 1], C = []"
    assert module()(seen("compare"), random.Random(1)) == "no"
    assert module()(seen("compare", state=seen("compare")["goal"]), random.Random(1)) == "yes"


def test_a_goal_that_is_no_state_is_the_problems() -> None:
    walk = graph("revaluation").items[0]
    assert "START: room 1\n" in walk.text
    observation = {"question": walk.text, "state": "room 1", "since": [], "goal": "the room with the largest reward"}
    assert said(module(invalid=0, best=1), {**observation, "do": "propose", "count": 1})["moves"] == ["room 15"]
    assert module()({**observation, "do": "compare", "state": "room 15"}, random.Random(1)) == "yes"


@pytest.mark.parametrize(
    ("name", "least", "most"), [("planner-exact", 1, 1), ("planner", 0.1, 0.5), ("planner-random", 0, 0.3)]
)
def test_asked_for_the_answer_they_make_a_whole_plan(name: str, least: float, most: float) -> None:
    solved: list[bool] = []
    for item in (*hanoi(3).items, *hanoi(4).items, *graph("value-path").items, *graph("step-path-2").items):
        puzzle = read_puzzle(item.text)
        assert puzzle is not None
        plan = module(name)({"question": item.text, "do": "answer"}, random.Random(item.text))
        solved.append(course(puzzle, plan).solved)
    assert least <= mean(solved) <= most


def test_of_other_problems_they_say_that_they_know_nothing() -> None:
    with pytest.raises(ValueError, match=r"planning/hanoi and planning/graph"):
        module()({"question": "How many?", "do": "answer"}, random.Random(1))
