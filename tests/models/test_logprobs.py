from __future__ import annotations

import json
from collections import Counter
from math import isfinite, log, sqrt
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.effects import TEXT, Choice, Output, Reply
from swarmmind.models.local import Scripted
from swarmmind.models.logprobs import distribution
from swarmmind.models.transports.aiohttp_transport import AiohttpTransport
from swarmmind.models.wire import Dialect, Writer, completion
from swarmmind.ports import HttpResponse
from swarmmind.runtime.clock import VirtualClock
from swarmmind.testing import FakeEndpoint, LooseCall
from swarmmind.testing.fake_endpoint import Weighed
from tests.models.asking import Replayed, chat, request, said

WAYS = ("north", "south", "east", "west")
WEIGHED = Choice(WAYS, logprobs=True)


def token(text: str, probability: float, **others: float) -> dict[str, Any]:
    """A token that was said, and all that was listed in its place."""
    alternatives = {text: probability, **others}
    listed = [entry(each, share) for each, share in alternatives.items()]
    return {**entry(text, probability), "top_logprobs": listed}


def entry(text: str, probability: float) -> dict[str, Any]:
    return {"token": text, "logprob": log(probability) if probability else -9999.0, "bytes": list(text.encode())}


def read(tokens: list[dict[str, Any]], options: tuple[str, ...], in_document: bool = False) -> dict[str, float] | None:
    return distribution(json.dumps({"content": tokens}).encode(), options, in_document)


def test_one_token_tells_everything() -> None:
    found = read([token("south", 0.2, north=0.5, east=0.3), token("<|end|>", 1.0)], ("north", "south", "east", "west"))
    assert found == pytest.approx({"north": 0.5, "south": 0.2, "east": 0.3, "west": 0.0})


def test_the_sum_is_one_and_the_order_is_the_options() -> None:
    found = read([token("b", 0.1, a=0.1, c=0.1, x=0.7)], ("c", "a", "b"))
    assert found is not None
    assert list(found) == ["c", "a", "b"]
    assert sum(found.values()) == pytest.approx(1.0)


def test_beginnings_of_an_option_are_its_own() -> None:
    found = read([token("n", 0.2, no=0.1, north=0.3, so=0.4), token("orth", 1.0)], ("north", "south"))
    assert found == pytest.approx({"north": 0.6, "south": 0.4})


def test_what_is_no_option_is_dropped() -> None:
    assert read([token("A", 0.3, B=0.1, The=0.5, **{" ": 0.1})], ("A", "B")) is None  # a blank may lead to either
    found = read([token("A", 0.3, B=0.1, The=0.6)], ("A", "B"))
    assert found == pytest.approx({"A": 0.75, "B": 0.25})


def test_a_token_that_several_options_begin_with_is_told_by_the_next_one() -> None:
    tokens = [token("option ", 1.0), token("2", 0.3, **{"1": 0.7})]
    assert read(tokens, ("option 1", "option 2")) == pytest.approx({"option 1": 0.7, "option 2": 0.3})
    tokens = [token("no", 0.5, east=0.5), token("rth", 0.8, where=0.2)]
    found = read(tokens, ("north", "nowhere", "east"))
    assert found == pytest.approx({"north": 0.4, "nowhere": 0.1, "east": 0.5})


def test_a_beginning_that_was_not_said_stays_untold_and_too_much_of_it_is_no_distribution() -> None:
    tokens = [token("option ", 0.94, o=0.06), token("2", 0.3, **{"1": 0.7})]
    assert read(tokens, ("option 1", "option 2")) is None
    tokens = [token("option ", 0.96, o=0.04), token("2", 0.3, **{"1": 0.7})]
    assert read(tokens, ("option 1", "option 2")) == pytest.approx({"option 1": 0.7, "option 2": 0.3})


