"""The limit follows the server's gauges, whatever its shape; all in simulated time."""

from __future__ import annotations

import functools

import anyio
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from swarmmind.models.gauges import Snapshot
from swarmmind.models.limiter import Limiter
from swarmmind.models.steering import FIRST_LIMIT
from swarmmind.runtime.clock import VirtualClock
from swarmmind.testing import LooseCall
from tests.models.engine import Batch, Engine, drive, play, send

pytestmark = pytest.mark.anyio


def most_allowed(capacity: int) -> int:
    """One and a half times what it runs; to find out that it runs one, there must be two."""
    return max(FIRST_LIMIT, int(1.5 * capacity))


@pytest.mark.parametrize("capacity", [1, 2, 3, 4, 8, 16, 64, 256])
@pytest.mark.parametrize("seconds", [0.3, 20.0])
async def test_a_server_is_full_and_never_flooded(capacity: int, seconds: float) -> None:
    engine, limiter = Engine(VirtualClock(), capacity, seconds), Limiter()
    await drive(limiter, engine, calls=max(150, 20 * capacity), callers=4 * capacity + 20)
    assert engine.rate() >= 0.95 * capacity / seconds
    assert engine.most_there <= most_allowed(capacity)
    assert limiter.most_in_flight <= most_allowed(capacity)
    assert capacity <= limiter.limit <= most_allowed(capacity)


async def test_a_large_server_is_filled_within_seconds() -> None:
    clock = VirtualClock()
    engine, limiter = Engine(clock, 1024, 20.0), Limiter()
    await drive(limiter, engine, calls=6000, callers=3000)
    assert 1024 <= limiter.limit <= 1.2 * 1024
    assert clock.now() < 20 * 6000 / 1024 * 1.1 + 20


@given(st.integers(1, 40), st.floats(0.1, 30.0), st.floats(0.0, 0.2))
@example(8, 0.02, 0.0)
@example(2, 3.0, 0.125)
@settings(max_examples=8)
def test_never_more_than_half_as_much_again(capacity: int, seconds: float, transit_share: float) -> None:
    async def run() -> None:
        engine = Engine(VirtualClock(), capacity, seconds, transit_seconds=transit_share * seconds)
        await drive(Limiter(), engine, calls=20 * capacity + 60, callers=3 * capacity + 10)
        assert engine.most_there <= most_allowed(capacity)
        assert engine.done == 20 * capacity + 60

    anyio.run(run)


async def test_without_looks_the_same_server_is_flooded() -> None:
    engine, limiter = Engine(VirtualClock(), 8, 1.0), Limiter()
    await drive(limiter, engine, 400, 100, looks=False)
    assert engine.most_there > 2 * 8


@pytest.mark.parametrize(("capacity", "steps"), [(8, 3), (24, 3), (64, 5), (256, 5)])
async def test_places_that_get_free_together_are_taken_at_once(capacity: int, steps: int) -> None:
    calls = 30 * capacity
    engine, limiter = Batch(VirtualClock(), capacity, steps, 0.05, transit_seconds=0.02), Limiter()
    await drive(limiter, engine, calls, 4 * capacity + 20, True, functools.partial(engine.work_on, calls))
    assert engine.rate(0.15) >= 0.98 * capacity / engine.seconds
    assert engine.most_there <= most_allowed(capacity)


async def test_a_user_s_own_bound_holds_and_is_begun_from_below() -> None:
    engine, limiter = Engine(VirtualClock(), 8, 1.0), Limiter(concurrency=64)
    await drive(limiter, engine, 400, 200)
    assert engine.most_there <= 12
    engine, limiter = Engine(VirtualClock(), 100, 1.0), Limiter(concurrency=16)
    await drive(limiter, engine, 800, 200)
    assert (engine.most_there, limiter.limit, limiter.most_in_flight) == (16, 16, 16)


async def test_a_known_capacity_is_where_it_begins() -> None:
    engine, limiter = Engine(VirtualClock(), 64, 10.0), Limiter()
    limiter.steer(capacity=64)
    assert limiter.limit == 64
    await drive(limiter, engine, 640, 200, looks=False)
    assert engine.most_there == 64


@pytest.mark.parametrize("most", [4, 5, 6])
async def test_a_tiny_queue_is_hardly_ever_overrun(most: int) -> None:
    engine, limiter = Engine(VirtualClock(), 4, 1.0, most=most), Limiter()
    await drive(limiter, engine, 500, 200)
    assert engine.done == 500
    assert engine.refused == limiter.rejections < 0.08 * 500
    assert engine.rate() >= 0.95 * 4


async def test_when_the_cache_is_short_it_does_as_well_as_the_best_fixed_limit() -> None:
    rates: dict[int, float] = {}
    for fixed in (36, 44, 52, 70):
        engine = Engine(VirtualClock(), 256, 3.0, memory=120)
        await drive(Limiter(fixed), engine, 1500, 600, looks=False)
        rates[fixed] = engine.rate()
    engine = Engine(VirtualClock(), 256, 3.0, memory=120)
    await drive(Limiter(), engine, 1500, 600)
    assert engine.rate() >= 0.93 * max(rates.values())
    assert engine.preemptions < 0.25 * 1500
    flooded = Engine(VirtualClock(), 256, 3.0, memory=120)
    await drive(Limiter(256), flooded, 1500, 600, looks=False)
    assert flooded.preemptions > 10 * engine.preemptions


