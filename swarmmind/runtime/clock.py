"""Time behind one port: real, or virtual so that latency is simulated and a makespan is an exact number.

A clock is a heap of timers that the driver fires. On the virtual clock nothing ever waits: when nothing else can
happen, time jumps to the next timer, so 100,000 agents with modelled latencies run in seconds.
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable
from itertools import count

import anyio


class RealClock:
    """Seconds of the machine's monotonic clock, which the event loop's deadlines are on too; any thread may read it."""

    virtual = False

    def __init__(self) -> None:
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._ticket = count()

    def now(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        return time.monotonic()

    def call_at(self, when: float, callback: Callable[[], None]) -> None:
        """Call back from the driver's loop at or after `when`; equal times fire in the order they were set."""
        heapq.heappush(self._timers, (when, next(self._ticket), callback))

    def next_at(self) -> float:
        """When the next timer is due; infinity if there is none."""
        return self._timers[0][0] if self._timers else math.inf

    def fire(self) -> None:
        """Call every timer that is due."""
        now = self.now()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()

    async def sleep(self, seconds: float) -> None:
        """Let the calling task wait."""
        await anyio.sleep(seconds)


class VirtualClock(RealClock):
    """Simulated seconds from 0; `fire` jumps to the next timer."""

    virtual = True

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0

    def now(self) -> float:
        """Simulated seconds since the start of the run."""
        return self._now

    def fire(self) -> None:
        """Jump to the next timer and call all that are due then."""
        self._now = max(self._now, self.next_at())
        while self._timers and self._timers[0][0] <= self._now:
            heapq.heappop(self._timers)[2]()

    async def sleep(self, seconds: float) -> None:
        """Wait for simulated time to pass; the driver moves it when every task waits."""
        over = anyio.Event()
        self.call_at(self._now + seconds, over.set)
        await over.wait()


Clock = RealClock