@pytest.mark.parametrize("end", ["<|im_end|>", "</s>", ""])
def test_an_option_that_begins_another_one_is_told_by_the_end_of_the_turn(end: str) -> None:
    options = ("north", "north-east", "south")
    ended = [token("north", 0.8, south=0.2), token(end, 0.25, **{"-": 0.75})]
    assert read(ended, options) == pytest.approx({"north": 0.2, "north-east": 0.6, "south": 0.2})
    went_on = [token("north", 0.8, south=0.2), token("-east", 0.75, **{end: 0.25})]
    assert read(went_on, options) == pytest.approx({"north": 0.2, "north-east": 0.6, "south": 0.2})
    assert read(ended[:1], options) is None  # the server hid the end


def test_in_a_document_the_quote_ends_an_option() -> None:
    head = token('{"choice":"', 1.0)
    assert read([head, token('A"', 0.6, A=0.4), token("}", 1.0)], ("A", "AB"), True) is None
    tokens = [head, token("A", 0.9, C=0.1), token('"}', 0.5, B=0.5)]
    assert read(tokens, ("A", "AB", "C"), True) == pytest.approx({"A": 0.45, "AB": 0.45, "C": 0.1})


@pytest.mark.parametrize("head", ['{"choice": "', '{ "choice" :\n"', '{"choice":"'])
def test_the_head_of_a_document_may_be_spaced_and_cut_in_any_way(head: str) -> None:
    for cut in range(len(head)):
        tokens = [token(part, 1.0) for part in (head[:cut], head[cut:]) if part]
        assert read([*tokens, token("B", 0.4, A=0.6)], ("A", "B"), True) == pytest.approx({"A": 0.6, "B": 0.4})
        glued = [*tokens[:-1], token(head[cut:] + "B", 0.4, **{head[cut:] + "A": 0.6})]
        assert read(glued, ("A", "B"), True) == pytest.approx({"A": 0.6, "B": 0.4})


def test_other_spacing_before_the_value_says_nothing_about_it() -> None:
    tokens = [token('{"choice":', 1.0), token('"', 0.5, **{' "': 0.2, '"A': 0.3}), token("B", 0.5, A=0.5)]
    assert read(tokens, ("A", "B"), True) == pytest.approx({"A": 0.3 + 0.35, "B": 0.35})
    merged = [token('{"choice":', 1.0), token('"A', 0.3, **{'"B': 0.3, '"': 0.4})]
    assert read(merged, ("A", "B"), True) is None


def test_letters_beyond_ascii_may_be_escaped_and_cut_within_a_character() -> None:
    options = ("süd", "säd")
    for spelled in ({"ü": 0.7, "ä": 0.3}, {"\\u00fc": 0.7, "\\u00e4": 0.3}):
        tokens = [token('{"choice":"s', 1.0), token(next(iter(spelled)), 0.7, **spelled)]
        assert read(tokens, options, True) == pytest.approx({"süd": 0.7, "säd": 0.3})
    halves = [token("s", 1.0), {"token": "?", "logprob": 0.0, "bytes": ["ü".encode()[0]], "top_logprobs": []}]
    tail = {"token": "?", "bytes": ["ü".encode()[1]], "logprob": log(0.7)}
    other = {"token": "?", "bytes": ["ä".encode()[1]], "logprob": log(0.3)}
    assert read([*halves, {**tail, "top_logprobs": [tail, other]}], options) == pytest.approx({"süd": 0.7, "säd": 0.3})


def test_mass_that_the_server_does_not_list_counts_as_untold() -> None:
    assert read([token("A", 0.5, B=0.1)], ("A", "B", "C")) is None  # the rest may well be C
    found = read([token("A", 0.9, B=0.05, x=0.001)], ("A", "B", "C"))  # whatever is not listed is below .001
    assert found == pytest.approx({"A": 0.9 / 0.95, "B": 0.05 / 0.95, "C": 0.0})
    assert read([{**entry("A", 0.5), "top_logprobs": []}], ("A", "B")) is None
    assert read([entry("A", 0.99)], ("A", "B")) == {"A": 1.0, "B": 0.0}


