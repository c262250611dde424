"""What a plug promises, as functions that fail loudly when it does not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import msgspec
from aiohttp import web

from swarmmind.effects import TEXT, Agent, Choice, Json, Later, Message, Reply, Sampling
from swarmmind.ports import HttpResponse, Model, Request, Transport, TransportError
from swarmmind.runtime.budget import Cost
from swarmmind.testing.calls import LooseCall

_PATH = "chat/completions"
_BODY = msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": "hé"}], "seed": 7})
_IN_FLIGHT = 200
_SECRET = "sk-conformance-0123456789"  # noqa: S105


async def check_transport(make: Callable[[str, str], Transport]) -> None:
    """Check a transport against a local server.

    Args:
        make: a transport for a base URL and a key.

    Raises:
        AssertionError: it broke a promise of `ports.Transport`.
    """
    async with _Server() as server:
        transport = make(server.base_url, _SECRET)
        try:
            assert _SECRET not in repr(transport), "the key shows in repr"
            await _check_answers(transport, server)
            await _check_beside(transport, server)
            await _check_failures(transport, server)
            await _check_many(transport, server)
        finally:
            await transport.close()
    refused = make(server.base_url, _SECRET)
    try:
        await _fails(refused.post(_PATH, _BODY, 5.0), "connection")
        await _fails(refused.get("health", 5.0), "connection")
    finally:
        await refused.close()


async def _check_answers(transport: Transport, server: _Server) -> None:
    for status in (200, 400, 401, 404, 409, 429, 500, 503):
        server.act = _answering(status, {"Retry-After": "3"})
        response = await transport.post(_PATH, _BODY, 10.0)
        assert response.status == status, f"expected status {status}, got {response.status}"
        assert response.headers.get("retry-after") == "3", "headers must be found by their lower-case names"
        assert response.body == b'{"status": %d}' % status, f"unexpected body {response.body!r}"
    assert server.seen["path"] == "/v1/chat/completions", f"posted to {server.seen['path']}"
    assert server.seen["authorization"] == f"Bearer {_SECRET}", "the key was not sent as a bearer token"
    assert str(server.seen["type"]).startswith("application/json"), f"sent as {server.seen['type']}"
    assert server.seen["body"] == msgspec.json.decode(_BODY), f"sent {server.seen['body']}"
    count = server.count
    server.act = _answering(307, {"Location": server.base_url + "/elsewhere"})
    response = await transport.post(_PATH, _BODY, 10.0)
    assert (response.status, server.count) == (307, count + 1), "a redirect was followed"


async def _check_beside(transport: Transport, server: _Server) -> None:
    for status in (200, 404, 503):
        server.page = status
        response = await transport.get("metrics", 10.0)
        assert (response.status, response.body) == (status, b"/metrics"), f"got {response} from beside the API"
    server.page = 0
    began = anyio.current_time()
    await _fails(transport.get("health", 0.5), "timeout")
    assert anyio.current_time() - began < 5.0, "a page that never comes: it took too long to give up"


async def _check_failures(transport: Transport, server: _Server) -> None:
    for act, kind in ((_stall, "timeout"), (_drip, "timeout"), (_halve, "connection"), (_hang_up, "connection")):
        server.act = act
        count = server.count
        began = anyio.current_time()
        await _fails(transport.post(_PATH, _BODY, 0.5 if kind == "timeout" else 10.0), kind)
        assert anyio.current_time() - began < 5.0, f"{act.__name__}: it took too long to give up"
        assert server.count == count + 1, f"{act.__name__}: it was sent {server.count - count} times"
    server.act = _answering(200, {})
    assert (await transport.post(_PATH, _BODY, 10.0)).status == 200, "not usable after a failure"


async def _check_many(transport: Transport, server: _Server) -> None:
    server.gather(_IN_FLIGHT)
    async with anyio.create_task_group() as group:
        for _ in range(_IN_FLIGHT):
            group.start_soon(transport.post, _PATH, _BODY, 30.0)


async def _fails(made: Awaitable[HttpResponse], kind: str) -> None:
    failure: TransportError | None = None
    try:
        await made
    except TransportError as error:
        failure = error
    assert failure is not None, f"expected a TransportError of kind {kind!r}, got a response"
    assert failure.kind == kind, f"expected kind {kind!r}, got {failure.kind!r} ({failure})"
    assert _SECRET not in str(failure), "the key is in the message"


Act = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Server:
    """A server that does what it is told to the next request."""

    def __init__(self) -> None:
        self.act: Act = _answering(200, {})
        self.seen: dict[str, Any] = {}
        self.count = 0
        self.page = 200  # the status of what is beside the API; 0: it never comes
        self.base_url = ""

    async def __aenter__(self) -> _Server:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._handle)
        app.router.add_get("/{path:.*}", self._beside)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1024).start()
        self.base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.count += 1
        self.seen = {
            "path": request.path,
            "authorization": request.headers.get("Authorization"),
            "type": request.headers.get("Content-Type"),
            "body": msgspec.json.decode(await request.read()),
        }
        return await self.act(request)

    async def _beside(self, request: web.Request) -> web.StreamResponse:
        if not self.page:
            return await _stall(request)
        return web.Response(status=self.page, text=request.path)

    def gather(self, size: int) -> None:
        """Answer nobody until `size` requests are there at once."""
        there, all_there = 0, anyio.Event()

        async def act(_: web.Request) -> web.StreamResponse:
            nonlocal there
            there += 1
            if there == size:
                all_there.set()
            with anyio.fail_after(20):
                await all_there.wait()
            return web.json_response({})

        self.act = act


def _answering(status: int, headers: dict[str, str]) -> Act:
    async def act(_: web.Request) -> web.StreamResponse:
        return web.json_response({"status": status}, status=status, headers=headers)

    return act


async def _stall(_: web.Request) -> web.StreamResponse:
    await anyio.sleep(30)
    return web.Response()


async def _drip(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_length = 1000
    await response.prepare(request)
    for _ in range(200):
        await response.write(b" ")
        await anyio.sleep(0.05)
    return response


async def _halve(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_length = 1000
    await response.prepare(request)
    await response.write(b"{" * 500)
    return await _hang_up(request)


async def _hang_up(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def check_model(model: Model) -> None:
    """Check a model: it answers texts, choices and documents, pays for each call, and never raises for a failure.

    Raises:
        AssertionError: it broke a promise of `ports.Model`.
    """
    options = Choice(("north", "south", "east"))
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    agent = Agent("agent-1", "worker", model="m")
    for at, output in enumerate((TEXT, options, Json("number", schema))):
        call = LooseCall(key=f"check/{at}")
        messages = (Message("system", "You are a test."), Message("user", "Which way, and how far? Ünïcode \ud83d."))
        request = Request(agent, messages, output, Sampling(max_tokens=32), seed=at)
        answer = model.answer(request, call)
        reply = answer.reply if isinstance(answer, Later) else answer
        reply = reply if isinstance(reply, Reply) else await reply
        assert isinstance(reply, Reply), f"expected a Reply, got {reply!r}"
        call.kept()
        assert call.purse.reserved == Cost(), f"still reserved: {call.purse.reserved}"
        assert call.purse.spent.calls == reply.usage.calls, "the purse and the reply disagree about the calls"
        assert (reply.text is None) == (reply.failure is not None), f"text or failure, not both or neither: {reply}"
        if output is options and reply.text is not None and not model.stateful:
            assert reply.text in options.options, f"not an option: {reply.text!r}"
