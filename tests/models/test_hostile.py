"""A server that does everything wrong, a tenth of the time each."""

from __future__ import annotations

from collections import Counter

import anyio
import pytest

from swarmmind.effects import Limits, Reply
from swarmmind.errors import Spent
from swarmmind.models.chat import Patience
from swarmmind.models.limiter import Limiter
from swarmmind.models.transports.aiohttp_transport import AiohttpTransport
from swarmmind.runtime.budget import Cost, Purse
from swarmmind.runtime.clock import RealClock
from swarmmind.testing import FakeEndpoint, Hostility, LooseCall
from tests.models.asking import chat, request

pytestmark = pytest.mark.anyio

TENTHS = Hostility(*[0.1] * len(Hostility._fields))
PATIENCE = Patience(attempts=5, timeout_seconds=0.6)


class Hurried(RealClock):
    """A clock on which backing off takes a hundredth of the time, and so does what the whole endpoint waits for."""

    def now(self) -> float:
        return super().now() * 100

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds / 100)


async def gather(base_url: str, purse: Purse, limiter: Limiter, calls: int, callers: int) -> list[Reply | Spent]:
    transport = AiohttpTransport(base_url)
    model = chat(transport, limiter=limiter, patience=PATIENCE)
    outcomes: list[Reply | Spent] = []
    numbers = iter(range(calls))

    async def caller() -> None:
        for number in numbers:
            call = LooseCall(purse, Hurried(), key=f"run/{number}")
            try:
                outcomes.append(await call.ask(model, request(f"question {number}", seed=number)))
            except Spent as spent:
                outcomes.append(spent)

    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            for _ in range(callers):
                group.start_soon(caller)
    await transport.close()
    return outcomes


async def test_every_outcome_is_accounted_for() -> None:
    purse, limiter = Purse(), Limiter(concurrency=64)
    async with FakeEndpoint(hostility=TENTHS, seed=1) as server:
        outcomes = await gather(server.base_url, purse, limiter, calls=300, callers=64)
        replies = [outcome for outcome in outcomes if isinstance(outcome, Reply)]
        assert len(replies) == 300
        kinds = Counter(reply.failure.kind for reply in replies if reply.failure)
        assert set(kinds) <= {"server", "timeout", "connection"}  # a busy server is waited for
        assert 110 < sum(reply.ok for reply in replies) == server.answered < 210  # 1 - (6/7)**5 = 54 % get through
        busy = server.statuses["429"] + server.statuses["503"]
        assert server.received - busy <= 300 * 5
        assert max(server.bodies.values()) > 5
        assert sum(reply.usage.calls for reply in replies) == purse.spent.calls == server.received
        assert min(server.statuses[name] for name in ("429", "500", "503", "stalled", "halved", "reset")) > 10
    assert (limiter.in_flight, limiter.waiting, purse.reserved) == (0, 0, Cost())
    assert limiter.most_in_flight <= 64


async def test_the_server_never_sees_more_calls_than_the_budget_has() -> None:
    purse, limiter = Purse(Limits(calls=100)), Limiter()
    async with FakeEndpoint(hostility=TENTHS, seed=2) as server:
        outcomes = await gather(server.base_url, purse, limiter, calls=256, callers=256)
        assert len(outcomes) == 256
        assert server.received <= 100
        assert purse.spent.calls == 100
        assert any(isinstance(outcome, Spent) for outcome in outcomes)
        assert any(isinstance(outcome, Reply) and outcome.ok for outcome in outcomes)
    assert (limiter.in_flight, purse.reserved) == (0, Cost())


async def test_a_crowded_server_is_not_stormed() -> None:
    limiter = Limiter()
    async with FakeEndpoint(capacity=8, latency_seconds=0.01) as server:
        outcomes = await gather(server.base_url, Purse(), limiter, calls=600, callers=100)
        assert all(isinstance(outcome, Reply) and outcome.ok for outcome in outcomes)
        assert server.received - server.answered < 120
    assert limiter.limit <= 16


async def test_the_key_is_in_no_failure_though_the_server_echoes_it() -> None:
    key = "hunter2-hunter2-hunter2"
    async with FakeEndpoint(key="another-key") as server:
        transport = AiohttpTransport(server.base_url, key)
        reply = await LooseCall().ask(chat(transport, key=key), request())
        assert server.statuses == {"401": 1}
        assert reply.failure is not None
        assert "Incorrect API key provided" in reply.failure.message
        assert key not in f"{reply} {transport!r}"
        await transport.close()
