from __future__ import annotations

from random import Random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.evals.sorting import aggregation, aligned, delayed_gratification, error


def test_the_error_is_the_share_of_adjacent_pairs_out_of_order() -> None:
    assert error([1, 2, 3, 4]) == 0.0
    assert error([4, 3, 2, 1]) == 1.0
    assert error([2, 1, 3, 4]) == error([3, 4, 1, 2]) == 1 / 3
    assert error([7]) == 0.0


def test_aggregation_is_the_share_of_adjacent_pairs_with_one_label() -> None:
    assert aggregation("aabb") == 2 / 3
    assert aggregation("abab") == 0.0
    assert aggregation("aaaa") == 1.0


def test_gratification_is_the_gain_after_a_loss_over_it() -> None:
    assert delayed_gratification([0.5, 0.4, 0.2, 0.0]) == 0.0
    assert delayed_gratification([0.4, 0.5, 0.2, 0.0]) == pytest.approx(5.0)
    assert delayed_gratification([0.4, 0.5, 0.6, 0.6, 0.2]) == pytest.approx(2.0)
    assert delayed_gratification([0.4, 0.5, 0.2, 0.4, 0.2, 0.2]) == pytest.approx((3.0 + 1.0) / 2)
    assert delayed_gratification([0.1, 0.5]) == 0.0  # a loss that nothing came of yet


def test_curves_of_unequal_lengths_are_compared_at_equal_shares_of_their_ways() -> None:
    assert aligned([[0.0, 1.0], [0.0, 0.0, 1.0, 1.0, 1.0]], 3) == [0.0, 0.5, 1.0]
    assert aligned([[3.0]], 3) == [3.0, 3.0, 3.0]


@given(st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=20), min_size=1, max_size=5))
def test_the_peak_of_the_mean_is_no_higher_than_the_mean_of_the_peaks(curves: list[list[float]]) -> None:
    assert max(aligned(curves)) <= fmean(map(max, curves)) + 1e-12


def test_of_noise_each_curves_own_peak_is_high_and_the_aligned_mean_is_not() -> None:
    rng = Random(1)
    curves = [[fmean(rng.random() < 0.5 for _ in range(49)) for _ in range(300)] for _ in range(30)]
    assert fmean(map(max, curves)) > 0.65
    assert max(aligned(curves)) < 0.56


def test_a_loss_in_two_steps_is_one_loss() -> None:
    assert delayed_gratification([1.0, 2.0, 4.0, 0.0]) == pytest.approx(4 / 3)
