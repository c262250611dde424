"""Intervals against scipy's, and against what luck really does."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from swarmmind.intervals import Interval, expected_maximum, inflation, interval, paired, t_quantile


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 8, 19, 20, 39, 100, 501, 5000])
@pytest.mark.parametrize("probability", [0.5, 0.6, 0.9, 0.975, 0.995])
def test_quantiles_are_students(probability: float, freedom: int) -> None:
    assert t_quantile(probability, freedom) == pytest.approx(stats.t.ppf(probability, freedom), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("probability", "freedom"), [(0.4, 3), (1.0, 3), (0.9, 0)])
def test_what_has_no_quantile_is_refused(probability: float, freedom: int) -> None:
    with pytest.raises(ValueError, match="needs a probability"):
        t_quantile(probability, freedom)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=40), st.sampled_from([0.8, 0.95, 0.99]))
def test_an_interval_is_scipys(values: list[float], level: float) -> None:
    found = interval(values, level)
    assert found is not None
    error = float(stats.sem(values))
    half = float(stats.t.ppf(0.5 + level / 2, len(values) - 1)) * error
    assert (found.n, found.mean) == (len(values), pytest.approx(statistics.fmean(values), abs=1e-9))
    assert (found.low, found.high) == (
        pytest.approx(found.mean - half, abs=1e-6),
        pytest.approx(found.mean + half, abs=1e-6),
    )


def test_one_value_has_a_mean_and_no_interval_and_none_has_nothing() -> None:
    assert interval([0.5]) == Interval(0.5, None, None, 1)
    assert interval([]) is None


@pytest.mark.parametrize("n", [2, 3, 10, 50])
def test_equal_values_in_bounds_are_no_certainty(n: int) -> None:
    passed, failed = interval([1.0] * n, bounds=(0.0, 1.0)), interval([0.0] * n, bounds=(0.0, 1.0))
    exact = stats.binomtest(n, n).proportion_ci(0.95, method="exact")
    assert passed is not None
    assert failed is not None
    assert (passed.low, passed.high) == (pytest.approx(exact.low), 1.0)
    assert (failed.low, failed.high) == (0.0, pytest.approx(1 - exact.low))
    same = paired([0.5] * n, [0.5] * n, bounds=(0.0, 1.0))
    assert same is not None
    assert (same.mean, same.low, same.high) == (0.0, pytest.approx(exact.low - 1), pytest.approx(1 - exact.low))


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20), st.data())
def test_bounds_are_kept_and_hold_the_mean(values: list[float], data: st.DataObject) -> None:
    found = interval(values, bounds=(0.0, 1.0))
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.mean + 1e-12
    assert found.mean - 1e-12 <= found.high <= 1
    others = data.draw(st.lists(st.floats(0, 1), min_size=len(values), max_size=len(values)))
    gain = paired(values, others, bounds=(0.0, 1.0))
    assert gain is not None
    assert gain.low is not None
    assert gain.high is not None
    assert -1 <= gain.low <= gain.high <= 1


def test_bounds_that_do_not_hold_are_none() -> None:
    assert interval([0.0, 2.0], bounds=(0.0, 1.0)) == interval([0.0, 2.0])
    assert paired([0.0, 2.0], [0.5, 2.0], bounds=(0.0, 1.0)) == paired([0.0, 2.0], [0.5, 2.0])


def test_pairs_are_compared_side_by_side() -> None:
    first, second = [0.1, 0.9, 0.5, 0.4], [0.2, 1.0, 0.7, 0.4]
    found = paired(first, second)
    assert found is not None
    expected = stats.ttest_rel(second, first).confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(expected.low), pytest.approx(expected.high))
    with pytest.raises(ValueError, match=r"shorter|longer"):
        paired([1.0], [1.0, 2.0])


def test_the_expected_maximum_is_the_known_one() -> None:
    assert expected_maximum(1) == pytest.approx(0, abs=1e-12)
    assert expected_maximum(2) == pytest.approx(1 / math.sqrt(math.pi))
    assert expected_maximum(3) == pytest.approx(1.5 / math.sqrt(math.pi))
    assert expected_maximum(100) == pytest.approx(2.50759, abs=1e-4)


def test_the_best_of_equals_reads_so_much_too_high() -> None:
    chance = random.Random(1)
    k, n, quality = 8, 25, 0.6
    sd = math.sqrt(quality * (1 - quality))
    best = [max(sum(chance.random() < quality for _ in range(n)) / n for _ in range(k)) for _ in range(3000)]
    assert statistics.fmean(best) - quality == pytest.approx(inflation(k, sd, n), abs=0.01)
    assert inflation(1, sd, n) == 0.0
