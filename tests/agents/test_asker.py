from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from swarmmind.effects import (
    Agent,
    Ask,
    Choice,
    Failure,
    Json,
    Later,
    Limits,
    Message,
    Nested,
    Output,
    Program,
    Reply,
    Usage,
)
from swarmmind.errors import Failed
from swarmmind.models.local import PolicyModel, ScriptedFunction
from swarmmind.ports import Context, Request
from swarmmind.rng import Streams
from swarmmind.runtime.journal import Journal, content
from tests.runtime.stage import Played, agent, play

WAY = Choice(("north", "south"))
NUMBER = Json("n", {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})


class Saying:
    """A model that says one thing after another, whoever asks, and keeps what it was asked."""

    stateful = False

    def __init__(self, *said: str | Reply) -> None:
        self.said = list(said)
        self.requests: list[Request] = []

    def answer(self, request: Request, call: Any) -> Reply | Later | Awaitable[Reply]:
        usage = Usage(1, 10, None, 3, 0.5)
        assert call.try_reserve(usage)
        said = self.said[min(len(self.requests), len(self.said) - 1)]
        self.requests.append(request)
        call.settle(usage, usage)
        return said if isinstance(said, Reply) else Reply(said, usage=usage, finish="stop")

    async def close(self) -> None: ...


class Async(Saying):
    """The same over a pretended network."""

    def answer(self, request: Request, call: Any) -> Awaitable[Reply]:
        async def talk() -> Reply:
            await anyio.lowlevel.checkpoint()
            reply = Saying.answer(self, request, call)
            assert isinstance(reply, Reply)
            return reply

        return talk()


class Slow(Saying):
    """The same after ten simulated seconds."""

    def answer(self, request: Request, call: Any) -> Later:
        reply = super().answer(request, call)
        assert isinstance(reply, Reply)
        return Later(reply, 10.0)


def once(output: Output) -> Callable[[Context], Program]:
    def program(ctx: Context) -> Program:
        [reply] = yield [Ask(agent("a"), (Message("user", "which way?"),), output)]
        return reply

    return program


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def attempts(path: Path) -> list[str | None]:
    """The unreadable replies that a journal keeps of the only ask."""
    journal = Journal(path)
    try:
        return [reply.text for reply in journal.attempts("run/1/a")]
    finally:
        journal.close()


def counts(played: Played) -> tuple[int, int, int]:
    total = played.meter.total()
    return total.finished, total.failed, total.cancelled


@pytest.mark.parametrize("kind", [Saying, Async, Slow])
def test_an_unreadable_answer_is_asked_for_again_and_all_of_it_is_paid_and_kept(
    kind: type[Saying], journal: Path
) -> None:
    model = kind("up", "both north and south", "north")
    played = play(once(WAY), journal, model=model)
    assert played.outcome.value == Reply("north", "north", usage=Usage(3, 30, None, 9, 1.5), finish="stop")
    assert played.purse.spent.calls == 3
    assert attempts(journal) == ["up", "both north and south"]
    assert counts(played) == (1, 0, 0)


def test_it_is_told_what_it_said_and_what_is_wrong_with_it(journal: Path) -> None:
    model = Saying("up", "north")
    play(once(WAY), journal, model=model)
    first, second = model.requests
    assert second.messages[:2] == (*first.messages, Message("assistant", "up"))
    assert second.messages[2].role == "user"
    assert "north, south" in second.messages[2].content
    assert first.seed != second.seed


@pytest.mark.parametrize("kind", [Saying, Async, Slow])
def test_after_two_more_tries_it_is_a_failure_that_was_paid_for(kind: type[Saying], journal: Path) -> None:
    model = kind("up")
    played = play(once(WAY), journal, model=model)
    reply = played.outcome.value
    assert (reply.failure.kind, reply.text, reply.value, reply.usage.calls) == ("unparsed", "up", None, 3)
    assert len(model.requests) == 3
    assert attempts(journal) == ["up", "up"]
    assert played.meter.usage == Usage(3, 30, None, 9, 1.5)
    assert counts(played) == (0, 1, 0)


