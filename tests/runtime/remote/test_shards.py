"""Asks of a plain run, each executed by the worker that its agent belongs to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from swarmmind.effects import Ask, Limits, Nested, Program, Quorum
from swarmmind.ports import Context
from swarmmind.runtime.budget import Purse
from swarmmind.runtime.clock import RealClock
from swarmmind.runtime.driver import Driver
from swarmmind.runtime.journal import Journal, content
from swarmmind.runtime.meter import Meter
from swarmmind.runtime.remote.engine import Engine
from swarmmind.runtime.remote.head import Head, RemoteAsks
from swarmmind.runtime.remote.messages import Order
from swarmmind.runtime.world import World
from swarmmind.testing.fake_endpoint import FakeEndpoint
from swarmmind.testing.play import MODEL, Played
from tests.runtime.stage import ask

from .near import Near
from .site import Setting, real


def rounds(ctx: Context) -> Program:
    return [str(outcome.value) for outcome in (yield [Nested(_rounds, "n", chance="shared")])]


def _rounds(ctx: Context) -> Program:
    said: list[str] = []
    for number in range(4):
        replies = yield [ask(f"a{i}", f"{number} {len(said)}", deadline_seconds=60.0) for i in range(10)]
        said += [str(reply.text) for reply in replies]
    return said


def dropping(ctx: Context) -> Program:
    replies = yield Quorum([ask(f"a{i}") for i in range(20)], share=0.2)
    return sum(reply is not None for reply in replies)


def play(
    journal: Path,
    program: Callable[[Context], Program],
    server: FakeEndpoint,
    engine: Engine | None,
    limits: Limits | None = None,
) -> Played:
    async def main() -> Played:
        record, meter, purse, clock = Journal(journal), Meter(), Purse(limits), RealClock()
        record.start()
        await server.start()
        try:
            job = msgspec.json.encode(Setting(server.base_url, 6))
            here: Any = real(job, None)
            handlers = dict(here.handlers)
            order = Order("tests.runtime.remote.site:real", job)
            world = World(record, clock, here.streams, purse, meter)
            async with here.servants.running():
                if engine is None:
                    outcome = await Driver(world, handlers).run(program)
                else:
                    head = Head(record, here.servants.limiter, engine.workers)
                    handlers[Ask] = RemoteAsks(head, handlers[Ask], frozenset([MODEL]))
                    driver = Driver(world, handlers)
                    async with engine.running(head, order):
                        outcome = await driver.run(program)
            return Played(outcome, meter, purse, 0.0, [])
        finally:
            await server.stop()
            record.close()

    return anyio.run(main)


def test_asks_are_answered_as_they_would_be_here(tmp_path: Path) -> None:
    here, there = FakeEndpoint(), FakeEndpoint(latency_seconds=0.002)
    alone = play(tmp_path / "a.sqlite", rounds, here, None)
    ran = play(tmp_path / "b.sqlite", rounds, there, Near(3))
    assert ran.outcome == alone.outcome
    assert list(content(tmp_path / "b.sqlite")) == list(content(tmp_path / "a.sqlite"))
    assert there.bodies == here.bodies
    assert there.most_in_flight <= 6
    assert (ran.meter.total(), ran.meter.usage, ran.purse.spent) == (
        alone.meter.total(),
        alone.meter.usage,
        alone.purse.spent,
    )


@settings(max_examples=6, phases=[Phase.explicit, Phase.generate])
@given(lives=st.lists(st.integers(2, 20), min_size=1, max_size=2))
def test_a_death_costs_calls_in_flight_and_no_more(tmp_path_factory: pytest.TempPathFactory, lives: list[int]) -> None:
    folder = tmp_path_factory.mktemp("shards")
    here, there, engine = FakeEndpoint(), FakeEndpoint(latency_seconds=0.002), Near(2, lives)
    alone = play(folder / "a.sqlite", rounds, here, None)
    ran = play(folder / "b.sqlite", rounds, there, engine)
    assert ran.outcome == alone.outcome
    assert list(content(folder / "b.sqlite")) == list(content(folder / "a.sqlite"))
    assert there.received <= here.received + 6 * (engine.hired - 2)
    assert ran.purse.reserved.calls == 0


def test_an_ask_may_lose_any_number_of_workers(tmp_path: Path) -> None:
    here, there, engine = FakeEndpoint(), FakeEndpoint(latency_seconds=0.05), Near(1, [2] * 6)
    alone = play(tmp_path / "a.sqlite", rounds, here, None)
    ran = play(tmp_path / "b.sqlite", rounds, there, engine)
    assert (ran.outcome, engine.hired) == (alone.outcome, 7)


def test_what_a_quorum_drops_is_dropped_there_and_paid_for(tmp_path: Path) -> None:
    server = FakeEndpoint(latency_seconds=0.01)
    ran = play(tmp_path / "j.sqlite", dropping, server, Near(2))
    assert ran.outcome.value >= 4
    total = ran.meter.total()
    assert total.planned == total.finished + total.failed + total.cancelled == 20
    assert ran.purse.reserved.calls == 0
    assert server.received == ran.purse.spent.calls < 20


def test_the_wall_stands_before_asks_too(tmp_path: Path) -> None:
    server = FakeEndpoint(latency_seconds=0.001)
    ran = play(tmp_path / "j.sqlite", rounds, server, Near(2), Limits(calls=17))
    assert ran.outcome.stopped == "calls"
    assert server.received == ran.purse.spent.calls == 17
