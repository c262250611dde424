"""Bandits: honest about their budget, fair in what they pull on, and right more often than not."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from swarmmind.optimizers.bandits import Bandit, Draws, select
from swarmmind.optimizers.candidate import Candidate, candidate
from swarmmind.optimizers.study import Evaluate, Evaluation, Split

NAMES: tuple[Bandit, ...] = ("successive-rejects", "ucb", "halving", "uniform", "auto")


def arms(count: int) -> list[Candidate]:
    return [candidate({"arm": at}) for at in range(count)]


def played(
    bandit: Bandit, pays: Sequence[float | None], budget: int, keep: int, size: int = 10, seed: int = 1
) -> tuple[list[int], list[list[Evaluate]]]:
    """What a bandit returns, and the lists it yielded; an arm without pay never has a score."""
    luck = random.Random(seed)
    draws = Draws(Split("train", [f"train-{at}" for at in range(size)], quotable=True), random.Random(seed))
    program = select(arms(len(pays)), draws, budget, keep, bandit)
    yielded: list[list[Evaluate]] = []
    results: Any = None
    while True:
        try:
            wanted: list[Evaluate] = list(cast("Any", program.send(results)))
        except StopIteration as end:
            return [one.values["arm"] for one in end.value], yielded
        yielded.append(wanted)
        results = []
        for one in wanted:
            pay = pays[one.candidate.values["arm"]]
            scores = {id_: None if pay is None else float(luck.random() < pay) for id_ in one.ids}
            results.append(Evaluation(one.candidate, "train", scores, {}))


@examples(
    st.sampled_from(NAMES),
    st.integers(1, 20),
    st.integers(1, 300),
    st.integers(1, 6),
    st.integers(1, 40),
    st.booleans(),
)
def test_no_bandit_pulls_more_than_its_budget_nor_twice(
    bandit: Bandit, count: int, budget: int, keep: int, size: int, broken: bool
) -> None:
    pays = [None if broken and at == 0 else at / count for at in range(count)]
    best, yielded = played(bandit, pays, budget, keep, size)
    pulls = [(one.candidate.id, id_, one.rep) for wanted in yielded for one in wanted for id_ in one.ids]
    assert len(pulls) == len(set(pulls)) <= (0 if count <= keep else budget)
    assert all(wanted for wanted in yielded)
    assert all(not one.needed and one.rep >= 1 for wanted in yielded for one in wanted)
    assert len(best) == len(set(best)) == min(keep, count)


@pytest.mark.parametrize("bandit", NAMES)
def test_what_is_clearly_best_is_found(bandit: Bandit) -> None:
    pays = [0.1, 0.2, 0.1, 0.95, 0.2, 0.1, 0.3, 0.8]
    assert played(bandit, pays, 240, 1)[0] == [3]
    assert played(bandit, pays, 240, 2)[0] == [3, 7]


def test_successive_rejects_drops_one_arm_a_phase_and_pulls_by_the_formula() -> None:
    count, budget = 6, 120
    _, yielded = played("successive-rejects", [at / 6 for at in range(count)], budget, 1, size=1000)
    share = 0.5 + sum(1 / i for i in range(2, count + 1))
    totals = [math.ceil((budget - count) / (share * (count + 1 - phase))) for phase in range(1, count)]
    each = [totals[0], *(b - a for a, b in pairwise(totals))]
    assert [[len(one.ids) for one in wanted] for wanted in yielded] == [
        [pulls] * (count - phase) for phase, pulls in enumerate(each)
    ]


def test_all_arms_are_pulled_on_the_same_examples_in_the_same_order() -> None:
    _, yielded = played("successive-rejects", [0.5] * 5, 200, 1, size=10)
    pulls: dict[str, list[tuple[int, str]]] = {}
    for wanted in yielded:
        for one in wanted:
            pulls.setdefault(one.candidate.id, []).extend((one.rep, id_) for id_ in one.ids)
    longest = max(pulls.values(), key=len)
    assert len(longest) > 20  # more than there are examples: measured afresh
    assert all(made == longest[: len(made)] for made in pulls.values())


def test_draws_are_new_for_each_choice() -> None:
    draws = Draws(Split("train", ["a", "b", "c"]), random.Random(1))
    first = draws.take(0, 4)
    assert [rep for rep, _ in first] == [1, 2]
    assert sorted(first[0][1]) == ["a", "b", "c"]
    assert draws.take(0, 4) == first
    draws.anew()
    assert [rep for rep, _ in draws.take(0, 2)] == [3]


def test_a_budget_that_does_not_pay_for_one_pull_each_leaves_the_order() -> None:
    for bandit in NAMES:
        assert played(bandit, [0.0, 0.5, 1.0], 2, 2) == ([0, 1], [])


def test_few_pulls_an_arm_are_for_successive_rejects() -> None:
    def made(bandit: Bandit, budget: int) -> list[tuple[str, tuple[str, ...]]]:
        _, yielded = played(bandit, [0.5] * 8, budget, 1)
        return [(one.candidate.id, one.ids) for wanted in yielded for one in wanted]

    assert made("auto", 8 * 20 - 1) == made("successive-rejects", 8 * 20 - 1) != made("ucb", 8 * 20 - 1)
    assert made("auto", 8 * 20) == made("ucb", 8 * 20)


def test_ucb_pulls_what_promises_most() -> None:
    _, yielded = played("ucb", [0.0, 0.0, 0.0, 1.0], 200, 1, size=500)
    pulls = [0] * 4
    for wanted in yielded:
        for one in wanted:
            pulls[one.candidate.values["arm"]] += len(one.ids)
    assert sum(pulls) == 200
    assert pulls[3] > 150
