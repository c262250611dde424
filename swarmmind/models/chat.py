"""The one client of the chat-completions protocol, for OpenAI, vLLM and whoever speaks it.

Three layers, one worry each, from the outside in: *retried* (`ChatModel.answer`), *limited* (`_limited`: a place at the
endpoint), *metered* (`_metered`: the worst case reserved before sending, what it cost settled after).
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, NamedTuple

from swarmmind.effects import Failure, FailureKind, Reply, Usage
from swarmmind.models import retry, wire
from swarmmind.models.limiter import Limiter, Place
from swarmmind.models.prices import Price, priced
from swarmmind.models.redact import Redactor
from swarmmind.models.transports.shared import NotSent
from swarmmind.ports import Call, HttpResponse, Request, Transport, TransportError

_UNSENT = Usage(1, 0, 0, 0, 0.0)  # a request that was refused, by the server or on the way, costs nothing but a call
_NEVER_PASSES = "insufficient_quota"  # OpenAI says 429 when the account is empty
_REPORT_SECONDS = 0.1  # a request gives up so long before the deadline, to say what became of it


class Patience(NamedTuple):
    """How patient a `ChatModel` is.

    Attributes:
        attempts: how often one request is sent at most.
        timeout_seconds: how long one attempt may take; the call's deadline may be nearer.
    """

    attempts: int = 5
    timeout_seconds: float = 600.0


_PATIENCE, _NO_KEY = Patience(), Redactor()


class _Try(NamedTuple):
    """What one attempt came to: a reply, and how long the server wants us to stay away if it may be tried again."""

    reply: Reply
    passing: bool = False
    retry_after_seconds: float | None = None


class ChatModel:
    """A model behind a chat-completions endpoint (satisfies `ports.Model`).

    Args:
        writer: writes request bodies; knows the model's name and dialect.
        transport: carries them; shared by all models of one endpoint.
        limiter: holds them back; shared likewise.
        price: what its tokens cost; `None`: unknown.
        patience: how often and how long it tries.
        redactor: keeps the endpoint's key out of replies and failures.
    """

    stateful = False

    def __init__(
        self,
        writer: wire.Writer,
        transport: Transport,
        limiter: Limiter,
        price: Price | None = None,
        patience: Patience = _PATIENCE,
        redactor: Redactor = _NO_KEY,
    ) -> None:
        self.writer, self.transport, self.limiter = writer, transport, limiter
        self.price, self.patience, self._redactor = price, patience, redactor

    def __repr__(self) -> str:
        return f"ChatModel({self.writer.model!r}, {self.transport!r})"

    def answer(self, request: Request, call: Call) -> Awaitable[Reply]:
        """The reply, over at most `patience.attempts` attempts; `usage` is the sum over all of them.

        Raises:
            Spent: the budget cannot pay for the (next) attempt; it was not sent.
        """
        return self._retried(request, call)

    async def close(self) -> None:
        """Nothing: the transport belongs to the endpoint, which several models may share."""

    async def _retried(self, request: Request, call: Call) -> Reply:
        body = self.writer.body(request)
        worst = priced(Usage(1, body.prompt_tokens_at_most, 0, request.sampling.max_tokens), self.price)
        usage, attempt = Usage(), 0
        while True:
            attempt += 1
            tried, place = await self._limited(request, body.content, worst, call)
            usage += tried.reply.usage
            wait_seconds = self._wait_seconds(tried, attempt, call)
            if wait_seconds is None:
                call.after_kept(place.release)
                return _with_usage(tried.reply, usage)
            place.release()
            await call.sleep(wait_seconds)

    def _wait_seconds(self, tried: _Try, attempt: int, call: Call) -> float | None:
        """How long to wait before the next attempt; `None` if there will be none."""
        if not tried.passing or attempt >= self.patience.attempts:
            return None
        seconds = retry.backoff_seconds(attempt, call.rng(f"retry/{attempt}"))
        seconds = max(seconds, tried.retry_after_seconds or 0.0)
        late = call.deadline is not None and call.now() + seconds >= call.deadline
        return None if late else seconds

    async def _limited(self, request: Request, body: bytes, worst: Usage, call: Call) -> tuple[_Try, Place]:
        tokens = (worst.prompt_tokens or 0) + (worst.completion_tokens or 0)
        place = await self.limiter.acquire(call, tokens)
        try:
            tried = await self._metered(request, body, worst, call)
        except BaseException:  # out of budget, or cancelled: the place is free at once
            place.release()
            raise
        failure = tried.reply.failure
        if failure is None:
            self.limiter.succeeded(place, call.now())
        elif failure.kind == "busy" and tried.passing:
            self.limiter.rejected(place, call.now(), tried.retry_after_seconds)
        return tried, place

    async def _metered(self, request: Request, body: bytes, worst: Usage, call: Call) -> _Try:
        if not call.try_reserve(worst):
            await call.reserve(worst)
        actual = wire.UNKNOWN  # also when this task is cancelled: the server may have worked on it
        try:
            tried = await self._send(request, body, call)
            actual = tried.reply.usage
        finally:
            call.settle(worst, actual)
        return tried

    async def _send(self, request: Request, body: bytes, call: Call) -> _Try:
        timeout_seconds = self.patience.timeout_seconds
        if call.deadline is not None:
            left = call.deadline - call.now()
            timeout_seconds = min(timeout_seconds, left - min(_REPORT_SECONDS, left / 10))
            if left <= 0:
                return self._failed("timeout", "no time left to send the request", Usage(), passing=False)
        try:
            response = await self.transport.post(wire.PATH, body, timeout_seconds)
        except TransportError as error:
            kind: FailureKind = "timeout" if error.kind == "timeout" else "connection"
            return self._failed(kind, str(error), _UNSENT if isinstance(error, NotSent) else wire.UNKNOWN)
        if 200 <= response.status < 300:
            return self._read(request, response)
        return self._complaint(response)

    def _read(self, request: Request, response: HttpResponse) -> _Try:
        try:
            said = wire.completion(response.body, request.output, self.writer.dialect)
        except wire.NotACompletion as error:
            return self._failed("server", str(error), priced(error.usage, self.price))
        text = self._redactor.reply(said.text)
        return _Try(Reply(text=text, usage=priced(said.usage, self.price), finish=said.finish))

    def _complaint(self, response: HttpResponse) -> _Try:
        kind = retry.kind_of(response.status)
        if kind == "busy" and wire.error_code(response.body) == _NEVER_PASSES:
            kind = "refused"
        message = f"HTTP {response.status}: {wire.error_text(response.body)}"
        after = retry.retry_after_seconds(response.headers) if kind != "refused" else None
        return self._failed(kind, message, _UNSENT, passing=kind != "refused", retry_after_seconds=after)

    def _failed(self, kind: FailureKind, message: str, usage: Usage, passing: bool = True, **more: Any) -> _Try:
        failure = Failure(kind, self._redactor.message(message))
        return _Try(Reply(failure=failure, usage=usage), passing, **more)


def _with_usage(reply: Reply, usage: Usage) -> Reply:
    return Reply(reply.text, reply.value, reply.failure, usage, reply.finish)
