"""One server of an endpoint: what carries requests to it, and what holds them back."""

from __future__ import annotations

from typing import Protocol

import anyio

from swarmmind.models.limiter import Limiter
from swarmmind.models.served import Served
from swarmmind.ports import Transport


class Pulse:
    """Whether a server is up, for those who want to send to it.

    Args:
        up: whether it is.
        holds: whether requests wait while it is down; else they are sent, and fail as they do anywhere.
    """

    def __init__(self, up: bool = True, holds: bool = True) -> None:
        self.up, self.holds = up, holds
        self._rose = anyio.Event()
        self._doubted = anyio.Event()

    def rise(self) -> None:
        """It answers: those who wait may send."""
        self.up = True
        self._rose.set()

    def fall(self) -> None:
        """It does not answer."""
        if self.up:
            self.up, self._rose = False, anyio.Event()

    async def wait(self) -> None:
        """Until it is up."""
        while not self.up:
            await self._rose.wait()

    def doubt(self) -> None:
        """A request failed in a way in which requests fail when a server is going down."""
        self._doubted.set()

    async def doubts(self) -> None:
        """Until somebody has doubts."""
        await self._doubted.wait()
        self._doubted = anyio.Event()


class Endpoint:
    """One server, shared by all models and embedders that use it.

    Args:
        base_url: where it is, e.g. `http://127.0.0.1:8000/v1`.
        transport: carries requests.
        limiter: holds them back.
        pulse: whether it is up; taken to be, if left out.

    Attributes:
        load: requests that were sent its way and are not over, those that wait for a place included.
    """

    def __init__(self, base_url: str, transport: Transport, limiter: Limiter, pulse: Pulse | None = None) -> None:
        self.base_url, self.transport, self.limiter = base_url, transport, limiter
        self.pulse = pulse
        self.load = 0

    def __repr__(self) -> str:
        return f"Endpoint({self.base_url!r})"

    def choose(self, prefix: bytes) -> Endpoint:
        """Itself: there is no other (see `Route`)."""
        return self

    @property
    def up(self) -> bool:
        """Whether it answers, as far as is known."""
        return self.pulse is None or self.pulse.up

    @property
    def shut(self) -> bool:
        """Whether requests wait for it to rise."""
        return self.pulse is not None and self.pulse.holds and not self.pulse.up

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
