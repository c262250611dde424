"""What HTTP allows a server to do, and what servers do besides: read right, or told, by the default transport."""

from __future__ import annotations

import gzip
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.abc
import pytest

from swarmmind.models.transports.aiohttp_transport import AiohttpTransport
from swarmmind.ports import HttpResponse, TransportError

pytestmark = pytest.mark.anyio

BODY = b'{"model": "m"}'
PATH = "chat/completions"
SAID = b'{"choices": []}'
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(SAID), SAID)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ZIPPED = gzip.compress(SAID)
CLOSE = b""
"""Closes the connection, in place of further bytes."""


class Server:
    """Answers the n-th request with the n-th script: pieces of bytes, sent one by one."""

    def __init__(self, scripts: Sequence[Sequence[bytes]]) -> None:
        self._scripts = list(scripts)
        self.requests: list[bytes] = []
        self.connections = 0

    async def serve(self, stream: anyio.abc.SocketStream) -> None:
        self.connections += 1
        async with stream:
            data = b""
            while True:
                try:
                    data += await stream.receive()
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    return
                _, found, body = data.partition(b"\r\n\r\n")
                if not found or len(body) < len(BODY):
                    continue
                self.requests.append(data)
                data = b""
                for piece in self._scripts.pop(0) if self._scripts else [PLAIN]:
                    if piece == CLOSE:
                        return
                    await stream.send(piece)
                    await anyio.sleep(0.002)  # so that it arrives as a piece


@asynccontextmanager
async def server(*scripts: Sequence[bytes]) -> AsyncGenerator[tuple[Server, AiohttpTransport]]:
    one = Server(scripts)
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, one.serve)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        transport = AiohttpTransport(f"http://127.0.0.1:{port}/v1", "sk-hunter2-hunter2")
        try:
            with anyio.fail_after(60):
                yield one, transport
        finally:
            await transport.close()
            group.cancel_scope.cancel()


async def answer(*script: bytes) -> HttpResponse:
    """What becomes of a response, and the next request after it is answered as well."""
    async with server(script) as (_, transport):
        response = await transport.post(PATH, BODY, 20.0)
        assert (await transport.post(PATH, BODY, 20.0)).body == SAID
        return response


@pytest.mark.parametrize(
    "script",
    [
        [PLAIN],
        [PLAIN[:9], PLAIN[9:30], PLAIN[30:]],
        [b"HTTP/1.1 100 Continue\r\n\r\n", PLAIN],
        [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + PLAIN],
        [CHUNKED + b"5\r\n", SAID[:5] + b"\r\n", b"a\r\n%b\r\n0\r\n\r\n" % SAID[5:]],
        [b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(ZIPPED), ZIPPED)],
        [b"HTTP/1.1 200 OK\r\n\r\n" + SAID[:4], SAID[4:], CLOSE],
        [b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(SAID), SAID), CLOSE],
        [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(SAID), SAID)],
    ],
    ids=["plain", "pieces", "continue", "hints", "chunked", "gzip", "until-close", "http10", "last"],
)  # fmt: skip
async def test_every_way_of_saying_it_is_understood(script: list[bytes]) -> None:
    response = await answer(*script)
    assert (response.status, response.body) == (200, SAID)


async def test_a_response_without_body_is_one() -> None:
    response = await answer(b"HTTP/1.1 204 No Content\r\nRetry-After: 3\r\n\r\n")
    assert (response.status, response.body, response.headers.get("retry-after")) == (204, b"", "3")


@pytest.mark.parametrize(
    "script",
    [
        [CLOSE],
        [PLAIN[:-3], CLOSE],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", CLOSE],
        [b"SSH-2.0-OpenSSH_9.6\r\n", CLOSE],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nabcde", CLOSE],
        [b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!", CLOSE],
    ],
    ids=["hung-up", "halved", "chunk-cut", "other-protocol", "two-lengths", "no-gzip"],
)
async def test_what_is_no_whole_response_is_a_failed_connection_and_sent_once(script: list[bytes]) -> None:
    async with server(script) as (one, transport):
        with pytest.raises(TransportError) as error:
            await transport.post(PATH, BODY, 20.0)
        assert error.value.kind == "connection"
        assert "hunter2" not in str(error.value)
        assert len(one.requests) == 1
        assert (await transport.post(PATH, BODY, 20.0)).body == SAID


async def test_a_connection_that_the_server_closed_meanwhile_is_not_used_again() -> None:
    async with server([PLAIN, CLOSE]) as (one, transport):
        await transport.post(PATH, BODY, 20.0)
        await anyio.sleep(0.05)  # the end of the connection arrives
        assert (await transport.post(PATH, BODY, 20.0)).body == SAID
        assert (one.connections, len(one.requests)) == (2, 2)


async def test_a_connection_is_used_again_and_again() -> None:
    async with server() as (one, transport):
        for _ in range(5):
            await transport.post(PATH, BODY, 20.0)
        assert (one.connections, len(one.requests)) == (1, 5)
        assert len(set(one.requests)) == 1


async def test_what_a_server_says_unasked_is_nobodys_answer() -> None:
    forged = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
    async with server([PLAIN + forged]) as (one, transport):
        assert (await transport.post(PATH, BODY, 20.0)).body == SAID
        assert (await transport.post(PATH, BODY, 20.0)).body == SAID
        assert one.connections == 2


async def test_a_request_that_is_given_up_closes_its_connection() -> None:
    async with server([b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"]) as (one, transport):
        with anyio.move_on_after(0.2) as scope:
            await transport.post(PATH, BODY, 20.0)
        assert scope.cancelled_caught
        assert (await transport.post(PATH, BODY, 20.0)).body == SAID
        assert one.connections == 2


async def test_the_head_is_what_was_agreed_and_no_header_can_be_smuggled_in() -> None:
    async with server() as (one, transport):
        await transport.post(PATH, BODY, 20.0)
        head, _, body = one.requests[0].partition(b"\r\n\r\n")
        first, *fields = head.decode().split("\r\n")
        names = [field.partition(":")[0].lower() for field in fields]
        assert first == "POST /v1/chat/completions HTTP/1.1"
        assert len(names) == len(set(names))
        assert {"host", "content-type", "accept", "accept-encoding", "user-agent", "authorization"} < set(names)
        assert fields[-1] == f"Content-Length: {len(BODY)}"
        assert body == BODY
    crafty = AiohttpTransport("http://127.0.0.1:1/v1", "x\r\nX-Evil: 1")
    with pytest.raises(ValueError, match="one line"):
        await crafty.post(PATH, BODY, 1.0)
    await crafty.close()


class _Far(AiohttpTransport):
    """To a server that takes its time before it accepts a connection."""

    async def _connect(self, path: str, timeout_seconds: float) -> Any:
        await anyio.sleep(0.7 * timeout_seconds)
        return await super()._connect(path, timeout_seconds)


async def test_the_time_that_connecting_takes_is_of_the_answers_time() -> None:
    async with server([CHUNKED]) as (_, near):
        transport = _Far(near.base_url)
        before = time.monotonic()
        with pytest.raises(TransportError) as caught:
            await transport.post(PATH, BODY, 0.5)
        assert caught.value.kind == "timeout"
        assert 0.5 <= time.monotonic() - before < 0.8
        await transport.close()
