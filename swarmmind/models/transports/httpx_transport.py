"""A transport over httpx: bring your own client for proxies, client certificates or a recording layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from swarmmind.errors import MissingExtra
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

if TYPE_CHECKING:
    import httpx


class HttpxTransport:
    """Posts through an `httpx.AsyncClient`.

    Args:
        base_url: e.g. `http://127.0.0.1:8000/v1`.
        key: sent as a bearer token; never shown.
        client: the user's own client, which stays open after `close`; by default one is made that ignores proxies
            named by the environment.

    Raises:
        MissingExtra: httpx is not installed.
    """

    def __init__(self, base_url: str, key: str | None = None, client: httpx.AsyncClient | None = None) -> None:
        self._httpx = _load()
        self.base_url = base_url
        self._headers = request_headers(key)
        self._own = client is None
        self._client = client

    def __repr__(self) -> str:
        return f"HttpxTransport({self.base_url!r})"

    async def post(self, path: str, body: bytes, timeout_seconds: float) -> HttpResponse:
        """Post JSON to `path` below the base URL; look headers up by lower-case name.

        Raises:
            TransportError: no whole response came within `timeout_seconds`, the connection failed (`NotSent` if it
                never was), or the body is over 16 MiB.
        """
        connect_seconds = min(timeout_seconds, CONNECT_SECONDS)
        return await self._carry("POST", join(self.base_url, path), body, timeout_seconds, connect_seconds)

    async def get(self, path: str, timeout_seconds: float) -> HttpResponse:
        """Get `path` below the server's root.

        Raises:
            TransportError: no whole response came within `timeout_seconds`, the connection failed (`NotSent` if it
                never was), or the body is over 16 MiB.
        """
        return await self._carry("GET", beside(self.base_url, path), b"", timeout_seconds, probing(timeout_seconds))

    async def _carry(
        self, method: str, url: str, body: bytes, timeout_seconds: float, connect_seconds: float
    ) -> HttpResponse:
        httpx, client = self._httpx, self._client or self._open()
        request = client.stream(
            method,
            url,
            content=body or None,
            headers=self._headers,
            timeout=httpx.Timeout(timeout_seconds, connect=connect_seconds, pool=None),
            follow_redirects=False,
        )
        try:
            with anyio.fail_after(timeout_seconds):  # httpx limits each read, not the whole
                async with request as response:
                    return HttpResponse(response.status_code, response.headers, await _read(response))
        except (TimeoutError, httpx.TimeoutException) as error:
            unsent = isinstance(error, httpx.ConnectTimeout)
            message = f"no {'connection' if unsent else 'answer'} within {timeout_seconds:.3g} s"
            raise (NotSent if unsent else TransportError)("timeout", message) from error
        except httpx.ConnectError as error:
            raise NotSent("connection", describe(error)) from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            raise TransportError("connection", describe(error)) from error

    async def close(self) -> None:
        """Close the pool, unless the client is the user's own; nothing is in flight any more."""
        if self._own and self._client is not None:
            await self._client.aclose()
            self._client = None

    def _open(self) -> httpx.AsyncClient:
        limits = self._httpx.Limits(
            max_connections=None, max_keepalive_connections=None, keepalive_expiry=KEEP_ALIVE_SECONDS
        )
        self._client = self._httpx.AsyncClient(limits=limits, trust_env=False)
        return self._client


async def _read(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        check_size(len(body))
    return bytes(body)


def _load() -> Any:
    try:
        import httpx
    except ImportError as error:
        raise MissingExtra("the httpx transport", "httpx") from error
    return httpx
