"""A swarm whose velocities are words: what moves it, what it remembers, and what it leaves alone."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from swarmmind.effects import Limits
from swarmmind.errors import UserError
from swarmmind.optimizers import OPTIMIZERS
from swarmmind.optimizers.conduct import OUTAGES, conduct
from swarmmind.optimizers.language_pso import OPTIMIZER, language_pso, language_pso_most
from swarmmind.optimizers.parameters import NumberParameter, TextParameter
from swarmmind.optimizers.study import Scored, Split
from swarmmind.ports import Request
from swarmmind.runtime.journal import content
from swarmmind.testing.play import play

from .hills import Function, conducted, document, study
from .talk import Talk, flown, good, recorded, ruled, tries, writes

# --- feedback ---------------------------------------------------------------------------------------------------------


def test_flaws_of_nothing_that_fails_are_left_out_and_causes_are_asked_for_once(tmp_path: Path) -> None:
    class Sloppy(Talk):
        def _flaws(self, seen: Any) -> str:
            flaw = {"parameter": "rules", "kind": "weak role policy", "text": "wrong"}
            cases = [("a", ["a"]), ("A", ["a"]), ("nothing", [])]
            return document(flaws=[{**flaw, "subject": subject, "examples": behind} for subject, behind in cases])

    talk = Sloppy()
    flown(talk, ruled("a: bad\nb: good"), tmp_path, iterations=4)
    assert [[flaw["subject"] for flaw in one.observation["flaws"]] for one in talk.of("fuse")] == [["a"]] * 3
    assert [one.observation["case"]["id"] for one in talk.of("cause")] == ["a"]


def test_a_flaw_that_was_worked_on_is_named_to_the_critic_and_everybody_is_asked_coldly(tmp_path: Path) -> None:
    talk = Talk(tries("put one", "set two"), writes)
    flown(talk, ruled("a: bad"), tmp_path, iterations=3)
    known = [request.observation["known"] for request in talk.of("flaws")]
    assert known == [[], [["rules", "weak role policy", "a"]]]
    assert "[known flaw]\n> rules: weak role policy: a" in talk.of("flaws")[1].messages[-1].content
    assert {request.sampling.temperature for request in talk.asked} == {0.0}


def test_replies_that_cannot_be_used_change_nothing_and_are_on_record(tmp_path: Path) -> None:
    for at, broken in enumerate(("cause", "flaws", "fuse", "apply")):
        folder = tmp_path / broken
        folder.mkdir()
        talk = Talk(lambda seen: {0: "put one"}, writes)

        def answers(request: Request, rng: random.Random, talk: Talk = talk, broken: str = broken) -> str:
            said = talk(request, rng)
            return ("" if broken == "cause" else "what?") if request.observation["do"] == broken else said

        end, _ = flown(answers, ruled("a: bad"), folder, iterations=2)
        assert (end.reason, end.tried, end.best.values) == ("finished", 1, {"rules": "a: bad"})
        notes = [one["note"] for one in recorded(folder, "refused")]
        assert notes == [["a root cause"], ["flaws"], ["a velocity"], ["a position"]][at]


def test_a_value_with_problems_is_no_move_and_the_editor_is_told(tmp_path: Path) -> None:
    talk = Talk(lambda seen: {0: "put one"}, lambda seen: ("a: {{ nobody }}", {}))
    end, _ = flown(talk, ruled("a: bad"), tmp_path, iterations=3)
    assert end.tried == 1
    first, second = (request.observation["refused"] for request in talk.of("apply"))
    assert first == ""
    assert "nobody" in second
    assert "Your last change was refused" in talk.of("apply")[1].messages[-1].content


# --- the loop ---------------------------------------------------------------------------------------------------------


def test_all_are_scored_on_the_same_examples_and_the_last_iteration_only_scores(tmp_path: Path) -> None:
    names = "abcdefghijkl"
    start = "\n".join(f"{name}: bad" for name in names)
    found = Function(good)
    talk = Talk(lambda seen: {0: "put one"}, lambda seen: (f"{seen['values']['rules']}\nx{seen['particle']}: y", {}))
    conducted(
        language_pso,
        ruled(start, start),
        found,
        tmp_path / "j",
        answers=talk,
        particles=2,
        iterations=2,
        examples=3,
    )
    by_candidate: dict[str, list[str]] = {}
    for one, example, _ in found.asked:
        by_candidate.setdefault(one, []).append(example)
    assert len(by_candidate) == 3
    assert len({tuple(examples) for examples in by_candidate.values()}) == 1
    assert [request.observation["do"] for request in talk.asked] == ["cause"] * 3 + ["flaws"] * 2 + ["fuse"] * 2 + [
        "apply"
    ] * 2


def test_it_is_over_when_nobody_fails_anything(tmp_path: Path) -> None:
    talk = Talk(lambda seen: {0: "put good"}, writes)
    end, _ = flown(talk, ruled("a: bad"), tmp_path)
    assert (end.reason, end.best.values, end.tried) == ("finished", {"rules": "a: good"}, 2)
    assert end.evaluation is not None
    assert end.evaluation.split == "train"


def test_an_outage_is_not_taken_for_success(tmp_path: Path) -> None:
    rules = study((TextParameter("rules"),), {"rules": "a: bad"})
    down = Function(lambda values, example, rep: Scored(None, error="down"))
    seen = play(
        lambda ctx: conduct(ctx, rules, lambda at, one: language_pso(at, one, particles=1), down), tmp_path / "j.sqlite"
    )
    assert seen.outcome.failure is not None
    assert "down" in seen.outcome.failure.message
    assert len(down.asked) == OUTAGES * 10


@pytest.mark.parametrize(("second", "kept"), [("good", "a: good\nv: good"), ("bad", "a: bad\nv: good")])
def test_with_validation_a_new_best_is_kept_if_it_is_better_there(tmp_path: Path, second: str, kept: str) -> None:
    start = f"a: bad\nv: {'bad' if second == 'good' else 'good'}"
    talk = Talk(lambda seen: {0: "put good"}, lambda seen: (f"a: good\nv: {second}", {}))
    end, _ = flown(talk, ruled(start, validate=("v",)), tmp_path)
    assert end.best.values["rules"] == kept
    assert end.evaluation is not None
    assert (end.evaluation.split, end.evaluation.mean) == ("validate", 1.0)
    assert all("v" not in request.observation.get("causes", {}) for request in talk.asked)


def restless(seen: Any) -> tuple[str, dict[int, str]]:
    """Always somewhere new, and never better."""
    return f"{seen['values']['rules']}\nx{seen['particle']}: y", {}


def test_what_it_takes_is_known_before(tmp_path: Path) -> None:
    given = ruled("a: bad\nb: bad", "a: bad\nb: odd")
    settings: dict[str, Any] = {"particles": 2, "iterations": 4}
    most = language_pso_most(given, **settings)
    assert most == (2 * 4 * 2, 2 * 3 * (2 + 3))
    end, played = flown(Talk(lambda seen: {0: "put one"}, restless), given, tmp_path, memory=0, **settings)
    assert (end.examples, len(played.asked)) == most
    assert language_pso_most(given._replace(validate=Split("validate", "vw")), **settings).examples == 16 + 4 * 2
    assert language_pso_most(given, particles=3, iterations=4).asks == 3 * 3 * 5 + 3
    assert language_pso_most(given, examples=1, scratch=True, **settings) == (8, 2 * 3 * 4 + 6)


@pytest.mark.parametrize("wall", [3, 7, 12, 20])
def test_a_budget_ends_it_and_a_resumed_study_is_the_same(tmp_path: Path, wall: int) -> None:
    given = ruled("a: bad\nb: bad", "a: bad\nb: odd")
    settings: dict[str, Any] = {"particles": 2, "iterations": 4, "memory": 0}
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()

    def talk() -> Talk:
        return Talk(lambda seen: {0: "put one"}, restless)

    whole, first = flown(talk(), given, tmp_path / "whole", **settings)
    cut, before = flown(talk(), given, tmp_path / "cut", limits=Limits(calls=wall), **settings)
    assert cut.reason == "calls"
    assert cut.best.values == {"rules": "a: bad\nb: odd"}
    again, after = flown(talk(), given, tmp_path / "cut", **settings)
    assert again == whole
    assert len(before.asked) + len(after.asked) == len(first.asked)
    assert list(content(tmp_path / "cut" / "j")) == list(content(tmp_path / "whole" / "j"))


def test_a_study_without_words_or_examples_is_refused(tmp_path: Path) -> None:
    number = study((NumberParameter("digit", 0, 9),), {"digit": 1})
    with pytest.raises(UserError, match="changes texts and workflows"):
        flown(Talk(), number, tmp_path)
    with pytest.raises(UserError, match="training examples"):
        language_pso_most(ruled("a: bad")._replace(train=Split("train", (), quotable=True)))


def test_it_is_found_by_its_name() -> None:
    assert OPTIMIZERS["language-pso"] is OPTIMIZER
    assert OPTIMIZER.kinds == {"text", "workflow"}
