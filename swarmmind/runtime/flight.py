"""One effect in flight: its place in the program, its money, and who must be told when it is over."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio

from swarmmind.effects import Reply, Usage
from swarmmind.runtime.budget import Cost

if TYPE_CHECKING:
    from swarmmind.runtime.driver import Driver
    from swarmmind.runtime.frame import Frame


class Flight:
    """What a handler, and through it a model, sees of the effect it works on (`ports.Call`).

    Attributes:
        key: its path in the program.
        index: its place in the yield, from 0.
        step: the yield it belongs to.
        request: the digest of what it asks.
        earlier: paid replies of an interrupted run that did not settle this ask, oldest first.
        scope: cancels the task that works on it.
        child: the frame that answers it, if a program does.
        paid: what its requests have cost so far.
        replaying: its result came from the journal and is paid for.
    """

    __slots__ = (
        "_driver",
        "callbacks",
        "child",
        "deadline",
        "earlier",
        "effect",
        "frame",
        "index",
        "key",
        "over",
        "paid",
        "queued_seconds",
        "replaying",
        "request",
        "scope",
        "started",
        "step",
    )

    def __init__(self, driver: Driver, frame: Frame, key: str, effect: Any, index: int) -> None:
        self._driver, self.frame, self.key, self.effect, self.index = driver, frame, key, effect, index
        self.step = frame.step
        self.request = b""
        self.earlier: list[Reply] = []
        self.callbacks: list[Callable[[], None]] = []
        self.scope: anyio.CancelScope | None = None
        self.child: Frame | None = None
        self.over = self.replaying = False
        self.paid = Usage()
        self.queued_seconds = 0.0
        self.started = driver.clock.now()
        seconds = getattr(effect, "deadline_seconds", None)
        self.deadline: float | None = None if seconds is None else self.started + seconds

    def rng(self, name: str = "") -> random.Random:
        """The start of a random stream that belongs to this effect alone."""
        return self._driver.streams.rng(f"{self.key}:{name}")

    def seed(self, number: int = 0) -> int:
        """The seed that a server gets for the number-th request of this effect, in [0, 2**63)."""
        return self._driver.streams.derive(f"{self.key}#{number}" if number else self.key)

    def now(self) -> float:
        """The run's clock, in seconds."""
        return self._driver.clock.now()

    async def sleep(self, seconds: float) -> None:
        """Wait on the run's clock."""
        await self._driver.clock.sleep(seconds)

    def queued(self, seconds: float) -> None:
        """Add to the time spent waiting for a place at an endpoint."""
        self.queued_seconds += seconds

    def try_reserve(self, worst: Usage) -> bool:
        """See `ports.Call.try_reserve`."""
        return self.replaying or self.frame.purse.try_reserve(Cost.of(worst))

    async def reserve(self, worst: Usage) -> None:
        """See `ports.Call.reserve`."""
        if not self.replaying:
            await self.frame.purse.reserve(Cost.of(worst))

    def settle(self, worst: Usage, actual: Usage) -> None:
        """See `ports.Call.settle`."""
        if self.replaying:
            return
        self.frame.purse.settle(Cost.of(worst), Cost.of(actual, worst))
        if self.over:  # it was cancelled while this was on the wire
            self._driver.meter.usage += actual
        else:
            self.paid = self.paid + actual if self.paid.calls else actual

    def after_kept(self, callback: Callable[[], None]) -> None:
        """See `ports.Call.after_kept`."""
        if self.over:
            callback()
        else:
            self.callbacks.append(callback)

    def keep(self, number: int, reply: Reply) -> None:
        """Keep a paid reply that did not settle this ask; places held until now are given back when it is durable."""
        self._driver.journal.attempt(self.key, number, reply)
        self.release()

    def release(self) -> None:
        """Have the callbacks run once everything handed to the journal so far is durable."""
        callbacks, self.callbacks = self.callbacks, []
        for callback in callbacks:
            self._driver.journal.after_kept(callback)
