"""The default transport: aiohttp, at half of what its own session costs per request.

A request differs from the last one in its body alone, so its head is written once, and neither a request, a response
nor a timer object is made per call. Connections, their pool, TLS and the reading of responses (chunked, compressed,
`100 Continue`, cut off) are aiohttp's; whatever goes through a proxy goes through its session.
"""

from __future__ import annotations

import asyncio  # noqa: TID251 - as close to the wire as it gets
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from swarmmind.models.transports.shared import (
    CONNECT_SECONDS,
    KEEP_ALIVE_SECONDS,
    NotSent,
    beside,
    check_size,
    describe,
    join,
    probing,
    request_headers,
)
from swarmmind.ports import HttpResponse, TransportError


class _Prepared(NamedTuple):
    """What all requests to one path have in common: what connections are found by, and the head up to its last line."""

    request: aiohttp.ClientRequest
    head: bytes


class AiohttpTransport:
    """One session and one unlimited pool per endpoint; how much is in flight is the limiter's business.

    It never sends a request twice: a budget counts requests, and a connection that breaks does not say whether the
    server had read them.

    Args:
        base_url: e.g. `http://127.0.0.1:8000/v1`.
        key: sent as a bearer token; never shown.
        trust_env: whether proxies named by the environment (`HTTPS_PROXY`, `.netrc`) are used.
    """

    def __init__(self, base_url: str, key: str | None = None, trust_env: bool = False) -> None:
        self.base_url = base_url
        self._headers = request_headers(key)
        self._trust_env = trust_env
        self._session: aiohttp.ClientSession | None = None
        self._connector: aiohttp.TCPConnector
        self._loop: asyncio.AbstractEventLoop
        self._prepared: dict[str, _Prepared] = {}
        self._timeout = aiohttp.ClientTimeout(total=None)

    def __repr__(self) -> str:
        return f"AiohttpTransport({self.base_url!r})"

    async def post(self, path: str, body: bytes, timeout_seconds: float) -> HttpResponse:
        """Post JSON to `path` below the base URL; look headers up by lower-case name.

        Raises:
            TransportError: no whole response came within `timeout_seconds`, the connection failed (`NotSent` if it
                never was), or the body is over 16 MiB.
        """
        session = self._session or self._open()
        if self._trust_env:
            return await self._post_by_proxy(session, path, body, timeout_seconds)
        deadline = self._loop.time() + timeout_seconds
        connection = await self._connect(path, timeout_seconds)
        protocol, transport = connection.protocol, connection.transport
        assert protocol is not None
        assert transport is not None
        late = self._loop.call_at(deadline, transport.abort)
        try:
            protocol.set_response_params(read_until_eof=True)
            transport.write(b"%b%d\r\n\r\n%b" % (self._prepared[path].head, len(body), body))
            response = await _response(protocol)
        except BaseException as error:
            connection.close()
            if isinstance(error, (aiohttp.ClientError, HttpProcessingError, OSError)):
                if self._loop.time() >= late.when():
                    raise TransportError("timeout", f"no answer within {timeout_seconds:.3g} s") from error
                raise TransportError("connection", describe(error)) from error
            raise
        finally:
            late.cancel()
        connection.release()
        return response

    async def _connect(self, path: str, timeout_seconds: float) -> Any:
        """A connection of the pool, or a new one; it is to be released or closed."""
        prepared = self._prepared.get(path) or self._prepare(path)
        try:
            return await self._connector.connect(prepared.request, [], self._limit(timeout_seconds))
        except TimeoutError as error:
            raise NotSent("timeout", f"no connection within {timeout_seconds:.3g} s") from error
        except aiohttp.ClientConnectorError as error:
            raise NotSent("connection", describe(error)) from error
        except (aiohttp.ClientError, OSError) as error:
            raise TransportError("connection", describe(error)) from error

    def _prepare(self, path: str) -> _Prepared:
        url = URL(join(self.base_url, path))
        request = aiohttp.ClientRequest("POST", url, headers=self._headers, loop=self._loop)
        fields = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
        if any(sign in text for field in fields.items() for text in field for sign in "\r\n"):
            raise ValueError("a header must be one line")
        lines = [f"POST {url.raw_path_qs} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        prepared = self._prepared[path] = _Prepared(request, "\r\n".join([*lines, "Content-Length: "]).encode())
        return prepared

    async def _post_by_proxy(
        self, session: aiohttp.ClientSession, path: str, body: bytes, timeout_seconds: float
    ) -> HttpResponse:
        url, limit = join(self.base_url, path), self._limit(timeout_seconds)
        with _telling(timeout_seconds):
            async with session.post(url, data=body, timeout=limit, allow_redirects=False) as response:
                return HttpResponse(response.status, response.headers, await _read(response.headers, response.content))

    async def get(self, path: str, timeout_seconds: float) -> HttpResponse:
        """Get `path` below the server's root.

        Raises:
            TransportError: no whole response came within `timeout_seconds`, the connection failed (`NotSent` if it
                never was), or the body is over 16 MiB.
        """
        session = self._session or self._open()
        limit = aiohttp.ClientTimeout(total=timeout_seconds, connect=probing(timeout_seconds))
        with _telling(timeout_seconds):
            async with session.get(beside(self.base_url, path), timeout=limit, allow_redirects=False) as response:
                return HttpResponse(response.status, response.headers, await _read(response.headers, response.content))

    async def close(self) -> None:
        """Close the pool; nothing is in flight any more."""
        if self._session is not None:
            await self._session.close()
            self._session = None
            self._prepared.clear()

    def _open(self) -> aiohttp.ClientSession:
        self._loop = asyncio.get_running_loop()
        self._connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS)
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            trust_env=self._trust_env,
        )
        return self._session

    def _limit(self, seconds: float) -> aiohttp.ClientTimeout:
        if self._timeout.total != seconds:
            self._timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=min(seconds, CONNECT_SECONDS))
        return self._timeout


@contextmanager
def _telling(timeout_seconds: float) -> Generator[None]:
    """Errors of a session in the words of the port."""
    try:
        yield
    except aiohttp.ConnectionTimeoutError as error:
        raise NotSent("timeout", f"no connection within {timeout_seconds:.3g} s") from error
    except TimeoutError as error:
        raise TransportError("timeout", f"no answer within {timeout_seconds:.3g} s") from error
    except aiohttp.ClientConnectorError as error:
        raise NotSent("connection", describe(error)) from error
    except (aiohttp.ClientError, OSError) as error:
        raise TransportError("connection", describe(error)) from error


async def _response(protocol: ResponseHandler) -> HttpResponse:
    """The response on a connection, after whatever the server says in advance."""
    while True:
        message, content = await protocol.read()
        if not 100 <= message.code <= 199 or message.code == 101:
            return HttpResponse(message.code, message.headers, await _read(message.headers, content))


async def _read(headers: Mapping[str, str], content: aiohttp.StreamReader) -> bytes:
    length = headers.get("Content-Length", "")
    if length.isdecimal() and "Content-Encoding" not in headers:
        check_size(int(length))
        return await content.read()
    body = bytearray()
    async for chunk in content.iter_chunked(2**16):
        body += chunk
        check_size(len(body))
    return bytes(body)
