from __future__ import annotations

from functools import partial
from typing import Any

import anyio
import msgspec
import pytest

from swarmmind.effects import Agent, Choice, Limits, Reply, Usage
from swarmmind.errors import Spent
from swarmmind.models.chat import Patience
from swarmmind.models.limiter import Limiter
from swarmmind.models.prices import Price
from swarmmind.models.transports.shared import NotSent
from swarmmind.models.wire import Writer
from swarmmind.ports import HttpResponse, TransportError
from swarmmind.runtime.budget import Cost, Purse
from swarmmind.runtime.clock import VirtualClock
from swarmmind.testing import LooseCall, check_model
from tests.models.asking import Replayed, chat, ok, request, said
from tests.models.simulation import simulate

pytestmark = pytest.mark.anyio

BUSY = HttpResponse(429, {"retry-after": "9"}, b'{"error": {"message": "slow down"}}')
PRICE = Price(input_usd=2.0, output_usd=10.0, cached_input_usd=0.5)
WORST_TOKENS = 64 + 2 * 16 + len("You are one of many.") + len("hello") + 50


async def ask(transport: Replayed, call: LooseCall, **options: Any) -> Reply:
    model = chat(transport, **options)
    replies: list[Reply] = []

    async def one() -> None:
        replies.append(await call.ask(model, request()))

    clock = call.clock
    assert isinstance(clock, VirtualClock)
    await simulate(clock, one)
    return replies[0]


def virtual(purse: Purse | None = None, deadline_seconds: float | None = None) -> LooseCall:
    return LooseCall(purse, VirtualClock(), deadline_seconds=deadline_seconds)


async def test_a_reply_with_its_usage_and_cost() -> None:
    call = virtual()
    reply = await ask(Replayed(ok()), call, price=PRICE)
    cost_usd = (4 * 2.0 + 16 * 0.5 + 5 * 10.0) / 1e6
    assert (reply.text, reply.finish, reply.failure) == ("hi", "stop", None)
    assert reply.usage == Usage(1, 20, 16, 5, cost_usd)
    assert call.purse.spent == Cost(1, 25, cost_usd)
    assert call.purse.reserved.calls == call.purse.reserved.tokens == 0
    assert abs(call.purse.reserved.usd) < 1e-15


async def test_without_a_price_money_is_unknown() -> None:
    assert (await ask(Replayed(ok()), virtual())).usage.cost_usd is None


@pytest.mark.parametrize(
    ("trouble", "kind"),
    [
        (BUSY, "busy"),
        (HttpResponse(503, {}, b"The engine is currently busy"), "busy"),
        (HttpResponse(500, {}, b""), "server"),
        (HttpResponse(409, {}, b"{}"), "server"),
        (HttpResponse(408, {}, b"{}"), "timeout"),
        (HttpResponse(200, {}, b'{"cho'), "server"),
        (HttpResponse(200, {}, b'{"object": "list"}'), "server"),
        (TransportError("timeout", "no answer"), "timeout"),
        (TransportError("connection", "reset"), "connection"),
        (NotSent("connection", "refused"), "connection"),
    ],
)
async def test_what_may_pass_is_tried_again_and_not_for_ever(trouble: HttpResponse | TransportError, kind: str) -> None:
    passing, call = Replayed(trouble, trouble, ok()), virtual()
    reply = await ask(passing, call)
    assert (reply.text, reply.usage.calls, len(passing.posted)) == ("hi", 3, 3)
    assert len(set(passing.posted)) == 1  # the same bytes, seed included
    lasting = Replayed(trouble)
    reply = await ask(lasting, virtual(), patience=Patience(attempts=4))
    assert reply.failure is not None
    assert (reply.failure.kind, reply.usage.calls, len(lasting.posted)) == (kind, 4, 4)


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 413, 422])
async def test_what_is_wrong_with_the_request_is_not_tried_again(status: int) -> None:
    transport = Replayed(HttpResponse(status, {}, b'{"error": {"message": "context\\nlength"}}'), ok())
    reply = await ask(transport, virtual())
    assert reply.failure is not None
    assert (reply.failure.kind, reply.failure.message) == ("refused", f"HTTP {status}: context length")
    assert len(transport.posted) == 1


async def test_an_empty_account_is_not_a_busy_server() -> None:
    limiter = Limiter()
    body = b'{"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}'
    reply = await ask(Replayed(HttpResponse(429, {}, body), ok()), virtual(), limiter=limiter)
    assert reply.failure is not None
    assert (reply.failure.kind, limiter.rejections) == ("refused", 0)


async def test_refusals_cost_a_call_and_silence_costs_the_worst() -> None:
    for trouble, tokens in (
        (BUSY, 0),
        (NotSent("connection", "refused"), 0),
        (TransportError("timeout", ""), WORST_TOKENS),
        (TransportError("connection", "half a body"), WORST_TOKENS),
        (HttpResponse(200, {}, b"garbage"), WORST_TOKENS),
    ):
        call = virtual()
        reply = await ask(Replayed(trouble, ok()), call)
        assert call.purse.spent == Cost(2, tokens + 25, 0.0)
        assert call.purse.reserved == Cost()
        assert (reply.usage.prompt_tokens is None) == (tokens > 0)


async def test_it_stays_away_as_long_as_it_is_asked_to() -> None:
    call = virtual()
    await ask(Replayed(BUSY, ok()), call)
    assert call.slept_seconds == 9.0
    call = virtual()
    await ask(Replayed(HttpResponse(500, {}, b""), ok()), call)
    assert 0.25 <= call.slept_seconds <= 0.5


