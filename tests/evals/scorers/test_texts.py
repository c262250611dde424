from __future__ import annotations

from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.effects import TEXT, Choice
from swarmmind.errors import UserError
from swarmmind.evals.scorers import (
    MAX_PATTERN_SECONDS,
    SCORERS,
    choice,
    contains,
    exact,
    f1,
    mentions,
    number,
    pattern,
)

ANYTHING = st.none() | st.text() | st.integers() | st.floats() | st.lists(st.integers()) | st.booleans()


@pytest.mark.parametrize(
    ("output", "target", "wanted"),
    [
        ("ANSWER: Paris", "Paris", 1.0),
        ("paris.", "Paris", 1.0),
        ("I think.\nANSWER: \u201cParis.\u201d", "Paris", 1.0),
        ("ANSWER: 60%", "60", 0.0),
        ("ANSWER: 115", 115, 1.0),
        ("ANSWER: Lyon", "Paris", 0.0),
        ("", "Paris", 0.0),
        ("", "", 0.0),
        (None, "None", 0.0),
        ("None", None, 0.0),
        ("ANSWER: Paris", ["Rome", "PARIS"], 1.0),
        ("ANSWER: Lyon", ["Rome", "Paris"], 0.0),
        ("ANSWER: Lyon", [], 0.0),
    ],
)
def test_exact(output: Any, target: Any, wanted: float) -> None:
    assert exact().score(output, target) == wanted


@pytest.mark.parametrize(
    ("output", "target", "options", "wanted"),
    [
        ("ANSWER: 1,234 km", 1234, {}, 1.0),
        ("ANSWER: 60%", "60", {}, 1.0),
        ("ANSWER: 3.14", 3.14159, {}, 0.0),
        ("ANSWER: 3.14", 3.14159, {"tolerance": 0.01}, 1.0),
        ("ANSWER: 3.1", 3.14159, {"tolerance": 0.01}, 0.0),
        ("ANSWER: 1010", 1000, {"relative": 0.01}, 1.0),
        ("ANSWER: 1011", 1000, {"relative": 0.01}, 0.0),
        ("ANSWER: 0.1", 0.1, {}, 1.0),
        (f"ANSWER: {2**100 + 1}", str(2**100), {}, 0.0),
        (f"ANSWER: {2**100}", str(2**100), {}, 1.0),
        ("ANSWER: 1e999999999", "5", {"relative": 0.5}, 0.0),
        ("ANSWER: 5", "1e999999999", {"relative": 0.5}, 0.0),
        ("ANSWER: five", 5, {}, 0.0),
        ("ANSWER: 5", None, {}, 0.0),
        (None, 5, {}, 0.0),
    ],
)
def test_number(output: Any, target: Any, options: dict[str, float], wanted: float) -> None:
    assert number(**options).score(output, target) == wanted


