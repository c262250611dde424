"""Differences in pairs against scipy, and verdicts in words."""

from __future__ import annotations

import random
from typing import Any

import pytest
from scipy import stats

from swarmmind.errors import UserError
from swarmmind.evals.statistics import Finding, Scores, paired_difference, verdict

NAMES = ("debate", "solo")


def by_instance(*rows: list[float]) -> Scores:
    return {(f"i{at}", seed): value for at, row in enumerate(rows) for seed, value in enumerate(row)}


def test_one_seed_each_is_the_paired_t_test() -> None:
    first, second = [3.0, 4.5, 2.0, 6.0, 5.0], [2.0, 4.0, 2.5, 4.0, 4.0]
    wanted = stats.ttest_rel(first, second).confidence_interval()
    found = paired_difference(by_instance(*[[x] for x in first]), by_instance(*[[x] for x in second]))
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
    assert (found.mean, found.n, found.clusters) == (pytest.approx(0.8), 5, 5)


def test_instances_are_the_clusters_and_of_a_single_one_the_seeds() -> None:
    means = [1.0, 0.5, 2.0, 0.0]
    second = by_instance(*[[0.0, 0.0]] * 4)
    found = paired_difference(by_instance(*[[mean - 0.3, mean + 0.3] for mean in means]), second)
    wanted = stats.ttest_1samp(means, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((wanted.low, wanted.high))
    assert (found.clusters, found.n) == (4, 8)
    alone = paired_difference(by_instance(means), by_instance([0.0] * 4))
    assert (alone.low, alone.high) == pytest.approx((wanted.low, wanted.high))
    assert (alone.clusters, alone.n) == (4, 4)


def test_what_only_one_has_a_score_for_does_not_count() -> None:
    first, second = dict(by_instance([1.0], [2.0], [2.0])), dict(by_instance([0.0], [0.5], [0.0]))
    both = paired_difference(first, second)
    assert paired_difference({**first, ("other", 0): 99.0}, {**second, ("i0", 9): -99.0}) == both


def test_without_a_shared_pair_there_is_no_difference() -> None:
    with pytest.raises(UserError, match="debate and solo share no instance and seed"):
        paired_difference({("a", 0): 1.0}, {("a", 1): 1.0}, names=NAMES)


def test_swapped_arms_swap_the_difference() -> None:
    first, second = by_instance([1, 0], [1, 1], [0, 1], [1, 1]), by_instance([0, 0], [1, 0], [0, 1], [0, 1])
    ours, theirs = paired_difference(first, second, bounds=(0, 1)), paired_difference(second, first, bounds=(0, 1))
    assert (ours.mean, ours.low, ours.high) == (-theirs.mean, -(theirs.high or 0), -(theirs.low or 0))


def test_arms_that_were_never_seen_to_differ_may_still_differ() -> None:
    same = by_instance(*[[1.0, 0.0]] * 10)
    found = paired_difference(same, same, bounds=(0, 1), names=NAMES)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < found.high
    assert found.verdict == "cannot tell"
    assert "no difference was seen" in found.words


@pytest.mark.parametrize(("count", "said"), [(5, "cannot tell"), (6, "better")])
def test_equal_differences_of_unbounded_scores_need_six_to_be_no_chance(count: int, said: str) -> None:
    found = paired_difference(by_instance(*[[3.0]] * count), by_instance(*[[1.0]] * count))
    assert found.verdict == said
    assert (found.low is None) == (said == "cannot tell")


def test_equal_arms_seem_to_differ_in_one_of_twenty_evals() -> None:
    chance, seen = random.Random(11), 0
    for _ in range(800):
        hard = [chance.random() for _ in range(25)]
        first, second = [
            by_instance(*[[float(chance.random() < p) for _ in range(3)] for p in hard]) for _ in range(2)
        ]  # fmt: skip
        seen += paired_difference(first, second, bounds=(0, 1)).verdict in ("better", "worse")
    assert 0.03 <= seen / 800 <= 0.07


def test_what_one_would_need_to_tell() -> None:
    chance = random.Random(3)
    first = by_instance(*[[float(chance.random() < 0.6) for _ in range(2)] for _ in range(40)])
    second = by_instance(*[[float(chance.random() < 0.5) for _ in range(2)] for _ in range(40)])
    found = paired_difference(first, second, bounds=(0, 1), names=NAMES)
    assert found.verdict == "cannot tell"
    assert found.detectable is not None
    assert found.low is not None
    assert found.high is not None
    assert found.detectable > (found.high - found.low) / 2 > abs(found.mean)


def finding(**changes: Any) -> Finding:
    base: dict[str, Any] = {
        "first": "debate", "second": "solo", "why": "control", "mean": 0.08, "low": 0.02, "high": 0.14,
        "instances": 40, "seeds": 3, "detectable": 0.09, "seeds_needed": None, "tokens": 1.01,
    }  # fmt: skip
    return Finding(**{**base, **changes})


@pytest.mark.parametrize(
    ("changes", "margin", "said", "words"),
    [
        (
            {}, None, "better",
            "debate scores 0.08 [0.02, 0.14] more than solo for the same tokens (40 problems x 3 seeds): it helps",
        ),
        (
            {"mean": -0.08, "low": -0.14, "high": -0.02}, None, "worse",
            "debate scores 0.08 [0.02, 0.14] less than solo for the same tokens (40 problems x 3 seeds): it hurts",
        ),
        (
            {"mean": 0.05, "low": -0.01, "high": 0.11, "seeds_needed": 9}, 0.02, "cannot tell",
            "cannot tell: debate scores 0.05 [-0.01, 0.11] more than solo for the same tokens (40 problems x 3 seeds); "
            "9 seeds would show a difference of 0.05",
        ),
        (
            {"mean": 0.05, "low": -0.01, "high": 0.11}, None, "cannot tell",
            "cannot tell: debate scores 0.05 [-0.01, 0.11] more than solo for the same tokens (40 problems x 3 seeds); "
            "only a difference of 0.09 would show, and with more problems a smaller one",
        ),
        (
            {"mean": 0.004, "low": -0.006, "high": 0.014}, 0.02, "no difference",
            "debate scores 0.004 [-0.006, 0.014] more than solo for the same tokens (40 problems x 3 seeds): "
            "too small to matter (less than 0.020)",
        ),
        ({"mean": 0.004, "low": -0.006, "high": 0.014}, None, "cannot tell", None),
        ({"mean": 0.004, "low": -0.006, "high": 0.021}, 0.02, "cannot tell", None),
        ({"low": None, "high": None}, 0.02, "cannot tell", None),
        (
            {"why": "arm", "tokens": 1.4, "instances": 1, "seeds": 5}, None, "better",
            "debate scores 0.08 [0.02, 0.14] more than solo for 1.4 times the tokens (5 seeds): better",
        ),
        (
            {"why": "floor", "tokens": None, "worlds": True, "instances": 5, "mean": 12.34, "low": 10.0, "high": 15.0},
            None, "better", "debate scores 12.3 [10.0, 15.0] more than solo (5 worlds x 3 seeds): better",
        ),
    ],
)  # fmt: skip
def test_verdicts(changes: dict[str, Any], margin: float | None, said: str, words: str | None) -> None:
    found = verdict(finding(**changes), margin)
    assert found[0] == said
    assert words is None or found[1] == words


@pytest.mark.parametrize(("size", "said"), [(1e90, "e+90"), (1e-90, "e-90"), (1e-160, "e-160")])
def test_scores_of_any_size_are_told(size: float, said: str) -> None:
    first = by_instance(*[[size * at, size * 2 * at] for at in range(8)])
    words = paired_difference(first, dict.fromkeys(first, 0.0)).words
    assert said in words
    assert len(words) < 150
