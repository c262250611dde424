from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.effects import TEXT, Agent, Choice, Json, Message, Sampling, Usage
from swarmmind.models import prefixes
from swarmmind.models.wire import NotACompletion, Writer, completion, error_text
from swarmmind.ports import Request
from tests.models.asking import AGENT, request, said

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}}
WAYS = Choice(("north", "south"))


def fields(writer: Writer, asked: Request) -> dict[str, Any]:
    return msgspec.json.decode(writer.body(asked).content)


def test_every_sampling_parameter_is_sent() -> None:
    body = fields(Writer("org/m"), request("hello"))
    assert body == {
        "model": "org/m",
        "messages": [{"role": "system", "content": "You are one of many."}, {"role": "user", "content": "hello"}],
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 50,
        "seed": 7,
    }


def test_what_many_are_told_in_a_row_is_written_once(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []

    def watched(message: bytes) -> Any:
        written.append(message)
        return parts(message)

    parts = prefixes.parts
    monkeypatch.setattr(prefixes, "parts", watched)
    told = Message("user", "You all see this. " * 500)
    writer = Writer("m")
    bodies = [
        fields(writer, Request(AGENT, (Message("system", str(at)), told), TEXT, Sampling(), at)) for at in range(3)
    ]
    other = fields(writer, Request(AGENT, (Message("system", "a"), Message("user", "x")), TEXT, Sampling(), 1))
    assert [body["messages"][1]["content"] for body in [*bodies, other]] == [told.content] * 3 + ["x"]
    assert [len(message) > 5000 for message in written] == [False, True, False, False, False, False]


def test_stop_the_name_of_max_tokens_and_extra_fields() -> None:
    asked = Request(AGENT, (Message("user", "x"),), TEXT, Sampling(stop=("\n", "END")), 1)
    body = fields(Writer("m", "openai", "max_completion_tokens", {"top_k": 5}), asked)
    assert body["stop"] == ["\n", "END"]
    assert body["max_completion_tokens"] == 1024
    assert "max_tokens" not in body
    assert body["top_k"] == 5


def test_a_choice_is_held_to_by_each_dialect() -> None:
    vllm = fields(Writer("m", "vllm"), request(output=WAYS))
    assert vllm["structured_outputs"] == {"choice": ["north", "south"]}
    assert "guided_choice" not in vllm
    other = fields(Writer("m", "openai"), request(output=WAYS))["response_format"]["json_schema"]
    assert other["strict"] is True
    assert other["schema"]["properties"]["choice"]["enum"] == ["north", "south"]


@pytest.mark.parametrize("dialect", ["openai", "vllm"])
def test_a_schema_is_sent_with_its_properties_in_order(dialect: Any) -> None:
    writer = Writer("m", dialect)
    body = writer.body(request(output=Json("point", SCHEMA))).content
    sent = fields(writer, request(output=Json("point", SCHEMA)))["response_format"]
    assert sent == {"type": "json_schema", "json_schema": {"name": "point", "strict": False, "schema": SCHEMA}}
    assert body.index(b'"b"') < body.index(b'"a"')


def test_agents_that_share_a_prefix_send_equal_bytes() -> None:
    writer, output = Writer("m"), Json("point", SCHEMA)
    one = writer.body(request("I am one", output)).content
    two = writer.body(request("I am two", output)).content
    assert one.replace(b'one"}', b'two"}') == two


@given(st.text(max_size=200), st.integers(0, 2**63 - 1))
def test_any_text_arrives_and_is_not_underestimated(text: str, seed: int) -> None:
    body = Writer("m").body(Request(Agent("a", "r"), (Message("user", text),), TEXT, Sampling(), seed))
    decoded = msgspec.json.decode(body.content)
    assert decoded["messages"][0]["content"] == text
    assert decoded["seed"] == seed
    assert body.prompt_tokens_at_most >= len(text.encode())


def test_half_a_surrogate_pair_does_not_stop_a_request() -> None:
    assert fields(Writer("m"), request("a\ud83d"))["messages"][1]["content"] == "a?"


def test_an_answer_is_read_with_its_bill() -> None:
    read = completion(said("hi", "length"), TEXT, "vllm")
    assert read == ("hi", "length", Usage(1, 20, 16, 5, None), None)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, Usage(1, None, None, None, None)),
        ({}, Usage(1, None, None, None, None)),
        ({"prompt_tokens": 3, "completion_tokens": 0}, Usage(1, 3, None, 0, None)),
        ({"prompt_tokens": -1, "completion_tokens": 4}, Usage(1, None, None, 4, None)),
        ({"prompt_tokens": "many"}, Usage(1, None, None, None, None)),
        ("free", Usage(1, None, None, None, None)),
    ],
)
def test_a_paid_answer_is_kept_whatever_its_bill_looks_like(usage: Any, expected: Usage) -> None:
    body = msgspec.json.encode({"choices": [{"message": {"content": "x"}}], "usage": usage})
    assert completion(body, TEXT, "openai") == ("x", None, expected, None)