def test_the_latency_of_all_tries_passes_on_the_clock(journal: Path) -> None:
    assert play(once(WAY), journal, model=Slow("up", "down", "south")).seconds == 30


def test_a_failure_on_the_way_ends_it_and_what_came_before_is_paid(journal: Path) -> None:
    down = Reply(failure=Failure("server", "500"), usage=Usage(calls=1))
    played = play(once(WAY), journal, model=Saying("up", down))
    reply = played.outcome.value
    assert (reply.failure.kind, reply.usage.calls, reply.usage.prompt_tokens) == ("server", 2, 10)


def test_a_document_is_read_and_asked_for_again_when_it_does_not_fit(journal: Path) -> None:
    model = Saying('{"n": "three"}', '```json\n{"n": 3}\n```')
    played = play(once(NUMBER), journal, model=model)
    assert played.outcome.value.value == {"n": 3}
    assert "$.n" in model.requests[1].messages[-1].content


@pytest.mark.parametrize("output", [WAY, NUMBER])
def test_a_function_that_answers_in_the_wanted_form_is_read(output: Output, journal: Path) -> None:
    def reply(request: Request, rng: Any) -> str:
        return "south" if isinstance(request.output, Choice) else '{"n": 7}'

    played = play(once(output), journal, model=ScriptedFunction(reply))
    assert played.outcome.value.value == ("south" if output is WAY else {"n": 7})


def test_money_that_runs_out_between_tries_is_said_and_nothing_more_is_asked(journal: Path) -> None:
    for name, kind in (("sync", Saying), ("async", Async)):
        path = journal.with_name(f"{name}.sqlite")
        model = kind("up")
        played = play(once(WAY), path, model=model, limits=Limits(calls=2))
        assert played.outcome.stopped == "calls"
        assert len(model.requests) == 2
        assert attempts(path) == ["up", "up"]
        assert (played.purse.spent.calls, played.purse.reserved.calls) == (2, 0)
        assert played.meter.usage.calls == 2
        assert counts(played) == (0, 0, 1)


def test_money_is_there_again_on_resume_and_the_kept_tries_are_not_bought_twice(journal: Path) -> None:
    play(once(WAY), journal, model=Saying("up"), limits=Limits(calls=2))
    model = Saying("north")
    played = play(once(WAY), journal, model=model, limits=Limits(calls=3))
    assert played.outcome.value.value == "north"
    assert len(model.requests) == 1
    assert played.outcome.value.usage == Usage(3, 30, None, 9, 1.5)
    assert played.purse.spent.calls == 3


class Killed(Exception):
    pass


class Mortal(Saying):
    """Dies, as the process would, when it is asked for the n-th time."""

    def __init__(self, alive: int, *said: str) -> None:
        super().__init__(*said)
        self.alive = alive

    def answer(self, request: Request, call: Any) -> Any:
        if len(self.requests) == self.alive:
            raise Killed
        return super().answer(request, call)


def before_and_once(ctx: Context) -> Program:
    """The ask that dies comes after one that is finished, so that the journal has nothing else to replay."""
    yield [Ask(agent("b"), (Message("user", "hello"),))]
    [reply] = yield [Ask(agent("a"), (Message("user", "which way?"),), WAY)]
    return reply


@pytest.mark.parametrize("alive", [1, 2])
def test_killed_between_tries_the_kept_ones_are_not_asked_again(alive: int, journal: Path) -> None:
    said = ["up", "down", "south"]
    with pytest.raises(Killed):
        play(once(WAY), journal, model=Mortal(alive, *said))
    assert attempts(journal) == said[:alive]
    model = Saying(*said[alive:])
    played = play(once(WAY), journal, model=model)
    assert played.outcome.value == Reply("south", "south", usage=Usage(3, 30, None, 9, 1.5), finish="stop")
    assert len(model.requests) == 3 - alive
    assert [m.content for m in model.requests[0].messages][1:-1:2] == said[:alive][-1:]


