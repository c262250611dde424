"""Attacks on the promises of the runtime: money across sessions, and kills."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmmind.effects import (
    AnyOf,
    Limits,
    Nested,
    Now,
    Program,
    Quorum,
    Record,
)
from swarmmind.errors import Spent, Stop
from swarmmind.ports import Context
from swarmmind.runtime.budget import Cost, Purse
from swarmmind.runtime.journal import Journal, content

from .attacks import Timed, within
from .stage import Played, ask, play

ROOT = Path(__file__).parents[2]


class Killed(Exception):
    pass


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


# --- kill -9 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("calls", [0, 110])
def test_killed_again_and_again_it_pays_for_nothing_twice_and_ends_where_its_replay_ends(
    calls: int, tmp_path: Path
) -> None:
    rng, log, journal = random.Random(calls), tmp_path / "log", tmp_path / "journal.sqlite"
    log.touch()
    kept: set[str] = set()
    delivered: dict[Any, str] = {}

    def start(number: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.runtime.mortal", str(journal), str(log), str(number), str(calls)]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    process, out, err = start(0), "", ""
    for number in range(5):
        before = len(log.read_text().splitlines())
        process = process if not number else start(number)
        if number < 4:
            while len(log.read_text().splitlines()) == before and process.poll() is None:
                time.sleep(0.002)
            time.sleep(rng.uniform(0.0, 0.15))
            process.kill()
        out, err = process.communicate(timeout=60)
        made = log.read_text().splitlines()[before:]
        assert not kept & set(made), "a journaled call was made again"
        with closing(sqlite3.connect(journal)) as db:
            kept = {key for (key,) in db.execute("SELECT key FROM results WHERE kind='Ask'")}
            now = {row[:2]: row[2] for row in db.execute("SELECT program, step, keys FROM deliveries")}
        assert {at: now.get(at) for at in delivered} == delivered
        delivered = now
    assert process.returncode == 0, err
    whole, sent = json.loads(out), len(log.read_text().splitlines())
    assert whole["planned"] == whole["accounted"]
    assert whole["reserved"] == 0
    assert whole["stopped"] == ("calls" if calls else None)
    assert sent <= whole["spent"], "calls lost in a kill are charged"
    assert not calls or whole["spent"] <= calls
    out, err = start(9).communicate(timeout=60)
    again = json.loads(out)
    assert (again["value"], again["spent"]) == (whole["value"], whole["spent"])
    assert len(log.read_text().splitlines()) == sent, "a finished run is replayed without a call"


KILL_ON_THE_WIRE = """
import os, sys
from pathlib import Path
from swarmmind.effects import Limits, Nested
from tests.runtime.mortal import Remote
from tests.runtime.stage import ask, play

class Deadly(Remote):
    async def wait(self, request):
        await super().wait(request)
        os._exit(9)

def inner(ctx):
    yield [ask(f"a{n}") for n in range(5)]

def program(ctx):
    yield [Nested(inner, "inner", Limits(**eval(sys.argv[3])))]

