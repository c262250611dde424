"""One server of an endpoint: what carries requests to it, and what holds them back."""

from __future__ import annotations

from typing import Protocol

from swarmmind.models.limiter import Limiter
from swarmmind.models.served import Served
from swarmmind.ports import Transport


class Endpoint:
    """One server, shared by all models and embedders that use it.

    Args:
        base_url: where it is, e.g. `http://127.0.0.1:8000/v1`.
        transport: carries requests.
        limiter: holds them back.
    """

    def __init__(self, base_url: str, transport: Transport, limiter: Limiter) -> None:
        self.base_url, self.transport, self.limiter = base_url, transport, limiter

    def __repr__(self) -> str:
        return f"Endpoint({self.base_url!r})"

    def choose(self, prefix: bytes) -> Endpoint:
        """Itself: there is no other (see `Route`)."""
        return self

    async def watch(self) -> None:
        """What is done beside the run for as long as it goes on; cancelled at its end."""

    def served(self) -> Served:
        """What it has done so far."""
        limiter = self.limiter
        return Served(
            self.base_url,
            rejections=limiter.rejections,
            cuts=limiter.cuts,
            limit=limiter.limit,
            most_in_flight=limiter.most_in_flight,
        )


class Route(Protocol):
    """Which server a request goes to: an `Endpoint`, or several replicas behind one name."""

    def choose(self, prefix: bytes) -> Endpoint:
        """The server for a request; those that share a prefix go to the same one as long as that pays."""
        ...