async def test_a_full_cache_is_enough_of_a_sign() -> None:
    class Quiet(Engine):
        def look(self) -> Snapshot:
            return super().look()._replace(preemptions=None)

    engine, limiter = Quiet(VirtualClock(), 256, 3.0, memory=120), Limiter()
    await drive(limiter, engine, 800, 300)
    flooded = Engine(VirtualClock(), 256, 3.0, memory=120)
    await drive(Limiter(256), flooded, 800, 300, looks=False)
    assert flooded.preemptions > 3 * engine.preemptions


async def test_what_is_on_its_way_is_not_at_the_server() -> None:
    engine, limiter = Engine(VirtualClock(), 16, 0.05, transit_seconds=0.1), Limiter()
    await drive(limiter, engine, 8000, 300)
    assert engine.rate() >= 0.95 * 16 / 0.05
    assert limiter.limit > 3 * 16  # five times its time at the server, a request is under way


async def test_requests_too_short_to_be_seen_running_fill_the_server_too() -> None:
    engine, limiter = Engine(VirtualClock(), 64, 0.02, transit_seconds=0.005, unseen=True), Limiter()
    await drive(limiter, engine, 12000, 400)
    assert engine.rate() >= 0.95 * 64 / 0.02


@pytest.mark.parametrize("less", [16, 56])
async def test_a_capacity_that_shrinks_is_followed_and_so_is_one_that_grows(less: int) -> None:
    clock = VirtualClock()
    engine, limiter = Engine(clock, 64, 1.0), Limiter()
    limits: list[int] = []

    async def change() -> None:
        for capacity in (64, less, 64):
            engine.capacity = capacity
            await clock.sleep(40)
            limits.append(limiter.limit)

    await drive(limiter, engine, 6500, 300, True, change)
    assert 64 <= limits[0] <= 96
    assert less <= limits[1] <= 1.5 * less
    assert 64 <= limits[2] <= 96


async def test_others_at_the_server_leave_less_for_us() -> None:
    clock = VirtualClock()
    engine, mine, theirs = Engine(clock, 32, 1.0), Limiter(), Limiter(concurrency=24)

    async def other() -> None:
        for number in range(60):
            await send(theirs, engine, LooseCall(clock=clock, key=f"other/{number}"))

    await drive(mine, engine, 600, 100, True, *[other] * 24)
    assert engine.most_there <= 48
    assert mine.limit <= 24


async def test_rounds_with_a_barrier_find_the_server_ready() -> None:
    clock = VirtualClock()
    engine, limiter = Engine(clock, 32, 2.0), Limiter()

    async def rounds() -> None:
        for number in range(10):
            async with anyio.create_task_group() as group:
                for agent in range(96):
                    call = LooseCall(clock=clock, key=f"{number}/{agent}")
                    group.start_soon(send, limiter, engine, call)

    await play(limiter, engine, rounds)
    assert clock.now() < 1.25 * 10 * 3 * 2.0  # three waves of 32 to a round
    assert engine.most_there <= 48


async def test_a_server_that_turns_out_to_say_nothing_is_asked_as_before() -> None:
    limiter = Limiter()
    limiter.steer()
    assert limiter.limit == FIRST_LIMIT
    limiter.unsteered()
    assert limiter.limit == 32
    limiter = Limiter(concurrency=100)
    limiter.steer()
    limiter.unsteered()
    assert limiter.limit == 100


async def test_replies_on_their_way_to_the_journal_hold_places_but_not_the_server() -> None:
    limiter, call = Limiter(), LooseCall(clock=VirtualClock())
    limiter.steer(capacity=2)
    first, second = [await limiter.acquire(call) for _ in range(2)]
    later: list[float] = []

    async def third() -> None:
        place = await limiter.acquire(call)
        later.append(call.now())
        place.release()

    limiter.succeeded(first, call.now())  # answered, not kept
    async with anyio.create_task_group() as group:
        group.start_soon(third)
    assert later == [0.0]
    limiter.succeeded(second, call.now())
    places = [await limiter.acquire(call) for _ in range(2)]
    assert limiter.in_flight == 4
    limiter.succeeded(places[0], call.now())
    with anyio.move_on_after(
        0.01
    ) as waited:  # as many again as the limit, and no more: what a kill can lose is bounded
        await limiter.acquire(call)
    assert waited.cancelled_caught
    for place in (first, second, *places):
        place.release()
    assert (limiter.in_flight, limiter.answered) == (0, 0)


async def test_one_that_was_cut_to_the_ground_grows_again() -> None:
    clock = VirtualClock()
    engine, limiter = Engine(clock, 64, 1.0), Limiter()
    limits: list[int] = []

    async def ask(calls: int, callers: int) -> None:
        numbers = iter(range(calls))

        async def caller() -> None:
            for number in numbers:
                await send(limiter, engine, LooseCall(clock=clock, key=f"{callers}/{number}"))

        async with anyio.create_task_group() as group:
            for _ in range(callers):
                group.start_soon(caller)
        limits.append(limiter.limit)

    async def phases() -> None:
        await ask(2000, 300)
        engine.preemptions += 1  # somebody else's, when hardly anything of ours is under way
        await ask(10, 1)
        await ask(8000, 300)

    await play(limiter, engine, phases)
    assert limits[0] >= 64
    assert limits[1] == 1
    assert limits[2] >= 64
    assert engine.rate() >= 0.95 * 64
