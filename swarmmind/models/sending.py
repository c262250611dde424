"""One request to an endpoint, whatever it asks: retried, held back by the limiter, and paid from the purse.

Three layers, one worry each, from the outside in: *retried* (`Sender.send`), *limited* (`_limited`: a place at the
endpoint), *metered* (`_metered`: the worst case reserved before sending, what it cost settled after).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from swarmmind.effects import Failure, FailureKind, Usage
from swarmmind.models import retry, wire
from swarmmind.models.endpoint import Endpoint, Route, Trouble
from swarmmind.models.limiter import Place
from swarmmind.models.prices import Price, priced
from swarmmind.models.redact import Redactor
from swarmmind.models.transports.shared import NotSent
from swarmmind.ports import Call, HttpResponse, TransportError

_UNSENT = Usage(1, 0, 0, 0, 0.0)  # a request that was refused, by the server or on the way, costs nothing but a call
_NEVER_PASSES = "insufficient_quota"  # OpenAI says 429 when the account is empty
_MOST_BUSY_TRIES = 4  # that a wait for a busy server grows with
_REPORT_SECONDS = 0.1  # a request gives up so long before the deadline, to say what became of it


class Patience(NamedTuple):
    """How patient a `Sender` is.

    Attributes:
        attempts: how often one request is sent at most.
        timeout_seconds: how long one attempt may take; the call's deadline may be nearer.
    """

    attempts: int = 5
    timeout_seconds: float = 600.0


Read = Callable[[bytes], tuple[Any, Usage]]
"""From a 2xx body to what it says and what it cost; raises `wire.Unreadable`."""


class Sent(NamedTuple):
    """What a request came to: a value or a failure, and what that cost over all attempts."""

    value: Any = None
    failure: Failure | None = None
    usage: Usage = Usage()


class _Try(NamedTuple):
    """What one attempt came to.

    Attributes:
        sent: the same, for this attempt alone.
        trouble: how it failed, if it may be tried again.
        counts: whether it is held against the request.
    """

    sent: Sent
    trouble: Trouble | None = None
    counts: bool = True


class Turn(NamedTuple):
    """What decides when a request is sent, and where to.

    Attributes:
        priority: of its agent; lower is earlier.
        prefix: which requests it shares the head of its prompt with; empty if that is not known.
    """

    priority: int = 0
    prefix: bytes = b""


_ANY_TURN = Turn()


class Sender:
    """Sends requests to one path of one endpoint.

    Args:
        path: below the base URL.
        route: the server, or who chooses one; shared by all that use the endpoint.
        price: what tokens cost; `None`: unknown.
        patience: how often and how long it tries.
        redactor: keeps the endpoint's key out of failures.
    """

    def __init__(
        self,
        path: str,
        route: Route,
        price: Price | None,
        patience: Patience,
        redactor: Redactor,
    ) -> None:
        self.path, self.route = path, route
        self.price, self.patience, self._redactor = price, patience, redactor

    async def send(self, body: bytes, worst: Usage, read: Read, call: Call, turn: Turn = _ANY_TURN) -> Sent:
        """Send a body, at most `patience.attempts` times, until `read` can make something of the answer.

        A server that is busy, or that was up and is being started anew, is waited for and no failure (see
        `Endpoint.failed`): such attempts are not counted.

        Args:
            body: JSON.
            worst: the most that one attempt can cost, money aside.
            read: reads a 2xx body.
            call: whom it is for.
            turn: when and where to.

        Raises:
            Spent: the budget cannot pay for the (next) attempt; it was not sent.
        """
        worst = priced(worst, self.price)
        usage, tries, attempts = Usage(), 0, 0
        while True:
            tried, place = await self._limited(body, worst, read, call, turn)
            usage += tried.sent.usage
            tries, attempts = tries + 1, attempts + tried.counts
            wait_seconds = self._wait_seconds(tried, tries, attempts, call)
            if wait_seconds is None:
                call.after_kept(place.release)
                return Sent(tried.sent.value, tried.sent.failure, usage)
            place.release()
            await call.sleep(wait_seconds)

    def _wait_seconds(self, tried: _Try, tries: int, attempts: int, call: Call) -> float | None:
        """How long to wait before the next attempt; `None` if there will be none."""
        if tried.trouble is None or attempts >= self.patience.attempts:
            return None
        times = tries if tried.counts else min(tries, _MOST_BUSY_TRIES)
        seconds = retry.backoff_seconds(times, call.rng(f"retry/{tries}"))
        seconds = max(seconds, tried.trouble.retry_after_seconds or 0.0)
        late = call.deadline is not None and call.now() + seconds >= call.deadline
        return None if late else seconds

    async def _limited(self, body: bytes, worst: Usage, read: Read, call: Call, turn: Turn) -> tuple[_Try, Place]:
        tokens = (worst.prompt_tokens or 0) + (worst.completion_tokens or 0)
        while True:
            endpoint = self.route.choose(turn.prefix)
            endpoint.load += 1
            try:
                if not endpoint.up:
                    await self.route.wait()
                    continue
                place = await endpoint.limiter.acquire(call, tokens, turn.priority, turn.prefix)
                if endpoint.up:
                    return await self._placed(body, worst, read, call, endpoint, place), place
                place.release()  # it went down while this request waited for a place: no attempt is lost to that
            finally:
                endpoint.load -= 1

    async def _placed(
        self, body: bytes, worst: Usage, read: Read, call: Call, endpoint: Endpoint, place: Place
    ) -> _Try:
        try:
            tried = await self._metered(body, worst, read, call, endpoint)
        except BaseException:  # out of budget, or cancelled: the place is free at once
            place.release()
            raise
        if tried.sent.failure is None:
            endpoint.succeeded(place, call.now())
        elif tried.trouble is not None:
            return tried._replace(counts=endpoint.failed(tried.trouble, place, call.now()))
        return tried

    async def _metered(self, body: bytes, worst: Usage, read: Read, call: Call, endpoint: Endpoint) -> _Try:
        if not call.try_reserve(worst):
            await call.reserve(worst)
        actual = wire.UNKNOWN  # also when this task is cancelled: the server may have worked on it
        try:
            tried = await self._post(body, read, call, endpoint)
            actual = tried.sent.usage
        finally:
            call.settle(worst, actual)
        return tried

    async def _post(self, body: bytes, read: Read, call: Call, endpoint: Endpoint) -> _Try:
        timeout_seconds = self.patience.timeout_seconds
        if call.deadline is not None:
            left = call.deadline - call.now()
            timeout_seconds = min(timeout_seconds, left - min(_REPORT_SECONDS, left / 10))
            if left <= 0:
                return self._failed("timeout", "no time left to send the request", Usage())
        try:
            response = await endpoint.transport.post(self.path, body, timeout_seconds)
        except TransportError as error:
            kind: FailureKind = "timeout" if error.kind == "timeout" else "connection"
            unsent = isinstance(error, NotSent)
            return self._failed(kind, str(error), _UNSENT if unsent else wire.UNKNOWN, Trouble(kind, unsent))
        if not 200 <= response.status < 300:
            return self._complaint(response)
        try:
            value, usage = read(response.body)
        except wire.Unreadable as error:
            return self._failed("server", str(error), priced(error.usage, self.price), Trouble("server"))
        return _Try(Sent(value, usage=priced(usage, self.price)))

    def _complaint(self, response: HttpResponse) -> _Try:
        kind = retry.kind_of(response.status)
        if kind == "busy" and wire.error_code(response.body) == _NEVER_PASSES:
            kind = "refused"
        message = f"HTTP {response.status}: {wire.error_text(response.body)}"
        if kind == "refused":
            return self._failed(kind, message, _UNSENT)
        after_seconds = retry.retry_after_seconds(response.headers)
        return self._failed(kind, message, _UNSENT, Trouble(kind, retry_after_seconds=after_seconds))

    def _failed(self, kind: FailureKind, message: str, usage: Usage, trouble: Trouble | None = None) -> _Try:
        return _Try(Sent(failure=Failure(kind, self._redactor.message(message)), usage=usage), trouble)
