from __future__ import annotations

import functools
import gc
import random
import time
from bisect import bisect_left

import anyio
import pytest

from swarmmind.models.limiter import Limiter
from swarmmind.runtime.clock import VirtualClock
from swarmmind.testing import LooseCall
from tests.models.simulation import Server, send, simulate

pytestmark = pytest.mark.anyio


async def flood(limiter: Limiter, server: Server, calls: int, callers: int) -> list[int]:
    attempts: list[int] = []
    keys = iter(range(calls))

    async def caller() -> None:
        attempts.extend([await send(limiter, server, LooseCall(clock=server.clock, key=str(key))) for key in keys])

    await simulate(server.clock, *[caller] * callers)
    return attempts


async def test_it_finds_the_capacity_of_a_server_that_rejects() -> None:
    clock = VirtualClock()
    limiter, server = Limiter(), Server(clock, capacity=10, seconds=0.1, rejects=True)
    attempts = await flood(limiter, server, 2000, callers=100)
    assert 8 <= limiter.limit <= 12
    assert server.rejected == limiter.rejections < 0.05 * 2000  # no storm
    assert max(attempts) <= 4
    assert clock.now() < 1.3 * 2000 * 0.1 / 10  # and the server was kept busy
    assert limiter.in_flight == 0


async def test_a_server_that_refuses_by_chance_is_not_met_with_silence() -> None:
    clock = VirtualClock()
    limiter, rng = Limiter(), random.Random(3)
    keys = iter(range(1500))
    sent = 0

    async def caller() -> None:
        nonlocal sent
        for key in keys:
            call = LooseCall(clock=clock, key=str(key))
            refused = True
            while refused:
                place = await limiter.acquire(call)
                sent += 1
                await clock.sleep(0.1)
                refused = rng.random() < 0.3
                limiter.rejected(place, clock.now()) if refused else limiter.succeeded(place, clock.now())
                place.release()

    await simulate(clock, *[caller] * 100)
    assert 1900 < sent < 2400
    assert clock.now() < 3 * sent * 0.1 / 32  # at one place, which cuts alone would come to, it would be 32 times


async def test_it_grows_until_growing_does_not_pay() -> None:
    clock = VirtualClock()
    limiter, server = Limiter(), Server(clock, capacity=150, seconds=1.0, rejects=False)
    await flood(limiter, server, 6000, callers=300)
    assert 130 <= limiter.limit <= 260  # the rest of the queue is on our side
    assert limiter.most_in_flight <= 300
    assert clock.now() < 1.25 * 6000 / 150


@pytest.mark.parametrize("rejects", [True, False])
async def test_a_fixed_concurrency_is_never_exceeded(rejects: bool) -> None:
    limiter, server = Limiter(concurrency=7), Server(VirtualClock(), 5 if rejects else 100, 0.1, rejects)
    await flood(limiter, server, 500, callers=40)
    assert limiter.most_in_flight == 7
    assert limiter.limit <= 7


async def test_rejections_of_one_window_cut_once() -> None:
    limiter, call = Limiter(), LooseCall(clock=VirtualClock())
    places = [await limiter.acquire(call) for _ in range(30)]
    for place in places:
        limiter.rejected(place, 0.0)
        place.release()
    assert (limiter.limit, limiter.cuts, limiter.rejections) == (25, 1, 30)
    limiter.rejected(await limiter.acquire(call), 0.0)
    assert (limiter.limit, limiter.cuts) == (20, 2)


async def test_retry_after_pauses_the_whole_endpoint() -> None:
    clock = VirtualClock()
    limiter = Limiter()
    limiter.rejected(await limiter.acquire(LooseCall(clock=clock)), 0.0, retry_after_seconds=7.5)
    starts: list[float] = []

    async def one() -> None:
        call = LooseCall(clock=clock)
        await limiter.acquire(call)
        starts.append(clock.now())
        assert call.queued_seconds == 7.5

    await simulate(clock, one, one, one)
    assert starts == [7.5, 7.5, 7.5]


async def test_callers_are_served_in_the_order_they_came() -> None:
    clock = VirtualClock()
    limiter = Limiter(concurrency=2)
    order: list[int] = []

    async def one(at: int) -> None:
        await clock.sleep(at * 1e-3)
        place = await limiter.acquire(LooseCall(clock=clock))
        order.append(at)
        await clock.sleep(1.0)
        place.release()

    await simulate(clock, *[functools.partial(one, at) for at in range(50)])
    assert order == list(range(50))


@pytest.mark.parametrize(("requests", "tokens"), [(120.0, None), (None, 12_000.0), (120.0, 12_000.0), (7.0, None)])
async def test_no_minute_sees_more_than_its_due(requests: float | None, tokens: float | None) -> None:
    clock = VirtualClock()
    limiter = Limiter(requests_per_minute=requests, tokens_per_minute=tokens)
    per_minute = min(requests or 1e9, (tokens or 1e9) / 100)
    calls = int(4 * per_minute)
    starts: list[float] = []

    async def one() -> None:
        place = await limiter.acquire(LooseCall(clock=clock), tokens=100)
        starts.append(clock.now())
        place.release()

    await simulate(clock, *[one] * calls)
    starts.sort()
    assert max(bisect_left(starts, start + 60) - at for at, start in enumerate(starts)) <= per_minute
    assert starts[-1] <= 60 * calls / (0.8 * per_minute)


async def test_a_request_larger_than_the_bucket_passes_and_is_owed_for() -> None:
    clock = VirtualClock()
    limiter = Limiter(tokens_per_minute=6000)
    starts: list[float] = []

    async def one() -> None:
        await limiter.acquire(LooseCall(clock=clock), tokens=3000)
        starts.append(round(clock.now(), 3))

    await simulate(clock, one, one, one)
    assert starts == [0.0, 33.333, 66.667]


async def test_giving_a_place_back_twice_frees_one() -> None:
    limiter, call = Limiter(), LooseCall(clock=VirtualClock())
    place = await limiter.acquire(call)
    await limiter.acquire(call)
    place.release()
    place.release()
    assert limiter.in_flight == 1


@pytest.mark.parametrize("called_first", [True, False])
async def test_a_caller_that_gives_up_lets_the_next_one_in(called_first: bool) -> None:
    limiter = Limiter(concurrency=1)
    first = await limiter.acquire(LooseCall())
    got: list[str] = []

    async def wait(name: str) -> None:
        place = await limiter.acquire(LooseCall())
        got.append(name)
        place.release()

    async with anyio.create_task_group() as group:
        async with anyio.create_task_group() as doomed:
            doomed.start_soon(wait, "doomed")
            await anyio.wait_all_tasks_blocked()
            group.start_soon(wait, "patient")
            await anyio.wait_all_tasks_blocked()
            if called_first:
                first.release()
            doomed.cancel_scope.cancel()
        first.release()
    assert got[-1] == "patient"
    assert (limiter.in_flight, limiter.waiting) == (0, 0)


async def test_many_waiters_cost_no_more_each_than_few() -> None:
    async def seconds(callers: int) -> float:
        limiter = Limiter(concurrency=4)

        async def one() -> None:
            place = await limiter.acquire(LooseCall())
            await anyio.sleep(0)
            place.release()

        gc.disable()  # what else this process holds is not what is measured
        try:
            began = time.process_time()
            async with anyio.create_task_group() as group:
                for _ in range(callers):
                    group.start_soon(one)
            return time.process_time() - began
        finally:
            gc.enable()

    few, many = [min([await seconds(callers) for _ in range(3)]) for callers in (1000, 8000)]
    assert many < 8 * few * 4
