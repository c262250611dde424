from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

import swarmmind
from swarmmind.effects import Agent
from swarmmind.evals.apprentice import RULES, Rule, apprentice, candidates, choose, solve
from swarmmind.runtime.journal import content

EXAMPLE = Path(__file__).parents[2] / "examples" / "omne"
ROWS: list[dict[str, str]] = [json.loads(line) for line in (EXAMPLE / "ciphers.jsonl").read_text().splitlines()]
SEEDS = range(6)

SPANS = "How many house inches are 7 house spans?"
RIGHT, WRONG = "\n(was judged right)", "\n(was judged wrong)"


def said(rule: Rule, kind: str = "episode", judged: str = RIGHT) -> dict[str, str]:
    return {"kind": kind, "text": f"A problem.\n=> {rule.words}\nANSWER: 1{judged}"}


def chosen(*shown: dict[str, str]) -> set[str]:
    """What is chosen about house spans, over many draws."""
    rng = random.Random(1)
    return {choose(RULES["spans"], shown, rng).words for _ in range(200)}


@pytest.mark.parametrize(
    ("kind", "word", "answers"),
    [
        ("caravel", "xyzabc", ["yzabcd", "zabcde", "abcdef", "bcdefg", "cdefgh"]),
        ("mirror", "abcdef", ["fedcba", "cbafed", "defabc", "badcfe", "fbcdea"]),
        ("mirror", "a", ["a"] * 5),
        ("hollow", "abcdef", ["bcdf", "bcdef", "abcde", "bcde", "ace"]),
        ("ladder", "aaaz", ["abcc", "bcdd", "cdee", "deff", "efgg"]),
        ("tower", "abcdef", []),
    ],
)
def test_a_cipher_is_written_by_each_of_its_rules(kind: str, word: str, answers: list[str]) -> None:
    question = f'Write "{word}" in the {kind} cipher.'
    assert [solve(question, rule) for rule in candidates(question)] == answers


def test_a_measure_is_taken_by_each_of_its_rules_and_other_questions_have_none() -> None:
    assert [solve(SPANS, rule) for rule in candidates(SPANS)] == ["56", "63", "70", "77", "84"]
    assert not candidates("What is love?")
    assert apprentice(Agent("a", "solver"))({"question": "What is love?"}, random.Random(1)).endswith("unknown")


def test_no_rule_is_taken_for_another() -> None:
    words = [rule.words for rules in RULES.values() for rule in rules]
    assert len(words) == 25
    assert all(one == other or one not in other for one in words for other in words)


def test_each_kind_of_the_example_has_one_house_rule_which_its_problems_do_not_tell() -> None:
    assert len({row["problem"] for row in ROWS}) == len(ROWS) == 40
    assert Counter(row["kind"] for row in ROWS) == dict.fromkeys(RULES, 8)
    houses: dict[str, set[str]] = {}
    for row in ROWS:
        rules = candidates(row["problem"])
        assert rules is RULES[row["kind"]]
        assert len({solve(row["problem"], rule) for rule in rules}) == 5  # a right answer tells the rule
        [house] = [rule.words for rule in rules if solve(row["problem"], rule) == row["target"]]
        houses.setdefault(row["kind"], set()).add(house)
        assert not any(rule.words in row["problem"] for rule in rules)
    assert all(len(found) == 1 for found in houses.values())


def test_what_was_judged_right_is_used_and_what_was_judged_wrong_is_not() -> None:
    eight, nine, ten, eleven, twelve = RULES["spans"]
    every = {rule.words for rule in RULES["spans"]}
    assert chosen() == every
    assert chosen(said(eleven)) == chosen(said(eleven, "pattern", "")) == chosen(said(eleven, "fact", "")) == {
        eleven.words
    }  # fmt: skip
    assert chosen(said(eleven, judged=WRONG)) == every - {eleven.words}
    assert chosen(*(said(rule, judged=WRONG) for rule in (eight, nine, ten, twelve))) == {eleven.words}
    assert chosen(said(nine, "pattern", ""), said(nine, judged=WRONG), said(ten)) == {ten.words}
    assert chosen(*(said(rule, judged=WRONG) for rule in RULES["spans"])) == every


def test_what_nobody_judged_and_what_is_about_another_kind_teaches_nothing() -> None:
    every = {rule.words for rule in RULES["spans"]}
    assert chosen(said(RULES["spans"][3], judged="")) == every
    assert chosen(said(RULES["spans"][3], judged=f"{RIGHT}, I say")) == every
    assert chosen(said(RULES["caravel"][3])) == every


def test_a_reply_says_its_rule_and_then_the_answer() -> None:
    policy, eleven = apprentice(Agent("a", "solver")), RULES["spans"][3]
    assert policy({"question": SPANS, "shown": [said(eleven)]}, random.Random(1)) == f"{eleven.words}\nANSWER: 77"
    assert "ANSWER: " in policy({"question": SPANS}, random.Random(1))


# --- the example ------------------------------------------------------------------------------------------------------


def scores(folder: Path, *overrides: str) -> list[float]:
    """One run of the example as it stands in a folder: the score of each lesson."""
    result = swarmmind.run_sync(folder / "task.yaml", runs=folder / "runs", env={}, overrides=overrides)
    assert result.status == "finished"
    rows = content(Path(result.folder) / "journal.sqlite")
    lessons: list[dict[str, Any]] = [json.loads(row[3]) for row in rows if (row[0], row[2]) == ("record", "lesson")]
    assert len(lessons) == 40
    return [lesson["score"] for lesson in sorted(lessons, key=lambda lesson: lesson["lesson"])]


def test_the_example_learns_keeps_what_it_learned_and_without_memory_does_not(work: Path) -> None:
    rises: list[float] = []
    again: list[float] = []
    flat: list[float] = []
    for seed in SEEDS:
        folder = work / str(seed)
        shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("runs", ".swarmmind"))
        first = scores(folder, f"seed={seed}")
        rises.append(fmean(first[-10:]) - fmean(first[:10]))
        again.append(fmean(scores(folder, f"seed={seed}")[:10]))
        forgetful = scores(folder, f"seed={seed}", "swarm.memory=none")
        assert fmean(forgetful) < 0.4
        flat.append(fmean(forgetful[-10:]) - fmean(forgetful[:10]))
    assert min(rises) >= 0.5
    assert min(rise - none for rise, none in zip(rises, flat, strict=True)) >= 0.3
    assert abs(fmean(flat)) < 0.2
    assert min(again) >= 0.9
