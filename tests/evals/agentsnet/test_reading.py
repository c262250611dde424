from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.evals.agentsnet.names import NAMES
from swarmmind.evals.agentsnet.reading import (
    MARKER,
    MAX_CHARACTERS,
    compatible_answer,
    compatible_messages,
    strict_answer,
    strict_messages,
)
from tests.evals.agentsnet.played import recorded

TEXTS: dict[str, list[dict[str, Any]]] = recorded("parsing.json")
GROUPS = [f"Group {number}" for number in range(1, 13)]


@pytest.mark.parametrize("case", TEXTS["messages"], ids=lambda case: ascii(case["text"])[:40])
def test_messages_are_read_as_by_the_original(case: dict[str, Any]) -> None:
    assert compatible_messages(case["text"], ()) == case["parsed"]


@pytest.mark.parametrize("case", TEXTS["answers"], ids=lambda case: f"{ascii(case['text'])[:50]}-{len(case['valid'])}")
def test_answers_are_read_as_by_the_original(case: dict[str, Any]) -> None:
    assert compatible_answer(case["text"], case["valid"]) == case["parsed"]


def test_all_recorded_texts_are_there() -> None:
    assert (len(TEXTS["messages"]), len(TEXTS["answers"])) == (35, 55)


REPAIRED: list[tuple[str, dict[str, str] | None]] = [
    ('{"James": "one\\ntwo"}', {"James": "one\ntwo"}),
    ('{"James": "one\ntwo"}', {"James": "one\ntwo"}),
    ('{"James": "hi",}', {"James": "hi"}),
    ('{"James": "hi", "Zebedee": "x"}', {"James": "hi"}),
    ('{"James": "a"} and a stray } here', {"James": "a"}),
    ('{"Messages": {"James": "a", "Mary": "b"}}', {"James": "a", "Mary": "b"}),
    ('{{"James": "a"}}', {"James": "a"}),
    ('{"James": "a"} or {"Mary": "b"} }', {"Mary": "b"}),
    ('{"James": "say {\\"Mary\\": 1}"}', {"James": 'say {"Mary": 1}'}),
    ('{"James": "a, \\",}"}', {"James": 'a, ",}'}),
    ("{}", {}),
    ('{"Zebedee": "hi"}', None),
    ('{"james": "hi"}', None),
    ('{"James": 3}', None),
    ("no braces", None),
]


@pytest.mark.parametrize(("text", "messages"), REPAIRED)
def test_strictly_messages_are_read_without_traps(text: str, messages: dict[str, str] | None) -> None:
    assert strict_messages(text, ("James", "Mary")) == messages


@pytest.mark.parametrize("case", [case for case in TEXTS["messages"] if case["parsed"] is not None])
def test_strictly_nothing_is_lost_that_the_original_reads(case: dict[str, Any]) -> None:
    assert strict_messages(case["text"], ("James", "Mary")) == case["parsed"]


@pytest.mark.parametrize(
    ("text", "legal", "answer"),
    [
        (f"{MARKER} Group 10", GROUPS, "Group 10"),
        (f"{MARKER} group 2", GROUPS, "Group 2"),
        (f"{MARKER} Group 13", GROUPS, None),
        (f"{MARKER} Anna", ["Ann", "Anna", "None"], "Anna"),
        (f"{MARKER} Nonexistent", ["Ann", "None"], None),
        (f"{MARKER} 10", ["0", "1"], None),
        (f"{MARKER} 0.5", ["0", "1"], None),
        (f"{MARKER} 0.", ["0", "1"], "0"),
        (f"{MARKER} **Yes**", ["Yes", "No"], "Yes"),
        (f"{MARKER}: 'no'.", ["Yes", "No"], "No"),
        ("**### Final answer ###** Yes", ["Yes", "No"], "Yes"),
        ("## Final Answer: Yes", ["Yes", "No"], "Yes"),
        (f"{MARKER} No. Wait. {MARKER} Yes", ["Yes", "No"], "Yes"),
        (f"The form is {MARKER} ANSWER", ["Yes", "No"], None),
        (f"{MARKER} Yesterday", ["Yes", "No"], None),
        (f"{MARKER} I am the leader: Yes", ["Yes", "No"], None),
        ("Final answer: Yes", ["Yes", "No"], None),
    ],
)
def test_strictly_answers_are_read_without_traps(text: str, legal: list[str], answer: str | None) -> None:
    assert strict_answer(text, legal) == answer


messages = st.dictionaries(
    st.sampled_from(NAMES), st.text(st.characters(exclude_characters="\\", exclude_categories=["C"]))
)


@given(messages, st.text(st.characters(exclude_characters="{}\\")), st.text(st.characters(exclude_characters="{}\\")))
def test_an_object_of_messages_is_read_whatever_stands_around(sent: dict[str, str], before: str, after: str) -> None:
    text = before + json.dumps(sent, ensure_ascii=False) + after
    assert strict_messages(text, NAMES) == sent
    assert compatible_messages(text, ()) == sent


@given(st.text(st.sampled_from('{}":,\\n James[]#0 ')))
def test_no_text_breaks_a_reader(text: str) -> None:
    for read in (compatible_messages, strict_messages):
        found = read(text, ("James",))
        assert found is None or found.keys() <= {"James"}


@pytest.mark.parametrize(
    "hostile", ['{"James":' * 10_000, "{" * 90_000 + "x", '{"' * 40_000, '{"James": "a", "a": ' * 4_000]
)
def test_hostile_texts_take_no_time_and_no_stack(hostile: str) -> None:
    assert compatible_messages(hostile + "}", ()) is None
    assert strict_messages(hostile + "}", ("Mary",)) is None
    assert strict_messages('{"James": "' + "x" * MAX_CHARACTERS + '"}', ("James",)) is None


@pytest.mark.parametrize(
    "hostile", ["#" * MAX_CHARACTERS, "## " * 30_000, "## Final Answer" * 6_000, f"{MARKER}: *" * 5_000]
)
def test_nor_do_hostile_answers(hostile: str) -> None:
    assert strict_answer(hostile, ("Yes", "No")) is None
    assert compatible_answer(hostile, ("Yes", "No")) is None


def test_half_a_character_that_json_spells_is_replaced() -> None:
    """Nothing could be recorded or sent with it: one agent's broken emoji would end everybody's game."""
    text = r'{"James": "so \ud83d it is", "Mary": "\ud83d\ude00"}'
    for read in (compatible_messages, strict_messages):
        assert read(text, ("James", "Mary")) == {"James": "so \ufffd it is", "Mary": "\U0001f600"}
