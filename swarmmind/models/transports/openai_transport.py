"""A transport through the official SDK, for those whose client carries their own authentication or instrumentation."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

import anyio
import msgspec

from swarmmind.errors import MissingExtra
from swarmmind.models.transports.shared import NotSent, beside, check_size, describe, probing
from swarmmind.ports import HttpResponse, TransportError

if TYPE_CHECKING:
    import openai

_PATH = "chat/completions"


class OpenAITransport:
    """Posts chat completions through `openai.AsyncOpenAI`, whose own retries are switched off.

    Args:
        base_url: e.g. `http://127.0.0.1:8000/v1`; only shown if the client is the user's own.
        key: given to the SDK; never shown.
        client: the user's own client, which stays open after `close`; by default one is made that follows no
            redirects and ignores proxies named by the environment.

    Raises:
        MissingExtra: openai is not installed.
    """

    def __init__(self, base_url: str, key: str | None = None, client: openai.AsyncOpenAI | None = None) -> None:
        self._openai = _load()
        self.base_url = base_url
        self._own = client is None
        self._key = key
        self._client = None if client is None else client.with_options(max_retries=0)

    def __repr__(self) -> str:
        return f"OpenAITransport({self.base_url!r})"

    async def post(self, path: str, body: bytes, timeout_seconds: float) -> HttpResponse:
        """Post a chat completion; look headers up by lower-case name.

        Raises:
            TransportError: no whole response came within `timeout_seconds`, the connection failed (`NotSent` if it
                never was), or the body is over 16 MiB.
            ValueError: `path` is not `chat/completions`.
        """
        if path.strip("/") != _PATH:
            raise ValueError(f"the openai transport posts to {_PATH!r} only, got {path!r}")
        fields = msgspec.json.decode(body, type=dict[str, Any])
        model, messages = fields.pop("model", ""), fields.pop("messages", [])
        create = (self._client or self._open()).chat.completions.with_raw_response.create
        made = create(model=model, messages=messages, extra_body=fields, timeout=timeout_seconds)
        return await self._answer(made, timeout_seconds)

    async def get(self, path: str, timeout_seconds: float) -> HttpResponse:
        """Get `path` below the server's root.

        Raises:
            TransportError: no whole response came within `timeout_seconds`, the connection failed (`NotSent` if it
                never was), or the body is over 16 MiB.
        """
        client = self._client or self._open()
        url, kind = beside(str(client.base_url), path), self._openai.HttpxBinaryResponseContent
        limit = self._openai.Timeout(timeout_seconds, connect=probing(timeout_seconds))
        made = client.get(url, cast_to=kind, options={"timeout": limit})
        return await self._answer(made, timeout_seconds)

    async def _answer(self, made: Awaitable[Any], timeout_seconds: float) -> HttpResponse:
        try:
            with anyio.fail_after(timeout_seconds):
                raw = await made
                raw = getattr(raw, "response", raw)  # a binary content wraps what a raw response is
                response = HttpResponse(raw.status_code, raw.headers, raw.content)
        except self._openai.APIStatusError as error:
            response = HttpResponse(error.status_code, error.response.headers, error.response.content)
        except (TimeoutError, self._openai.APITimeoutError) as error:
            raise _unanswered(error, "timeout", f"no answer within {timeout_seconds:.3g} s") from error
        except self._openai.APIConnectionError as error:
            raise _unanswered(error, "connection", describe(error.__cause__ or error)) from error
        check_size(len(response.body))
        return response

    async def close(self) -> None:
        """Close the pool, unless the client is the user's own; nothing is in flight any more."""
        if self._own and self._client is not None:
            await self._client.close()
            self._client = None

    def _open(self) -> openai.AsyncOpenAI:
        http_client = self._openai.DefaultAsyncHttpxClient(follow_redirects=False, trust_env=False)
        self._client = self._openai.AsyncOpenAI(
            api_key=self._key or "none",  # the SDK refuses to be without one
            base_url=self.base_url,
            max_retries=0,
            http_client=http_client,
        )
        return self._client


def _unanswered(error: Exception, kind: str, message: str) -> TransportError:
    # The SDK sits on httpx or its fork httpx2, by version: the cause is known by its name in both.
    unsent = type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout")
    return (NotSent if unsent else TransportError)(kind, message)


def _load() -> Any:
    try:
        import openai
    except ImportError as error:
        raise MissingExtra("the openai transport", "openai") from error
    return openai
