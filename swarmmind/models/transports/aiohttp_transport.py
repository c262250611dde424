"""The default transport: aiohttp, a fourteenth of the CPU per call of the official SDK (machine.md 5)."""

from __future__ import annotations

import aiohttp
from yarl import URL

from swarmmind.models.transports.shared import (
    CONNECT_SECONDS,
    KEEP_ALIVE_SECONDS,
    NotSent,
    beside,
    check_size,
    describe,
    join,
    request_headers,
)
from swarmmind.ports import HttpResponse, TransportError


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
        self._urls: dict[str, URL] = {}
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
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = URL(join(self.base_url, path))
        try:
            request = session.post(url, data=body, timeout=self._limit(timeout_seconds), allow_redirects=False)
            async with request as response:
                return HttpResponse(response.status, response.headers, await _read(response))
        except aiohttp.ConnectionTimeoutError as error:
            raise NotSent("timeout", f"no connection within {timeout_seconds:.3g} s") from error
        except TimeoutError as error:
            raise TransportError("timeout", f"no answer within {timeout_seconds:.3g} s") from error
        except aiohttp.ClientConnectorError as error:
            raise NotSent("connection", describe(error)) from error
        except (aiohttp.ClientError, OSError) as error:
            raise TransportError("connection", describe(error)) from error

    async def get(self, path: str, timeout_seconds: float) -> HttpResponse:
        """Get `path` below the server's root.

        Raises:
            TransportError: no whole response came within `timeout_seconds`, the connection failed (`NotSent` if it
                never was), or the body is over 16 MiB.
        """
        session = self._session or self._open()
        limit = aiohttp.ClientTimeout(total=timeout_seconds)
        try:
            request = session.get(beside(self.base_url, path), timeout=limit, allow_redirects=False)
            async with request as response:
                return HttpResponse(response.status, response.headers, await _read(response))
        except TimeoutError as error:
            raise TransportError("timeout", f"no answer within {timeout_seconds:.3g} s") from error
        except aiohttp.ClientConnectorError as error:
            raise NotSent("connection", describe(error)) from error
        except (aiohttp.ClientError, OSError) as error:
            raise TransportError("connection", describe(error)) from error

    async def close(self) -> None:
        """Close the pool; nothing is in flight any more."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            trust_env=self._trust_env,
        )
        return self._session

    def _limit(self, seconds: float) -> aiohttp.ClientTimeout:
        if self._timeout.total != seconds:
            self._timeout = aiohttp.ClientTimeout(total=seconds, sock_connect=min(seconds, CONNECT_SECONDS))
        return self._timeout


async def _read(response: aiohttp.ClientResponse) -> bytes:
    length = response.content_length
    if length is not None and "Content-Encoding" not in response.headers:
        check_size(length)
        return await response.read()
    body = bytearray()
    async for chunk in response.content.iter_chunked(2**16):
        body += chunk
        check_size(len(body))
    return bytes(body)
