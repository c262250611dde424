"""The fake endpoint is what other tests believe: it is tested by itself."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import aiohttp
import anyio
import pytest

from swarmmind import testing
from swarmmind.effects import Choice, Json
from swarmmind.models.limiter import Limiter
from swarmmind.models.transports.aiohttp_transport import AiohttpTransport
from swarmmind.models.wire import Writer
from swarmmind.ports import HttpResponse, TransportError
from swarmmind.testing import FakeEndpoint, Hostility, LooseCall, Refusal, check_model, check_transport
from tests.models.asking import Replayed, chat, ok, request

pytestmark = pytest.mark.anyio

BODY = b'{"model": "m", "messages": [{"role": "user", "content": "hello, there"}]}'


def test_what_is_public() -> None:
    checks = {f"check_{what}" for what in ("embedder", "memory", "model", "optimizer", "topology", "transport")}
    assert set(testing.__all__) == {"FakeEndpoint", "Hostility", "LooseCall", "Refusal", *checks}


async def misfortunes(hostility: Hostility, count: int = 20) -> tuple[Counter[str], FakeEndpoint]:
    seen: Counter[str] = Counter()
    async with FakeEndpoint(hostility=hostility, stall_seconds=0.5, retry_after="3") as server:
        transport = AiohttpTransport(server.base_url)
        for _ in range(count):
            try:
                response = await transport.post("chat/completions", BODY, 0.1 if hostility.stalled else 5.0)
                seen[f"{response.status} {response.headers.get('retry-after', '')}".strip()] += 1
            except TransportError as error:
                seen[error.kind] += 1
        await transport.close()
    return seen, server


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("busy", "429"),
        ("busy_retry_after", "429 3"),
        ("internal", "500"),
        ("unavailable", "503"),
        ("stalled", "timeout"),
        ("halved", "connection"),
        ("reset", "connection"),
        ("garbled", "200"),
        ("misshapen", "200"),
    ],
)
async def test_each_misfortune(name: str, expected: str) -> None:
    seen, server = await misfortunes(Hostility()._replace(**{name: 1.0}), 3)
    assert seen == {expected: 3}
    assert (server.received, server.answered, server.in_flight) == (3, 0, 0)


async def test_misfortunes_come_in_their_shares_and_by_seed() -> None:
    hostility = Hostility(busy=0.3, internal=0.2)
    seen, server = await misfortunes(hostility, 300)
    assert 60 < seen["429"] < 120
    assert 35 < seen["500"] < 85
    assert server.answered == seen["200"] == 300 - seen["429"] - seen["500"]
    assert (await misfortunes(hostility, 300))[0] == seen


async def test_it_counts_by_body_and_obeys() -> None:
    options = Choice(("left", "right"))
    schema = Json("n", {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]})
    async with FakeEndpoint() as server:
        transport = AiohttpTransport(server.base_url)
        for dialect in ("vllm", "openai"):
            model = chat(transport, writer=Writer("m", dialect))
            assert (await LooseCall().ask(model, request(output=options))).text in options.options
            assert (await LooseCall().ask(model, request(output=schema))).text == '{"n":0}'
            assert (await LooseCall().ask(model, request())).text == "ok"
        assert (server.received, server.answered, sum(server.bodies.values())) == (6, 6, 6)
        assert max(server.bodies.values()) == 2  # plain text and the schema are asked alike in both dialects
        await transport.close()


async def test_a_reply_function_may_refuse() -> None:
    async with FakeEndpoint(lambda _: Refusal(418, "teapot", {"X-Pot": "tea"})) as server:
        transport = AiohttpTransport(server.base_url)
        response = await transport.post("chat/completions", BODY, 5.0)
        assert (response.status, response.headers["x-pot"]) == (418, "tea")
        assert b"teapot" in response.body
        await transport.close()


async def test_as_a_program_it_logs_what_it_received_and_answered(tmp_path: Path) -> None:
    log = tmp_path / "requests.log"
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "swarmmind.testing.endpoint",
        "--log",
        str(log),
        "--latency-seconds",
    ]
    with subprocess.Popen([*command, "0.01"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        base_url = server.stdout.readline().strip()
        transport = AiohttpTransport(base_url)
        for _ in range(2):
            assert (await transport.post("chat/completions", BODY, 5.0)).status == 200
        async with aiohttp.ClientSession() as session, session.get(base_url.replace("/v1", "/health")) as health:
            assert health.status == 200
        await transport.close()
        server.kill()
    events = [line.split() for line in log.read_text().splitlines()]
    assert [event for event, _ in events] == ["received", "answered"] * 2
    assert len({digest for _, digest in events}) == 1


async def test_the_checks_find_what_is_broken() -> None:
    class Deaf(AiohttpTransport):
        async def post(self, path: str, body: bytes, timeout_seconds: float) -> HttpResponse:
            try:
                return await super().post(path, body, timeout_seconds)
            except TransportError:
                return await super().post(path, body, timeout_seconds)  # sends twice what was sent once

    class Talkative(AiohttpTransport):
        def __repr__(self) -> str:
            return f"Talkative({self._headers})"

    for broken in (Deaf, Talkative):
        with pytest.raises(AssertionError):
            await check_transport(broken)
    with pytest.raises(AssertionError, match="not an option"):
        await check_model(chat(Replayed(ok("up"))))


async def test_a_limiter_keeps_a_small_server_from_refusing() -> None:
    async with FakeEndpoint(capacity=4, latency_seconds=0.001) as server:
        transport = AiohttpTransport(server.base_url)
        model = chat(transport, limiter=Limiter(concurrency=4))
        async with anyio.create_task_group() as group:
            for number in range(40):
                group.start_soon(LooseCall().ask, model, request(str(number)))
        assert (server.answered, server.most_in_flight) == (40, 4)
        await transport.close()
