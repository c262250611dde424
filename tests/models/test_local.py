from __future__ import annotations

import random
import time
from collections import Counter
from typing import Any

import anyio
import msgspec
import pytest
from jsonschema import Draft202012Validator

from swarmmind.effects import TEXT, Agent, Choice, Json, Later, Limits, Message, Output, Reply, Sampling, Usage
from swarmmind.errors import Spent
from swarmmind.models.example_json import example
from swarmmind.models.local import PolicyModel, Scripted, ScriptedFunction
from swarmmind.ports import Model, Request
from swarmmind.rng import Stage, Streams
from swarmmind.runtime.budget import Cost, Purse
from swarmmind.runtime.clock import VirtualClock
from swarmmind.testing import LooseCall, check_model
from tests.models.asking import request

pytestmark = pytest.mark.anyio

QUESTION = "What is the sum of the digits of 2**100?"
ANSWERS = {QUESTION: "115", "What is 1 + 1?": "2"}
WAYS = Choice(("north", "east", "south", "west"))


def answer(model: Model, asked: Request, key: str = "run/1/a", purse: Purse | None = None) -> Reply:
    got = model.answer(asked, LooseCall(purse, VirtualClock(), key=key))
    assert isinstance(got, Reply)
    return got


def texts(model: Model, asked: Request, count: int = 2000) -> Counter[str]:
    return Counter(answer(model, asked, key=f"run/{at}").text or "" for at in range(count))


@pytest.mark.parametrize("model", [Scripted(), ScriptedFunction(lambda asked, rng: "south")])
async def test_it_conforms(model: Model) -> None:
    await check_model(model)


async def test_a_policy_conforms() -> None:
    await check_model(PolicyModel(lambda _: lambda observation, rng: "north", Streams(1)))


@pytest.mark.parametrize("output", [TEXT, Choice(("115", "116", "117"))])
def test_it_is_right_as_often_as_it_should_be(output: Output) -> None:
    said = texts(Scripted(0.7, answers=ANSWERS), request(QUESTION, output))
    right = said["115"] + said["The answer is 115."]
    assert 0.66 < right / 2000 < 0.74
    assert len(said) > 2


def test_it_finds_the_problem_in_what_it_is_asked() -> None:
    model = Scripted(1.0, answers=ANSWERS)
    assert answer(model, request(f"Others say 7.\n{QUESTION} Think.")).text == "The answer is 115."
    assert answer(model, request("?", observation={"question": "What is 1 + 1?"})).text == "The answer is 2."
    assert answer(model, request("?", observation={"answer": 42})).text == "The answer is 42."


def test_what_it_does_not_know_it_makes_up() -> None:
    model = Scripted(1.0, answers=ANSWERS)
    assert len(texts(model, request("Who?"), 50)) > 25
    assert set(texts(model, request("Which way?", WAYS))) == set(WAYS.options)


def test_wrong_answers_can_agree() -> None:
    asked = request("?", WAYS, observation={"answer": "west"})
    said = texts(Scripted(0.4, distractor=0.9), asked)
    assert said["north"] > 0.9 * (2000 - said["west"]) - 60
    free = texts(Scripted(0.0, answers=ANSWERS, wrong=["115", "7", "8"], distractor=0.5), request(QUESTION))
    assert set(free) == {"The answer is 7.", "The answer is 8."}
    assert free["The answer is 7."] > 1300


def test_an_agents_own_accuracy_goes_first() -> None:
    sure = Agent("a", "r", parameters={"accuracy": 1.0})
    asked = Request(sure, (Message("user", QUESTION),), TEXT, Sampling(), 1)
    assert texts(Scripted(0.0, answers=ANSWERS), asked, 100) == {"The answer is 115.": 100}


def test_what_it_says_is_a_function_of_the_key() -> None:
    model = Scripted(0.5, latency=lambda rng: rng.expovariate(1), answers=ANSWERS)
    one, two, other = (
        model.answer(request(QUESTION), LooseCall(clock=VirtualClock(), key=key)) for key in ("a", "a", "b")
    )
    assert one == two != other
    assert isinstance(one, Later)
    assert one.seconds > 0


