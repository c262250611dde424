from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.topologies.swarmsys import Learning, Profiles

RANDOM = np.random.default_rng(5)


def rows(count: int, dimensions: int = 8) -> Any:
    found = RANDOM.normal(size=(count, dimensions))
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_a_verdict_evaporates_every_trail_and_not_only_its_authors() -> None:
    profiles, events = Profiles(rows(3), Learning(evaporation=0.1)), rows(4)
    for at, authors in enumerate([[0], [1], [], [0, 2]]):
        profiles.judged(events[at], authors)
    wanted = [0.9**3 * events[0] + events[3], 0.9**2 * events[1], events[3]]
    np.testing.assert_allclose(profiles.trails, wanted, atol=1e-12)


def test_competence_follows_the_trail_by_the_formula() -> None:
    abilities, event = rows(2), rows(1)[0]
    profiles = Profiles(abilities, Learning(pull=0.4))
    profiles.judged(event, [1])
    pulled = 0.6 * abilities[1] + 0.4 * event / 2
    np.testing.assert_allclose(profiles.competence[0], abilities[0], atol=1e-12)
    np.testing.assert_allclose(profiles.competence[1], pulled / np.linalg.norm(pulled), atol=1e-12)


def test_without_pull_competence_stays_where_the_ability_lies() -> None:
    abilities = rows(3)
    profiles = Profiles(abilities, Learning(pull=0.0))
    profiles.judged(rows(1)[0], [0])
    np.testing.assert_allclose(profiles.competence, abilities, atol=1e-12)


def test_chances_are_a_softmax_of_nearness_less_load_mixed_with_chance() -> None:
    profiles = Profiles(rows(5), Learning(temperature=0.3, exploration=0.2, load=0.5))
    profiles.load = np.array([0.0, 1.0, 0.0, 2.5, 0.3])
    [near] = profiles.nearness(rows(1))
    weights = np.exp((near - 0.5 * profiles.load) / 0.3)
    wanted = 0.8 * weights / weights.sum() + 0.2 / 5
    np.testing.assert_allclose(profiles.draw(near, 1, random.Random(1)).probabilities, wanted, rtol=1e-12)


def test_workers_are_drawn_as_often_as_their_chances_say() -> None:
    profiles, rng = Profiles(rows(4), Learning(temperature=0.4, load=0.0)), random.Random(3)
    [near] = profiles.nearness(rows(1))
    draws = [profiles.draw(near, 1, rng) for _ in range(4000)]
    counts = Counter(draw.drawn[0] for draw in draws)
    for worker, chance in enumerate(draws[0].probabilities):
        assert abs(counts[worker] / 4000 - chance) < 4 * (chance * (1 - chance) / 4000) ** 0.5
    assert abs(sum(draw.explored for draw in draws) / 4000 - 0.1) < 0.02


def test_load_fades_with_every_event_and_grows_with_every_draw() -> None:
    profiles = Profiles(np.eye(2), Learning(temperature=0.01, exploration=0.0, load=0.0))
    for _ in range(3):
        assert profiles.draw(profiles.nearness([[1.0, 0.0]])[0], 1, random.Random(0)).drawn == (0,)
    np.testing.assert_allclose(profiles.load, [1 + 0.8 + 0.64, 0.0])


def test_a_busy_worker_is_spared() -> None:
    profiles = Profiles([[1.0, 0.0], [1.0, 0.0]], Learning(load=0.1))
    near = profiles.nearness([[1.0, 0.0]])[0]
    first = profiles.draw(near, 1, random.Random(0))
    assert first.probabilities[0] == first.probabilities[1]
    assert profiles.draw(near, 1, random.Random(0)).probabilities[first.drawn[0]] < 0.5


@given(st.integers(1, 9), st.integers(1, 12), st.floats(1e-4, 5), st.floats(0, 1), st.integers(0, 99))
def test_a_team_has_no_member_twice(workers: int, team: int, temperature: float, exploration: float, seed: int) -> None:
    profiles = Profiles(rows(workers), Learning(temperature=temperature, exploration=exploration))
    draw = profiles.draw(profiles.nearness(rows(1))[0], team, random.Random(seed))
    assert len(set(draw.drawn)) == len(draw.drawn) == min(team, workers)
    assert draw.probabilities.sum() == pytest.approx(1)


def test_levels_tell_the_strongest_trails_by_kind() -> None:
    profiles = Profiles(rows(40, 2), Learning(evaporation=0.0))
    profiles.judged(np.array([1.0, 0.0]), [7])
    profiles.judged(np.array([1.0, 0.0]), [7])
    profiles.judged(np.array([0.0, 1.0]), list(range(40)))
    names = [f"w{at}" for at in range(40)]
    levels = profiles.levels(names, {"a": np.array([3.0, 0.0]), "b": np.array([0.0, 5.0])})
    assert len(levels) == 32
    assert next(iter(levels.items())) == ("w7 · a", 2.0)
    assert levels["w0 · b"] == 1.0
    assert profiles.levels(names, {}) == {}


def test_a_worker_without_any_ability_can_be_drawn() -> None:
    profiles = Profiles(np.zeros((2, 3)), Learning())
    profiles.judged(np.array([0.0, 1.0, 0.0]), [1])
    assert np.isfinite(profiles.draw(profiles.nearness([[0, 1, 0]])[0], 2, random.Random(0)).probabilities).all()
