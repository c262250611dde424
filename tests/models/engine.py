"""An inference server that exists in simulated time only, and says what it runs and what waits."""

from __future__ import annotations

import functools
import random
from collections import deque
from collections.abc import Awaitable, Callable

import anyio

from swarmmind.models.gauges import Snapshot
from swarmmind.models.limiter import Limiter
from swarmmind.runtime.clock import VirtualClock
from swarmmind.testing import LooseCall
from tests.models.simulation import simulate

LOOK_SECONDS, FIRST_LOOK_SECONDS = 0.25, 0.1


class _Work:
    """A request that runs: what it holds of the cache, and whether it was thrown out."""

    def __init__(self) -> None:
        self.held, self.evicted = 1, False


class Engine:
    """Runs `capacity` requests at once, queues the rest, and counts.

    Args:
        clock: simulated time.
        capacity: requests that run at once; may be changed while it works.
        seconds: that a request runs; some take a little longer than others.
        transit_seconds: that it is under way, there and back alike, and not at the server.
        most: requests beyond so many at the server get a 503.
        memory: units of cache; a request needs one at its beginning and two more as it goes on, each third of the way.
            If there is none for one that goes on, the youngest is thrown out and begins anew (a preemption).
        unseen: whether requests are done within a step, so that gauges never show them running.
    """

    def __init__(
        self,
        clock: VirtualClock,
        capacity: int,
        seconds: float,
        *,
        transit_seconds: float = 0.0,
        most: int | None = None,
        memory: int | None = None,
        unseen: bool = False,
    ) -> None:
        self.clock, self.capacity, self.seconds, self.transit_seconds = clock, capacity, seconds, transit_seconds
        self.most, self.memory, self.unseen = most, memory, unseen
        self.running = self.waiting = self.done = self.preemptions = self.refused = self.used = 0
        self.most_there = 0
        self.done_at: list[float] = []
        self._queue: deque[anyio.Event] = deque()
        self._works: list[_Work] = []
        self._rng = random.Random(7)

    def look(self) -> Snapshot:
        """Its gauges."""
        kv = self.used / self.memory if self.memory else 0.0
        running = 0 if self.unseen else self.running
        return Snapshot(running, self.waiting, kv, self.preemptions, succeeded=self.done)

    async def work(self) -> bool:
        """Whether the request was answered, after the time that took."""
        await self._travel()
        if self.most is not None and self.running + self.waiting >= self.most:
            self.refused += 1
            await self._travel()
            return False
        while not await self._run():
            self.preemptions += 1
        self.done += 1
        self.done_at.append(self.clock.now())
        await self._travel()
        return True

    async def _travel(self) -> None:
        if self.transit_seconds:
            await self.clock.sleep(self.transit_seconds)

    async def _run(self) -> bool:
        self.waiting += 1
        self.most_there = max(self.most_there, self.running + self.waiting)
        if self.running >= self.capacity or not self._has_room():
            turn = anyio.Event()
            self._queue.append(turn)
            await turn.wait()
        else:
            self._begin()
        work = _Work()
        self._works.append(work)
        seconds = self.seconds * self._rng.uniform(0.9, 1.1)
        if self.memory is None:
            await self.clock.sleep(seconds)
        else:
            await self._grow(work, seconds)
        if not work.evicted:
            self._end(work)
        return not work.evicted

    async def _grow(self, work: _Work, seconds: float) -> None:
        for part in range(3):
            if part:
                while not self._has_room():  # as vLLM does: the youngest goes
                    self._works[-1].evicted = True
                    self._end(self._works[-1])
                    if work.evicted:
                        return
                work.held, self.used = work.held + 1, self.used + 1
            await self.clock.sleep(seconds / 3)
            if work.evicted:
                return

    def _begin(self) -> None:
        self.waiting -= 1
        self.running += 1
        self.used += 1

    def _end(self, work: _Work) -> None:
        self._works.remove(work)
        self.used -= work.held
        self.running -= 1
        while self._queue and self.running < self.capacity and self._has_room():
            self._begin()
            self._queue.popleft().set()

    def _has_room(self) -> bool:
        return self.memory is None or self.used < self.memory

    def rate(self, of: float = 0.5) -> float:
        """Answers per second over the last part of what it did, the end left out, when there is not enough to do."""
        at = self.done_at[int(len(self.done_at) * of) : int(len(self.done_at) * 0.95)]
        return (len(at) - 1) / (at[-1] - at[0])


class Batch(Engine):
    """Works in steps, as real engines do: who ends, ends together, and what waits begins with the next step.

    Args:
        clock: simulated time.
        capacity: requests that run at once.
        steps: of a request.
        step_seconds: how long one takes.
        transit_seconds: that a request is under way, there and back alike.
    """

    def __init__(
        self, clock: VirtualClock, capacity: int, steps: int, step_seconds: float, *, transit_seconds: float
    ) -> None:
        super().__init__(clock, capacity, steps * step_seconds, transit_seconds=transit_seconds)
        self.steps, self.step_seconds = steps, step_seconds
        self._batch: list[tuple[int, anyio.Event]] = []  # after which step it ends

    async def work_on(self, requests: int) -> None:
        """Step after step, until so many requests are done."""
        step = 0
        while self.done < requests:
            while self._queue and self.running < self.capacity:
                self._begin()
                self._batch.append((step + self.steps, self._queue.popleft()))
            await self.clock.sleep(self.step_seconds)
            step += 1
            for end, over in self._batch:
                if end == step:
                    self.running -= 1
                    over.set()
            self._batch = [(end, over) for end, over in self._batch if end > step]

    async def _run(self) -> bool:
        self.waiting += 1
        self.most_there = max(self.most_there, self.running + self.waiting)
        over = anyio.Event()
        self._queue.append(over)
        await over.wait()
        return True


async def drive(
    limiter: Limiter,
    engine: Engine,
    calls: int,
    callers: int,
    looks: bool = True,
    *more: Callable[[], Awaitable[object]],
) -> None:
    """Send so many requests to an engine, that is looked at meanwhile."""
    numbers = iter(range(calls))
    callers = min(callers, calls)
    left = callers

    async def caller() -> None:
        nonlocal left
        for number in numbers:
            await send(limiter, engine, LooseCall(clock=engine.clock, key=str(number)))
        left -= 1

    async def look() -> None:
        while left:
            limiter.observe(engine.look())
            await engine.clock.sleep(LOOK_SECONDS if limiter.is_settled else FIRST_LOOK_SECONDS)

    if looks:
        limiter.steer()
    await simulate(engine.clock, *[caller] * callers, *([look] if looks else []), *more)


async def play(limiter: Limiter, engine: Engine, program: Callable[[], Awaitable[object]]) -> None:
    """Do something to its end; the engine is looked at meanwhile."""
    over = False
    limiter.steer()

    async def until_over() -> None:
        nonlocal over
        await program()
        over = True

    async def look() -> None:
        while not over:
            limiter.observe(engine.look())
            await engine.clock.sleep(LOOK_SECONDS)

    await simulate(engine.clock, until_over, look)


async def send(limiter: Limiter, engine: Engine, call: LooseCall) -> None:
    """One request, until it is answered."""
    while True:
        place = await limiter.acquire(call)
        answered = await engine.work()
        (limiter.succeeded if answered else functools.partial(limiter.rejected))(place, call.now())
        place.release()
        if answered:
            return
        await call.sleep(0.5)
