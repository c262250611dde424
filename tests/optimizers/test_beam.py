"""The beam: which errors a critic reads, what becomes of critiques, who survives, what it takes."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from swarmmind.effects import Limits
from swarmmind.errors import UserError
from swarmmind.optimizers.beam import beam, beam_most
from swarmmind.optimizers.conduct import Conclusion
from swarmmind.optimizers.parameters import NumberParameter, TextParameter
from swarmmind.optimizers.study import Scored
from swarmmind.ports import Request
from swarmmind.runtime.journal import content
from swarmmind.testing.play import Played
from tests.optimizers.hills import Asking, Function, conducted, document, study

PROMPT = TextParameter("prompt")
SMALL: dict[str, Any] = {"rounds": 3, "width": 2, "minibatch": 6, "groups": 3, "errors": 2, "budget": 120}


def small(**more: Any) -> dict[str, Any]:
    return {**SMALL, **more}


def rules(text: str) -> set[int]:
    return set(map(int, re.findall("[0-9]+", text.split("(")[0])))


def needs(values: Mapping[str, Any], example: str, rep: int) -> Scored:
    """Example k is right if the prompt names k % 4."""
    need = int(example.split("-")[1]) % 4
    right = need in rules(values["prompt"])
    return Scored(float(right), "well" if right else "odd", "" if right else f"missing {need}")


def say(request: Request, rng: random.Random) -> str:
    """A critic that reads feedback, an editor that heeds critiques, and words for the same that differ."""
    seen = request.observation
    if seen["do"] == "criticize":
        assert all(case["score"] == 0 for case in seen["cases"])
        need = seen["cases"][0]["feedback"].removeprefix("missing ")
        one = {"parameter": "prompt", "kind": "missing rule", "subject": need, "text": f"name {need}"}
        return document(critiques=[one, {**one, "parameter": "unknown"}])
    have = rules(seen["value"])
    if seen["do"] == "edit":
        have |= {int(one["text"].removeprefix("name ")) for one in seen["critiques"]}
    else:
        assert seen["do"] == "reword"
    return document(value=f"{sorted(have)} ({rng.getrandbits(40)})", note="")


def searched(tmp_path: Path, start: str, **parameters: Any) -> tuple[Conclusion, Played, Function]:
    function = Function(needs)
    given = study((PROMPT,), {"prompt": start}, train=12, validate=12)
    end, played = conducted(beam, given, function, tmp_path / "j", answers=say, **small(**parameters))
    assert len(function.asked) == len(set(function.asked)) == end.examples
    most = beam_most(given, **small(**parameters))
    assert end.examples <= most.examples
    assert len(played.asked) <= most.asks
    return end, played, function


@pytest.mark.parametrize("bandit", ["successive-rejects", "ucb", "halving", "uniform", "auto"])
def test_critiques_of_errors_lead_to_the_top(tmp_path: Path, bandit: Any) -> None:
    end, _, _ = searched(tmp_path, "[1]", bandit=bandit, rounds=6)
    assert end.evaluation is not None
    assert end.evaluation.mean == 1.0
    assert len(rules(end.best.values["prompt"])) == 4


def test_nothing_wrong_nothing_asked(tmp_path: Path) -> None:
    end, played, function = searched(tmp_path, "[0, 1, 2, 3]")
    assert (played.asked, end.tried) == ([], 1)
    assert {rep for _, _, rep in function.asked} == {0}  # no bandit was asked to choose from one


def test_so_many_groups_critiques_rewrites_and_paraphrases(tmp_path: Path) -> None:
    _, played, _ = searched(tmp_path, "[1]", rounds=1)
    critics = [asked for asked in played.asked if asked.startswith("critic")]
    assert [len(re.findall(r"^Run train-", asked, re.MULTILINE)) for asked in critics] == [2, 2, 2]
    assert all("score 1.0" not in asked for asked in critics)
    editors = [asked for asked in played.asked if asked.startswith("editor")]
    assert sum("Improve one part" in asked for asked in editors) == 3
    assert sum("in other words" in asked for asked in editors) == 6
    assert all(re.search(r"\[critique, 1 of 1\]\n> name [023]$", asked) for asked in editors if "Improve" in asked)


@pytest.mark.parametrize(("successors", "sampled"), [(1, 0), (2, 0), (1, 9)])
def test_so_many_successors_compete_and_so_does_the_old_beam(tmp_path: Path, successors: int, sampled: int) -> None:
    _, _, function = searched(tmp_path, "[1]", rounds=1, successors=successors, sampled=sampled, width=1)
    pulled = {one for one, _, rep in function.asked if rep > 0}
    start = study((PROMPT,), {"prompt": "[1]"}).start[0].id
    assert len(pulled) == successors + 1
    assert start in pulled
    tried_on_errors = {one for one, example, rep in function.asked if rep == 0 and example.startswith("train")}
    assert len(tried_on_errors) == 1 + sampled


def test_those_that_do_best_on_the_errors_go_on(tmp_path: Path) -> None:
    """Paraphrases that lose everything are left behind before the bandit sees them."""

    def careless(request: Request, rng: random.Random) -> str:
        if request.observation["do"] == "reword":
            return document(value=f"nothing ({rng.getrandbits(40)})", note="")
        return say(request, rng)

    function, given = Function(needs), study((PROMPT,), {"prompt": "[1]"}, train=12, validate=12)
    more = small(rounds=1, successors=3, sampled=9)
    end, _ = conducted(beam, given, function, tmp_path / "j", answers=careless, **more)
    pulled = {one for one, _, rep in function.asked if rep > 0}
    assert all("nothing" not in end.candidates[one].values["prompt"] for one in pulled)


def test_a_bad_editor_does_not_harm_the_beam(tmp_path: Path) -> None:
    def spoils(request: Request, rng: random.Random) -> str:
        if request.observation["do"] == "criticize":
            return say(request, rng)
        return document(value=f"nothing ({rng.getrandbits(40)})", note="")

    given = study((PROMPT,), {"prompt": "[1, 2]"}, train=12, validate=12)
    end, _ = conducted(beam, given, Function(needs), tmp_path / "j", answers=spoils, **SMALL)
    assert end.best == given.start[0]


@pytest.mark.parametrize(
    "said", ["no JSON", document(value="", note=""), document(critiques=[]), document(value="{{ such }}", note="")]
)
def test_what_cannot_be_read_or_has_problems_is_no_change(tmp_path: Path, said: str) -> None:
    def mute(request: Request, rng: random.Random) -> str:
        return say(request, rng) if request.observation["do"] == "criticize" and "critiques" not in said else said

    given = study((PROMPT,), {"prompt": "[1]"}, train=12, validate=12)
    end, _ = conducted(beam, given, Function(needs), tmp_path / "j", answers=mute, **small(rounds=1))
    assert (end.best, end.reason, end.tried) == (given.start[0], "finished", 1)


@pytest.mark.parametrize(("names", "refused"), [(["nobody"], 2), (["nobody", "prompt"], 0), ([], 0)])
def test_critiques_of_nothing_that_can_be_changed_are_on_record(names: list[str], refused: int, tmp_path: Path) -> None:
    def critic(request: Request, rng: random.Random) -> str:
        if request.observation["do"] != "criticize":
            return say(request, rng)
        one = {"kind": "", "subject": "", "text": "name 2"}
        return document(critiques=[{**one, "parameter": name} for name in names])

    given = study((PROMPT,), {"prompt": "[1]"}, train=12, validate=12)
    conducted(beam, given, Function(needs), tmp_path / "j", answers=critic, **small(rounds=1, groups=2))
    records = [row for row in content(tmp_path / "j") if row[0] == "record" and row[2] == "refused"]
    assert len([row for row in records if "a critique of errors" in row[3]]) == refused


def test_stopped_and_resumed_it_asks_nothing_twice(tmp_path: Path) -> None:
    def answers(request: Request, rng: random.Random) -> str:
        if request.agent.id == "worker":
            example = request.messages[-1].content.split(":")[0]
            return str(needs(request.observation, example, 0).score)
        if request.observation["do"] == "criticize":
            one = {"parameter": "prompt", "kind": "", "subject": "", "text": f"name {rng.randrange(4)}"}
            return document(critiques=[one])
        return say(request, rng)

    def part(name: str, calls: int | None = None) -> Any:
        given, limits = study((PROMPT,), {"prompt": "[1]"}, train=12, validate=12), Limits(calls=calls)
        more = small(rounds=2, budget=60)
        return conducted(beam, given, Asking("prompt"), tmp_path / name, answers=answers, limits=limits, **more)

    whole, first = part("whole")
    for calls in (5, 20, 22, 60, 150):
        _, before = part(f"cut{calls}", calls)
        again, after = part(f"cut{calls}")
        assert again == whole
        assert len(before.asked) + len(after.asked) == len(first.asked)
        assert list(content(tmp_path / f"cut{calls}")) == list(content(tmp_path / "whole"))


def test_a_study_it_cannot_work_with_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs a parameter of the kind text"):
        conducted(beam, study((NumberParameter("x", 0, 1),), {"x": 0.5}), Function(needs), tmp_path / "j")
