"""Attacks on the runtime: dropped work, bugs at the worst moment, a writer in trouble, memory."""

from __future__ import annotations

import gc
import os
import random
import sqlite3
import subprocess
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Awaitable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from swarmmind.effects import (
    AnyOf,
    Ask,
    Choice,
    Later,
    Limits,
    Nested,
    Program,
    Quorum,
    Record,
    Reply,
    Sleep,
    Usage,
)
from swarmmind.errors import Diverged, JournalError
from swarmmind.ports import Call, Context, Request
from swarmmind.runtime import writer
from swarmmind.runtime.journal import Journal, content

from .attacks import Talk, Timed, within
from .mortal import COST
from .stage import ask, play

ROOT = Path(__file__).parents[2]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


# --- what was dropped, cancelled, or came too late --------------------------------------------------------------------


def test_an_ask_that_is_dropped_before_it_begins_is_not_sent(journal: Path) -> None:
    sent: list[str] = []
    remote = Timed(sent)

    def talk(request: Request, call: Call) -> Reply | Awaitable[Reply]:
        return Reply("at once") if request.agent.id == "now" else remote.answer(request, call)

    def program(ctx: Context) -> Program:
        yield Quorum([ask("net"), ask("now")], share=0.5)
        yield [Sleep(0.05)]

    played = play(program, journal, model=Talk(talk), real=True)
    assert sent == []
    assert played.meter.total().cancelled == 1


def test_a_deadline_is_on_the_runs_clock_for_a_model_that_waits(journal: Path) -> None:
    async def talk(request: Request, call: Call) -> Reply:
        await call.sleep(1.0 if request.agent.id == "quick" else 9.0)
        return Reply("x", usage=Usage(1))

    def program(ctx: Context) -> Program:
        replies = yield [ask("quick", deadline_seconds=5), ask("slow", deadline_seconds=5)]
        return [reply.failure and reply.failure.kind for reply in replies]

    played = play(program, journal, model=Talk(talk))
    assert (played.outcome.value, played.seconds) == ([None, "timeout"], 5.0)


def test_latency_that_is_modelled_passes_even_between_two_answers(journal: Path) -> None:
    said = iter(["no option", "A"])

    async def waits(reply: Reply) -> Reply:
        return reply

    def talk(request: Request, call: Call) -> Any:
        text = next(said)
        return Later(Reply(text, usage=Usage(1)), 2.0) if text == "A" else waits(Reply(text, usage=Usage(1)))

    def program(ctx: Context) -> Program:
        [reply] = yield [ask("a", output=Choice(("A", "B")))]
        return reply.value

    played = play(program, journal, model=Talk(talk))
    assert (played.outcome.value, played.seconds) == ("A", 2.0)


def test_a_model_that_cancels_itself_is_a_bug_not_a_hang(journal: Path) -> None:
    async def talk(request: Request, call: Call) -> Reply:
        raise anyio.get_cancelled_exc_class()

    def program(ctx: Context) -> Program:
        yield [ask("a"), ask("b")]

    error = within(10, lambda: play(program, journal, model=Talk(talk), real=True))
    assert isinstance(error, RuntimeError)
    assert "run/1/a" in str(error)


def test_programs_that_will_not_close_end_the_run_with_their_own_error(journal: Path) -> None:
    def stubborn(ctx: Context) -> Program:
        try:
            yield [ask("slow")]
        finally:
            yield [Record("end", 1)]

    def program(ctx: Context) -> Program:
        yield Quorum([Nested(stubborn, "stubborn"), ask("fast")], share=0.5)
        return "went on"

    error = within(10, lambda: play(program, journal, model=Timed([], {"slow": 9.0}), real=True))
    assert isinstance(error, RuntimeError)
    assert "GeneratorExit" in str(error)


def test_cut_off_from_outside_it_leaves_a_run_to_go_on_with_and_nothing_else(tmp_path: Path) -> None:
    """Fifty runs under a user's own timeout: no thread, no open file, no lock stays behind."""

    def program(ctx: Context) -> Program:
        replies = yield [ask(f"a{n}") for n in range(20)]
        yield Quorum([ask("slow"), ask("fast")], share=1.0, late="keep")
        return len(replies)

    def state() -> tuple[int, int]:
        gc.collect()
        return threading.active_count(), len(os.listdir("/proc/self/fd"))

    sent: list[str] = []
    before = None
    path = tmp_path
    for number in range(50):
        path = tmp_path / f"{number % 10}.sqlite"
        cut = Talk(Timed(sent, {"slow": 60.0}).answer)
        with pytest.raises(TimeoutError):
            play(program, path, model=cut, real=True, cut_after_seconds=0.04)
        before = before or state()
    assert state() == before
    assert play(program, path, model=Timed(sent), real=True).outcome.value == 20
    assert Counter(key for key in sent if key != "run/2/slow").most_common(1)[0][1] <= 10 * 2


# --- the writer -------------------------------------------------------------------------------------------------------

CLOSE_WHILE_IT_TELLS = """
import sys, time, anyio
from pathlib import Path
from swarmmind.runtime.journal import Journal

async def main():
    journal = Journal(Path(sys.argv[1]))
    journal.start()
    told = []
    journal.after_kept(lambda: told.append(1))
    journal.flush()
    time.sleep(0.3)
    journal.close()
    await anyio.sleep(0)
    assert told

anyio.run(main)
"""