def test_killed_between_tries_after_other_asks_the_kept_ones_are_not_asked_again(journal: Path) -> None:
    with pytest.raises(Killed):
        play(before_and_once, journal, model=Mortal(2, "hi", "up"))
    model = Saying("south")
    played = play(before_and_once, journal, model=model)
    assert played.outcome.value.usage.calls == 2
    assert [request.agent.id for request in model.requests] == ["a"]
    assert played.purse.spent.calls == 3


def test_half_characters_are_replaced_before_anything_is_kept_of_them(journal: Path) -> None:
    played = play(once(Json("any", {})), journal, model=Saying("\ud800", '"\udfff"', '"fine"'))
    assert played.outcome.value.value == "\ufffd"
    assert attempts(journal) == ["\ufffd"]


class Remembers:
    """A policy that counts how often it was asked."""

    def __init__(self, _: Agent) -> None:
        self.count = 0

    def __call__(self, observation: Any, rng: Any) -> str:
        self.count += 1
        return f"{self.count} {rng.random():.6f}"


def test_a_rule_that_remembers_lives_through_what_was_replayed(tmp_path: Path) -> None:
    def rounds(number: int) -> Callable[[Context], Program]:
        def program(ctx: Context) -> Program:
            said: list[str] = []
            for _ in range(number):
                [reply] = yield [Ask(agent("a"), (Message("user", "?"),))]
                said.append(reply.text)
            return said

        return program

    whole = play(rounds(6), tmp_path / "whole.sqlite", model=PolicyModel(Remembers, Streams(1)))
    play(rounds(4), tmp_path / "parts.sqlite", model=PolicyModel(Remembers, Streams(1)))
    resumed = play(rounds(6), tmp_path / "parts.sqlite", model=PolicyModel(Remembers, Streams(1)))
    assert resumed.outcome.value == whole.outcome.value
    assert [said.split()[0] for said in whole.outcome.value] == list("123456")
    assert resumed.purse.spent == whole.purse.spent


def seat(program: Callable[[Context], Program]) -> Callable[[Ask, object], Nested]:
    def answer(ask: Ask, flight: object) -> Nested:
        return Nested(program, "panel")

    return answer


def chair(ctx: Context) -> Program:
    member = Agent("chair", "chair", model="panel")
    [reply] = yield [Ask(member, (Message("user", "which way?"),), WAY)]
    return reply


@pytest.mark.parametrize(
    ("said", "value", "kind"), [("north", "north", None), ("I vote south", "south", None), ("up", None, "unparsed")]
)
def test_a_swarm_answers_as_one_agent_and_is_read_like_one(
    said: str, value: str | None, kind: str | None, journal: Path
) -> None:
    def panel(ctx: Context) -> Program:
        replies = yield [Ask(agent(f"p{i}"), (Message("user", "?"),)) for i in range(3)]
        return replies[0].text

    for _ in range(2):  # the second time all of it comes from the journal
        played = play(chair, journal, model=Saying(said), societies={"panel": seat(panel)})
        reply = played.outcome.value
        assert (reply.value, reply.failure and reply.failure.kind) == (value, kind)
        assert played.meter.usage.calls == 3
        assert played.meter.roles["worker"].finished == 3
    assert not any(row[4] == "chair" for row in content(journal))


def test_a_swarm_that_fails_is_an_agent_that_failed(journal: Path) -> None:
    def panel(ctx: Context) -> Program:
        yield [Ask(agent("p"), (Message("user", "?"),))]
        raise Failed("nobody knows")

    played = play(chair, journal, societies={"panel": seat(panel)})
    failure = played.outcome.value.failure
    assert (failure.kind, failure.message) == ("program", "nobody knows")
    assert played.meter.roles["chair"].failed == 1
