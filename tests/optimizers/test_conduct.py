"""What drives optimizers: caches, splits, walls, patience, target, common random numbers."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swarmmind.effects import Ask, Limits, Message, Program
from swarmmind.errors import Failed
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.conduct import OUTAGES, Stops, conduct
from swarmmind.optimizers.parameters import NumberParameter
from swarmmind.optimizers.study import Evaluate, Evaluation, Keep, Scored, Split, Study
from swarmmind.ports import Context, Request
from swarmmind.runtime.journal import content
from swarmmind.testing.play import play
from tests.optimizers.hills import CRITIC, Asking, Function, conducted, study

DIGIT = NumberParameter("digit", 0, 9, integer=True)


def climb(ctx: Context, given: Study, steps: int = 9, ask: bool = False) -> Program:
    best = given.start[0]
    [before] = yield [Evaluate(best, given.validate, given.validate.ids)]
    yield [Keep(best, before)]
    for _ in range(steps):
        if ask:
            yield [Ask(CRITIC, (Message("user", "hm"),))]
        child = best.child({"digit": best.values["digit"] + 1})
        [after] = yield [Evaluate(child, given.validate, given.validate.ids)]
        if after.mean > before.mean:
            best, before = child, after
            yield [Keep(best, before)]


def wander(ctx: Context, given: Study) -> Program:
    kept = -99.0
    for digit in range(1, 10):
        one = given.start[0].child({"digit": digit})
        [seen] = yield [Evaluate(one, given.train, given.train.ids)]
        if seen.mean > kept:
            kept = seen.mean
            yield [Keep(one, seen)]


def digits(request: Request, rng: random.Random) -> str:
    return str(request.observation["digit"]) if request.agent.id == "worker" else "hm"


def nines(values: Any, example: str, rep: int) -> float:
    return min(values["digit"], 5) / 9


def test_a_study_comes_to_its_last_kept_candidate(tmp_path: Path) -> None:
    function = Function(nines)
    end, _ = conducted(climb, study((DIGIT,), {"digit": 1}), function, tmp_path / "j", steps=6)
    assert (end.best.values["digit"], end.reason, end.tried, end.examples) == (5, "finished", 6, 60)
    assert len(function.asked) == len(set(function.asked)) == 60


def test_what_was_measured_is_remembered_and_another_rep_measures_afresh(tmp_path: Path) -> None:
    function = Function(nines)

    def twice(ctx: Context, given: Study) -> Program:
        one = given.start[0]
        ids = given.train.ids[:3]
        a, b = yield [Evaluate(one, given.train, ids), Evaluate(one, given.train, ids[:2])]
        [c] = yield [Evaluate(one, given.train, ids, rep=1)]
        [d] = yield [Evaluate(one, given.train, ids)]
        assert a.scores == d.scores
        assert [case.id for case in b.cases] == list(ids[:2])
        assert len(c.cases) == 3

    end, _ = conducted(twice, study((DIGIT,), {"digit": 1}), function, tmp_path / "j")
    assert end.examples == len(function.asked) == 6


def test_validation_has_no_cases_and_foreign_splits_are_refused(tmp_path: Path) -> None:
    def peek(ctx: Context, given: Study) -> Program:
        [seen] = yield [Evaluate(given.start[0], given.validate, given.validate.ids)]
        assert seen.cases == ()
        yield [Evaluate(given.start[0], Split("validate", given.validate.ids, quotable=True), given.validate.ids)]

    with pytest.raises(ValueError, match="may not evaluate"):
        conducted(peek, study((DIGIT,), {"digit": 1}), Function(nines), tmp_path / "j")


def test_a_candidate_with_problems_is_never_evaluated(tmp_path: Path) -> None:
    function = Function(nines)
    with pytest.raises(ValueError, match="from 0 to 9"):
        conducted(climb, study((DIGIT,), {"digit": 9}), function, tmp_path / "j")
    assert {one for one, _, _ in function.asked} == {function.asked[0][0]}


def test_a_right_cannot_be_widened(tmp_path: Path) -> None:
    def greedy(ctx: Context, given: Study) -> Program:
        given.validate.quotable = True
        yield [Evaluate(given.start[0], given.validate, given.validate.ids)]

    with pytest.raises(AttributeError, match="a split never changes: quotable"):
        conducted(greedy, study((DIGIT,), {"digit": 1}), Function(nines), tmp_path / "j")


@pytest.mark.parametrize("digit", [2, 99])
def test_what_was_never_evaluated_is_not_kept(digit: int, tmp_path: Path) -> None:
    def sure(ctx: Context, given: Study) -> Program:
        [seen] = yield [Evaluate(given.start[0], given.train, given.train.ids)]
        yield [Keep(given.start[0].child({"digit": digit}), seen)]

    with pytest.raises(ValueError, match="may keep only what was evaluated"):
        conducted(sure, study((DIGIT,), {"digit": 1}), Function(nines), tmp_path / "j")


@pytest.mark.parametrize("keeps", [True, False])
def test_a_candidate_goes_by_its_own_id(keeps: bool, tmp_path: Path) -> None:
    def posing(ctx: Context, given: Study) -> Program:
        other = Candidate(given.start[0].id, {"digit": 9})
        [seen] = yield [Evaluate(given.start[0], given.train, given.train.ids)]
        yield [Keep(other, seen) if keeps else Evaluate(other, given.train, given.train.ids)]

    with pytest.raises(ValueError, match="only what was evaluated" if keeps else "two candidates have the id"):
        conducted(posing, study((DIGIT,), {"digit": 1}), Function(nines), tmp_path / "j")


def test_a_list_that_does_not_fit_is_not_started(tmp_path: Path) -> None:
    function = Function(nines)
    end, _ = conducted(climb, study((DIGIT,), {"digit": 1}), function, tmp_path / "j", stops=Stops(examples=39))
    assert (end.reason, end.examples, len(function.asked)) == ("examples", 30, 30)
    assert end.best.values["digit"] == 3


@pytest.mark.parametrize("wall", [10, 11, 25, 43, 44])
def test_calls_are_priced_before_a_list_is_started(tmp_path: Path, wall: int) -> None:
    limits = Limits(calls=wall)
    given = study((DIGIT,), {"digit": 1})
    stops = Stops(limits=limits)
    end, played = conducted(
        climb, given, Asking("digit"), tmp_path / "j", answers=digits, stops=stops, limits=limits, ask=True
    )
    assert end.reason == "calls"
    assert played.purse.broken is None  # the wall was never run into
    assert len(played.asked) <= wall
    assert len(played.asked) == end.examples + sum("critic" in asked for asked in played.asked)
    assert wall - len(played.asked) < 11


def test_patience_and_target_end_it(tmp_path: Path) -> None:
    given = study((DIGIT,), {"digit": 1})
    function = Function(lambda values, example, rep: -abs(values["digit"] - 4))
    end, _ = conducted(wander, given, function, tmp_path / "a", stops=Stops(patience=2))
    assert (end.reason, end.best.values["digit"], end.tried) == ("patience", 4, 6)
    end, _ = conducted(climb, given, Function(nines), tmp_path / "b", stops=Stops(target=0.4))
    assert (end.reason, end.best.values["digit"]) == ("target", 4)


def test_missing_scores_are_neither_zero_nor_remembered(tmp_path: Path) -> None:
    tries: list[str] = []

    def flaky(values: Any, example: str, rep: int) -> Scored:
        tries.append(example)
        return Scored(None, error="timeout") if example == "train-1" and tries.count(example) == 1 else Scored(1.0)

    def look(ctx: Context, given: Study) -> Program:
        [first] = yield [Evaluate(given.start[0], given.train, given.train.ids)]
        assert first.scores["train-1"] is None
        assert first.mean == 1.0
        [again] = yield [Evaluate(given.start[0], given.train, given.train.ids)]
        assert again.scores["train-1"] == 1.0

    end, _ = conducted(look, study((DIGIT,), {"digit": 1}), Function(flaky), tmp_path / "j")
    assert (end.missing, end.examples) == (1, 11)


@pytest.mark.parametrize("needed", [True, False])
def test_an_evaluation_without_any_score_ends_the_study_and_one_that_is_not_needed_only_if_others_follow(
    tmp_path: Path, needed: bool
) -> None:
    went_on: list[bool] = []

    def down(values: Any, example: str, rep: int) -> Scored:
        return Scored(None, error="timeout") if rep or values["digit"] == 1 else Scored(0.5)

    def look(ctx: Context, given: Study) -> Program:
        one, other = given.start[0], given.start[0].child({"digit": 2})
        [lost, seen] = yield [Evaluate(at, given.train, given.train.ids[:2], needed=needed) for at in (one, other)]
        assert (math.isnan(lost.mean), seen.mean) == (True, 0.5)
        for rep in range(1, OUTAGES + 1):
            went_on.append(True)
            yield [Evaluate(at, given.train, given.train.ids[:2], rep, needed=needed) for at in (one, other)]
        raise AssertionError("the server is down and nobody noticed")

    def program(ctx: Context) -> Program:
        return conduct(ctx, study((DIGIT,), {"digit": 1}), look, Function(down))

    played = play(program, tmp_path / "j")
    assert played.outcome.failure is not None
    assert "none of 2 examples could be scored; the first: timeout" in played.outcome.failure.message
    assert went_on == ([] if needed else [True] * OUTAGES)


def test_patience_is_not_had_with_the_same_candidate_kept_again(tmp_path: Path) -> None:
    def stubborn(ctx: Context, given: Study) -> Program:
        [best] = yield [Evaluate(given.start[0], given.train, given.train.ids)]
        for digit in range(2, 9):
            yield [Keep(best.candidate, best)]
            yield [Evaluate(given.start[0].child({"digit": digit}), given.train, given.train.ids)]

    end, _ = conducted(
        stubborn, study((DIGIT,), {"digit": 1}), Function(nines), tmp_path / "j", stops=Stops(patience=3)
    )
    assert (end.reason, end.tried) == ("patience", 4)


def test_an_optimizer_that_goes_round_in_circles_comes_to_an_end(tmp_path: Path) -> None:
    def circling(ctx: Context, given: Study) -> Program:
        while True:
            [seen] = yield [Evaluate(given.start[0], given.train, given.train.ids)]
            yield [Keep(given.start[0], seen)]

    end, _ = conducted(circling, study((DIGIT,), {"digit": 1}), Function(nines), tmp_path / "j")
    assert (end.reason, end.best.values["digit"], end.examples) == ("idle", 1, 10)


def test_candidates_share_their_chance(tmp_path: Path) -> None:
    drawn: dict[str, set[float]] = {}

    def luck(request: Request, rng: random.Random) -> str:
        drawn.setdefault(request.messages[-1].content.split(":")[0], set()).add(rng.random())
        return "1"

    conducted(wander, study((DIGIT,), {"digit": 1}), Asking("digit"), tmp_path / "j", answers=luck)
    assert all(len(values) == 1 for values in drawn.values())
    assert len(set().union(*drawn.values())) == 10


def test_resumed_it_asks_nothing_again(tmp_path: Path) -> None:
    given = study((DIGIT,), {"digit": 1})
    whole, first = conducted(climb, given, Asking("digit"), tmp_path / "whole", answers=digits, ask=True, steps=3)
    limits = Limits(calls=25)
    conducted(climb, given, Asking("digit"), tmp_path / "cut", answers=digits, ask=True, steps=3, limits=limits)
    again, second = conducted(climb, given, Asking("digit"), tmp_path / "cut", answers=digits, ask=True, steps=3)
    assert again == whole
    assert len(second.asked) == len(first.asked) - 25
    assert list(content(tmp_path / "cut")) == list(content(tmp_path / "whole"))


class Forgetful:
    """An evaluator whose agents' memory fails."""

    def __call__(self, one: Candidate, example: str, rep: int, /) -> Callable[[Context], Program]:
        def program(ctx: Context) -> Program:
            yield []
            raise Failed("the embedder failed", "memory")

        return program

    def calls(self, one: Candidate, /) -> int:
        return 0


