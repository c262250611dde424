"""What pulls a particle, the bests, and what it has learned not to do again."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.optimizers.archives.swarm import Attempt, Particle, Swarm, holds
from swarmmind.optimizers.candidate import candidate
from swarmmind.optimizers.language_pso.velocity import references, reworded
from swarmmind.optimizers.requests import Critique
from swarmmind.optimizers.study import Evaluation

from .talk import RULE, Talk, flown, means, recorded, ruled, tries, writes

# --- bests ------------------------------------------------------------------------------------------------------------


def loses_what_it_had(seen: Any) -> tuple[str, dict[int, str]]:
    """The first edit loses rule a; later ones write what they are told."""
    rules = dict(RULE.findall(seen["values"]["rules"]))
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
        hints = [dict(RULE.findall(one["values"]["rules"])) for one in seen["guidance"] if k in one["flaws"]]
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