@pytest.mark.parametrize("said", ["<think>", "The", "a", "\u00b6"])
def test_an_answer_that_goes_another_way_than_any_option_says_nothing_about_them(said: str) -> None:
    assert read([token(said, 0.9, A=0.06, B=0.04), token("A", 0.9, B=0.1)], ("A", "B")) is None
    assert read([token("option ", 1.0), token(said, 0.9, **{"1": 0.1})], ("option 1", "option 2")) is None
    assert read([token(said, 0.9, **{'{"choice":"A': 0.1})], ("A", "B"), True) is None


@pytest.mark.parametrize("piece", ["\ufffd", "<0xF0>"])
def test_a_part_of_a_character_is_not_taken_for_something_that_is_no_option(piece: str) -> None:
    options = ("\U0001f642", "\U0001f643", "no")
    assert read([token("no", 0.3, **{piece: 0.7})], options) is None
    assert read([token(piece, 0.7, no=0.3), token("\ufffd", 1.0)], options) is None
    assert read([token("no", 0.97, **{piece: 0.03})], options) == pytest.approx(
        dict(zip(options, (0, 0, 1), strict=True))
    )
    after = [token("s", 1.0), token("no", 0.4, **{"\ufffd": 0.6})]
    assert read(after, ("s\u00fcd", "sno")) is None


def test_bytes_as_sentencepiece_writes_them_are_bytes() -> None:
    spelled = [token(f"<0x{byte:02X}>", 1.0) for byte in b"\xf0\x9f\x99"]
    tokens = [*spelled, token("<0x82>", 0.7, **{"<0x83>": 0.3})]
    found = read(tokens, ("\U0001f642", "\U0001f643"))
    assert found == pytest.approx({"\U0001f642": 0.7, "\U0001f643": 0.3})


HOSTILE: list[Any] = [
    None, 7, "content", [], {}, {"content": None}, {"content": {}}, {"content": []}, {"content": [None]},
    {"content": [[]]}, {"content": [{}]}, {"content": [{"token": "north"}]},
    {"content": [{"token": "north", "logprob": None}]}, {"content": [{"token": "north", "logprob": "0"}]},
    {"content": [{"token": "north", "logprob": True}]}, {"content": [{"token": "north", "logprob": 3.5}]},
    {"content": [{"token": "north", "logprob": 10**400}]}, {"content": [{"token": "north", "logprob": -(10**400)}]},
    {"content": [{"token": 7, "logprob": 0}]}, {"content": [{"token": "x" * 20_000, "logprob": 0}]},
    {"content": [{"token": "north", "logprob": 0, "top_logprobs": [None]}]},
    {"content": [{"token": "north", "logprob": 0, "top_logprobs": [{"token": "south", "logprob": 0}]}]},
    {"content": [{"token": "", "logprob": 0}] * 100_000},
]  # fmt: skip


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: str(hostile)[:40])
def test_a_hostile_body_is_no_distribution_and_no_error(hostile: Any) -> None:
    assert distribution(json.dumps(hostile).encode(), WAYS, False) is None
    assert distribution(json.dumps(hostile).encode(), WAYS, True) is None


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"content":' * 5000])
def test_what_is_not_json_is_no_distribution(body: bytes) -> None:
    assert distribution(body, WAYS, False) is None


@pytest.mark.parametrize(("number", "wanted"), [("-Infinity", {"A": 1.0, "B": 0.0}), ("NaN", None), ("Infinity", None)])
def test_numbers_that_python_writes_and_json_does_not_have_cost_no_reply(number: str, wanted: Any) -> None:
    tokens = b'[{"token":"A","logprob":0,"top_logprobs":[{"token":"B","logprob":%s}]}]' % number.encode()
    body = b'{"choices":[{"message":{"content":"A"},"logprobs":{"content":%s}}]}' % tokens
    answer = completion(body, Choice(("A", "B"), logprobs=True), "vllm")
    assert (answer.text, answer.probabilities) == ("A", wanted)