def test_failed_memory_ends_a_study_so_that_a_resumed_one_tries_again(tmp_path: Path) -> None:
    given = study((DIGIT,), {"digit": 1})

    def program(ctx: Context) -> Program:
        return conduct(ctx, given, climb, Forgetful())

    played = play(program, tmp_path / "j")
    assert played.outcome.failure is not None
    assert played.outcome.failure.kind == "memory"


def test_what_was_kept_outlives_an_outage(tmp_path: Path) -> None:
    def dying(values: Any, example: str, rep: int) -> Any:
        return nines(values, example, rep) if values["digit"] < 4 else Scored(None, error="gone")

    end, _ = conducted(climb, study((DIGIT,), {"digit": 1}), Function(dying), tmp_path / "j")
    assert (end.reason, end.best.values["digit"]) == ("failed", 3)
    assert "none of 10 examples could be scored; the first: gone" in end.error
    assert end.scores[end.best.id] == dict.fromkeys((f"validate-{at}" for at in range(10)), 3 / 9)


@pytest.mark.parametrize("score", [float("nan"), float("inf"), float("-inf")])
def test_a_score_that_is_no_number_is_missing(tmp_path: Path, score: float) -> None:
    def odd(values: Any, example: str, rep: int) -> float:
        return score if example in ("train-1", "validate-1") else 0.5

    seen = list[Evaluation]()

    def search(ctx: Context, given: Study) -> Program:
        seen.extend((yield [Evaluate(given.start[0], given.train, given.train.ids)]))

    end, _ = conducted(search, study((DIGIT,), {"digit": 1}), Function(odd), tmp_path / "j")
    assert end.missing == 1
    assert seen[0].scores["train-1"] is None
    assert seen[0].mean == 0.5
    assert seen[0].cases[1].run.error == f"the score is {score}"
