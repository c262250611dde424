"""Momentum counts what comes back; aggregators learn which option is best."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.errors import UserError
from swarmmind.optimizers.candidate import candidate
from swarmmind.optimizers.parameters import ChoiceParameter
from swarmmind.optimizers.requests import Critique
from swarmmind.optimizers.study import Evaluation
from swarmmind.optimizers.textual_backprop.aggregators import Aggregators
from swarmmind.optimizers.textual_backprop.momentum import Momentum

A = Critique("worker", "Lacks rule 1.", "missing", "rule 1")
B = Critique("worker", "Lacks rule 2.", "missing", "rule 2")
OPTIONS = ("vote", "1", 1, True)


# --- momentum ---------------------------------------------------------------------------------------------------------


def test_a_critique_that_comes_back_is_acted_upon_once() -> None:
    momentum = Momentum(0.7, 1.6)  # weights: .3, .51 (acted upon: 0), .3, .51
    assert [momentum.filter([A]) for _ in range(4)] == [[], [A], [], [A]]


def test_a_critique_that_alternates_is_damped() -> None:
    momentum = Momentum(0.7, 1.6)  # .3, .21, .447, .313, .519
    said: list[list[Critique]] = [[A], [B], [A], [B]]
    assert [momentum.filter(each) for each in said] == [[], [], [], []]
    assert momentum.filter([A]) == [A]


def test_without_momentum_everything_is_acted_upon() -> None:
    momentum = Momentum(0.0, 1.6)
    assert momentum.filter([A, B, A]) == [A, B, A]


def test_of_each_parameter_the_weightiest_critique_in_all_its_wordings() -> None:
    momentum = Momentum(0.7, 1.6)
    other = Critique("judge", "Too mild.", "tone", "mildness")
    reworded = A._replace(text="Rule 1 is not there.", subject="  Rule  1 ")
    momentum.filter([B])
    momentum.filter([A, other])
    assert momentum.filter([A, reworded, B, other]) == [A, reworded, other]


def test_a_persistence_that_nothing_reaches_is_the_users_mistake() -> None:
    with pytest.raises(UserError, match=r"persistence: must be less than 1 / \(1 - momentum\) = 1.25, got 1.6"):
        Momentum(0.2, 1.6)
    assert Momentum(0.4, 1.6).filter([A]) == []


@given(st.lists(st.booleans(), max_size=30), st.floats(0.45, 0.9))
def test_weights_are_the_papers_recursion(said: list[bool], share: float) -> None:
    momentum, weight, expected, got = Momentum(share, 1.6), 0.0, list[bool](), list[bool]()
    for now in said:
        weight = share * weight + (1 - share) * now
        acted = now and weight >= 1.6 * (1 - share)
        weight = 0.0 if acted else weight
        expected.append(acted)
        got.append(bool(momentum.filter([A] if now else [])))
    assert got == expected


# --- aggregators ------------------------------------------------------------------------------------------------------


def evaluation(values: dict[str, object], score: float | None = 1.0) -> Evaluation:
    return Evaluation(candidate(values), "train", {"one": score, "two": score}, {})


def learned(explore: float, right: object, turns: int = 400) -> tuple[Counter[str], Aggregators]:
    chosen = Aggregators([ChoiceParameter("how", OPTIONS)], explore, random.Random(7))
    start, tried = candidate({"how": "vote"}), Counter[str]()
    for _ in range(turns):
        trial = chosen.trial(start)
        tried[repr(trial.values["how"])] += 1
        chosen.credit(evaluation(dict(trial.values), 0.9 if repr(trial.values["how"]) == repr(right) else 0.3), ())
    return tried, chosen


@pytest.mark.parametrize("right", OPTIONS)
def test_the_best_option_is_found_and_mostly_tried(right: object) -> None:
    tried, chosen = learned(0.2, right)
    assert repr(chosen.best(candidate({"how": "vote"})).values["how"]) == repr(right)
    assert 0.8 < tried[repr(right)] / 400 < 0.9  # 1 - explore + explore / 4
    assert min(tried.values()) > 5


def test_each_option_is_tried_once_before_any_is_preferred() -> None:
    tried, _ = learned(0.001, "vote", 4)
    assert set(tried.values()) == {1}


def test_an_option_that_cannot_be_run_is_tried_once() -> None:
    chosen = Aggregators([ChoiceParameter("how", ("vote", "refine"))], 0.01, random.Random(7))
    for option in ("refine", "vote"):
        chosen.credit(evaluation({"how": option}, None if option == "refine" else 0.5), ())
    start = candidate({"how": "vote"})
    assert chosen.trial(start) is start


def test_blamed_for_a_case_an_option_pays_for_it() -> None:
    chosen = Aggregators([ChoiceParameter("how", ("vote", "refine"))], 0.2, random.Random(7))
    start = candidate({"how": "vote"})
    chosen.credit(evaluation({"how": "vote"}, 0.8), [Critique("how", "poor", cases=("one",))])
    chosen.credit(evaluation({"how": "refine"}, 0.5), [Critique("other", "poor", cases=("one", "two"))])
    assert chosen.best(start).values["how"] == "refine"  # .5 against (-.2 + .8) / 2
    assert chosen.best(start).parents == (start.id,)


def test_what_is_missing_says_nothing_and_ties_change_nothing() -> None:
    chosen = Aggregators([ChoiceParameter("how", ("vote", "refine"))], 0.2, random.Random(7))
    chosen.credit(evaluation({"how": "refine"}, None), ())
    assert chosen.best(candidate({"how": "vote"})).values["how"] == "vote"
    for option in ("vote", "refine"):
        chosen.credit(evaluation({"how": option}), ())
    for option in ("vote", "refine"):
        one = candidate({"how": option})
        assert chosen.best(one) is one