def test_no_content_is_an_empty_text_and_a_refusal_is_one() -> None:
    assert completion(said(None), TEXT, "openai").text == ""
    assert completion(said(None, refusal="I will not."), TEXT, "openai")[:2] == ("I will not.", "refusal")
    parts: Any = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert completion(said(parts), TEXT, "openai").text == "ab"


def test_a_wrapped_option_is_unwrapped_and_nothing_else() -> None:
    assert completion(said('{"choice": "south"}'), WAYS, "openai").text == "south"
    for odd in ('{"choice": "up"}', '{"choice": 3}', "south", "[1]", '{"choice": "no'):
        assert completion(said(odd), WAYS, "openai").text == odd
    assert completion(said('{"choice": "south"}'), WAYS, "vllm").text == '{"choice": "south"}'


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'{"choices": [', b"[]", b"null", b'{"choices": []}', b'{"object": "list"}', b'{"choices": [1]}',
     b"\xff\xfe", b'{"choices": [{"message": null}]}', b'{"error": {"message": "no such model"}}'],
)  # fmt: skip
def test_what_is_no_completion_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(NotACompletion) as error:
        completion(body, TEXT, "openai")
    assert error.value.usage.prompt_tokens is None
    if b"no such model" in body:
        assert "no such model" in str(error.value)


def test_a_bill_without_an_answer_is_still_a_bill() -> None:
    with pytest.raises(NotACompletion) as error:
        completion(b'{"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}', TEXT, "openai")
    assert error.value.usage == Usage(1, 9, None, 2, None)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"error": {"message": "too long", "code": "x"}}', "too long"),
        (b'{"object": "error", "message": "busy"}', "busy"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b'{"error": "plain"}', "plain"),
        (b"<h1>Bad gateway</h1>", "<h1>Bad gateway</h1>"),
        (b'{"error": {"message": 3}}', '{"error": {"message": 3}}'),
        (b"\xff", "\ufffd"),
    ],
)
def test_error_bodies_of_several_shapes(body: bytes, text: str) -> None:
    assert error_text(body) == text


CLOSED: dict[str, Any] = {**SCHEMA, "required": ["a", "b"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (CLOSED, True),
        (SCHEMA, False),
        ({**CLOSED, "required": ["a"]}, False),
        ({**CLOSED, "additionalProperties": {"type": "string"}}, False),
        ({"type": "array", "items": CLOSED}, True),
        ({"type": "array", "items": SCHEMA}, False),
        ({**CLOSED, "properties": {"a": {"anyOf": [CLOSED, SCHEMA]}, "b": {}}}, False),
        ({"type": "object", "properties": {}, "required": [], "additionalProperties": False}, True),
        ({"type": "string"}, True),
    ],
)
def test_strict_is_asked_for_where_openai_takes_it(schema: dict[str, Any], strict: bool) -> None:
    sent = fields(Writer("m", "openai"), request(output=Json("point", schema)))["response_format"]
    assert sent["json_schema"]["strict"] is strict


@pytest.mark.parametrize("dialect", ["openai", "vllm"])
@pytest.mark.parametrize("make", [lambda: Json("point", {**SCHEMA}), lambda: Choice(("north", "south"))])
def test_equal_outputs_are_byte_identical_whoever_made_them(dialect: Any, make: Any) -> None:
    one, other = (Writer("m", dialect).body(request(output=make())).content for _ in range(2))
    assert one == other
    writer = Writer("m", dialect)
    assert writer.body(request(output=make())).content == writer.body(request(output=make())).content == one
