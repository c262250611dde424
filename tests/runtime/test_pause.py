"""A program that computes for long lets others have their turn, and that leaves no trace in the journal."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from swarmmind.effects import PAUSE, AnyOf, Nested, Now, Program, Quorum, Reply, Usage
from swarmmind.optimizers.tracing import watched
from swarmmind.ports import Context, Request
from swarmmind.runtime.journal import content
from swarmmind.topologies.flow import flow
from swarmmind.topologies.pace import each
from tests.runtime.stage import agent, ask, play


def spin(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


class Patient:
    """Answers once others had a turn; asks of `slow` only once `let_go` is set."""

    stateful = False

    def __init__(self) -> None:
        self.let_go = anyio.Event()

    def answer(self, request: Request, call: Any) -> Any:
        return self._answer(request.agent.id)

    async def _answer(self, name: str) -> Reply:
        await (self.let_go.wait() if name == "slow" else anyio.lowlevel.checkpoint())
        return Reply(text=name, usage=Usage(1))

    async def close(self) -> None: ...


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.mark.parametrize(("share", "late"), [(1.0, "drop"), (0.5, "drop"), (0.5, "keep")])
def test_a_program_pauses_after_a_quorum(journal: Path, share: float, late: Any) -> None:
    class Lagging(Patient):
        async def _answer(self, name: str) -> Reply:
            await anyio.sleep(0.5 if name == "slow" else 0.0)
            return Reply(text=name, usage=Usage(1))

    def program(ctx: Context) -> Program:
        replies = yield Quorum([ask("fast"), ask("slow")], share=share, late=late)
        for _ in range(4):
            spin(0.006)  # the turn is over
            assert (yield PAUSE) == []
        return [reply.text for reply in replies if reply]

    played = play(program, journal, model=Lagging(), real=True)
    assert played.outcome.value == (["fast", "slow"] if share == 1.0 else ["fast"])


def test_keys_are_the_same_with_and_without_pauses(tmp_path: Path) -> None:
    def program(pauses: int) -> Any:
        def program(ctx: Context) -> Program:
            for _ in range(3):
                for _ in range(pauses):
                    assert (yield PAUSE) == []
                yield [ask("a"), ask("b")]
            return (yield from each(str.upper, "abc" * 10))

        return program

    journals: list[Any] = []
    for pauses in (0, 5):
        path = tmp_path / f"{pauses}.sqlite"
        assert play(program(pauses), path).outcome.value == list("ABC" * 10)
        journals.append(list(content(path)))
    assert journals[0] == journals[1] != []
    assert play(program(7), tmp_path / "5.sqlite").asked == []  # a resume finds everything


def test_others_have_their_turn_while_one_computes(journal: Path) -> None:
    over: list[str] = []

    def computes(ctx: Context) -> Program:
        for _ in range(60):
            spin(0.006)
            yield PAUSE
        over.append("computes")

    def asks(ctx: Context) -> Program:
        for _ in range(3):
            yield [ask("a")]
        over.append("asks")

    def program(ctx: Context) -> Program:
        yield [Nested(computes, "computes"), Nested(asks, "asks")]

    play(program, journal, model=Patient(), real=True)
    assert over == ["asks", "computes"]


def test_a_pause_waits_for_nothing_that_is_pending(journal: Path) -> None:
    model = Patient()

    def program(ctx: Context) -> Program:
        first = yield AnyOf([ask("fast"), ask("slow")])
        spin(0.02)  # its turn is over
        yield PAUSE
        yield Now()
        model.let_go.set()
        last = yield AnyOf()
        return [delivery.result.text for delivery in (*first, *last)]

    played = play(program, journal, model=model, real=True, cut_after_seconds=30)
    assert played.outcome.value == ["fast", "slow"]


def test_parts_of_a_flow_and_programs_that_are_watched_may_pause(tmp_path: Path) -> None:
    def part() -> Program:
        yield PAUSE
        [reply] = yield [ask("a")]
        return reply.ok

    def flowing(ctx: Context) -> Program:
        return (yield from flow({"one": part(), "two": part()}))

    def watching(ctx: Context) -> Program:
        seen: list[Any] = []
        yield from watched(part(), seen)
        return [exchange.ask.agent.id for exchange in seen]

    assert play(flowing, tmp_path / "flow.sqlite").outcome.value == {"one": True, "two": True}
    assert play(watching, tmp_path / "watched.sqlite").outcome.value == ["a"]
    assert any("run/1/a" in row for row in content(tmp_path / "watched.sqlite"))


def test_rows_that_do_not_match_are_an_error() -> None:
    with pytest.raises(ValueError, match="shorter"):
        list(each(max, [agent("a")], []))
