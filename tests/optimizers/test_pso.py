"""Particle swarms: how they move, what is measured again, and who is kept."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.errors import UserError
from swarmmind.optimizers.candidate import candidate
from swarmmind.optimizers.parameters import ChoiceParameter, NumberParameter, Parameter, TextParameter
from swarmmind.optimizers.particles import Best, Motion, Neighborhood, Particles, trusted
from swarmmind.optimizers.pso import INERTIA, PULL, pso, pso_most
from swarmmind.optimizers.study import Evaluation, Scored
from tests.optimizers.hills import Function, conducted, study

RATE = NumberParameter("rate", 0.001, 1.0, "log")
WIDTH = NumberParameter("width", -4.0, 4.0)
ROUNDS = NumberParameter("rounds", 1, 9, integer=True)
TOPOLOGY = ChoiceParameter("topology", ("vote", "debate", {"kind": "ring"}, True, 1))
SPACE: tuple[Parameter, ...] = (RATE, WIDTH, ROUNDS, TOPOLOGY)
START = {"rate": 0.3, "width": 1.1, "rounds": 3, "topology": 1}


def swarm(count: int = 6, *starts: dict[str, Any], seed: int = 3) -> Particles:
    return Particles([RATE, WIDTH, ROUNDS, TOPOLOGY], starts, count, np.random.default_rng(seed))


def still(**changes: Any) -> Motion:
    plain: dict[str, Any] = {"inertia": 0.0, "cognitive": 0.0, "social": 0.0, "clamp": 0.5, "neighborhood": "global"}
    return Motion(**{**plain, **changes})


@given(seed=st.integers(0, 2**32), steps=st.integers(1, 6), clamp=st.floats(0.01, 5))
def test_particles_stay_within_their_bounds_and_distributions_are_distributions(
    seed: int, steps: int, clamp: float
) -> None:
    particles = swarm(5, START, seed=seed)
    for _ in range(steps):
        particles.fitness = np.random.default_rng(seed).random(5)
        particles.improved(1)
        particles.move(Motion(1.0, 2.0, 2.0, clamp, "ring"))
        assert (particles.position >= 0).all()
        assert (particles.position <= 1).all()
        assert np.allclose(particles.position[:, 3:].sum(axis=1), 1)
        assert (np.abs(particles.velocity) <= clamp).all()
        for at in range(5):
            values = particles.values(at)
            assert [parameter.check(values[parameter.name]) for parameter in SPACE] == [[]] * 4


def test_the_first_particle_begins_at_the_start_exactly_whatever_the_option() -> None:
    for option in TOPOLOGY.options:
        values = swarm(2, {**START, "topology": option}).values(0)
        assert type(values["topology"]) is type(option)
        assert values["topology"] == option
        assert values["rounds"] == 3


def test_a_wall_stops_a_number_and_throws_it_back_with_half_its_speed() -> None:
    particles = swarm(2)
    particles.position[:, 1] = 0.9
    particles.velocity[:, 1] = 0.4
    particles.move(still(inertia=1.0))
    assert particles.position[0, 1] == 1.0
    assert particles.velocity[0, 1] == pytest.approx(-0.2)


def test_each_dimension_has_chance_of_its_own() -> None:
    particles = swarm(1)
    particles.best = particles.position.copy()
    particles.position[0, :3], particles.best[0, :3] = 0.5, 0.6
    particles.velocity[:] = 0
    particles.move(still(cognitive=1.0))
    assert len(set(particles.velocity[0, :3])) == 3
    assert ((particles.velocity[0, :3] > 0) & (particles.velocity[0, :3] < 0.1)).all()


def test_a_best_distribution_is_pulled_to_what_was_drawn() -> None:
    particles = swarm(1)
    drawn = TOPOLOGY.options.index(particles.values(0)["topology"])
    if type(particles.values(0)["topology"]) is int:
        drawn = 4
    particles.improved(0)
    wanted = np.full(5, 0.75 / 5)
    wanted[drawn] += 0.25
    assert particles.best[0, 3:] == pytest.approx(wanted)


@pytest.mark.parametrize(("neighborhood", "leaders"), [("global", [3, 3, 3, 3, 3, 3]), ("ring", [0, 0, 3, 3, 3, 0])])
def test_who_learns_from_whom(neighborhood: Neighborhood, leaders: list[int]) -> None:
    particles = swarm(6)
    particles.fitness = np.array([5.0, 1.0, 2.0, 9.0, 0.0, 3.0])
    assert [particles.leader(at, neighborhood) for at in range(6)] == leaders


def test_the_constants_are_the_constriction() -> None:
    phi = 4.1
    factor = 2 / abs(2 - phi - math.sqrt(phi * phi - 4 * phi))
    assert pytest.approx(factor, abs=1e-4) == INERTIA
    assert pytest.approx(factor * phi / 2, abs=1e-4) == PULL


def bowl(values: Any, example: str, rep: int) -> float:
    away = (WIDTH.to_unit(values["width"]) - 0.8) ** 2 + (RATE.to_unit(values["rate"]) - 0.2) ** 2
    return -away - 0.1 * (values["rounds"] != 5) - 0.1 * (values["topology"] != "debate")


def test_numbers_and_choices_are_found_together(tmp_path: Path) -> None:
    function = Function(bowl)
    end, _ = conducted(pso, study(SPACE, START, train=2, validate=2), function, tmp_path / "j", iterations=40)
    assert end.best.values["topology"] == "debate"
    assert end.best.values["rounds"] == 5
    assert bowl(end.best.values, "", 0) > -1e-3
    assert end.best.parents
    most = pso_most(study(SPACE, START, train=2, validate=2), iterations=40)
    assert end.examples <= most.examples
    assert most.examples == 20 * 79 * 2 + 40 * 2


def test_other_parameters_stay_as_they_are(tmp_path: Path) -> None:
    words = TextParameter("words")
    given = study((words, WIDTH), {"words": "Think.", "width": 0.0}, train=1, validate=0)
    function = Function(lambda values, example, rep: values["width"])
    end, _ = conducted(pso, given, function, tmp_path / "j", iterations=5)
    assert {one.values["words"] for one in end.candidates.values()} == {"Think."}
    assert end.best.values["width"] > 0


def measured(*scores: float | None) -> Best:
    one = candidate({"width": 0.0})
    first, *others = [Evaluation(one, "train", {"train-0": score}, {}) for score in scores]
    best = Best(first)
    for other in others:
        best.add(other)
    return best


def test_a_mean_of_many_measurements_is_trusted_more_than_one_of_few() -> None:
    lucky, proven, poor, down = measured(9.0), measured(8.0, 8.0, 8.0, 8.0), measured(0.0, 2.0), measured(None)
    trust = trusted([lucky, proven, poor, down])
    assert [one.mean for one in (lucky, proven, poor, down)] == [9.0, 8.0, 1.0, -math.inf]
    assert trust[1] > trust[0] > trust[2] > trust[3] == -math.inf
    assert trusted([measured(3.0), measured(5.0), measured(4.0)]).argsort().tolist() == [0, 2, 1]


def noise(values: Any, example: str, rep: int) -> float:
    return random.Random(f"{sorted(values.items())}{rep}").gauss(0, 1)


def test_what_is_measured_again_is_not_believed_for_its_luck(tmp_path: Path) -> None:
    given, reported = study((WIDTH,), {"width": 0.0}, train=1, validate=0), dict[bool, float]()
    for again in (True, False):
        function = Function(noise)
        end, _ = conducted(pso, given, function, tmp_path / f"{again}", iterations=30, remeasure=again)
        assert end.evaluation
        reported[again] = end.evaluation.mean
        assert {rep for _, _, rep in function.asked} == set(range(30 if again else 1))
    assert reported[True] < 2.2  # all are worth 0, with a standard deviation of 1
    assert reported[False] > 2.8


def test_all_particles_of_an_iteration_share_examples_and_chance(tmp_path: Path) -> None:
    function = Function(bowl)
    given = study(SPACE, START, train=10, validate=0)
    conducted(pso, given, function, tmp_path / "j", particles=4, iterations=3, batch=3)
    for rep in range(3):
        asked = [(one, example) for one, example, at in function.asked if at == rep]
        by: dict[str, set[str]] = {}
        for one, example in asked:
            by.setdefault(one, set()).add(example)
        assert len({frozenset(examples) for examples in by.values()}) == 1
        assert len(by) == (4 if rep == 0 else 8)


def test_on_a_plain_nothing_but_the_start_is_kept(tmp_path: Path) -> None:
    for validate in (0, 2):
        given = study(SPACE, START, train=1, validate=validate)
        function = Function(lambda values, example, rep: 0.5)
        end, _ = conducted(pso, given, function, tmp_path / f"{validate}", iterations=6)
        assert end.best.values == START


def test_validation_decides_who_is_kept(tmp_path: Path) -> None:
    given = study((WIDTH,), {"width": 0.0}, train=2, validate=2)
    function = Function(lambda values, example, rep: values["width"] * (1 if example.startswith("train") else -1))
    end, _ = conducted(pso, given, function, tmp_path / "j", iterations=6)
    assert end.best.values == {"width": 0.0}
    assert end.evaluation
    assert end.evaluation.split == "validate"


def test_a_particle_that_cannot_be_scored_at_first_takes_part_later(tmp_path: Path) -> None:
    def outage(values: Any, example: str, rep: int) -> Scored | float:
        return Scored(None, error="down") if rep == 0 and values["width"] < 3 else values["width"]

    given = study((WIDTH,), {"width": -3.0}, train=1, validate=0)
    end, _ = conducted(pso, given, Function(outage), tmp_path / "j", iterations=12)
    assert end.reason == "finished"
    assert end.missing > 0
    assert end.best.values["width"] == pytest.approx(4.0, abs=0.01)


def test_it_says_what_it_cannot_work_with(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="expected a number or a choice"):
        conducted(pso, study((TextParameter("words"),), {"words": "Hi."}), Function(bowl), tmp_path / "a")
    with pytest.raises(UserError, match="expected training examples"):
        conducted(pso, study(SPACE, START, train=0), Function(bowl), tmp_path / "b")


def test_what_can_have_but_one_value_keeps_it(tmp_path: Path) -> None:
    fixed = (
        NumberParameter("a", 2.0, 2.0),
        NumberParameter("b", 3, 3, "log", integer=True),
        ChoiceParameter("c", ("x",)),
    )
    given = study((*fixed, WIDTH), {"a": 2.0, "b": 3, "c": "x", "width": 0.0}, train=1, validate=0)
    function = Function(lambda values, example, rep: values["width"])
    end, _ = conducted(pso, given, function, tmp_path / "j", iterations=4)
    assert {(one.values["a"], one.values["b"], one.values["c"]) for one in end.candidates.values()} == {(2.0, 3, "x")}
