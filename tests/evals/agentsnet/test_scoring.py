from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from swarmmind.evals.agentsnet import PROBLEMS
from swarmmind.evals.agentsnet.instances import tied
from swarmmind.evals.agentsnet.problems import bits
from swarmmind.rng import Streams
from tests.evals.agentsnet.played import network, recorded

CASES: list[dict[str, Any]] = recorded("scoring.json.gz")["cases"]
SQUARE = tied(["Ann", "Amy", "Eve", "Joe"], [(0, 1), (1, 2), (2, 3), (3, 0)])


def rated(problem: str, *answers: Any, inputs: tuple[str, ...] = ()) -> float:
    return PROBLEMS[problem].rating(SQUARE, answers, inputs)


@pytest.mark.parametrize("problem", sorted({case["task"] for case in CASES}))
def test_scores_equal_the_originals(problem: str) -> None:
    cases = [case for case in CASES if case["task"] == problem]
    assert len(cases) > 300
    for case in cases:
        score = PROBLEMS[problem].rating(network(case["graph"]), case["answers"], ())
        assert score == pytest.approx(case.get("score", 0.0), abs=1e-12), case


def test_where_the_original_dies_the_score_is_zero() -> None:
    dead = [case for case in CASES if "error" in case]
    assert len(dead) > 80
    assert {(case["task"], case["error"]) for case in dead} == {("vertex_cover", "ZeroDivisionError")}
    assert all("Yes" not in case["answers"] for case in dead)


def test_a_cover_has_to_be_minimal_not_minimum() -> None:
    assert rated("vertex_cover", "Yes", "No", "Yes", "No") == 1
    assert rated("vertex_cover", "Yes", "Yes", "Yes", "No") == pytest.approx(2 / 3)  # the one in the middle is needless
    assert rated("vertex_cover", "Yes", "No", "No", "No") == 0.5
    star = tied(["Ann", "Amy", "Eve", "Joe"], [(0, 1), (0, 2), (0, 3)])
    assert PROBLEMS["vertex_cover"].rating(star, ["No", "Yes", "Yes", "Yes"], ()) == 1  # though one would do


def test_a_matching_has_to_be_maximal_and_mutual() -> None:
    assert rated("matching", "Amy", "Ann", "Joe", "Eve") == 1
    assert rated("matching", "Amy", "Ann", "None", "None") == 0.5
    assert rated("matching", "Amy", "Eve", "Amy", "None") == 0.75
    assert rated("matching", "Eve", "None", "Ann", "None") == 0.5  # they name each other, and are no neighbors


def test_consensus_on_inputs_has_to_be_somebodys_input() -> None:
    assert rated("consensus-bits", *"0000", inputs=("0", "1", "1", "1")) == 1
    assert rated("consensus-bits", *"0000", inputs=("1",) * 4) == 0
    assert rated("consensus-bits", *"0001", inputs=("0", "1", "1", "1")) == 0
    assert rated("consensus-bits", *[None] * 4, inputs=("1",) * 4) == 0


@pytest.mark.parametrize("agents", [4, 100])
def test_input_bits_are_equal_two_times_in_three(agents: int) -> None:
    draws = [bits(agents, Streams(seed).rng("bits")) for seed in range(3000)]
    assert all(len(draw) == agents and set(draw) <= {"0", "1"} for draw in draws)
    unanimous = Counter(draw[0] for draw in draws if len(set(draw)) == 1)
    assert unanimous.total() / 3000 == pytest.approx(2 / 3, abs=0.03)
    assert unanimous["0"] / unanimous.total() == pytest.approx(0.5, abs=0.04)
    mixed = [draw for draw in draws if len(set(draw)) == 2]
    assert sum(draw.count("1") for draw in mixed) / (len(mixed) * agents) == pytest.approx(0.5, abs=0.04)
