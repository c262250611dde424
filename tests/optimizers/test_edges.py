"""Learned edges: uphill without bias, all graphs of a step measured alike, and what is kept is a graph."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from swarmmind.errors import UserError
from swarmmind.optimizers import OPTIMIZERS
from swarmmind.optimizers.candidate import candidate
from swarmmind.optimizers.conduct import Conclusion, Stops
from swarmmind.optimizers.edges import CERTAIN, Baseline, Learner, certain, edges, edges_most, shared
from swarmmind.optimizers.parameters import EdgesParameter, NumberParameter, Parameter
from swarmmind.optimizers.study import Evaluation, Scored
from swarmmind.runtime.journal import content
from swarmmind.topologies.gptswarm.edges import FINAL, Edges, Realization, name, potential
from tests.optimizers.hills import Function, conducted, study

PAIRS = potential([["a"], ["b"], ["c"]])
NAMES = tuple(name(pair) for pair in PAIRS)
EDGES = EdgesParameter("edges", NAMES)
FLAT = dict.fromkeys(NAMES, 0.0)
WANTED = {"a > final", "b > c"}


def taken(values: Mapping[str, Any]) -> set[str]:
    return {edge for edge, x in values["edges"].items() if x > 0}


def likeness(values: Mapping[str, Any], example: str, rep: int) -> float:
    """The share of edges that are as they should be; only two of them should be there."""
    return sum((edge in taken(values)) == (edge in WANTED) for edge in NAMES) / len(NAMES)


def learned(journal: Path, function: Function, start: Mapping[str, float] = FLAT, **given: Any) -> Conclusion:
    one = study((EDGES,), {"edges": dict(start)}, train=12, validate=6)
    return conducted(edges, one, function, journal, **given)[0]


def steps(journal: Path) -> list[Any]:
    found = [json.loads(row[3]) for row in content(journal) if row[0] == "record" and row[2] == "edges"]
    return sorted(found, key=lambda one: one["step"])


def test_it_finds_the_edges_that_matter_and_keeps_a_graph_that_is_certain(tmp_path: Path) -> None:
    end = learned(tmp_path / "j", Function(likeness), steps=60)
    assert taken(end.best.values) == WANTED
    assert set(map(abs, end.best.values["edges"].values())) == {CERTAIN}
    assert end.evaluation is not None
    assert (end.evaluation.split, end.evaluation.mean) == ("validate", 1.0)
    logits = steps(tmp_path / "j")[-1]["logits"]
    assert {edge for edge, x in logits.items() if x > 0} == WANTED


def test_the_graphs_of_a_step_share_examples_and_chance_and_steps_share_neither(tmp_path: Path) -> None:
    function = Function(likeness)
    learned(tmp_path / "j", function, steps=9, examples=4)
    by_rep: dict[int, dict[str, set[str]]] = {}
    for graph, example, rep in function.asked:
        if example.startswith("train"):
            by_rep.setdefault(rep, {}).setdefault(graph, set()).add(example)
    assert sorted(by_rep) == list(range(1, 10))
    batches = [list(graphs.values()) for graphs in by_rep.values()]
    assert all(one == graphs[0] and len(one) == 4 for graphs in batches for one in graphs)
    assert all(
        set.union(*(batches[at + i][0] for i in range(3))) >= {f"train-{i}" for i in range(12)} for at in (0, 3, 6)
    )


def test_equal_utilities_move_nothing(tmp_path: Path) -> None:
    learned(tmp_path / "j", Function(lambda v, e, rep: 1.0), steps=5)
    assert steps(tmp_path / "j")[-1]["logits"] == FLAT


def test_a_graph_that_validation_likes_less_is_not_kept(tmp_path: Path) -> None:
    end = learned(
        tmp_path / "j", Function(lambda v, e, rep: likeness(v, e, rep) if e.startswith("train") else -len(taken(v)))
    )
    assert end.best.values["edges"] == FLAT


def test_missing_scores_are_left_out_for_all_graphs_of_a_step(tmp_path: Path) -> None:
    def scores(**found: float | None) -> Evaluation:
        return Evaluation(candidate({"x": 1}), "train", found, {})

    assert shared([scores(a=1.0, b=None), scores(a=0.5, b=1.0)]) == [1.0, 0.5]
    assert shared([scores(a=1.0, b=None), scores(a=None, b=1.0)]) == []
    turns = Counter[str]()

    def flaky(values: Mapping[str, Any], example: str, rep: int) -> Scored:
        turns[f"{example}/{rep}"] += 1
        lost = example.startswith("train") and (turns[f"{example}/{rep}"] + int(example[6:])) % 2
        return Scored(None, error="timeout") if lost else Scored(likeness(values, example, rep))

    end = learned(tmp_path / "j", Function(flaky), steps=3, examples=12, samples=2)
    assert end.missing > 0
    assert [one["utilities"] for one in steps(tmp_path / "j")] == [[], [], []]
    assert steps(tmp_path / "j")[-1]["logits"] == FLAT


def test_what_is_drawn_from_certain_logits_is_that_graph_and_no_other() -> None:
    rng = random.Random(1)
    for _ in range(50):
        drawn = Edges.of(PAIRS, logits=FLAT).realize(rng)
        chances = Edges.of(PAIRS, logits=certain(Edges.of(PAIRS), drawn.edges))
        assert chances.realize(rng).edges == chances.above() == drawn.edges


def utility(drawn: Realization) -> float:
    return 2.0 + 0.4 * (("a", "b") in drawn.edges) - 0.3 * (("b", FINAL) in drawn.edges)


@pytest.mark.parametrize("baseline", ["leave-one-out", "none"])
def test_a_step_without_adam_is_the_gradient_of_the_expected_utility(baseline: Baseline) -> None:
    """Adam's first step has the sign of the gradient; over many first steps the signs agree with the true slopes."""
    rng, up = random.Random(1), np.zeros(len(NAMES))
    for _ in range(400):
        learner = Learner(FLAT, NAMES, 0.1, baseline)
        drawn = [learner.chances.realize(rng) for _ in range(32)]
        learner.learn(drawn, list(map(utility, drawn)))
        up += np.array(learner.chances.logits) / 0.1
    found = dict(zip(NAMES, up / 400, strict=True))
    strong = {"leave-one-out": 0.5, "none": 0.1}[baseline]
    assert found["a > b"] > strong
    assert found["b > final"] < -strong
    assert abs(found["c > final"]) < 0.2


