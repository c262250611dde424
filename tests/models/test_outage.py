"""A busy server, one that goes away and comes back, and one that does not."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest

from swarmmind.effects import Reply
from swarmmind.models.chat import ChatModel, Patience
from swarmmind.models.endpoint import Endpoint
from swarmmind.models.limiter import Limiter
from swarmmind.models.pulse import Pulse
from swarmmind.models.redact import Redactor
from swarmmind.models.transports.aiohttp_transport import AiohttpTransport
from swarmmind.models.transports.shared import NotSent
from swarmmind.models.wire import Writer
from swarmmind.ports import HttpResponse, TransportError
from swarmmind.runtime.budget import Purse
from swarmmind.runtime.clock import VirtualClock
from swarmmind.testing import FakeEndpoint, LooseCall
from tests.models.asking import Replayed, chat, ok, request
from tests.models.simulation import simulate
from tests.models.test_hostile import Hurried

pytestmark = pytest.mark.anyio

BUSY = HttpResponse(503, {}, b'{"error": "The engine is currently busy, please retry later."}')
GONE = NotSent("connection", "refused")


def model(endpoint: Endpoint, attempts: int) -> ChatModel:
    return ChatModel(Writer("m"), endpoint, None, Patience(attempts), Redactor())


@asynccontextmanager
async def watched(endpoint: Endpoint) -> AsyncGenerator[None]:
    async with anyio.create_task_group() as group:
        group.start_soon(endpoint.watch)
        await anyio.wait_all_tasks_blocked()
        yield
        group.cancel_scope.cancel()
    await endpoint.transport.close()


async def ask_all(asked: ChatModel, calls: int, callers: int) -> list[Reply]:
    replies: list[Reply] = []
    numbers = iter(range(calls))

    async def caller() -> None:
        for number in numbers:
            call = LooseCall(clock=Hurried(), key=f"run/{number}")
            replies.append(await call.ask(asked, request(f"question {number}", seed=number)))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            for _ in range(callers):
                group.start_soon(caller)
    return replies


async def test_a_server_that_is_started_anew_is_waited_for() -> None:
    server = FakeEndpoint(latency_seconds=0.02)
    await server.start()
    port = server.port
    endpoint = Endpoint(server.base_url, AiohttpTransport(server.base_url), Limiter(concurrency=8))
    replies: list[Reply] = []
    refused: list[int] = []

    async def restart() -> None:
        while server.answered < 20:
            await anyio.sleep(0.005)
        await server.stop()
        await anyio.sleep(0.5)
        refused.append(endpoint.load)
        await server.start(port)

    async with watched(endpoint), anyio.create_task_group() as group:
        group.start_soon(restart)
        replies.extend(await ask_all(model(endpoint, attempts=2), 100, 30))
    assert [reply.failure for reply in replies] == [None] * 100
    assert refused == [30]  # all of them were held
    calls = sum(reply.usage.calls for reply in replies)
    assert calls <= 100 + 8 + 8  # those cut off, and those that were refused before it was known; nothing while it was
    assert any("was gone once" in line for line in endpoint.served().warnings)
    await server.stop()


class Away(Replayed):
    """A transport whose server is away from one request on, until `back` is set; a probe takes its time."""

    def __init__(self, error: TransportError, after: int) -> None:
        super().__init__(ok())
        self.error, self.after, self.failed, self.back = error, after, 0, anyio.Event()

    async def post(self, path: str, body: bytes, timeout_seconds: float) -> HttpResponse:
        await anyio.sleep(0.01)
        if self.after <= 0 and not self.back.is_set():
            self.failed += 1
            raise self.error
        self.after -= 1
        return await super().post(path, body, timeout_seconds)

    async def get(self, path: str, timeout_seconds: float) -> HttpResponse:
        await anyio.sleep(0.05)
        if self.after <= 0 and not self.back.is_set():
            raise self.error
        return HttpResponse(200 if path == "health" else 404, {}, b"")


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (TransportError("connection", "reset"), 2),  # what a kernel does with what it took in for a server that died
        (NotSent("timeout", "no connection"), 1),  # a machine that is off
        (GONE, 1),
    ],
)
async def test_however_a_server_is_away_nothing_is_sent_meanwhile(error: TransportError, attempts: int) -> None:
    transport = Away(error, after=20)
    endpoint = Endpoint("http://fake/v1", transport, Limiter(concurrency=8))
    replies: list[Reply] = []

    async def return_() -> None:
        while not transport.failed:
            await anyio.sleep(0.01)
        await anyio.sleep(0.3)
        transport.back.set()

    async with watched(endpoint), anyio.create_task_group() as group:
        group.start_soon(return_)
        replies.extend(await ask_all(model(endpoint, attempts), 100, 30))
    assert [reply.failure for reply in replies] == [None] * 100
    assert 0 < transport.failed <= 8  # what was under way


async def test_one_probe_that_did_not_connect_is_no_outage() -> None:
    class Once(Replayed):
        probes = 0

        async def get(self, path: str, timeout_seconds: float) -> HttpResponse:
            self.probes += path == "health"
            if path == "health" and self.probes == 1:  # our own loop was busy, perhaps
                raise NotSent("timeout", "no connection")
            return HttpResponse(200 if path == "health" else 404, {}, b"")

    transport = Once(ok(), TransportError("connection", "reset"), ok())
    endpoint = Endpoint("http://fake/v1", transport, Limiter())
    async with watched(endpoint):
        replies = await ask_all(model(endpoint, 2), 3, 1)
    assert [reply.usage.calls for reply in replies] == [1, 2, 1]
    assert transport.probes == 2
    assert endpoint.served().warnings == []


async def test_a_machine_that_goes_off_without_a_word_is_noticed_by_a_look() -> None:
    class Silent(Replayed):
        off = False

        async def post(self, path: str, body: bytes, timeout_seconds: float) -> HttpResponse:
            if self.off:
                await anyio.sleep_forever()
            return await super().post(path, body, timeout_seconds)

        async def get(self, path: str, timeout_seconds: float) -> HttpResponse:
            if self.off:
                raise NotSent("timeout", "no connection")
            return HttpResponse(200, {}, b"vllm:num_requests_running 1\nvllm:num_requests_waiting 0\n")

    transport = Silent(ok())
    endpoint = Endpoint("http://fake/v1", transport, Limiter())
    async with watched(endpoint), anyio.create_task_group() as group:
        assert (await ask_all(model(endpoint, 1), 1, 1))[0].ok
        transport.off = True
        group.start_soon(ask_all, model(endpoint, 1), 1, 1)
        with anyio.fail_after(10):
            while endpoint.up:
                await anyio.sleep(0.01)
        group.cancel_scope.cancel()


async def test_one_that_stays_away_is_told_of_when_the_patience_is_over() -> None:
    server = FakeEndpoint()
    await server.start()
    endpoint = Endpoint(server.base_url, AiohttpTransport(server.base_url), Limiter(concurrency=4), outage_seconds=0.3)
    async with watched(endpoint):
        assert (await ask_all(model(endpoint, 2), 1, 1))[0].ok
        await server.stop()
        began = anyio.current_time()
        replies = await ask_all(model(endpoint, 2), 10, 10)
        seconds = anyio.current_time() - began
        began = anyio.current_time()
        assert not (await ask_all(model(endpoint, 2), 1, 1))[0].ok
        assert anyio.current_time() - began < 0.25  # nobody waits for it again
    assert {reply.failure.kind for reply in replies if reply.failure} == {"connection"}
    assert len(replies) == 10
    assert 0.3 <= seconds < 3


async def test_one_that_never_answered_is_not_waited_for() -> None:
    endpoint = Endpoint("http://127.0.0.1:9/v1", AiohttpTransport("http://127.0.0.1:9/v1"), Limiter())
    async with watched(endpoint):
        began = anyio.current_time()
        replies = await ask_all(model(endpoint, 3), 4, 4)
        assert anyio.current_time() - began < 2
    told = "http://127.0.0.1:9/v1: no request was answered; is this its address, and is it up?"
    assert endpoint.served().warnings[0] == told  # on a hurried clock it may seem to have waited for long, too
    assert [(reply.failure.kind if reply.failure else "", reply.usage.calls) for reply in replies] == [
        ("connection", 3)
    ] * 4


async def test_a_connection_that_breaks_is_no_outage() -> None:
    transport = Replayed(ok(), TransportError("connection", "reset"), ok())
    endpoint = Endpoint("http://fake/v1", transport, Limiter())
    async with watched(endpoint):
        replies = await ask_all(model(endpoint, 2), 3, 1)
    assert [reply.usage.calls for reply in replies] == [1, 2, 1]
    assert endpoint.up
    assert endpoint.served().warnings == []


async def test_who_sees_to_a_server_decides_when_it_is_up() -> None:
    pulse = Pulse()
    transport = Replayed(ok(), GONE, ok())
    endpoint = Endpoint("http://fake/v1", transport, Limiter(), pulse)
    asked = model(endpoint, attempts=1)
    await ask_all(asked, 1, 1)
    replies: list[Reply] = []

    async def supervise() -> None:
        await pulse.doubts()
        pulse.fall()
        await anyio.sleep(0.05)
        assert len(transport.posted) == 2
        pulse.rise()

    async with anyio.create_task_group() as group:
        group.start_soon(supervise)
        replies.extend(await ask_all(asked, 1, 1))
    assert (replies[0].ok, replies[0].usage.calls, len(transport.posted)) == (True, 2, 3)


async def test_a_tiny_queue_tells_no_agent() -> None:
    async with FakeEndpoint(capacity=2, latency_seconds=0.01) as server:
        endpoint = Endpoint(server.base_url, AiohttpTransport(server.base_url), Limiter())
        async with watched(endpoint):
            replies = await ask_all(model(endpoint, attempts=1), 200, 100)
        assert [reply.failure for reply in replies] == [None] * 200
        assert server.answered == 200
        assert endpoint.limiter.rejections == server.statuses["503"] > 0


async def test_a_server_that_is_busy_and_never_answers_is_told_of() -> None:
    clock = VirtualClock()
    transport = Replayed(BUSY)
    call = LooseCall(Purse(), clock)
    replies: list[Reply] = []

    async def one() -> None:
        replies.append(await call.ask(chat(transport, patience=Patience(3)), request()))

    await simulate(clock, one)
    assert replies[0].failure is not None
    assert (replies[0].failure.kind, len(transport.posted)) == ("busy", 3)


async def test_one_that_answered_and_is_busy_ever_since_is_told_of_in_the_end() -> None:
    clock = VirtualClock()
    transport = Replayed(ok(), BUSY)
    asked = chat(transport, patience=Patience(3))
    replies: list[Reply] = []

    async def two() -> None:
        replies.append(await LooseCall(Purse(), clock, key="first").ask(asked, request()))
        replies.append(await LooseCall(Purse(), clock, key="second").ask(asked, request()))

    await simulate(clock, two)
    assert replies[0].ok
    assert replies[1].failure is not None
    assert 300 <= clock.now() < 400
    assert replies[1].usage.calls > 3
    assert len(transport.posted) < 150  # it is left alone most of the time


async def test_a_server_is_looked_at_while_it_works_and_says_what_it_is() -> None:
    class Telling(Replayed):
        def __init__(self) -> None:
            super().__init__(ok())
            self.got: list[str] = []

        async def get(self, path: str, timeout_seconds: float) -> HttpResponse:
            self.got.append(path)
            if path == "version":
                return HttpResponse(200, {}, b'{"version": "0.32.0"}')
            hits = 100 * len(self.got)
            page = f"vllm:num_requests_running 1\nvllm:num_requests_waiting 0\nvllm:prefix_cache_hits_total {hits}\n"
            return HttpResponse(200, {}, f"{page}vllm:prefix_cache_queries_total {2 * hits}\n".encode())

    transport = Telling()
    endpoint = Endpoint("http://fake/v1", transport, Limiter())
    async with watched(endpoint):
        assert transport.got == []  # nothing is in flight
        place = await endpoint.limiter.acquire(LooseCall())
        await anyio.sleep(0.3)
        place.release()
        await anyio.sleep(0.3)
        looks = len(transport.got)
        await anyio.sleep(0.4)
        assert len(transport.got) == looks  # nor is any more
    served = endpoint.served()
    assert transport.got[:2] == ["metrics", "version"]
    assert set(transport.got[2:]) == {"metrics"}
    assert served.server == {"version": "0.32.0"}
    assert served.prompt_tokens == 2 * (served.cached_tokens or 0) > 0


async def test_a_server_that_says_nothing_is_soon_left_alone() -> None:
    class Counting(Replayed):
        gets = 0

        async def get(self, path: str, timeout_seconds: float) -> HttpResponse:
            self.gets += 1
            return await super().get(path, timeout_seconds)

    transport = Counting(ok())
    limiter = Limiter()
    async with watched(Endpoint("http://fake/v1", transport, limiter)):
        place = await limiter.acquire(LooseCall())
        await anyio.sleep(0.8)
        place.release()
    assert (transport.gets, limiter.limit, limiter.steering) == (1, 32, None)  # a 404 is a plain answer
