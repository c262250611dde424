from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import spearmanr

from swarmmind.topologies.bradley_terry import PRIOR_WINS, Floats, Strengths, strengths

verdicts = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 5), st.floats(0.01, 1.0)).filter(lambda v: v[0] != v[1]),
    min_size=1,
    max_size=40,
)
Verdicts = list[tuple[int, int, float]]


def fit(found: Verdicts, items: int = 6) -> Strengths:
    winners, losers, weights = zip(*found, strict=True)
    return strengths(items, winners, losers, weights)


def planted(seed: int, items: int, each: int) -> tuple[Floats, Strengths]:
    """True log strengths, standard normal, and those found from so many verdicts on every pair."""
    rng = np.random.default_rng(seed)
    true = rng.normal(size=items)
    winners: list[int] = []
    losers: list[int] = []
    for one, other in combinations(range(items), 2):
        won = rng.random(each) < 1 / (1 + np.exp(true[other] - true[one]))
        winners += [one if first else other for first in won]
        losers += [other if first else one for first in won]
    return true, strengths(items, winners, losers)


def test_two_items_in_closed_form() -> None:
    found = strengths(2, [0] * 7 + [1] * 3, [1] * 7 + [0] * 3)
    won, lost = 7 + PRIOR_WINS, 3 + PRIOR_WINS
    assert found.values[0] / found.values[1] == pytest.approx(won / lost, rel=1e-5)
    assert np.log(found.values).sum() == pytest.approx(0, abs=1e-9)
    # Var(log g0 - log g1) = 1 / (N p q), and each is half of the difference away from their mean
    total = won + lost
    assert found.errors == pytest.approx(np.sqrt(1 / (won * lost / total)) / 2, rel=1e-5)


@given(verdicts, st.floats(1e-6, 1e6))
def test_only_ratios_of_weights_count(found: Verdicts, factor: float) -> None:
    one, other = fit(found), fit([(winner, loser, weight * factor) for winner, loser, weight in found])
    assert other.values == pytest.approx(one.values, rel=1e-6)
    assert other.errors == pytest.approx(one.errors, rel=1e-6)


@given(verdicts, st.permutations(range(6)))
def test_names_do_not_count(found: Verdicts, names: list[int]) -> None:
    one, other = fit(found), fit([(names[winner], names[loser], weight) for winner, loser, weight in found])
    assert other.values[names] == pytest.approx(one.values, rel=1e-4)
    assert other.errors[names] == pytest.approx(one.errors, rel=1e-4)


@given(verdicts)
def test_it_is_what_a_direct_maximization_of_the_likelihood_finds(found: Verdicts) -> None:
    winners, losers = (np.array([verdict[at] for verdict in found]) for at in (0, 1))
    weights = np.array([verdict[2] for verdict in found])
    weights *= weights.sum() / (weights**2).sum()
    pairs = np.array(list(combinations(range(6), 2)))

    def loss(free: Any) -> float:
        beta = np.append(free, 0.0)
        prior = beta[pairs[:, 0]] - beta[pairs[:, 1]]
        given_ = (weights * np.logaddexp(0, beta[losers] - beta[winners])).sum()
        return float(given_ + PRIOR_WINS * (np.logaddexp(0, prior) + np.logaddexp(0, -prior)).sum())

    best: Any = minimize(loss, np.zeros(5), method="BFGS", options={"gtol": 1e-7}).x
    best = np.append(best, 0.0)
    assert np.log(fit(found).values) == pytest.approx(best - best.mean(), abs=2e-3)


@pytest.mark.parametrize(("items", "each", "least"), [(10, 40, 0.95), (30, 40, 0.95), (10, 5, 0.85)])
def test_planted_strengths_are_recovered(items: int, each: int, least: float) -> None:
    correlations: list[float] = []
    for seed in range(30):
        true, found = planted(seed, items, each)
        correlation: Any = spearmanr(true, found.values)
        correlations.append(correlation.statistic)
    assert np.mean(correlations) >= least


def test_the_errors_are_as_large_as_the_deviations() -> None:
    found = [planted(seed, 8, 60) for seed in range(60)]
    z = np.concatenate([(np.log(each.values) - (true - true.mean())) / each.errors for true, each in found])
    assert 0.85 < np.mean(z**2) < 1.15


def test_unbeaten_beaten_and_unconnected_items_are_finite_and_in_order() -> None:
    found = strengths(5, [0] * 20 + [2] * 20, [1] * 20 + [3] * 20)  # {0, 1}, {2, 3} and 4 never met
    assert np.isfinite(found.values).all()
    assert np.isfinite(found.errors).all()
    assert found.values[0] == pytest.approx(found.values[2], rel=1e-3)
    assert found.values[0] > found.values[4] > found.values[1]
    assert found.values[4] == pytest.approx(1, rel=1e-3)
    assert found.errors[4] > found.errors[0]  # nothing but the prior is known of it


def test_without_verdicts_all_are_equal() -> None:
    for weights in (None, []):
        assert (strengths(3, [], [], weights).values == 1).all()
    assert (strengths(3, [0], [1], [0.0]).values == 1).all()
    assert strengths(1, [], []).errors == pytest.approx([0])


def test_verdicts_that_weigh_next_to_nothing_are_next_to_none() -> None:
    mostly = strengths(3, [0, 0, 1] + [2] * 50, [1, 1, 2] + [0] * 50, [1.0] * 3 + [1e-9] * 50)
    without = strengths(3, [0, 0, 1], [1, 1, 2])
    assert mostly.values == pytest.approx(without.values, rel=1e-3)
    assert mostly.errors == pytest.approx(without.errors, rel=1e-3)


def test_it_converges() -> None:
    assert all(planted(seed, 15, 6)[1].steps < 1000 for seed in range(5))
    assert strengths(15, [0], [1]).steps < 50


@pytest.mark.parametrize(
    ("winners", "losers", "weights"),
    [
        ([0], [0], None),
        ([0], [3], None),
        ([-1], [1], None),
        ([0, 1], [1], None),
        ([0], [1], [-1.0]),
        ([0], [1], [np.nan]),
    ],
)
def test_verdicts_that_are_none_are_refused(winners: list[int], losers: list[int], weights: Any) -> None:
    with pytest.raises(ValueError, match=r"verdict|weight|losers"):
        strengths(3, winners, losers, weights)