def test_closing_a_journal_whose_writer_has_something_to_tell_does_not_wait_for_itself(journal: Path) -> None:
    command = [sys.executable, "-c", CLOSE_WHILE_IT_TELLS, str(journal)]
    assert subprocess.run(command, cwd=ROOT, check=False, timeout=20).returncode == 0


def test_a_writer_that_cannot_open_the_file_ends_the_run(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(writer, "sqlite3", SimpleNamespace(connect=connect, Connection=sqlite3.Connection))

    def program(ctx: Context) -> Program:
        yield [ask("a")]

    error = within(10, lambda: play(program, journal, real=True))
    assert isinstance(error, JournalError)
    assert "unable to open database file" in str(error)


def test_a_callback_with_a_bug_ends_the_run_and_robs_nobody_of_theirs(journal: Path) -> None:
    told: list[str] = []

    async def talk(request: Request, call: Call) -> Reply:
        def bad() -> None:
            raise ZeroDivisionError("in a callback")

        call.after_kept(bad)
        call.after_kept(lambda: told.append(request.agent.id))
        return Reply("x", usage=Usage(1))

    def program(ctx: Context) -> Program:
        for _ in range(3):
            yield [ask("a"), Sleep(0.05)]

    error = within(10, lambda: play(program, journal, model=Talk(talk), real=True))
    assert isinstance(error, ZeroDivisionError)
    assert told[:1] == ["a"]


def test_a_table_that_vanishes_in_the_middle_stops_the_run(journal: Path) -> None:
    def program(ctx: Context) -> Program:
        for number in range(2000):
            yield [ask("a")]
            if number == 5:
                with closing(sqlite3.connect(journal)) as db:
                    db.execute("DROP TABLE results")

    error = within(20, lambda: play(program, journal, model=Timed([]), real=True))
    assert isinstance(error, JournalError)
    assert "no such table" in str(error)


def test_a_closed_journal_says_so_instead_of_waiting_for_ever(journal: Path) -> None:
    async def main() -> None:
        record = Journal(journal)
        record.start()
        record.close()
        with anyio.fail_after(5), pytest.raises(JournalError, match="closed"):
            await record.synced()

    anyio.run(main)


# --- replay, order, memory --------------------------------------------------------------------------------------------


def test_agents_that_are_called_like_a_second_ask_keep_their_own_answers(journal: Path) -> None:
    def program(ctx: Context) -> Program:
        replies = yield [ask("a", "1"), ask("a", "2"), ask("a#2", "3"), ask("a#2", "4")]
        return [reply.text for reply in replies]

    first = play(program, journal)
    assert first.outcome.value == ["a: 1", "a: 2", "a#2: 3", "a#2: 4"]
    assert play(program, journal).outcome == first.outcome


def test_a_replay_that_waits_for_what_is_not_asked_any_more_says_so(journal: Path) -> None:
    def one(ctx: Context) -> Program:
        yield AnyOf([ask("a")])

    def other(ctx: Context) -> Program:
        yield AnyOf([ask("b")])

    play(one, journal)
    error = within(10, lambda: play(other, journal, real=True))
    assert isinstance(error, Diverged)
    assert "run/1/a" in str(error)


def test_the_journal_is_the_same_however_many_are_answered_at_once(tmp_path: Path) -> None:
    def inner(ctx: Context) -> Program:
        replies = yield [ask(f"i{n}", str(ctx.rng("x").random())) for n in range(5)]
        return "+".join(reply.text for reply in replies)

    def program(ctx: Context) -> Program:
        outcomes = yield [Nested(inner, "n"), ask("a"), Nested(inner, "n"), ask("b")]
        yield [ask("c", repr(outcomes)), Sleep(0.001), Nested(inner, "n")]

    def at(places: int) -> list[tuple[str, ...]]:
        gate, rng = anyio.Semaphore(places), random.Random(places)

        async def talk(request: Request, call: Call) -> Reply:
            async with gate:
                await anyio.sleep(rng.uniform(0, 0.005))
            return Reply(request.messages[-1].content[::-1], usage=COST)

        path = tmp_path / f"{places}.sqlite"
        play(program, path, model=Talk(talk), real=True)
        return list(content(path))

    assert at(1) == at(7) == at(64)


def test_what_is_over_is_let_go_at_once(journal: Path) -> None:
    """Programs that ended leave nothing behind, though their deadlines are hours away; no collector is needed."""
    seen: list[weakref.ref[Any]] = []

    class Thing:
        pass

    def look(name: str) -> Ask:
        thing = Thing()
        seen.append(weakref.ref(thing))
        return ask(name, observation=thing)

    def talk(request: Request, call: Call) -> Later | Reply:
        reply = Reply(request.agent.id, usage=Usage(1))
        return Later(reply, 7200.0) if request.agent.id == "slow" else reply

    def inner(ctx: Context) -> Program:
        yield Quorum([look("x")], deadline_seconds=3600)
        yield Quorum([look("x"), look("slow"), Sleep(7200)], share=0.3)
        yield AnyOf([look("x"), look("slow")])

    def program(ctx: Context) -> Program:
        for _ in range(4):
            yield [Nested(inner, "inner", Limits(seconds=7200))]
        return sum(thing() is not None for thing in seen), len(seen)

    gc.collect()
    gc.disable()
    try:
        alive, made = play(program, journal, model=Talk(talk)).outcome.value
    finally:
        gc.enable()
    assert made == 20
    assert alive == 0
