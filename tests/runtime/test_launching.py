"""Long yields are launched in pieces, so that nobody else on the event loop waits for them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from swarmmind.effects import Agent, AnyOf, Ask, Delivery, Message, Nested, Now, Outcome, Program, Quorum, Reply, Sleep
from swarmmind.ports import Context
from swarmmind.rng import Streams
from swarmmind.runtime.budget import Purse
from swarmmind.runtime.clock import RealClock
from swarmmind.runtime.driver import Driver
from swarmmind.runtime.frame import Flight
from swarmmind.runtime.journal import Journal, content
from swarmmind.runtime.meter import Meter
from swarmmind.runtime.world import World

WORKER = Agent("worker", "worker")
MANY = 500


class Ticking(RealClock):
    """A real clock on which a millisecond passes with each look at it: a turn of the driver is a handful of looks."""

    def __init__(self) -> None:
        super().__init__()
        self.ticks = 0

    def now(self) -> float:
        self.ticks += 1
        return super().now() + self.ticks / 1000


class Answering:
    """Answers after a turn of the loop, and counts how many it was asked for in each turn."""

    def __init__(self) -> None:
        self.turn = 0
        self.begun: list[tuple[int, str]] = []

    def __call__(self, ask: Ask, flight: Flight) -> Awaitable[Reply]:
        self.begun.append((self.turn, flight.key))
        return self._answer(ask)

    async def _answer(self, ask: Ask) -> Reply:
        await anyio.lowlevel.checkpoint()
        return Reply(ask.messages[0].content, ask.messages[0].content)

    def replayed(self, effect: Any, flight: Flight, result: Any) -> None: ...

    def read(self, effect: Any, outcome: Outcome, meter: Meter | None = None) -> Any: ...

    async def count_turns(self) -> None:
        while True:
            self.turn += 1
            await anyio.lowlevel.checkpoint()

    @property
    def most_in_a_turn(self) -> int:
        turns = [turn for turn, _ in self.begun]
        return max(map(turns.count, set(turns)), default=0)


class Ran:
    """What came of a run."""

    def __init__(self, outcome: Outcome, meter: Meter, handler: Answering) -> None:
        self.outcome, self.meter, self.handler = outcome, meter, handler


def run(program: Callable[[Context], Program], path: Path) -> Ran:
    """On the ticking clock, beside somebody who counts the turns of the loop."""

    async def main() -> Ran:
        journal, handler, meter = Journal(path), Answering(), Meter()
        journal.start()
        driver = Driver(World(journal, Ticking(), Streams(7), Purse(), meter), {Ask: handler})
        outcome, bug = Outcome(), None
        try:
            with anyio.fail_after(60):
                async with anyio.create_task_group() as group:
                    group.start_soon(handler.count_turns)
                    try:
                        outcome = await driver.run(program)
                    except ZeroDivisionError as error:
                        bug = error
                    group.cancel_scope.cancel()
        finally:
            journal.close()
        if bug is not None:
            raise bug
        return Ran(outcome, meter, handler)

    return anyio.run(main)


def asks(count: int = MANY) -> list[Ask]:
    return [Ask(WORKER, (Message("user", str(number)),)) for number in range(count)]


def everybody(_: Context) -> Program:
    replies = yield asks()
    return [reply.value for reply in replies]


def one_after_the_other(_: Context) -> Program:
    got: list[str] = []
    arrived: list[Delivery] = yield AnyOf(asks())
    while arrived:
        got += [delivery.result.value for delivery in arrived]
        arrived = yield AnyOf()
    return got


def now_and_then(_: Context) -> Program:
    arrived: list[Delivery] = yield Now(asks())
    first = len(arrived)
    while arrived:
        arrived = yield AnyOf()
    return first


def most(_: Context) -> Program:
    replies = yield Quorum(asks(), share=0.5)
    return [None if reply is None else reply.value for reply in replies]


def nests(_: Context) -> Program:
    def nested(ask: Ask) -> Nested:
        def one(_: Context) -> Program:
            replies = yield [ask]
            return replies[0].value

        return Nested(one, "one")

    outcomes = yield [nested(ask) for ask in asks()]
    return [outcome.value for outcome in outcomes]


PROGRAMS = [everybody, one_after_the_other, now_and_then, most, nests]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.mark.parametrize("program", [everybody, one_after_the_other, nests])
def test_a_long_yield_leaves_turns_to_others_and_starts_all_in_order(
    program: Callable[[Context], Program], path: Path
) -> None:
    ran = run(program, path)
    assert len(ran.handler.begun) == MANY
    assert ran.handler.most_in_a_turn < 20
    if program is not nests:
        keys = [key for _, key in ran.handler.begun]
        numbers = [int(key.partition("#")[2] or 1) for key in keys]
        assert all(before < after for before, after in pairwise(numbers))
    assert sorted(ran.outcome.value, key=int) == [str(number) for number in range(MANY)]


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_was_launched_in_pieces_is_replayed_to_the_same_end(
    program: Callable[[Context], Program], path: Path
) -> None:
    first = run(program, path)
    before = list(content(path))
    again = run(program, path)
    assert again.outcome == first.outcome
    assert again.handler.begun == []
    assert list(content(path)) == before
    assert again.meter.total() == first.meter.total()


def test_now_takes_what_is_done_once_all_of_it_is_launched(path: Path) -> None:
    ran = run(now_and_then, path)
    assert len(ran.handler.begun) == MANY
    assert 0 < ran.outcome.value <= MANY  # those that were launched first are done by then


def test_a_program_that_is_dropped_while_it_launches_has_the_rest_counted_as_cancelled(path: Path) -> None:
    def root(_: Context) -> Program:
        outcomes = yield Quorum([Nested(everybody, "crowd"), *asks(1)], share=0.5)
        return outcomes[0]

    ran = run(root, path)
    total = ran.meter.total()
    assert ran.outcome.value is None
    assert len(ran.handler.begun) < MANY
    assert total.planned == MANY + 1 == total.finished + total.failed + total.cancelled
    assert total.cancelled > 0


def test_a_quorum_whose_deadline_passes_while_it_is_launched_starts_no_more(path: Path) -> None:
    def root(_: Context) -> Program:
        replies = yield Quorum(asks(), deadline_seconds=0.05)
        return sum(reply is not None for reply in replies)

    ran = run(root, path)
    total = ran.meter.total()
    assert 0 < len(ran.handler.begun) < MANY
    assert total.planned == MANY == total.finished + total.cancelled, total
    assert ran.outcome.value == total.finished


def test_a_bug_while_it_is_launched_ends_the_run_with_its_own_error(path: Path) -> None:
    class Nameless(Sleep, frozen=True):
        def label(self) -> str:
            raise ZeroDivisionError("no name")

    def root(_: Context) -> Program:
        yield [*asks(100), Nameless(1.0)]

    with pytest.raises(ZeroDivisionError):
        run(root, path)