def test_leaving_one_out_takes_no_notice_of_what_all_graphs_share() -> None:
    ends: list[tuple[float, ...]] = []
    for shift in (0.0, 1000.0):
        learner, rng = Learner(FLAT, NAMES), random.Random(1)
        for _ in range(10):
            drawn = [learner.chances.realize(rng) for _ in range(4)]
            learner.learn(drawn, [utility(one) + shift for one in drawn])
        ends.append(learner.chances.logits)
    assert ends[0] == pytest.approx(ends[1], abs=1e-6)


def test_a_moving_average_remembers_earlier_steps() -> None:
    """The second step's graphs are all better than the first's: what they took goes up, if the first is remembered."""
    moved: dict[str, float] = {}
    for baseline in ("moving-average", "leave-one-out"):
        learner = Learner(FLAT, NAMES, 0.1, baseline)
        only = [Realization((PAIRS[0],), "100000000", 0.0)] * 2
        learner.learn(only, [0.0, 0.0])
        learner.learn(only, [1.0, 1.0])
        moved[baseline] = learner.chances.logits[0]
    assert moved["moving-average"] > 0
    assert moved["leave-one-out"] == 0


def test_adam_is_adam() -> None:
    """Two slopes that are known: steps by hand, from the paper's algorithm."""
    learner = Learner(FLAT, NAMES, 0.1, "none", lambda chances, decisions: [1.0] + [0.0] * (len(NAMES) - 1))
    drawn = [Realization((), "000000000", 0.0)] * 2
    expected, m, v = 0.0, 0.0, 0.0
    for step, slope in enumerate((1.0, -3.0), 1):
        learner.learn(drawn, [slope, slope])
        m, v = 0.9 * m + 0.1 * slope, 0.999 * v + 0.001 * slope**2
        expected += 0.1 * (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)) ** 0.5 + 1e-8)
        assert learner.chances.logits == pytest.approx((expected, *[0.0] * (len(NAMES) - 1)))


def test_skipped_edges_do_not_move() -> None:
    learner = Learner(FLAT, NAMES, 0.1)
    learner.learn([Realization((), "1..000000", 0.0), Realization((), "0..111111", 0.0)], [1.0, 0.0])
    assert learner.chances.logits[1:3] == (0.0, 0.0)
    assert learner.chances.logits[0] > 0 > learner.chances.logits[3]


def test_its_price_is_the_most_that_it_takes(tmp_path: Path) -> None:
    one = study((EDGES,), {"edges": FLAT}, train=12, validate=6)
    cases: list[dict[str, Any]] = [
        {"steps": 7, "samples": 3, "check_every": 3},
        {"steps": 6, "examples": 100, "check_every": 3},
    ]
    for given in cases:
        function = Function(lambda v, e, rep: random.Random(f"{v}{e}{rep}").random())
        end, _ = conducted(edges, one, function, tmp_path / str(given["steps"]), **given)
        most = edges_most(one, **given)
        assert 0.9 * most.examples < end.examples <= most.examples
        assert most.asks == 0


def test_a_wall_keeps_what_there_was(tmp_path: Path) -> None:
    end = learned(tmp_path / "j", Function(likeness), steps=50, check_every=1, stops=Stops(examples=600))
    assert end.reason == "examples"
    assert 560 < end.examples <= 600
    assert end.evaluation is not None
    assert end.evaluation.mean > 0.5


@pytest.mark.parametrize(
    ("parameters", "start", "validate", "said"),
    [
        ((NumberParameter("x", 0, 1),), {"x": 0.5}, 5, "found 0"),
        ((EDGES, EdgesParameter("more", ("a > b",))), {"edges": FLAT, "more": {"a > b": 0.0}}, 5, "found 2"),
        ((EDGES,), {"edges": FLAT}, 0, "others to choose by"),
    ],
)
def test_studies_that_it_cannot_work_with_are_refused(
    tmp_path: Path, parameters: tuple[Parameter, ...], start: Any, validate: int, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        conducted(edges, study(parameters, start, validate=validate), Function(likeness), tmp_path / "j")


def test_it_is_found_by_its_file() -> None:
    assert OPTIMIZERS["edges"].program is edges
    assert not OPTIMIZERS["edges"].asks


def test_a_graph_that_cannot_be_scored_is_left_out_and_the_others_learn(tmp_path: Path) -> None:
    def failing(values: Mapping[str, Any], example: str, rep: int) -> Scored | float:
        lost = "a > b" in taken(values) or (example.startswith("validate") and "b > c" in taken(values))
        return Scored(None, error="no team") if lost else likeness(values, example, rep)

    end = learned(tmp_path / "j", Function(failing), steps=30)
    assert end.reason == "finished"
    assert end.evaluation is not None
    assert not taken(end.best.values) & {"a > b", "b > c"}
    found = steps(tmp_path / "j")
    assert {len(one["utilities"]) for one in found} >= {2, 3, 4}
    assert found[-1]["logits"]["a > final"] > 0 > found[-1]["logits"]["c > final"]
