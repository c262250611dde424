"""A swarm whose velocities are words: what moves it, what it remembers, and what it leaves alone."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.effects import Limits
from swarmmind.errors import UserError
from swarmmind.optimizers import OPTIMIZERS
from swarmmind.optimizers.archives.swarm import Attempt, Particle, Swarm, holds
from swarmmind.optimizers.candidate import candidate
from swarmmind.optimizers.conduct import Conclusion
from swarmmind.optimizers.language_pso import OPTIMIZER, language_pso, language_pso_most
from swarmmind.optimizers.language_pso.velocity import references, reworded
from swarmmind.optimizers.parameters import NumberParameter, TextParameter
from swarmmind.optimizers.requests import Critique
from swarmmind.optimizers.study import Evaluation, Split, Study
from swarmmind.ports import Request
from swarmmind.runtime.journal import content
from swarmmind.testing.play import Played
from tests.optimizers.hills import Function, conducted, document, study

RULES = TextParameter("rules")
_RULE = re.compile(r"^(\w+): (\w+)$", re.MULTILINE)


class Talk:
    """Critic and editor of rules such as `a: bad`: each example is a rule that should be `good`.

    Attributes:
        fuse: from the observation to adjustments by the number of the flaw.
        write: from the observation to the new rules, and excerpts by the number of the adjustment.
        asked: all requests, in order.
    """

    def __init__(
        self,
        fuse: Callable[[Any], Mapping[int, str]] | None = None,
        write: Callable[[Any], tuple[str, Mapping[int, str]]] | None = None,
    ) -> None:
        self.fuse, self.write = fuse or tries(), write or writes
        self.asked: list[Request] = []

    def __call__(self, request: Request, rng: random.Random) -> str:
        self.asked.append(request)
        seen = request.observation
        return {"cause": self._cause, "flaws": self._flaws, "fuse": self._fuse, "apply": self._apply}[seen["do"]](seen)

    def of(self, do: str) -> list[Request]:
        return [request for request in self.asked if request.observation["do"] == do]

    def _cause(self, seen: Any) -> str:
        return f"rule {seen['case']['id']} is wrong"

    def _flaws(self, seen: Any) -> str:
        flaws = [
            {"parameter": "rules", "kind": "weak role policy", "subject": case, "text": why, "examples": [case]}
            for case, why in seen["causes"].items()
        ]
        return document(flaws=flaws)

    def _fuse(self, seen: Any) -> str:
        return document(adjustments=[{"flaw": k, "adjustment": text} for k, text in self.fuse(seen).items()])

    def _apply(self, seen: Any) -> str:
        text, excerpts = self.write(seen)
        done = [{"adjustment": k, "excerpt": excerpt} for k, excerpt in excerpts.items()]
        return document(values={"rules": text}, done=done)


def ruled(*starts: str, validate: tuple[str, ...] = ()) -> Study:
    names = [name for name, _ in _RULE.findall(starts[0])]
    found = study((RULES,), *({"rules": start} for start in starts))
    return found._replace(
        train=Split("train", [name for name in names if name not in validate], quotable=True),
        validate=Split("validate", validate),
    )


def good(values: Mapping[str, Any], example: str, rep: int) -> float:
    return float(dict(_RULE.findall(values["rules"])).get(example) == "good")


def flown(talk: Any, given: Study, folder: Path, **more: Any) -> tuple[Conclusion, Played]:
    settings: dict[str, Any] = {"particles": 1, **more}
    return conducted(language_pso, given, Function(good), folder / "j", answers=talk, **settings)


def recorded(folder: Path, name: str) -> list[Any]:
    return [json.loads(row[3]) for row in content(folder / "j") if row[0] == "record" and row[2] == name]


def means(folder: Path) -> list[list[float]]:
    swarms = sorted(recorded(folder, "swarm"), key=lambda swarm: swarm["iteration"])
    return [swarm["means"] for swarm in swarms]


# --- bests ------------------------------------------------------------------------------------------------------------


def loses_what_it_had(seen: Any) -> tuple[str, dict[int, str]]:
    """The first edit loses rule a; later ones write what they are told."""
    rules = dict(_RULE.findall(seen["values"]["rules"]))
    if rules["a"] == "good" and rules["b"] == "bad":
        return "a: bad\nb: worse", {}
    for one in seen["adjustments"]:
        rule, word = one["adjustment"].split()
        rules[rule] = word
    return "\n".join(f"{rule}: {word}" for rule, word in rules.items()), {}


def only_if_shown(seen: Any) -> dict[int, str]:
    """An editor that cannot invent what is good, but can copy it."""
    plan: dict[int, str] = {}
    for k, flaw in enumerate(seen["flaws"]):
        hints = [dict(_RULE.findall(one["values"]["rules"])) for one in seen["guidance"] if k in one["flaws"]]
        plan[k] = f"{flaw['subject']} {hints[0][flaw['subject']] if hints else 'odd'}"
    return plan


def test_what_the_personal_best_holds_is_restored_in_one_update_and_without_it_never(tmp_path: Path) -> None:
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    start = "a: good\nb: bad"
    flown(Talk(only_if_shown, loses_what_it_had), ruled(start), tmp_path / "with", iterations=6, guidance="personal")
    flown(Talk(only_if_shown, loses_what_it_had), ruled(start), tmp_path / "without", iterations=6, guidance="none")
    assert means(tmp_path / "with")[:3] == [[0.5], [0.0], [0.5]]
    assert means(tmp_path / "without") == [[0.5], *[[0.0]] * 5]


def evaluation(rules: str, **scores: float | None) -> Evaluation:
    return Evaluation(candidate({"rules": rules}), "train", dict(scores), {})


def test_a_best_speaks_of_flaws_only_behind_which_it_does_better_and_once() -> None:
    swarm = Swarm([candidate({"rules": "x"}), candidate({"rules": "y"})])
    swarm.observe([evaluation("x", a=0, b=0, c=1), evaluation("y", a=1, b=0, c=1)])
    flaws = [Critique("rules", "", subject=each, cases=(each,)) for each in "ab"]
    first, second = swarm.particles

    [one] = references(swarm, first, flaws, "both")
    assert (one.name, one.best.candidate.values, dict(one.passes)) == ("global best", {"rules": "y"}, {0: ["a"]})
    assert references(swarm, second, flaws, "both") == []  # it is the best itself
    assert references(swarm, first, flaws[1:], "both") == []  # the best fails that, too
    assert references(swarm, first, flaws, "personal") == []
    assert references(swarm, first, flaws, "none") == []

    first.position = candidate({"rules": "z"})
    swarm.observe([evaluation("z", a=0, b=0, c=0), evaluation("y", a=1, b=0, c=1)])
    flaws = [Critique("rules", "", subject="c", cases=("c",))]
    assert [one.name for one in references(swarm, first, flaws, "both")] == ["global best", "personal best"]
    assert [one.name for one in references(swarm, first, flaws, "personal")] == ["personal best"]


def test_ties_move_the_bests_and_missing_scores_are_not_compared() -> None:
    swarm = Swarm([candidate({"rules": "x"})])
    for rules, scores in (("x", {"a": 1, "b": 0}), ("y", {"a": 0, "b": 1}), ("z", {"a": 0, "b": None})):
        swarm.observe([evaluation(rules, **scores)])
    assert swarm.best is not None
    assert swarm.best.candidate.values["rules"] == "z"
    [particle] = swarm.particles
    particle.position = candidate({"rules": "down"})
    swarm.observe([evaluation("down", a=None, b=None)])
    assert particle.position.values["rules"] == swarm.best.candidate.values["rules"] == "z"


def test_after_so_many_worse_moves_it_starts_again_from_its_best() -> None:
    swarm = Swarm([candidate({"rules": "x"})], restart=2)
    [particle] = swarm.particles
    at: list[str] = []
    for rules, score in (("x", 1), ("y", 0), ("z", 0), ("u", 0)):
        particle.position = candidate({"rules": rules})
        swarm.observe([evaluation(rules, a=score)])
        at.append(particle.position.values["rules"])
    assert at == ["x", "y", "x", "u"]


# --- failure memory ---------------------------------------------------------------------------------------------------


def tries(*words: str) -> Callable[[Any], dict[int, str]]:
    """Proposes, for the first flaw, one after the other of these, whatever failed."""
    rest = iter(words)

    def fuse(seen: Any) -> dict[int, str]:
        word = next(rest, None)
        return {} if word is None else {0: word}

    return fuse


def writes(seen: Any) -> tuple[str, dict[int, str]]:
    """Puts the adjustment's words in place of rule a's, and says so."""
    word = seen["adjustments"][0]["adjustment"].split()[-1]
    return f"a: {word}", {0: f"a: {word}"}


def forgets(seen: Any) -> tuple[str, dict[int, str]]:
    """Says the same, and does something else."""
    return f"{seen['values']['rules']}\nmore: of_this", {0: f"a: {seen['adjustments'][0]['adjustment'].split()[-1]}"}


def deletes(seen: Any) -> tuple[str, dict[int, str]]:
    """Takes away a line, and names it."""
    kept, _, last = seen["values"]["rules"].rpartition("\n")
    return kept, {0: last}


def failed(talk: Talk) -> list[list[str]]:
    return [request.observation["flaws"][0]["failed"] for request in talk.of("fuse")]


def test_what_was_written_and_did_not_help_has_failed_and_is_told_so(tmp_path: Path) -> None:
    talk = Talk(tries("put one", "set two", "use three", "try four"), writes)
    flown(talk, ruled("a: bad"), tmp_path, iterations=4)
    assert failed(talk) == [[], ["put one"], ["put one", "set two"]]
    assert "[failed, 2 of 2]\n> set two" in talk.of("fuse")[-1].messages[-1].content


@pytest.mark.parametrize(("memory", "wanted"), [(0, []), (1, ["set two"]), (2, ["put one", "set two"])])
def test_memory_has_a_depth(tmp_path: Path, memory: int, wanted: list[str]) -> None:
    talk = Talk(tries("put one", "set two", "use three"), writes)
    flown(talk, ruled("a: bad"), tmp_path, iterations=4, memory=memory)
    assert failed(talk)[-1] == wanted


def test_an_edit_that_got_lost_is_not_blamed(tmp_path: Path) -> None:
    talk = Talk(tries("put one", "put one", "put one"), forgets)
    flown(talk, ruled("a: bad"), tmp_path, iterations=4)
    assert failed(talk) == [[], [], []]


def test_what_was_deleted_can_fail_too(tmp_path: Path) -> None:
    talk = Talk(tries("drop c", "leave out b"), deletes)
    flown(talk, ruled("a: bad")._replace(start=(candidate({"rules": "a: bad\nb: x\nc: y"}),)), tmp_path, iterations=3)
    assert failed(talk) == [[], ["drop c"]]


def test_an_adjustment_that_no_longer_stands_is_not_blamed_for_a_flaw_that_comes_back() -> None:
    particle = Particle(candidate({"rules": "a: one"}))
    flaw = ("rules", "weak role policy", "a")
    from_one = particle.position
    particle.tried.append(Attempt(flaw, "put one", "a: one"))
    particle.position = candidate({"rules": "a: two"})
    particle.blame([flaw])
    assert particle.failed(flaw) == []
    particle.position = from_one
    particle.blame([("rules", "weak role policy", "b")])
    assert particle.failed(flaw) == []
    particle.blame([flaw])
    assert particle.failed(flaw) == ["put one"]


def test_failed_ones_are_refused_in_other_words_too_and_nothing_moves(tmp_path: Path) -> None:
    talk = Talk(tries("let the worker count to one", "Let the WORKER count - to one!"), writes)
    end, _ = flown(talk, ruled("a: bad"), tmp_path, iterations=3)
    assert len(talk.of("fuse")) == 2
    assert len(talk.of("apply")) == 1
    assert [one["note"] for one in recorded(tmp_path, "refused")] == ["an adjustment that failed before"]
    assert end.tried == 2


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1), st.randoms(use_true_random=False))
def test_rewording_is_seen_through_order_and_case(words: list[str], rng: random.Random) -> None:
    other = [word.upper() for word in words]
    rng.shuffle(other)
    assert reworded(" ".join(other), ", ".join(words))
    assert not reworded("x y z " + " ".join(words[:2]), " ".join(words[:2]))


def test_an_excerpt_is_held_as_whole_words_in_texts_and_in_teams() -> None:
    team = {"roles": [{"name": "budget-checker", "policy": 'Say "no" twice.'}], "steps": []}
    assert holds(team, "Budget Checker")
    assert holds(team, 'say "no"')
    assert not holds(team, "check")
    assert not holds(team, "  ")


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