async def test_it_never_sleeps_past_its_deadline() -> None:
    call = virtual(deadline_seconds=8.0)
    transport = Replayed(BUSY, ok())
    reply = await ask(transport, call)
    assert reply.failure is not None
    assert (reply.failure.kind, len(transport.posted), call.now()) == ("busy", 1, 0.0)
    assert transport.timeouts_seconds[0] == pytest.approx(7.9)


async def test_nothing_is_sent_after_the_deadline() -> None:
    call = virtual(deadline_seconds=1.0)
    limiter = Limiter()
    limiter.rejected(await limiter.acquire(call), 0.0, retry_after_seconds=2.0)
    transport = Replayed(ok())
    reply = await ask(transport, call, limiter=limiter)
    assert reply.failure is not None
    assert (reply.failure.kind, reply.usage, transport.posted) == ("timeout", Usage(), [])
    assert call.purse.spent == Cost()


async def test_a_place_is_held_until_the_reply_is_kept() -> None:
    limiter, call = Limiter(), virtual()
    reply = await chat(Replayed(ok()), limiter=limiter).answer(request(), call)
    assert (reply.text, limiter.in_flight) == ("hi", 1)
    call.kept()
    assert limiter.in_flight == 0


async def test_what_cannot_be_paid_is_not_sent() -> None:
    limiter, transport = Limiter(), Replayed(ok())
    call = virtual(Purse(Limits(tokens=WORST_TOKENS - 1)))
    with pytest.raises(Spent, match="tokens"):
        await chat(transport, limiter=limiter).answer(request(), call)
    assert (transport.posted, limiter.in_flight) == ([], 0)
    call = virtual(Purse(Limits(tokens=WORST_TOKENS)))
    assert (await chat(transport, limiter=limiter).answer(request(), call)).text == "hi"


async def test_a_cancelled_call_gives_everything_back_and_is_paid_at_worst() -> None:
    class Silent(Replayed):
        async def post(self, path: str, body: bytes, timeout_seconds: float) -> HttpResponse:
            await anyio.sleep_forever()
            raise AssertionError

    limiter, call = Limiter(), LooseCall()
    async with anyio.create_task_group() as group:
        group.start_soon(call.ask, chat(Silent(), limiter=limiter), request())
        await anyio.wait_all_tasks_blocked()
        assert limiter.in_flight == 1
        group.cancel_scope.cancel()
    assert (limiter.in_flight, call.purse.reserved, call.purse.spent) == (0, Cost(), Cost(1, WORST_TOKENS, 0.0))


async def test_rejections_reach_the_limiter() -> None:
    limiter = Limiter()
    await ask(Replayed(BUSY, ok()), virtual(), limiter=limiter)
    assert (limiter.rejections, limiter.cuts, limiter.limit) == (1, 1, 25)


async def test_no_key_in_a_failure_or_a_text() -> None:
    key = "hunter2-hunter2-hunter2"
    for script in (
        HttpResponse(401, {}, f'{{"error": {{"message": "bad key {key}"}}}}'.encode()),
        HttpResponse(200, {}, f"{key} is not JSON".encode()),
        TransportError("connection", f"could not send Authorization: Bearer {key}"),
        HttpResponse(200, {}, said(f"your key is {key}")),
    ):
        reply = await ask(Replayed(script), virtual(), key=key, patience=Patience(attempts=1))
        assert key not in str(reply)
        assert "[redacted]" in str(reply) or reply.failure is None or reply.failure.kind == "server"


async def test_an_option_is_the_text() -> None:
    output = Choice(("left", "right"))
    reply = await chat(Replayed(ok('{"choice": "right"}'))).answer(request(output=output), virtual())
    assert reply.text == "right"


async def test_it_conforms() -> None:
    await check_model(chat(Replayed(ok('{"choice": "south"}'))))


PRIORITY_REFUSED = HttpResponse(400, {}, b'{"error": {"message": "Got priority -1 but priority scheduling is off"}}')


async def test_priorities_are_sent_where_an_agent_has_one_and_the_server_takes_them() -> None:
    hasty = request()._replace(agent=Agent("agent-2", "worker", model="m", priority=-1))
    for script, sent in (
        ([ok()], [None, -1, -1]),
        ([ok(), PRIORITY_REFUSED, ok()], [None, -1, None, None]),  # noticed once
    ):
        transport = Replayed(*script)
        model = chat(transport, writer=Writer("m", "vllm"))
        for asked in (request(), hasty, hasty):
            call = virtual()
            assert (await call.ask(model, asked)).text == "hi"
        assert [msgspec.json.decode(body).get("priority") for body in transport.posted] == sent
    transport = Replayed(ok())
    await virtual().ask(chat(transport, writer=Writer("m", "openai")), hasty)
    assert "priority" not in msgspec.json.decode(transport.posted[0])


async def test_who_has_a_lower_priority_is_served_first() -> None:
    limiter, clock = Limiter(concurrency=1), VirtualClock()
    transport = Replayed(ok())
    model = chat(transport, limiter=limiter)
    first = await limiter.acquire(LooseCall(clock=clock))

    async def ask(priority: int) -> None:
        agent = Agent(f"agent{priority}", "worker", model="m", priority=priority)
        await LooseCall(clock=clock).ask(model, request(f"I am {priority}")._replace(agent=agent))

    async def release() -> None:
        await clock.sleep(1.0)
        first.release()

    await simulate(clock, *[partial(ask, priority) for priority in (2, 0, 1, -1)], release)
    asked = [msgspec.json.decode(body)["messages"][-1]["content"] for body in transport.posted]
    assert asked == ["I am 2", "I am -1", "I am 0", "I am 1"]  # the first was called before the others came
