"""The endpoints of a run as a worker in another process sees them: it sends, and who may send is decided at the head.

So concurrency, requests per minute, tokens per minute and what is learned of a server hold for all workers together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from swarmmind.models.endpoints import Endpoints, wanted
from swarmmind.models.limiter import Limiter, Place
from swarmmind.models.vllm.fleet import Fleet
from swarmmind.models.vllm.launch import Serving
from swarmmind.models.vllm.server import Server
from swarmmind.ports import Call
from swarmmind.runtime.remote.desk import Desk
from swarmmind.spec.model import EndpointLimits

_SOME = 2  # requests that may be under way at a server, as far as one of several workers knows


class DistantLimiter(Limiter):
    """The limiter of an endpoint that stands at the head.

    Args:
        desk: where it asks.
        name: that the head knows it by (see `Endpoints.limiter`).
    """

    def __init__(self, desk: Desk, name: str) -> None:
        super().__init__()
        self._desk, self._name = desk, name
        self.in_flight = _SOME

    async def acquire(self, call: Call, tokens: int = 0, priority: int = 0, prefix: bytes = b"") -> Place:
        """See `Limiter.acquire`."""
        began = call.now()
        try:
            return cast("Place", await self._desk.place(self._name, tokens, priority, prefix))
        finally:
            call.queued(call.now() - began)

    def succeeded(self, place: Any, now: float) -> None:
        """See `Limiter.succeeded`."""
        place.answered()

    def rejected(self, place: Any, now: float, retry_after_seconds: float | None = None) -> None:
        """See `Limiter.rejected`."""
        place.answered(refused=True, retry_after_seconds=retry_after_seconds)


class _Reached(NamedTuple):
    """Servers that the head has started."""

    address: str
    key: str | None
    servers: Sequence[Server] = ()
    capacity: int | None = None


class DistantEndpoints(Endpoints):
    """Endpoints whose limiters, and whose servers if they are started for the run, are the head's.

    Args:
        desk: where it asks.
        fleets: the servers that the head starts (see `Endpoints.fleets`).
    """

    looks = False

    def __init__(self, desk: Desk, fleets: Mapping[str, tuple[str, str | None]]) -> None:
        super().__init__()
        self._desk, self._reached = desk, fleets

    def fleet(self, serving: Serving, replicas: int, environ: Mapping[str, str]) -> Fleet:
        """See `Endpoints.fleet`: nothing is started here."""
        return cast("Fleet", _Reached(*self._reached[wanted(serving, replicas)]))

    def _new_limiter(self, name: str, limits: EndpointLimits) -> Limiter:
        return DistantLimiter(self._desk, name)
