"""Looks at what a server says of itself: few of them at one that says nothing, and none that costs the run anything."""

from __future__ import annotations

from itertools import pairwise
from time import process_time

import anyio
import pytest

from swarmmind.models.endpoint import Endpoint
from swarmmind.models.gauges import read
from swarmmind.models.limiter import Limiter
from swarmmind.models.steering import FIRST_LIMIT
from swarmmind.ports import HttpResponse, TransportError
from swarmmind.testing import LooseCall
from tests.models.asking import Replayed, ok

pytestmark = pytest.mark.anyio

CALM = [0.25, 0.312, 0.391, 0.488, 0.61, 0.763, 0.954, 1.0, 1.0]  # seconds
FULL = b"vllm:num_requests_running %d\nvllm:num_requests_waiting %d\n"


class Paged(Replayed):
    """A transport whose server has a page for each look; the last one for ever."""

    def __init__(self, *pages: HttpResponse | Exception) -> None:
        super().__init__(ok())
        self.pages, self.looks, self.looked_at = pages, 0, list[float]()

    async def get(self, path: str, timeout_seconds: float) -> HttpResponse:
        page = self.pages[min(self.looks, len(self.pages) - 1)]
        self.looks += 1
        self.looked_at.append(anyio.current_time())
        if isinstance(page, Exception):
            raise page
        return page


async def looked_at(transport: Paged, limiter: Limiter, looks: int) -> None:
    """Keep it as busy as it may be, until there were so many looks, and a little longer."""
    endpoint = Endpoint("http://fake/v1", transport, limiter)

    async def wait() -> None:
        await limiter.acquire(LooseCall())

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(endpoint.watch)
            await anyio.wait_all_tasks_blocked()
            for _ in range(20):
                group.start_soon(wait)
            while transport.looks < looks:
                await anyio.sleep(0.001)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()


@pytest.mark.parametrize(
    "page",
    [
        HttpResponse(404, {}, b"not found"),
        HttpResponse(401, {}, b""),
        HttpResponse(405, {}, b""),
        HttpResponse(501, {}, b"Unsupported method ('GET')"),
        HttpResponse(302, {"location": "/login"}, b""),
        HttpResponse(200, {}, b"<html>vllm: welcome</html>"),
        HttpResponse(200, {}, b'{"choices": []}'),
        HttpResponse(200, {}, b"process_cpu_seconds_total 3.5\nhttp_requests_total 7\n"),
        HttpResponse(200, {}, b""),
    ],
)
@pytest.mark.parametrize("concurrency", [None, 100])
async def test_one_that_says_that_it_says_nothing_is_looked_at_once(
    page: HttpResponse, concurrency: int | None
) -> None:
    transport, limiter = Paged(page), Limiter(concurrency)
    await looked_at(transport, limiter, 1)
    assert (limiter.steering, limiter.limit, limiter.in_flight) == (None, concurrency or 32, 20)
    assert transport.looks == 1


@pytest.mark.parametrize(
    "page",
    [
        HttpResponse(503, {}, b""),
        HttpResponse(429, {}, b""),
        HttpResponse(200, {}, b"vllm:engine_sleep_state 0\n"),
        TransportError("timeout", "no answer"),
        AssertionError("not mocked"),
    ],
)
async def test_one_that_may_still_say_something_is_looked_at_again(page: HttpResponse | Exception) -> None:
    transport, limiter = Paged(page), Limiter()
    await looked_at(transport, limiter, 2)
    assert (limiter.steering is not None, limiter.limit) == (True, FIRST_LIMIT)
    transport, limiter = Paged(page), Limiter()
    await looked_at(transport, limiter, 3)
    assert (limiter.steering, limiter.limit) == (None, 32)


async def test_as_long_as_the_limit_grows_the_next_look_is_soon() -> None:
    pages = [HttpResponse(200, {}, FULL % (running, 0)) for running in (2, 3, 4, 6, 9, 13)]
    transport, limiter = Paged(*pages), Limiter(concurrency=100)
    await looked_at(transport, limiter, 8)
    assert limiter.limit >= 19
    rests = sorted(later - earlier for earlier, later in pairwise(transport.looked_at[:6]))
    assert rests[len(rests) // 2] < 0.1  # the median: a machine at work elsewhere may hold up one of them


async def rests(monkeypatch: pytest.MonkeyPatch, transport: Paged, looks: int) -> list[float]:
    """How long it rests after each look; no time passes meanwhile."""
    rested, sleep = list[float](), anyio.sleep

    async def skip(seconds: float) -> None:
        if seconds >= 0.02:
            rested.append(round(seconds, 3))
        await sleep(0.001)

    monkeypatch.setattr(anyio, "sleep", skip)
    await looked_at(transport, Limiter(), looks)
    return rested


async def test_who_may_grow_on_is_looked_at_soon_and_then_less_and_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [HttpResponse(200, {}, FULL % (running, 0)) for running in (2, 3)]
    rested = await rests(monkeypatch, Paged(*pages), 17)
    assert rested[:6] == [0.02, 0.02, 0.04, 0.08, 0.1, 0.1]  # it grows, then it may grow
    assert rested[6:15] == CALM


async def test_who_is_settled_is_looked_at_ever_less_until_something_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = [HttpResponse(200, {}, FULL % seen) for seen in [(2, 0), (3, 0), (4, 0), *[(4, 2)] * 14, (2, 4)]]
    rested = await rests(monkeypatch, Paged(*pages), 28)
    assert rested[:4] == [0.02, 0.02, 0.1, 0.1]
    assert rested[4:13] == CALM
    assert rested[17:26] == CALM  # its capacity shrank, and the limit with it


async def test_a_look_that_soon_takes_nothing_for_full() -> None:
    pages = [HttpResponse(200, {}, FULL % (running, waiting)) for running, waiting in ((2, 0), (2, 1), (2, 1), (3, 0))]
    transport, limiter = Paged(*pages), Limiter()
    await looked_at(transport, limiter, 4)
    assert limiter.steering is not None
    assert limiter.steering.capacity is None
    assert limiter.limit == 4


@pytest.mark.parametrize("line", ["process_x%d 1\n", "vllm:x%d 1\n"])
async def test_a_huge_page_is_another_s(line: str) -> None:
    page = "vllm:num_requests_running 1\nvllm:num_requests_waiting 0\n" + (line % 7) * 1_000_000
    began = process_time()
    assert read(page) is None
    assert process_time() - began < 0.5


@pytest.mark.parametrize(
    ("page", "limit"), [(HttpResponse(404, {}, b""), 64), (HttpResponse(200, {}, FULL % (0, 0)), 2)]
)
async def test_a_server_that_says_nothing_holds_up_no_first_request(page: HttpResponse, limit: int) -> None:
    limiter = Limiter(concurrency=64)
    endpoint = Endpoint("http://fake/v1", Paged(page), limiter)
    await endpoint.meet()
    async with anyio.create_task_group() as group:
        group.start_soon(endpoint.watch)
        await anyio.wait_all_tasks_blocked()
        assert limiter.limit == limit
        group.cancel_scope.cancel()


async def test_a_server_that_hangs_is_not_waited_for_long() -> None:
    class Hanging(Replayed):
        async def get(self, path: str, timeout_seconds: float) -> HttpResponse:
            await anyio.sleep_forever()
            raise AssertionError

    with anyio.fail_after(30):
        await Endpoint("http://fake/v1", Hanging(ok()), Limiter()).meet()
