from __future__ import annotations

import json
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.agents.outputs import MAX_DEPTH, Unreadable, read
from swarmmind.effects import TEXT, Choice, Json

WAYS = Choice(("north", "south", "east"))
LETTERS = Choice(("A", "B", "C"))
NUMBER = Json("n", {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})
ANYTHING = Json("any", {})


@given(st.text())
def test_a_wanted_text_is_the_text_itself(text: str) -> None:
    assert read(TEXT, text) == text


@pytest.mark.parametrize(
    ("output", "text", "wanted"),
    [
        (WAYS, "north", "north"),
        (WAYS, "  north\n", "north"),
        (WAYS, '"North"', "north"),
        (WAYS, "**SOUTH**.", "south"),
        (WAYS, "`east`", "east"),
        (WAYS, "I would go north, of course.", "north"),
        (WAYS, "north. Yes: north!", "north"),
        (LETTERS, "(B)", "B"),
        (LETTERS, "The answer is B because of its color", "B"),
        (Choice(("yes", "yes please")), "yes please", "yes please"),
        (Choice(("yes", "yes please")), "I say: yes please!", "yes please"),
        (Choice(("north", "north-east")), "let us go north-east now", "north-east"),
        (Choice(("north", "north-east")), "north-east", "north-east"),
        (Choice(("a", "A")), "A", "A"),
        (Choice(("a", "A")), "a", "a"),
        (Choice(("+", "*")), "*", "*"),
        (Choice(("ja", "n\u00e4in")), "n\u00e4in", "n\u00e4in"),
        (Choice(("\u5317", "\u5357")), " \u5357 ", "\u5357"),
        (Choice(("a.c", "abc")), "I take abc", "abc"),
    ],
)
def test_an_option_is_found(output: Choice, text: str, wanted: str) -> None:
    assert read(output, text) == wanted


@pytest.mark.parametrize(
    ("output", "text", "problem"),
    [
        (WAYS, "north or south", "names several of them"),
        (WAYS, "west", "names none of them"),
        (WAYS, "northern", "names none of them"),
        (WAYS, "", "names none of them"),
        (WAYS, "...", "names none of them"),
        (Choice(("+", "*")), "", "names none of them"),
        (Choice(("(", ")")), "  ", "names none of them"),
        (Choice(("a", "A")), '"a"...A', "names several of them"),
    ],
)
def test_none_or_several_options_are_no_answer(output: Choice, text: str, problem: str) -> None:
    with pytest.raises(Unreadable, match=problem) as caught:
        read(output, text)
    assert all(option in str(caught.value) for option in output.options)


@given(st.text(max_size=60))
def test_whatever_is_said_the_value_is_an_option_or_nothing(text: str) -> None:
    try:
        assert read(WAYS, text) in WAYS.options
    except Unreadable:
        assert text not in WAYS.options


@given(st.lists(st.text(min_size=1, max_size=8).map(str.strip).filter(bool), min_size=2, max_size=5, unique=True))
def test_every_option_said_verbatim_is_read_as_itself(options: list[str]) -> None:
    output = Choice(tuple(options))
    assert [read(output, option) for option in options] == options


@pytest.mark.parametrize(
    "text",
    [
        '{"n": 3}',
        '  {"n": 3}\n',
        '```json\n{"n": 3}\n```',
        '```\n{"n": 3}\n```',
        '```JSON\n{"n": 3}```',
        'Here it is:\n```json\n{"n": 3}\n```\nDoes that help?',
        'Here it is:\n```json\n{"n": 3}\n```\nAnd how:\n```python\nprint(3)\n```',
    ],
)
def test_a_document_is_read_bare_or_from_its_fence(text: str) -> None:
    assert read(NUMBER, text) == {"n": 3}


def test_a_fence_within_a_document_is_a_part_of_it() -> None:
    document = {"code": "```python\nprint()\n```"}
    assert read(ANYTHING, json.dumps(document)) == document


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is not JSON"),
        ("three", "it is not JSON"),
        ('{"n": 3', "it is not JSON"),
        ("```json\n```", "it is not JSON"),
        ('{"n": NaN}', "it is not JSON"),
        ('{"n": 1e999}', "it is not JSON"),
        ('{"n": -Infinity}', "it is not JSON"),
        ('{"n": "\\ud800"}', "it is not JSON"),
        ('{"n": "three"}', r"does not fit: \$.n: "),
        ("{}", r"does not fit: \$: 'n' is a required property"),
        ("[3]", r"does not fit: \$: "),
        ("[" * 1_000_000, "it is not JSON"),
        ("[" * 500 + "]" * 500, "nested deeper than 64 levels"),
        ('{"a":' * 100_000, "it is not JSON"),
    ],
)
def test_what_is_no_document_is_said_in_a_short_line(text: str, problem: str) -> None:
    with pytest.raises(Unreadable, match=problem) as caught:
        read(NUMBER, text)
    assert len(str(caught.value)) < 500


def test_depth_is_counted_exactly() -> None:
    deepest = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert read(ANYTHING, deepest) == json.loads(deepest)
    with pytest.raises(Unreadable):
        read(ANYTHING, f"[{deepest}]")


def test_a_fence_that_never_ends_takes_no_time() -> None:
    began = process_time()
    with pytest.raises(Unreadable):
        read(NUMBER, "```" + " " * 1_000_000)
    with pytest.raises(Unreadable):
        read(NUMBER, "``` " * 100_000)
    assert process_time() - began < 2.0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_every_document_comes_back(document: Any) -> None:
    assert read(ANYTHING, json.dumps(document)) == document
    assert read(ANYTHING, f"Well.\n```json\n{json.dumps(document, indent=1)}\n```") == document