def test_it_pays_with_estimated_tokens() -> None:
    purse = Purse()
    reply = answer(Scripted(answers=ANSWERS), request(QUESTION), purse=purse)
    prompt = -(-(len("You are one of many.") + len(QUESTION)) // 4)
    assert reply.usage == Usage(1, prompt, None, 5, 0.0)
    assert (purse.spent, purse.reserved) == (Cost(1, prompt + 5, 0.0), Cost())


@pytest.mark.parametrize(
    "model",
    [
        Scripted(),
        ScriptedFunction(lambda asked, rng: "x"),
        PolicyModel(lambda _: lambda observation, rng: "x", Streams(0)),
    ],
)
async def test_it_stops_at_the_wall_and_waits_before_it(model: Model) -> None:
    purse = Purse(Limits(calls=1))
    elsewhere = Cost(calls=1)
    await purse.reserve(elsewhere)
    got: list[Reply] = []

    async def ask() -> None:
        got.append(await LooseCall(purse).ask(model, request()))

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        assert got == []
        purse.settle(elsewhere, Cost())
    assert (got[0].ok, purse.spent.calls) == (True, 1)
    with pytest.raises(Spent):
        model.answer(request(), LooseCall(purse))


def test_a_function_that_raises_is_a_failed_agent() -> None:
    def broken(_: Request, rng: random.Random) -> str:
        raise ValueError(f"no idea\n{'x' * 1000}")

    def mute(*_: Any) -> Any:
        return None

    for model in (ScriptedFunction(broken), PolicyModel(lambda _: broken, Streams(0))):  # type: ignore[arg-type]
        reply = answer(model, request())
        assert reply.failure is not None
        assert (reply.failure.kind, reply.usage.calls) == ("exception", 1)
        assert reply.failure.message.startswith("ValueError: no idea x")
        assert len(reply.failure.message) == 300
    assert answer(ScriptedFunction(mute), request()).failure is not None


def test_a_policy_remembers_and_has_a_stream_of_its_own() -> None:
    class Counting:
        def __init__(self, agent: Agent) -> None:
            self.agent, self.count = agent, 0

        def __call__(self, observation: Any, rng: random.Random) -> str:
            self.count += 1
            return f"{self.agent.id} {self.count} {observation} {rng.random()}"

    def play(order: list[str]) -> dict[str, list[str]]:
        model = PolicyModel(Counting, Streams(5))
        said: dict[str, list[str]] = {}
        for name in order:
            asked = Request(Agent(name, "r"), (), TEXT, Sampling(), 0, "o")
            said.setdefault(name, []).append(answer(model, asked).text or "")
        return said

    one, two = play(["a", "b", "a", "b"]), play(["b", "b", "a", "a"])
    assert one == two
    assert one["a"][1].startswith("a 2 o 0.")
    assert len({line.split()[-1] for lines in one.values() for line in lines}) == 4


def test_a_policy_costs_less_than_ten_microseconds() -> None:
    model = PolicyModel(lambda _: lambda observation, rng: "north", Streams(1))
    asked, call = request(), LooseCall(clock=VirtualClock())
    best = min(_seconds(model, asked, call) for _ in range(5))
    assert best / 10_000 < 20e-6  # 10 here; twice that for a slower machine


def _seconds(model: Model, asked: Request, call: LooseCall) -> float:
    began = time.process_time()
    for _ in range(10_000):
        model.answer(asked, call)
    return time.process_time() - began


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"enum": ["x", "y"]}}, "required": ["b"]},
        {"type": "object", "properties": {"a": {"type": ["null", "string"]}}, "additionalProperties": False},
        {"type": "array", "items": {"type": "number", "minimum": 2.5}, "minItems": 2},
        {"type": "array", "prefixItems": [{"const": 1}], "items": {"type": "boolean"}, "minItems": 3},
        {"$defs": {"n": {"type": "integer", "exclusiveMinimum": 3}}, "type": "object",
         "properties": {"n": {"$ref": "#/$defs/n"}}, "required": ["n"]},
        {"anyOf": [{"type": "string", "minLength": 3}, {"type": "null"}]},
        {"type": "integer", "minimum": -9, "maximum": -4},
        {"allOf": [{"properties": {"a": {"const": 1}}, "required": ["a"]}], "properties": {"b": {"type": "null"}}},
        {"enum": [None, {"deep": []}]},
        {},
    ],
)  # fmt: skip
def test_documents_satisfy_their_schemas(schema: dict[str, Any]) -> None:
    text = answer(Scripted(), request("?", Json("d", schema))).text
    Draft202012Validator(schema).validate(msgspec.json.decode(text or ""))


def test_a_document_holds_the_answer_where_it_asks_for_one() -> None:
    schema = {"type": "object", "properties": {"why": {"type": "string"}, "answer": {"type": "integer"}}}
    reply = answer(Scripted(answers=ANSWERS), request(QUESTION, Json("d", schema)))
    assert msgspec.json.decode(reply.text or "") == {"answer": 115}


def test_a_schema_without_end_has_an_end() -> None:
    node: dict[str, Any] = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    assert "next" in example(node, random.Random(0))
    assert example({"$ref": "elsewhere.json"}, random.Random(0)) is None


def test_a_policy_of_another_stage_is_another_one_with_the_chance_that_stages_share() -> None:
    class Counting:
        def __init__(self) -> None:
            self.count = 0

        def __call__(self, observation: Any, rng: random.Random) -> str:
            self.count += 1
            return f"{self.count} {rng.random()}"

    model = PolicyModel(lambda agent: Counting(), Streams(3))
    asked = Request(Agent("a", "a"), (), TEXT, Sampling(), 0)

    def said(stage: Stage) -> str | None:
        call = LooseCall()
        call.stage = stage
        reply = model.answer(asked, call)
        assert isinstance(reply, Reply)
        return reply.text

    one, twin, other = Stage("run/1/a", "example/1"), Stage("run/2/b", "example/1"), Stage("run/3/c", "example/2")
    first, second = said(one), said(one)
    assert (first or "").startswith("1 ")
    assert (second or "").startswith("2 ")
    assert said(twin) == first
    third = said(other)
    assert (third or "").startswith("1 ")
    assert third != first
