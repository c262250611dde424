"""Of two servers that answer alike one is dead for good: nobody waits for it, whatever the other goes through."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from operator import attrgetter

import anyio
import pytest

from swarmmind.effects import TEXT, Message, Reply, Sampling
from swarmmind.models.chat import ChatModel, Patience
from swarmmind.models.endpoint import Endpoint, Route
from swarmmind.models.endpoints import Address, Endpoints
from swarmmind.models.limiter import Limiter
from swarmmind.models.redact import Redactor
from swarmmind.models.replicas import Replicas
from swarmmind.models.transports.shared import NotSent
from swarmmind.models.wire import Writer
from swarmmind.ports import HttpResponse, Request, TransportError
from swarmmind.spec.model import EndpointLimits
from swarmmind.testing import LooseCall
from tests.models.asking import AGENT, ok
from tests.models.test_hostile import Hurried

pytestmark = pytest.mark.anyio

OUTAGE_SECONDS = 0.3


class Server:
    """A transport to a server that answers, and first does what it is told to."""

    def __init__(self) -> None:
        self.dead = False
        self.next: list[TransportError | HttpResponse] = []
        self.seconds = 0.01

    async def post(self, path: str, body: bytes, timeout_seconds: float) -> HttpResponse:
        if self.dead:
            raise NotSent("connection", "refused")
        if self.next:
            answer = self.next.pop(0)
            if isinstance(answer, TransportError):
                raise answer
            return answer
        await anyio.sleep(self.seconds)
        return ok()

    async def get(self, path: str, timeout_seconds: float) -> HttpResponse:
        await anyio.sleep(0.005)
        if self.dead:
            raise NotSent("connection", "refused")
        return HttpResponse(200 if path == "health" else 404, {}, b"")

    async def close(self) -> None: ...


def model(route: Route) -> ChatModel:
    return ChatModel(Writer("m"), route, None, Patience(), Redactor())


class Two:
    """Two servers that have answered, of which the first is dead now."""

    def __init__(self, outage_seconds: float = OUTAGE_SECONDS) -> None:
        self.servers = Server(), Server()
        self.endpoints = [
            Endpoint(f"http://{at}/v1", server, Limiter(concurrency=16), outage_seconds=outage_seconds)
            for at, server in enumerate(self.servers)
        ]
        self.model = model(Replicas(self.endpoints))
        self.replies: list[Reply] = []

    @asynccontextmanager
    async def at_work(self) -> AsyncGenerator[None]:
        async with anyio.create_task_group() as group:
            for endpoint in self.endpoints:
                group.start_soon(endpoint.watch)
            await anyio.wait_all_tasks_blocked()
            await self.ask(20)
            self.servers[0].dead = True
            await self.ask(20)
            with anyio.fail_after(20):
                yield
            group.cancel_scope.cancel()
        assert [reply.failure for reply in self.replies] == [None] * len(self.replies)

    async def ask(self, calls: int) -> None:
        async with anyio.create_task_group() as group:
            for number in range(calls):
                group.start_soon(self._ask, number)

    async def _ask(self, number: int) -> None:
        self.replies.append(await answer(self.model, number))


async def answer(asked: ChatModel, number: int) -> Reply:
    messages = Message("system", f"You are number {number % 20}."), Message("user", "?")
    call = LooseCall(clock=Hurried(), key=f"run/{number}")
    return await call.ask(asked, Request(AGENT, messages, TEXT, Sampling(), number, None))


async def test_who_asks_while_both_are_in_doubt_goes_where_somebody_is_up() -> None:
    two = Two()
    async with two.at_work(), anyio.create_task_group() as group:
        group.start_soon(two.ask, 200)
        await anyio.sleep(0.05)
        two.servers[1].next = [TransportError("connection", "reset")]
    assert len(two.replies) == 240


async def test_a_hiccup_of_the_one_that_is_left_sends_nobody_to_the_dead_one() -> None:
    two = Two()
    async with two.at_work():
        await anyio.sleep(2 * OUTAGE_SECONDS)
        two.servers[1].seconds = 4.0  # so long there is no success
        async with anyio.create_task_group() as group:
            group.start_soon(two.ask, 3)
            await anyio.sleep(0.05)
            two.servers[1].next = [HttpResponse(500, {}, b"oops")]
            group.start_soon(two.ask, 1)
            await anyio.sleep(2.5)  # the dead one is looked at every two
            group.start_soon(two.ask, 20)
            await anyio.sleep(0.5)
    assert len(two.replies) == 64


async def test_one_that_was_given_up_is_no_refuge_while_the_other_is_waited_for() -> None:
    two = Two(outage_seconds=1.0)
    async with two.at_work():
        await anyio.sleep(1.5)
        two.servers[1].dead = True
        async with anyio.create_task_group() as group:
            group.start_soon(two.ask, 40)
            await anyio.sleep(0.6)
            two.servers[1].dead = False
    assert len(two.replies) == 80


async def test_who_can_go_nowhere_else_is_told_and_holds_up_nobody() -> None:
    two = Two()
    one = two.endpoints[0]
    one.join(())  # a model of its own is there, too
    async with two.at_work():
        assert not one.up
        reply = await answer(model(one), 1)
        assert reply.failure is not None
        assert reply.failure.kind == "connection"
        await two.ask(20)


async def test_whoever_rises_is_found_by_all_routes_that_lead_there() -> None:
    a, b, c = (Endpoint(f"http://{name}/v1", Server(), Limiter()) for name in "abc")
    routes = Replicas([a, b]), Replicas([a, c])
    found: list[Endpoint] = []

    async def go(route: Replicas) -> None:
        await route.wait()
        found.append(route.choose(b""))

    for endpoint in (a, b, c):
        endpoint.pulse.fall()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            for route in routes:
                group.start_soon(go, route)
            for rises in (b, c):
                await anyio.wait_all_tasks_blocked()
                rises.pulse.rise()
    assert found == [b, c]


@pytest.mark.parametrize("alone_first", [True, False])
async def test_a_server_that_some_model_has_alone_is_never_spared(alone_first: bool) -> None:
    endpoints, urls = Endpoints(), ["http://a/v1", "http://a/v1,http://b/v1"]
    for url in urls if alone_first else reversed(urls):
        endpoints.route(Address("openai", url, None), "aiohttp", EndpointLimits())
    alone, both = (endpoints.route(Address("openai", url, None), "aiohttp", EndpointLimits()) for url in urls)
    assert isinstance(both, Replicas)
    assert both.endpoints[0] is alone
    spared = attrgetter("_spared")
    assert [spared(endpoint) for endpoint in both.endpoints] == [False, True]