def test_choice_asks_for_its_options_and_compares_them_verbatim() -> None:
    scoring = choice(["A", "B", 3])  # pyright: ignore[reportArgumentType]  (YAML gives numbers)
    assert scoring.output == Choice(("A", "B", "3"))
    assert [scoring.score(output, "3") for output in ("3", "A", "a", None, 3)] == [1.0, 0.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize("options", [[], ["A"], ["A", "A"], [1, "1"]])
def test_choice_needs_two_different_options(options: list[str]) -> None:
    with pytest.raises(UserError, match=r"score\.options: must be at least two different"):
        choice(options)


def test_regex_is_searched_for_and_a_slow_one_does_not_match() -> None:
    assert pattern().score("The sum is 115.", r"\b115\b") == 1.0
    assert pattern().score("The sum is 1150.", r"\b115\b") == 0.0
    assert pattern().score("PARIS", "paris") == 0.0
    assert pattern(ignore_case=True).score("PARIS", "paris") == 1.0
    with pytest.raises(UserError, match="not a regular expression"):
        pattern().score("x", "(")
    began = process_time()
    assert pattern().score("a" * 60 + "b", r"^(?:(?:a|a)*)+c\1?$|^(a+)+$|(?:(?:a+)+)+z") in (0.0, 1.0)
    assert process_time() - began < 3 * MAX_PATTERN_SECONDS


@pytest.mark.parametrize(
    ("output", "target", "wanted"),
    [
        ("- The Fire\n  exits: all of them", ["fire exits"], 1.0),
        ("exits on fire", ["fire exits"], 0.0),
        ("the exits", ["exit"], 0.0),
        ("signals, points (two)", ["signals", "points", "ballast", "seats"], 0.5),
        ("signals, points", "signals\n\n ballast \n", 0.5),
        ("a+b and c", ["a+b"], 1.0),
        ("aab", ["a+b"], 0.0),
        ("2 boxes", [2, "boxes"], 1.0),
        (None, ["none"], 0.0),
        ("", ["seats"], 0.0),
    ],
)
def test_mentions_are_counted_as_whole_words(output: Any, target: Any, wanted: float) -> None:
    assert mentions().score(output, target) == wanted


@pytest.mark.parametrize("target", [[], "", " \n", ["", " "]])
def test_mentions_need_a_phrase(target: Any) -> None:
    with pytest.raises(UserError, match=r"score\.target: must be phrases"):
        mentions().score("x", target)


@pytest.mark.parametrize("given", [{"tolerance": -1}, {"relative": -0.1}])
def test_a_negative_tolerance_is_the_users_mistake(given: dict[str, float]) -> None:
    with pytest.raises(UserError, match="must not be negative"):
        number(**given)


@pytest.mark.parametrize(
    ("output", "target", "wanted"),
    [
        ("ANSWER: It was Marie  Curie.", "marie curie", 1.0),
        ("ANSWER: It was Marie Curie.", ["Bohr", "Curie"], 1.0),
        ("ANSWER: It was Marie Curie.", "Cur", 0.0),
        ("Bohr or Curie?\nANSWER: Bohr", "Curie", 0.0),
        ("It was Curie, I think", "Curie", 1.0),
        ("anything", "", 0.0),
        ("anything", [], 0.0),
        (None, "None", 0.0),
    ],
)
def test_contains(output: Any, target: Any, wanted: float) -> None:
    assert contains().score(output, target) == wanted


@pytest.mark.parametrize(
    ("output", "target", "squad", "drop"),
    [
        ("the cat sat", "cat", 2 / 3, 2 / 3),
        ("ANSWER: The Cat!", "a cat", 1.0, 1.0),
        ("cat cat dog", "cat dog dog", 2 / 3, 2 / 3),
        ("dog", "cat", 0.0, 0.0),
        ("the", "a", 1.0, 1.0),
        ("the", "cat", 0.0, 0.0),
        ("yes it is", "yes", 0.0, 0.0),
        ("Yes.", "yes", 1.0, 1.0),
        ("32 yards", "33 yards", 0.5, 0.0),
        ("1,000 men", "1000.0 men", 0.5, 1.0),
        ("second-half", "second half", 0.0, 1.0),
        ("dog", ["cat", "big dog"], 2 / 3, 2 / 3),
        ("dog", [], 0.0, 0.0),
        (None, "dog", 0.0, 0.0),
    ],
)
def test_f1(output: Any, target: Any, squad: float, drop: float) -> None:
    assert f1().score(output, target) == pytest.approx(squad)
    assert f1(numbers=True).score(output, target) == pytest.approx(drop)


@given(ANYTHING, ANYTHING, st.sampled_from(["exact", "number", "choice", "f1", "contains"]))
def test_a_score_is_always_in_the_unit_interval(output: Any, target: Any, name: str) -> None:
    scoring = choice(["A", "B"]) if name == "choice" else SCORERS[name]()
    assert 0.0 <= scoring.score(output, target) <= 1.0
    assert scoring.output == (Choice(("A", "B")) if name == "choice" else TEXT)


@given(st.integers())
def test_votes_are_counted_as_they_are_scored(right: int) -> None:
    scoring = number()
    said = [f"ANSWER: {right:,}", f"{right}.0", f"so {right}"]
    assert len({scoring.read(text) for text in said}) == 1
    assert [scoring.score(text, right) for text in said] == [1.0, 1.0, 1.0]
