from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack

import httpx
import openai
import pytest
import respx

from swarmmind.errors import MissingExtra
from swarmmind.models.transports.aiohttp_transport import AiohttpTransport
from swarmmind.models.transports.httpx_transport import HttpxTransport
from swarmmind.models.transports.openai_transport import OpenAITransport
from swarmmind.models.transports.shared import MAX_BODY_BYTES, NotSent
from swarmmind.ports import Transport, TransportError
from swarmmind.testing import FakeEndpoint, LooseCall, Refusal, check_model, check_transport
from tests.models.asking import chat, request

pytestmark = pytest.mark.anyio

Make = Callable[[str, str], Transport]
TRANSPORTS = (AiohttpTransport, HttpxTransport, OpenAITransport)
every_transport = pytest.mark.parametrize("make", TRANSPORTS)
BODY = b'{"model": "m", "messages": []}'
KEY = "sk-hunter2-hunter2"


@every_transport
async def test_it_conforms(make: Make) -> None:
    await check_transport(make)


@every_transport
async def test_a_model_conforms_over_it(make: Make) -> None:
    async with FakeEndpoint(key=KEY) as server:
        transport = make(server.base_url, KEY)
        await check_model(chat(transport))
        assert server.answered == 3
        await transport.close()


@every_transport
async def test_refused_is_known_to_cost_nothing(make: Make) -> None:
    async with FakeEndpoint() as server:
        base_url = server.base_url
    transport = make(base_url, KEY)
    with pytest.raises(NotSent) as error:
        await transport.post("chat/completions", BODY, 5.0)
    assert error.value.kind == "connection"
    await transport.close()


@every_transport
async def test_a_probe_tells_who_is_off_from_who_is_slow(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, ExitStack() as crowd:
        transport = make(f"http://127.0.0.1:{server.getsockname()[1]}/v1", KEY)
        with pytest.raises(TransportError) as slow:
            await transport.get("health", 0.5)
        for _ in range(4):  # what is taken in without being accepted is full then: no connection, and no word
            waiting = crowd.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        with pytest.raises(TransportError) as off:
            await transport.get("health", 0.5)
        await transport.close()
    assert (slow.value.kind, isinstance(slow.value, NotSent)) == ("timeout", False)
    assert (off.value.kind, isinstance(off.value, NotSent)) == ("timeout", True)


@every_transport
async def test_a_body_without_end_is_not_read_to_its_end(make: Make) -> None:
    async with FakeEndpoint(lambda _: "x" * (MAX_BODY_BYTES + 1)) as server:
        transport = make(server.base_url, KEY)
        with pytest.raises(TransportError, match="larger than"):
            await transport.post("chat/completions", BODY, 30.0)
        await transport.close()


@pytest.mark.parametrize(("make", "package"), [(HttpxTransport, "httpx"), (OpenAITransport, "openai")])
def test_a_missing_package_names_its_extra(make: Make, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"pip install 'swarmmind\[{package}\]'"):
        make("http://127.0.0.1:1/v1", KEY)


async def test_a_client_of_ones_own_is_used_and_left_open() -> None:
    async with httpx.AsyncClient(headers={"X-Team": "blue"}) as client:
        transport = HttpxTransport("http://swarm.test/v1", KEY, client)
        with respx.mock(base_url="http://swarm.test") as router:
            body = {"choices": [{"message": {"content": "hi"}}]}
            route = router.post("/v1/chat/completions").respond(json=body)
            reply = await LooseCall().ask(chat(transport), request())
            assert reply.text == "hi"
            sent = route.calls.last.request
            assert sent.headers["X-Team"] == "blue"
            assert sent.headers["Authorization"] == f"Bearer {KEY}"
        await transport.close()
        assert not client.is_closed


async def test_errors_of_a_client_of_ones_own() -> None:
    async with httpx.AsyncClient() as client:
        transport = HttpxTransport("http://swarm.test/v1", KEY, client)
        with respx.mock(base_url="http://swarm.test") as router:
            for error, kind, unsent in (
                (httpx.ConnectError("no route"), "connection", True),
                (httpx.ConnectTimeout("slow"), "timeout", True),
                (httpx.ReadTimeout("slow"), "timeout", False),
                (httpx.ReadError("reset"), "connection", False),
                (httpx.RemoteProtocolError("half a body"), "connection", False),
            ):
                router.post("/v1/chat/completions").mock(side_effect=error)
                with pytest.raises(TransportError) as raised:
                    await transport.post("chat/completions", BODY, 1.0)
                assert (raised.value.kind, isinstance(raised.value, NotSent)) == (kind, unsent)


async def test_an_sdk_client_of_ones_own_is_used_without_its_retries_and_left_open() -> None:
    answers = iter(["ok"])
    async with FakeEndpoint(lambda _: next(answers, Refusal(500)), key=KEY) as server:
        client = openai.AsyncOpenAI(api_key=KEY, base_url=server.base_url, max_retries=5)
        transport = OpenAITransport("unused", None, client)
        assert (await transport.post("chat/completions", BODY, 10.0)).status == 200
        assert (await transport.post("chat/completions", BODY, 10.0)).status == 500
        assert server.received == 2
        await transport.close()
        assert not client.is_closed()
        await client.close()


async def test_the_sdk_posts_to_chat_completions_only() -> None:
    with pytest.raises(ValueError, match="chat/completions"):
        await OpenAITransport("http://127.0.0.1:1/v1", KEY).post("embeddings", BODY, 1.0)
