"""The gepa package behind our port: stepped by replay, on our evaluations, with our editor."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from swarmmind.effects import Limits
from swarmmind.errors import MissingExtra, UserError
from swarmmind.optimizers import OPTIMIZERS
from swarmmind.optimizers.conduct import Stops
from swarmmind.optimizers.gepa import gepa
from swarmmind.optimizers.parameters import NumberParameter, TextParameter
from swarmmind.optimizers.study import Scored
from swarmmind.ports import Request
from swarmmind.runtime.journal import content
from tests.optimizers.hills import Asking, Function, conducted, document, study

PROMPT = TextParameter("prompt")


def digits(values: Mapping[str, Any], example: str, rep: int) -> Scored:
    """Every text is a digit; an example is its sum."""
    total = sum(int(value) for value in values.values())
    return Scored(total / (9 * len(values)), total, f"{example} wants nines", question=f"Q-{example}")


def raises(request: Request, rng: random.Random) -> str:
    assert request.observation["do"] == "reflect"
    return document(value=str(min(int(request.observation["value"]) + 1, 9)), note="one more")


def test_the_package_climbs_on_our_evaluations(tmp_path: Path) -> None:
    function, given = Function(digits), study((PROMPT,), {"prompt": "1"})
    end, played = conducted(gepa, given, function, tmp_path / "j", answers=raises, steps=20)
    assert (end.best.values["prompt"], end.reason) == ("9", "finished")
    assert len(played.asked) == 8
    assert (
        len(function.asked) == len(set(function.asked)) == end.examples <= OPTIMIZERS["gepa"].most(given, 20).examples
    )
    assert end.best.parents in [(one.id,) for one in end.candidates.values()]


def test_a_reflection_shows_its_batch_and_nothing_of_validation(tmp_path: Path) -> None:
    conducted(gepa, study((PROMPT,), {"prompt": "1"}), Function(digits), tmp_path / "a", answers=raises, steps=1)
    [prompt] = [row for row in map(str, content(tmp_path / "a")) if "Improve one part" in row]
    assert prompt.count("Run train-") == 3
    assert "validate-" not in prompt


def test_stopped_and_resumed_it_asks_nothing_twice(tmp_path: Path) -> None:
    def say(request: Request, rng: random.Random) -> str:
        if request.agent.id == "worker":
            return str(int(request.observation["prompt"]) / 9)
        return raises(request, rng)

    def part(name: str, calls: int | None = None) -> Any:
        given, limits = study((PROMPT,), {"prompt": "1"}), Limits(calls=calls)
        return conducted(gepa, given, Asking("prompt"), tmp_path / name, answers=say, limits=limits, steps=5)

    whole, first = part("whole")
    for calls in (3, 14, 17, 18, 40):
        _, before = part(f"cut{calls}", calls)
        again, after = part(f"cut{calls}")
        assert again == whole
        assert len(before.asked) + len(after.asked) == len(first.asked)
        assert list(content(tmp_path / f"cut{calls}")) == list(content(tmp_path / "whole"))


def test_the_wall_of_examples_stands_where_the_package_alone_oversteps_it(tmp_path: Path) -> None:
    for wall in (10, 25, 41):
        function = Function(digits)
        given, stops = study((PROMPT,), {"prompt": "1"}), Stops(examples=wall)
        end, _ = conducted(gepa, given, function, tmp_path / f"j{wall}", answers=raises, stops=stops)
        assert end.reason == "examples"
        assert len(function.asked) == end.examples <= wall


@pytest.mark.parametrize(("components", "asks", "want"), [("round-robin", 4, ["3", "3"]), ("all", 8, ["5", "5"])])
def test_texts_take_turns_or_change_together(tmp_path: Path, components: Any, asks: int, want: list[str]) -> None:
    given = study((PROMPT, TextParameter("other"), NumberParameter("x", 0, 1)), {"prompt": "1", "other": "1", "x": 1})

    def texts(values: Mapping[str, Any], example: str, rep: int) -> float:
        return (int(values["prompt"]) + int(values["other"])) / 18

    end, played = conducted(
        gepa, given, Function(texts), tmp_path / "j", answers=raises, steps=4, components=components
    )
    assert list(end.best.values.values()) == [*want, 1]
    assert len(played.asked) == asks


def again(request: Request, rng: random.Random) -> str:
    """A text that is new and no better."""
    return document(value=f"0{request.observation['value']}", note="")


def test_a_missing_score_is_no_zero_and_its_batch_is_not_reflected_on(tmp_path: Path) -> None:
    def flaky(values: Mapping[str, Any], example: str, rep: int) -> Scored:
        return Scored(None, error="timeout") if example.endswith("-3") else digits(values, example, rep)

    given = study((PROMPT,), {"prompt": "6"})
    end, played = conducted(gepa, given, Function(flaky), tmp_path / "j", answers=again, steps=12)
    assert end.evaluation is not None
    assert (end.evaluation.mean, end.evaluation.scores["validate-3"]) == (pytest.approx(6 / 9), None)
    assert 4 <= len(played.asked) < 12
    assert all("Run train-3:" not in asked for asked in played.asked)


def test_a_missing_score_of_a_child_does_not_get_it_accepted(tmp_path: Path) -> None:
    def flaky(values: Mapping[str, Any], example: str, rep: int) -> Scored:
        lost = values["prompt"] != "6" and example == "train-3"
        return Scored(None, error="timeout") if lost else digits(values, example, rep)

    function, given = Function(flaky), study((PROMPT,), {"prompt": "6"})
    conducted(gepa, given, function, tmp_path / "j", answers=again, steps=12)
    assert any(example == "train-3" and one != given.start[0].id for one, example, _ in function.asked)
    assert {one for one, example, _ in function.asked if example.startswith("validate")} == {given.start[0].id}


@pytest.mark.parametrize("said", ["no JSON", document(value="", note=""), document(value="no {{ such }}", note="")])
def test_what_cannot_be_read_or_has_problems_is_no_change(tmp_path: Path, said: str) -> None:
    given = study((PROMPT,), {"prompt": "1"})
    end, _ = conducted(gepa, given, Function(digits), tmp_path / "j", answers=lambda request, rng: said, steps=3)
    assert (end.best, end.reason, end.tried) == (given.start[0], "finished", 1)
    assert sum("refused" in map(str, row) for row in content(tmp_path / "j")) == 3


def test_a_study_it_cannot_work_with_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs a parameter of the kind text"):
        conducted(gepa, study((NumberParameter("x", 0, 1),), {"x": 0.5}), Function(digits), tmp_path / "j")


def test_a_missing_package_names_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gepa.api", None)
    with pytest.raises(MissingExtra, match=r"the gepa optimizer needs .* pip install 'swarmmind\[gepa\]'"):
        conducted(gepa, study((PROMPT,), {"prompt": "1"}), Function(digits), tmp_path / "j")