play(program, Path(sys.argv[1]), model=Deadly([], log=Path(sys.argv[2])), real=True, limits=Limits(**eval(sys.argv[4])))
"""


@pytest.mark.parametrize(("inner", "outer"), [({}, {"calls": 7}), ({"calls": 7}, {}), ({"usd": 0.007}, {"calls": 99})])
def test_a_wall_holds_for_the_run_not_for_the_session(inner: Any, outer: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    for _ in range(4):
        command = [sys.executable, "-c", KILL_ON_THE_WIRE, str(tmp_path / "j"), str(log), repr(inner), repr(outer)]
        subprocess.run(command, cwd=ROOT, check=False, timeout=30)
    assert 5 <= len(log.read_text().splitlines()) <= 7


def test_a_finished_run_is_replayed_without_a_call_though_launching_takes_turns(journal: Path) -> None:
    def program(ctx: Context) -> Program:
        asks = [ask(f"a{number}") for number in range(3000)]
        replies = yield Quorum(asks, share=0.5, late="keep")
        return [reply is None for reply in replies]

    seconds = {f"a{number}": 60.0 for number in range(1500, 3000)}
    sent: list[str] = []
    first = within(60, lambda: play(program, journal, model=Timed(sent, seconds), real=True))
    assert len(sent) >= 1500
    sent.clear()
    again = within(60, lambda: play(program, journal, model=Timed(sent, seconds), real=True))
    assert again.outcome.value == first.outcome.value
    assert sent == []


def test_a_journal_that_was_killed_while_it_was_made_is_made_again(journal: Path) -> None:
    with closing(sqlite3.connect(journal)) as db:
        db.execute("PRAGMA journal_mode=WAL")
    Journal(journal).close()
    assert list(content(journal)) == []


# --- money ------------------------------------------------------------------------------------------------------------


def test_what_was_dropped_stays_charged_in_the_next_session(journal: Path) -> None:
    sent: list[str] = []
    mortal = True

    def program(ctx: Context) -> Program:
        for number in range(5):
            yield Quorum([ask("slow"), ask("fast")], share=0.5)
            if mortal and number == 1:
                raise Killed

    def session() -> Played:
        return play(program, journal, model=Timed(sent, {"slow": 5.0}), real=True, limits=Limits(calls=6))

    with pytest.raises(Killed):
        session()
    mortal = False
    assert session().outcome.stopped == "calls"
    assert len(sent) == 6


def test_a_program_that_its_own_seconds_ended_ends_there_again(journal: Path) -> None:
    def inner(ctx: Context) -> Program:
        made = 0
        try:
            while True:
                yield [ask("x")]
                made += 1
        except Stop:
            return made

    mortal = True

    def program(ctx: Context) -> Program:
        [outcome] = yield [Nested(inner, "inner", Limits(seconds=0.2))]
        yield [ask("p", f"after {outcome.value}")]
        if mortal:
            raise Killed
        return outcome.value

    with pytest.raises(Killed):
        play(program, journal, model=Timed([]), real=True)
    mortal = False
    again = play(program, journal, model=Timed([]), real=True)
    assert again.outcome.value > 0
    assert again.asked == []


def test_what_a_program_did_at_the_wall_does_not_bind_it_once_there_is_more_money(journal: Path) -> None:
    def program(ctx: Context) -> Program:
        heard = 0
        try:
            while heard < 6:
                heard += len((yield AnyOf([ask(f"a{heard}")])))
        except Stop:
            yield Now()
        yield [Record("end", heard)]
        return heard

    assert play(program, journal, limits=Limits(calls=3)).outcome.stopped == "calls"
    assert within(10, lambda: play(program, journal, limits=Limits(calls=99)).outcome.value) == 6
    whole = journal.with_name("whole")
    play(program, whole)
    rows = [row for row in content(journal) if row[:2] != ("record", "run/6/end")]
    assert rows == list(content(whole))


def test_a_run_that_its_budget_stopped_stops_there_again_though_a_reply_and_a_refusal_came_together(
    journal: Path,
) -> None:
    def program(ctx: Context) -> Program:
        rounds = 0
        try:
            while True:
                yield AnyOf([ask(f"a{rounds}"), ask(f"b{rounds}")])
                rounds += 1
        except Stop:
            return rounds

    def session(limits: Limits) -> Played:
        return within(10, lambda: play(program, journal, model=Timed([]), real=True, limits=limits))

    values = [session(Limits(calls=1)).outcome.value for _ in range(3)]
    assert values[1:] == values[:1] * 2
    assert session(Limits(calls=4)).outcome.value > values[0]


class Watched(Purse):
    """A purse that sees for itself that it is never overdrawn."""

    def try_reserve(self, worst: Cost) -> bool:
        fits = super().try_reserve(worst)
        assert self.limits.calls is None or self.spent.calls + self.reserved.calls <= self.limits.calls
        assert self.limits.tokens is None or self.spent.tokens + self.reserved.tokens <= self.limits.tokens
        return fits


costs = st.builds(Cost, calls=st.integers(0, 1), tokens=st.integers(0, 30))
trees = st.lists(
    st.tuples(st.integers(0, 5), st.none() | st.integers(1, 12), st.none() | st.integers(1, 200)), max_size=6
)


@settings(max_examples=60, deadline=None)
@given(trees, st.lists(st.tuples(st.integers(0, 6), costs, st.floats(0, 1), st.booleans()), max_size=40))
def test_no_tree_of_purses_is_overdrawn_or_stuck_whoever_is_cancelled(
    tree: list[Any], calls: list[tuple[int, Cost, float, bool]]
) -> None:
    purses = [Watched(Limits(calls=10, tokens=150))]
    for parent, most_calls, most_tokens in tree:
        purses.append(Watched(Limits(calls=most_calls, tokens=most_tokens), purses[parent % len(purses)]))

    async def one(purse: Purse, worst: Cost, share: float, cancelled: bool) -> None:
        with anyio.CancelScope() as scope:
            try:
                await purse.reserve(worst)
            except Spent:
                return
            actual = worst
            try:
                if cancelled:
                    scope.cancel()
                await anyio.lowlevel.checkpoint()
                actual = Cost(worst.calls, int(worst.tokens * share))
            finally:
                purse.settle(worst, actual)

    async def main() -> None:
        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                for at, worst, share, cancelled in calls:
                    group.start_soon(one, purses[at % len(purses)], worst, share, cancelled)

    anyio.run(main)
    for purse in purses:
        assert purse.reserved == Cost()
        assert purse.limits.calls is None or purse.spent.calls <= purse.limits.calls
        assert purse.limits.tokens is None or purse.spent.tokens <= purse.limits.tokens
