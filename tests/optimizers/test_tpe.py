"""Optuna's sampler as an optimizer: what it is asked and told, and full runs for the best averages."""

from __future__ import annotations

import logging
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from swarmmind.errors import MissingExtra, UserError
from swarmmind.optimizers.parameters import ChoiceParameter, NumberParameter, Parameter, TextParameter
from swarmmind.optimizers.study import Scored
from swarmmind.optimizers.tpe import tpe, tpe_most
from tests.optimizers.hills import Function, conducted, study

optuna = pytest.importorskip("optuna")

RATE = NumberParameter("rate", 0.001, 1.0, "log")
ROUNDS = NumberParameter("rounds", 1, 9, integer=True)
TOPOLOGY = ChoiceParameter("topology", ("vote", {"kind": "ring"}, ["a", 1], True, 1))
SPACE: tuple[Parameter, ...] = (RATE, ROUNDS, TOPOLOGY)
START = {"rate": 0.3, "rounds": 2, "topology": {"kind": "ring"}}


def bowl(values: Any, example: str, rep: int) -> float:
    return (
        1
        - (RATE.to_unit(values["rate"]) - 0.2) ** 2
        - (values["rounds"] != 7) / 4
        - (values["topology"] != ["a", 1]) / 4
    )


def test_it_finds_what_is_better_and_says_nothing_on_the_way(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    given, function = study(SPACE, START, train=6, validate=4), Function(bowl)
    end, _ = conducted(tpe, given, function, tmp_path / "j", trials=60, batch=3)
    assert end.best.values["topology"] == ["a", 1]
    assert end.best.values["rounds"] == 7
    assert bowl(end.best.values, "", 0) > 0.98
    assert end.examples <= tpe_most(given, trials=60, batch=3).examples
    assert [record for record in caplog.records if record.levelno >= logging.INFO] == []
    assert capfd.readouterr() == ("", "")


def test_the_starts_are_tried_first_as_they_are(tmp_path: Path) -> None:
    other = {**START, "topology": True, "rate": 0.1 + 0.2}
    given, function = study(SPACE, START, other), Function(bowl)
    conducted(tpe, given, function, tmp_path / "j", trials=3, parallel=3)
    trained = list(dict.fromkeys(one for one, example, _ in function.asked if example.startswith("train")))
    assert trained[:2] == [one.id for one in given.start]
    assert len(trained) == 3


def test_a_round_shares_its_examples_and_its_chance(tmp_path: Path) -> None:
    function = Function(bowl)
    conducted(tpe, study(SPACE, START), function, tmp_path / "j", trials=8, batch=3, parallel=4)
    for at in range(2):
        by: dict[str, set[str]] = {}
        for one, example, rep in function.asked:
            if rep == at and example.startswith("train"):
                by.setdefault(one, set()).add(example)
        assert len({frozenset(examples) for examples in by.values()}) == 1
        assert {len(examples) for examples in by.values()} == {3}


def test_full_runs_choose_and_no_combination_gets_two(tmp_path: Path) -> None:
    """Scores on training examples are luck: what wins there has to win in a full run too."""

    def luck(values: Any, example: str, rep: int) -> float:
        if example.startswith("train"):
            return random.Random(f"{sorted(map(str, values.items()))}{rep}").random()
        return float(values["rounds"] == 2)

    function = Function(luck)
    end, _ = conducted(tpe, study(SPACE, START), function, tmp_path / "j", trials=20, batch=2)
    assert end.best.values == START
    full = [run for run in function.asked if run[1].startswith("validate")]
    assert len(full) == len(set(full)) == 10 * 5  # the start, and one after every five trials


@pytest.mark.parametrize(
    ("trials", "parallel", "every", "runs"), [(20, 4, 5, 4), (7, 2, 3, 3), (6, 6, 2, 1), (3, 1, 9, 1)]
)
def test_it_is_priced(trials: int, parallel: int, every: int, runs: int, tmp_path: Path) -> None:
    given, function = study((RATE,), {"rate": 0.5}), Function(lambda values, example, rep: values["rate"])
    asked: dict[str, Any] = {"trials": trials, "parallel": parallel, "full_every": every, "batch": 2}
    end, _ = conducted(tpe, given, function, tmp_path / "j", **asked)
    assert tpe_most(given, **asked).examples == trials * 2 + (1 + runs) * 10 == end.examples


def test_a_trial_without_a_score_is_no_bad_one(tmp_path: Path) -> None:
    def outage(values: Any, example: str, rep: int) -> Scored | float:
        return Scored(None, error="down") if values["topology"] is True else values["rounds"] / 9

    given = study(SPACE, START, train=4, validate=2)
    end, _ = conducted(tpe, given, Function(outage), tmp_path / "j", trials=30, batch=2)
    assert end.reason == "finished"
    assert end.missing > 0
    assert end.best.values["rounds"] == 9


def test_without_validation_all_training_examples_decide(tmp_path: Path) -> None:
    given, function = study(SPACE, START, train=5, validate=0), Function(bowl)
    end, _ = conducted(tpe, given, function, tmp_path / "j", trials=10, batch=2)
    assert end.evaluation
    assert (end.evaluation.split, len(end.evaluation.scores)) == ("train", 5)


def test_it_says_what_it_cannot_work_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="expected a number or a choice"):
        conducted(tpe, study((TextParameter("words"),), {"words": "Hi."}), Function(bowl), tmp_path / "a")
    with pytest.raises(UserError, match="expected training examples"):
        conducted(tpe, study(SPACE, START, train=0), Function(bowl), tmp_path / "b")
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtra, match=r"pip install 'swarmmind\[optuna\]'"):
        conducted(tpe, study(SPACE, START), Function(bowl), tmp_path / "c")
