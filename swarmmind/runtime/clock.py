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
from typing import Any, TypeAlias

import anyio

Timer: TypeAlias = list[Any]
"""When it is due, its ticket, and whom it calls: nobody, once it is cancelled."""

_FEW_TIMERS = 64


class RealClock:
    """Seconds of the machine's monotonic clock, which the event loop's deadlines are on too; any thread may read it."""

    virtual = False

    def __init__(self) -> None:
        self._timers: list[Timer] = []
        self._ticket = count()
        self._cancelled = 0

    def now(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        return time.monotonic()

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        """Call back from the driver's loop at or after `when`; equal times fire in the order they were set."""
        timer: Timer = [when, next(self._ticket), callback]
        heapq.heappush(self._timers, timer)
        return timer

    def cancel(self, timer: Timer) -> None:
        """Call nobody; what the callback held is let go at once. A timer that has fired is left alone."""
        if timer[2] is None:
            return
        timer[2] = None
        self._cancelled += 1
        if self._cancelled > max(_FEW_TIMERS, len(self._timers) // 2):
            self._timers = [timer for timer in self._timers if timer[2] is not None]
            heapq.heapify(self._timers)
            self._cancelled = 0

    def next_at(self) -> float:
        """When the next timer is due; infinity if there is none."""
        timers = self._timers
        while timers and timers[0][2] is None:
            heapq.heappop(timers)
            self._cancelled -= 1
        return timers[0][0] if timers else math.inf

    def fire(self) -> None:
        """Call every timer that is due."""
        self._fire(self.now())

    def _fire(self, now: float) -> None:
        while self.next_at() <= now and self._timers:
            timer = heapq.heappop(self._timers)
            callback, timer[2] = timer[2], None
            callback()

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
        self._fire(self._now)

    async def sleep(self, seconds: float) -> None:
        """Wait for simulated time to pass; the driver moves it when every task waits."""
        over = anyio.Event()
        self.call_at(self._now + seconds, over.set)
        await over.wait()


Clock = RealClock