jsons = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["north", "n", '"', ""]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["content", "token", "logprob", "bytes", "top_logprobs"]), inner, max_size=5)
    ),
    max_leaves=20,
)
entries = st.fixed_dictionaries(
    {"token": jsons, "logprob": jsons | st.floats(-5, 0)}, optional={"bytes": jsons, "top_logprobs": jsons}
)


@given(jsons | st.fixed_dictionaries({"content": st.lists(entries, max_size=4)}), st.booleans())
def test_whatever_comes_is_a_distribution_or_none(body: Any, in_document: bool) -> None:
    found = distribution(json.dumps(body, allow_nan=False).encode(), WAYS, in_document)
    if found is not None:
        assert list(found) == list(WAYS)
        assert sum(found.values()) == pytest.approx(1.0)
        assert all(isfinite(share) and share >= 0 for share in found.values())


weights = st.lists(st.floats(0.01, 1.0), min_size=9, max_size=9)
STEMS = {"north": ("n", "no", "north"), "south": ("s", "so", "south"), "west": ("w", "we", "west")}


@given(weights, st.integers(0, 8), st.floats(0.0, 0.9))
def test_however_options_are_cut_into_tokens_their_masses_are_exact(
    given_weights: list[float], which: int, outside: float
) -> None:
    """An oracle: three options, three beginnings each, and some mass that belongs to none of them."""
    pieces = [piece for stem in STEMS.values() for piece in stem]
    total = sum(given_weights)
    shares = {piece: (1 - outside) * weight / total for piece, weight in zip(pieces, given_weights, strict=True)}
    chosen = pieces[which]
    first = {
        **entry(chosen, shares[chosen]),
        "top_logprobs": [entry(p, s) for p, s in {**shares, "I": outside}.items()],
    }
    found = read([first], tuple(STEMS))
    wanted = {option: sum(shares[piece] for piece in stem) / (1 - outside) for option, stem in STEMS.items()}
    assert found == pytest.approx(wanted)


# --- over the wire ----------------------------------------------------------------------------------------------------


def test_an_old_choice_is_written_as_it_always_was() -> None:
    assert msgspec.json.encode(Choice(("a", "b"))) == b'{"type":"choice","options":["a","b"]}'
    assert msgspec.json.encode(WEIGHED).endswith(b'"logprobs":true}')
    assert msgspec.json.encode(Reply("a", "a")) == b'{"text":"a","value":"a"}'


@pytest.mark.parametrize("dialect", ["openai", "vllm"])
@pytest.mark.parametrize("output", [TEXT, Choice(WAYS), WEIGHED])
def test_log_probabilities_are_asked_for_if_and_only_if_they_are_wanted(dialect: Dialect, output: Output) -> None:
    body = json.loads(Writer("m", dialect).body(request(output=output)).content)
    wanted = (True, 20) if output is WEIGHED else (None, None)
    assert (body.get("logprobs"), body.get("top_logprobs")) == wanted
    plain = json.loads(Writer("m", dialect).body(request(output=Choice(WAYS))).content)
    if output is WEIGHED:
        assert {name: value for name, value in body.items() if "logprobs" not in name} == plain


def test_what_was_not_wanted_is_not_read() -> None:
    body = json.loads(said("south"))
    body["choices"][0]["logprobs"] = {"content": [token("south", 1.0)]}
    assert completion(json.dumps(body).encode(), Choice(WAYS), "vllm").probabilities is None
    assert completion(json.dumps(body).encode(), WEIGHED, "vllm").probabilities is not None


