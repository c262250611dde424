from __future__ import annotations

from decimal import Decimal
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.agents.answers import after_mark, final_number, final_text, plurality


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("ANSWER: Paris", "paris"),
        ("ANSWER:Paris", "paris"),
        ("answer = Paris", "paris"),
        ("I thought about it.\nANSWER: Paris.", "paris"),
        ('ANSWER: "Paris".', "paris"),
        ("**ANSWER:** Paris", "paris"),
        ("**ANSWER**: *Paris*", "paris"),
        ("`ANSWER: Paris`", "paris"),
        ("ANSWER: The answer is Paris.", "paris"),
        ("The answer is Paris.", "paris"),
        ("The final answer is: New   York", "new york"),
        ("ANSWER:\nParis", "paris"),
        ("ANSWER: Rome\nNo, wait.\nANSWER: Paris", "paris"),
        ("ANSWER: Paris\nI checked this answer twice.", "paris"),
        ("ANSWER: Paris\nNote that the answer is not Rome.", "paris"),
        ("ANSWER: Paris\nANSWER:", "paris"),
        ("Paris", "paris"),
        ("ANSWER: \uff30\uff41\uff52\uff49\uff53", "paris"),
        ("ANSWER: Stra\u00dfe", "strasse"),
        ("I give no answer here", "i give no answer here"),
        ("", None),
        (" ...", None),
        (None, None),
        (42, "42"),
    ],
)
def test_the_final_answer_is_found_and_normalized(said: object, wanted: str | None) -> None:
    assert final_text(said) == wanted


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("ANSWER: 115", "115"),
        ("ANSWER:115", "115"),
        ("ANSWER: 1,234,567 km", "1234567"),
        ("so it is 1,234.50 in all", "1234.5"),
        ("ANSWER: \u22125", "-5"),
        ("ANSWER: -0.5", "-0.5"),
        ("ANSWER: +7", "7"),
        ("ANSWER: $1,250", "1250"),
        ("ANSWER: -$3", "-3"),
        ("ANSWER: 99\u20ac", "99"),
        ("ANSWER: 60%", "60"),
        ("ANSWER: 6.02e23", "602000000000000000000000"),
        ("ANSWER: 1E-3", "0.001"),
        ("ANSWER: .5", "0.5"),
        ("ANSWER: 5.", "5"),
        ("ANSWER: **42**", "42"),
        (r"ANSWER: $\boxed{42}$", "42"),
        ("ANSWER: 12 apples and 3 pears", "12"),
        ("First 12, then 3, so 15 apples.", "15"),
        ("7-2=5", "5"),
        ("between 10-12", "12"),
        ("The area is 25 m\u00b2", "25"),
        ("It is 4\u2026", "4"),
        ("ANSWER: 41\nANSWER: 42", "42"),
        ("ANSWER: 42\nI checked the answer twice, in 3 ways.", "42"),
        ("The answer is 42, not 41.", "42"),
        ("ANSWER: forty-two", None),
        ("no number", None),
        ("", None),
        (None, None),
        (True, None),
        (115, "115"),
        (0.25, "0.25"),
        (float("nan"), None),
        (float("inf"), None),
        ("ANSWER: \uff14\uff12", "42"),
        ("ANSWER: 1,2,3", "1"),
        ("ANSWER: 12,34", "12"),
        ("In 1,234, we saw 5", "5"),
    ],
)
def test_the_final_number_is_found(said: object, wanted: str | None) -> None:
    assert final_number(said) == (None if wanted is None else Decimal(wanted))


def test_the_last_of_many_digits_counts() -> None:
    right = final_number(f"ANSWER: {2**100}")
    assert right == 2**100
    assert right != final_number(f"ANSWER: {2**100 + 1}")


@pytest.mark.parametrize("said", ["1e99999999", "1e999999999999999999999", "-9e-99999999", "9" * 100_000])
def test_a_number_however_odd_raises_nothing(said: str) -> None:
    found = final_number(f"ANSWER: {said}")
    assert found is None or found.is_finite()


@pytest.mark.parametrize(
    "text",
    [
        "ANSWER" + "\n" * 100_000,
        "ANSWER:" + " " * 100_000,
        "ANSWER: " * 50_000,
        "1," * 100_000,
        "ANSWER IS " * 50_000,
        "1" + ",111" * 50_000 + "1",
    ],
)
def test_no_text_makes_the_search_slow(text: str) -> None:
    began = process_time()
    final_text(text)
    assert final_number(text + "\nANSWER: 5") == 5
    assert process_time() - began < 2.0  # were it quadratic, seconds or minutes


@given(st.integers() | st.decimals(allow_nan=False, allow_infinity=False, places=3))
def test_a_number_is_read_as_itself_with_and_without_separators(number: Decimal | int) -> None:
    assert final_number(f"I say.\nANSWER: {number:f}" if isinstance(number, Decimal) else f"ANSWER: {number}") == number
    assert final_number(f"ANSWER: {number:,f}" if isinstance(number, Decimal) else f"ANSWER: {number:,}") == number


@given(st.text())
def test_no_text_is_too_odd(text: str) -> None:
    final_text(text)
    assert (found := final_number(text)) is None or found.is_finite()


@given(st.text(alphabet="abc ,-", min_size=1).filter(lambda text: text.strip(" ")), st.text())
def test_what_comes_before_the_mark_does_not_count(answer: str, before: str) -> None:
    assert final_text(f"{before}\nANSWER: {answer}") == final_text(answer)


def test_plurality_counts_and_the_first_one_given_wins_a_tie() -> None:
    assert plurality(["b", "a", "a", "b"]) == "b"
    assert plurality(["c", "b", "a", "a"]) == "a"
    assert plurality([None, None, "a"]) == "a"
    assert plurality([None, None]) is None
    assert plurality([]) is None
    assert plurality([0, 0, 1]) == 0


@given(st.lists(st.none() | st.integers(0, 4), max_size=20))
def test_a_plurality_is_an_answer_that_no_other_outnumbers(answers: list[int | None]) -> None:
    winner = plurality(answers)
    votes = [answer for answer in answers if answer is not None]
    if winner is None:
        assert not votes
    else:
        most = max(votes.count(answer) for answer in votes)
        assert winner == next(answer for answer in votes if votes.count(answer) == most)


def test_all_that_follows_the_last_mark_may_have_several_lines():
    assert after_mark("ANSWER: 1\n**Answer**:\n a\nb") == "a\nb"
    assert after_mark("ANSWER: The answer is a\nb, and that answer is right") == "a\nb, and that answer is right"
    assert after_mark("a\nb") is None
