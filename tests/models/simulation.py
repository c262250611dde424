"""Drives tasks on the virtual clock, and servers that exist in simulated time only."""

from __future__ import annotations

import math
import operator
from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel

from swarmmind.models.limiter import Limiter
from swarmmind.runtime.clock import VirtualClock
from swarmmind.testing import LooseCall


async def simulate(clock: VirtualClock, *tasks: Callable[[], Awaitable[object]]) -> None:
    """Run the tasks to their end, jumping to the next timer whenever all of them wait."""
    left = len(tasks)

    async def run(task: Callable[[], Awaitable[object]]) -> None:
        nonlocal left
        await task()
        left -= 1

    async with anyio.create_task_group() as group:
        for task in tasks:
            group.start_soon(run, task)
        await _settle()
        while left:
            assert clock.next_at() < math.inf, f"{left} tasks wait for something that never comes"
            clock.fire()
            await _settle()


async def _settle() -> None:
    """Let everything run that can; `anyio.wait_all_tasks_blocked` would poll ten times per real second."""
    ready = operator.attrgetter("_ready")(anyio.lowlevel.current_token().native_token)
    await anyio.lowlevel.checkpoint()
    while ready:
        await anyio.lowlevel.checkpoint()


class Server:
    """Works on `capacity` requests at once; what comes beside is queued, or rejected."""

    def __init__(self, clock: VirtualClock, capacity: int, seconds: float, rejects: bool) -> None:
        self.clock, self.capacity, self.seconds, self.rejects = clock, capacity, seconds, rejects
        self.in_flight = self.done = self.rejected = 0
        self._free_at = [0.0] * capacity

    async def work(self) -> bool:
        """Whether the request was answered, after the time that took."""
        if self.rejects and self.in_flight >= self.capacity:
            self.rejected += 1
            await self.clock.sleep(0.001)
            return False
        self.in_flight += 1
        slot = min(range(self.capacity), key=self._free_at.__getitem__)
        start = max(self.clock.now(), self._free_at[slot])
        self._free_at[slot] = start + self.seconds
        await self.clock.sleep(self._free_at[slot] - self.clock.now())
        self.in_flight -= 1
        self.done += 1
        return True


async def send(limiter: Limiter, server: Server, call: LooseCall) -> int:
    """One request, sent until it is answered; how often it was sent."""
    for attempt in range(1, 1000):
        place = await limiter.acquire(call)
        if await server.work():
            limiter.succeeded(place, call.now())
            place.release()
            return attempt
        limiter.rejected(place, call.now())
        place.release()
        await call.sleep(0.5)
    raise AssertionError("never answered")
