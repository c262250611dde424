"""Flip rates and pass@k against known values, detectable differences and seeds needed against their definitions."""

from __future__ import annotations

import math
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from swarmmind.evals.statistics import (
    Moments,
    detectable,
    flip_rate,
    moments,
    pass_at,
    pass_at_k,
    seeds_needed,
)


@pytest.mark.parametrize(
    ("n", "right", "k", "wanted"),
    [(10, 3, 1, 0.3), (5, 2, 2, 0.7), (5, 0, 3, 0.0), (5, 3, 3, 1.0), (200, 1, 100, 0.5)],
)
def test_known_values_of_pass_at_k(n: int, right: int, k: int, wanted: float) -> None:
    assert pass_at_k(n, right, k) == pytest.approx(wanted)


@given(st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_share_of_all_choices_with_a_right_one(drawn: tuple[int, int, int]) -> None:
    n, right, k = drawn
    chosen = list(combinations([True] * right + [False] * (n - right), k))
    assert pass_at_k(n, right, k) == pytest.approx(sum(map(any, chosen)) / len(chosen))


@pytest.mark.parametrize(("n", "right", "k"), [(3, 1, 4), (3, 4, 1), (3, -1, 1), (3, 1, 0)])
def test_pass_at_k_of_more_than_there_are(n: int, right: int, k: int) -> None:
    with pytest.raises(ValueError, match="needs 1 <= k <= n"):
        pass_at_k(n, right, k)


def test_pass_at_is_the_mean_over_instances_up_to_the_fewest_seeds() -> None:
    found = pass_at([[1, 0, 0], [1, 1, 1, 1], [0.9, 0, 0], []])
    assert list(found) == ["1", "2", "3"]
    assert found["1"] == pytest.approx((1 / 3 + 1 + 0) / 3)
    assert found["2"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert pass_at([[1.0], [0.0, 1.0]]) == {}


def test_instances_that_are_not_always_scored_the_same_flip() -> None:
    assert flip_rate([[1, 1], [0, 1, 0], [0, 0], [1]]) == pytest.approx(1 / 3)
    assert flip_rate([[1], [0]]) is None


def test_the_detectable_difference_is_found_four_times_out_of_five() -> None:
    found = moments([[1.0], [2.0], [4.0], [4.5], [0.5]])
    effect = detectable(found)
    assert effect is not None
    assert found.variance is not None
    least = stats.t.ppf(0.975, 4)
    assert stats.nct.sf(least, 4, effect / math.sqrt(found.variance)) == pytest.approx(0.8, abs=1e-6)
    many = Moments(0.0, 0.01, 1e6, 0.0, 0.01, 1.0, 10, 10, share=False)
    assert detectable(many) == pytest.approx(0.1 * (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)), rel=1e-4)
    assert detectable(moments([[1.0, 2.0]])) is None
    assert detectable(moments([[1.0], [1.0]])) is None


def made(between: float, within: float, instances: int, seeds: int) -> Moments:
    shrinks = within / seeds / instances
    return Moments(0.0, between / instances + shrinks, instances - 1, 0.0, shrinks, 1.0, 0, instances, share=False)


def test_so_many_seeds_are_enough_and_one_less_is_not() -> None:
    needed = seeds_needed(made(0.02, 1.0, 40, 2), 2, 0.2)
    assert needed is not None
    assert needed > 2
    enough, short = detectable(made(0.02, 1.0, 40, needed)), detectable(made(0.02, 1.0, 40, needed - 1))
    assert enough is not None
    assert short is not None
    assert enough <= 0.2 < short


def test_no_number_of_seeds_helps_against_what_differs_between_instances() -> None:
    assert seeds_needed(made(1.0, 1.0, 10, 2), 2, 0.2) is None
    assert seeds_needed(made(1.0, 1.0, 10, 2), 2, 0.0) is None


def test_one_seed_each_cannot_tell_how_many_would_do() -> None:
    assert seeds_needed(moments([[0.1], [0.2], [-0.3], [0.4]]), 1, 0.1) is None


def test_in_a_world_seeds_are_the_clusters() -> None:
    found = moments([[0.0], [1.0], [2.0], [1.5]])
    needed = seeds_needed(found, 4, 0.5, worlds=True)
    assert needed is not None
    wanted = next(
        n for n in range(5, 1000)
        if stats.nct.sf(stats.t.ppf(0.975, n - 1), n - 1, 0.5 / (stats.tstd([0, 1, 2, 1.5]) / math.sqrt(n))) >= 0.8
    )  # fmt: skip
    assert needed == wanted
