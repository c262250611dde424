"""Means with intervals against closed forms of scipy, and what they must never do."""

from __future__ import annotations

import math
import random
from statistics import pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from swarmmind.evals.statistics import components, design_effect, intraclass_correlation, mean_interval, moments
from swarmmind.evals.statistics.moments import combined

VALUES = [2.0, 3.5, 1.0, 7.0, 4.0, 4.5]
UNIT = (0.0, 1.0)
clustered = st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=4), min_size=2, max_size=12)

inner = st.lists(st.lists(st.integers(1, 99).map(lambda at: at / 100), min_size=1, max_size=4), min_size=2, max_size=12)


def ends(clusters: object, *bounds: float, symmetric: bool = False) -> tuple[float, float]:
    found = mean_interval(clusters, bounds or None, symmetric=symmetric)  # type: ignore[arg-type]
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


def test_of_single_values_it_is_students() -> None:
    wanted = stats.ttest_1samp(VALUES, 0).confidence_interval()
    assert ends([[value] for value in VALUES], symmetric=True) == pytest.approx((wanted.low, wanted.high))


def test_of_values_that_are_not_skewed_it_is_students_too() -> None:
    even = [1.0, 2.0, 3.0, 4.0, 5.0]
    wanted = stats.ttest_1samp(even, 0).confidence_interval()
    assert ends([[value] for value in even]) == pytest.approx((wanted.low, wanted.high))


def test_skewness_moves_the_interval_to_where_the_tail_is() -> None:
    tailed = [[1.0], [1.1], [1.2], [1.3], [1.4], [9.0]]
    low, high = ends(tailed)
    student_low, student_high = ends(tailed, symmetric=True)
    assert low > student_low
    assert high > student_high
    mirrored = [[-value for value in cluster] for cluster in tailed]
    assert ends(mirrored) == pytest.approx((-high, -low))


def test_equal_clusters_count_as_their_means() -> None:
    clusters = [[1.0, 2.0], [4.0, 5.0], [3.0, 0.0], [6.0, 8.0]]
    means = [sum(cluster) / 2 for cluster in clusters]
    wanted = stats.ttest_1samp(means, 0).confidence_interval()
    found = mean_interval(clusters, symmetric=True)
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
    assert (found.n, found.clusters, found.mean) == (8, 4, pytest.approx(29 / 8))
    assert found.sd == pytest.approx(pstdev([value for cluster in clusters for value in cluster]))


def test_the_variance_of_unequal_clusters_is_cr2() -> None:
    """By the definition, with matrices: residuals of each cluster times (I - H)^(-1/2)."""
    clusters = [[1.0], [2.0, 4.0], [0.0, 3.0, 3.0], [5.0, 6.0, 7.0, 9.0]]
    values = [value for cluster in clusters for value in cluster]
    mean, total = sum(values) / len(values), len(values)
    wanted = 0.0
    for cluster in clusters:
        residual = sum(value - mean for value in cluster)
        wanted += residual**2 / (1 - len(cluster) / total)
    found = moments(clusters)
    assert found.variance == pytest.approx(wanted / total**2)
    assert 1 < found.freedom < 3


def test_shares_of_many_independent_answers_are_wilsons() -> None:
    right, n = 170, 200
    wanted = stats.binomtest(right, n).proportion_ci(method="wilson")
    found = ends([[1.0]] * right + [[0.0]] * (n - right), *UNIT)
    assert found == pytest.approx((wanted.low, wanted.high), abs=0.002)


def test_all_equal_values_are_clopper_pearsons_between_bounds_and_a_point_without() -> None:
    wanted = stats.binomtest(12, 12).proportion_ci(method="exact")
    assert ends([[1.0]] * 12, *UNIT) == pytest.approx((wanted.low, wanted.high))
    assert ends([[0.0, 0.0]] * 12, *UNIT) == pytest.approx((1 - wanted.high, 1 - wanted.low))
    low, high = ends([[0.5]] * 12, *UNIT)
    assert low < 0.5 < high
    low, high = ends([[0.1]] * 12)
    assert low == high == pytest.approx(0.1)


