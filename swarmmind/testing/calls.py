"""A call that belongs to no run."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

from swarmmind.effects import Later, Reply, Usage
from swarmmind.ports import Model, Request
from swarmmind.rng import Stage, Streams
from swarmmind.runtime.budget import Cost, Purse
from swarmmind.runtime.clock import RealClock


class LooseCall:
    """What a model is handed when no run drives it (satisfies `ports.Call`).

    Args:
        purse: what pays; by default one without limits.
        clock: what tells the time; by default the event loop's.
        key: its path; with `streams` it is all that chance depends on.
        deadline_seconds: how long it may take from now on.
        streams: the run's chance.

    Attributes:
        queued_seconds: the time it waited for a place.
        slept_seconds: the time it backed off.
        stage: the same for all calls of this kind.
    """

    stage = Stage()

    def __init__(
        self,
        purse: Purse | None = None,
        clock: RealClock | None = None,
        *,
        key: str = "run/1/agent",
        deadline_seconds: float | None = None,
        streams: Streams | None = None,
    ) -> None:
        self.purse, self.clock, self.key = purse or Purse(), clock or RealClock(), key
        self.deadline = None if deadline_seconds is None else self.clock.now() + deadline_seconds
        self.queued_seconds = self.slept_seconds = 0.0
        self._streams = streams or Streams(0)
        self._callbacks: list[Callable[[], None]] = []

    def rng(self, name: str = "") -> random.Random:
        """The start of a stream of this key."""
        return self._streams.rng(f"{self.key}:{name}")

    def now(self) -> float:
        """The clock's time."""
        return self.clock.now()

    async def sleep(self, seconds: float) -> None:
        """Wait on the clock."""
        self.slept_seconds += seconds
        await self.clock.sleep(seconds)

    def queued(self, seconds: float) -> None:
        """Count the time spent in a queue."""
        self.queued_seconds += seconds

    def try_reserve(self, worst: Usage) -> bool:
        """See `ports.Call.try_reserve`."""
        return self.purse.try_reserve(Cost.of(worst))

    async def reserve(self, worst: Usage) -> None:
        """See `ports.Call.reserve`."""
        await self.purse.reserve(Cost.of(worst))

    def settle(self, worst: Usage, actual: Usage) -> None:
        """See `ports.Call.settle`."""
        self.purse.settle(Cost.of(worst), Cost.of(actual, worst))

    def after_kept(self, callback: Callable[[], None]) -> None:
        """Keep the callback until `kept`."""
        self._callbacks.append(callback)

    def kept(self) -> None:
        """Pretend that the reply is durable now: run what was to run after that."""
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    async def ask(self, model: Model, request: Request) -> Reply:
        """The model's reply, whichever way it gives it; kept at once.

        Raises:
            Spent: the purse cannot pay for it.
        """
        answer = model.answer(request, self)
        try:
            if isinstance(answer, Later):
                await self.sleep(answer.seconds)
                return answer.reply
            return await answer if isinstance(answer, Awaitable) else answer
        finally:
            self.kept()