@pytest.mark.anyio
@pytest.mark.parametrize("dialect", ["openai", "vllm"])
async def test_the_distribution_comes_with_the_answer(dialect: Dialect) -> None:
    likely = {"north": 0.5, "south": 0.25, "east": 0.25}

    def reply(body: dict[str, Any]) -> Weighed:
        return Weighed("east" if "structured_outputs" in body else '{"choice": "east"}', likely)

    async with FakeEndpoint(reply) as server:
        model = chat(AiohttpTransport(server.base_url), writer=Writer("m", dialect))
        answer = await LooseCall().ask(model, request(output=WEIGHED))
        await model.route.choose(b"").transport.close()
    assert (answer.text, answer.usage.calls, answer.failure) == ("east", 1, None)
    assert answer.probabilities == pytest.approx({**likely, "west": 0.0})


@pytest.mark.anyio
async def test_a_server_that_ignores_the_wish_gives_no_distribution() -> None:
    async with FakeEndpoint(logprobs="ignore") as server:
        model = chat(AiohttpTransport(server.base_url), writer=Writer("m", "vllm"))
        answer = await LooseCall().ask(model, request(output=WEIGHED))
        await model.route.choose(b"").transport.close()
    assert answer.text in WAYS
    assert (answer.probabilities, answer.usage.calls) == (None, 1)


@pytest.mark.anyio
async def test_a_server_that_refuses_the_wish_is_asked_without_it_and_that_is_remembered() -> None:
    async with FakeEndpoint(logprobs="refuse") as server:
        model = chat(AiohttpTransport(server.base_url), writer=Writer("m", "vllm"))
        call = LooseCall()
        answers = [await call.ask(model, request(output=WEIGHED, seed=seed)) for seed in range(3)]
        await model.route.choose(b"").transport.close()
        assert dict(server.statuses) == {"400": 1, "200": 3}
    assert all(answer.text in WAYS and answer.probabilities is None for answer in answers)
    assert [answer.usage.calls for answer in answers] == [2, 1, 1]
    assert call.purse.spent.calls == 4


@pytest.mark.anyio
@pytest.mark.parametrize("output", [WEIGHED, Choice(WAYS)])
async def test_another_refusal_is_not_asked_again(output: Choice) -> None:
    transport = Replayed(HttpResponse(400, {}, b'{"error": {"message": "no such model"}}'))
    answer = await LooseCall().ask(chat(transport), request(output=output))
    assert answer.failure is not None
    assert (answer.failure.kind, len(transport.posted)) == ("refused", 1)


@pytest.mark.anyio
async def test_a_server_that_refuses_even_without_is_a_failure_after_two() -> None:
    transport = Replayed(HttpResponse(400, {}, b'{"error": {"message": "logprobs are not for you"}}'))
    answer = await LooseCall().ask(chat(transport), request(output=WEIGHED))
    assert answer.failure is not None
    assert (answer.failure.kind, len(transport.posted), answer.usage.calls) == ("refused", 2, 2)
    assert b"logprobs" in transport.posted[0]
    assert b"logprobs" not in transport.posted[1]


@pytest.mark.parametrize("distractor", [0.0, 0.8])
@pytest.mark.parametrize("target", ["south", None])
def test_a_scripted_model_says_how_often_it_says_what(distractor: float, target: str | None) -> None:
    model, runs = Scripted(0.6, distractor=distractor), 4000
    counts: Counter[str] = Counter()
    likely: dict[str, float] = {}
    for at in range(runs):
        asked = request(output=WEIGHED, observation={"answer": target, "question": "?"})
        answer = model.answer(asked, LooseCall(clock=VirtualClock(), key=f"run/{at}"))
        assert isinstance(answer, Reply)
        assert answer.probabilities is not None
        likely = answer.probabilities
        counts[answer.text or ""] += 1
    assert list(likely) == list(WAYS)
    assert sum(likely.values()) == pytest.approx(1.0)
    for option, share in likely.items():
        assert abs(counts[option] / runs - share) <= 3.5 * sqrt(share * (1 - share) / runs) + 1e-9
    unweighed = request(output=Choice(WAYS), observation={"answer": target, "question": "?"})
    plain = model.answer(unweighed, LooseCall(clock=VirtualClock()))
    assert isinstance(plain, Reply)
    assert plain.probabilities is None