def test_copies_of_answers_say_no_more_than_the_answers() -> None:
    once = [[float(at % 3 > 0)] for at in range(30)]
    often = [cluster * 5 for cluster in once]
    apart = [[value] for cluster in often for value in cluster]
    assert ends(often, *UNIT) == pytest.approx(ends(once, *UNIT))
    assert ends(apart, *UNIT)[1] - ends(apart, *UNIT)[0] < 0.6 * (ends(once, *UNIT)[1] - ends(once, *UNIT)[0])
    assert design_effect(often) == pytest.approx(5, rel=0.05)
    assert intraclass_correlation(often) == pytest.approx(1)


def test_one_cluster_says_nothing_and_two_say_little() -> None:
    one = mean_interval([[1.0, 2.0, 3.0]])
    assert (one.low, one.high, one.clusters, one.n) == (None, None, 1, 3)
    low, high = ends([[1.0], [2.0]])
    assert (low, high) == pytest.approx((1.5 - 12.706 / 2, 1.5 + 12.706 / 2), rel=1e-3)


def test_bounds_that_do_not_hold_are_ignored_and_empty_clusters_left_out() -> None:
    assert ends([[1.0], [5.0], [], [2.0]], *UNIT) == ends({"a": [1.0], "b": [5.0], "c": [2.0]})


@pytest.mark.parametrize(
    ("clusters", "why"), [([], "no value"), ([[], []], "no value"), ([[math.nan], [1.0]], "finite")]
)
def test_what_has_no_mean(clusters: list[list[float]], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        mean_interval(clusters)


@given(clusters=clustered)
def test_an_interval_between_bounds_stays_there_and_holds_the_mean(clusters: list[list[float]]) -> None:
    found = mean_interval(clusters, UNIT)
    low, high = ends(clusters, *UNIT)
    assert 0 <= low <= found.mean + 1e-12
    assert found.mean - 1e-12 <= high <= 1
    assert low < high


@given(clusters=inner, shift=st.floats(-5, 5), scale=st.floats(0.5, 20))
def test_other_units_move_the_interval_with_them(clusters: list[list[float]], shift: float, scale: float) -> None:
    moved = [[shift + scale * value for value in cluster] for cluster in clusters]
    low, high = ends(clusters, *UNIT)
    assert ends(moved, shift - 1e-9, shift + scale + 1e-9) == pytest.approx(
        (shift + scale * low, shift + scale * high), abs=1e-4 * scale
    )


def test_it_covers_where_the_naive_interval_does_not() -> None:
    chance, held, naive = random.Random(5), 0, 0
    for _ in range(400):
        clusters = [[own + chance.gauss(0, 0.5) for _ in range(4)] for own in (chance.gauss(0, 1) for _ in range(15))]
        low, high = ends(clusters)
        held += low <= 0 <= high
        low, high = ends([[value] for cluster in clusters for value in cluster])
        naive += low <= 0 <= high
    assert 0.92 <= held / 400 <= 0.98
    assert naive / 400 < 0.8


def test_components_are_those_of_the_analysis_of_variance() -> None:
    clusters = [[1.0, 3.0], [6.0, 4.0], [8.0, 8.0]]
    found = components(clusters)
    assert found.within == pytest.approx((2 + 2 + 0) / 3)
    assert found.between == pytest.approx((2 * (9 + 0 + 9) / 2 - 4 / 3) / 2)
    assert intraclass_correlation(clusters) == pytest.approx(found.between / (found.between + found.within))
    with pytest.raises(ValueError, match="two values in one"):
        components([[1.0], [2.0]])


def test_many_columns_of_two_seeds_are_as_sure_as_they_are_many() -> None:
    """Each has one degree of freedom, and together they have about as many as there are columns."""
    chance, found = random.Random(2), list[float]()
    for _ in range(50):
        parts = [moments([[chance.gauss(0, 1)], [chance.gauss(0, 1)]]) for _ in range(40)]
        found.append(combined((1.0, part) for part in parts).freedom)
    assert 30 < sum(found) / len(found) < 45


def test_a_sum_of_means_varies_as_its_parts_together() -> None:
    first, second = moments([[1.0], [2.0], [6.0]]), moments([[4.0], [4.5]])
    found = combined([(2.0, first), (-1.0, second)])
    assert first.variance is not None
    assert second.variance is not None
    assert found.mean == pytest.approx(2 * 3 - 4.25)
    assert found.variance == pytest.approx(4 * first.variance + second.variance)
    assert combined([(1.0, first), (1.0, moments([[1.0]]))]).variance is None


def test_very_small_numbers_have_an_interval() -> None:
    found = mean_interval([[1e-160 * at, 1e-160] for at in range(8)])
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.mean <= found.high
