"""The event loop at first hand: tasks and wake-ups for what happens once per call, at a fifth of a task group's cost.

A call takes one task and waits a few times; the scopes, states and events that anyio keeps for each of these cost more
than the call itself. What is awaited inside is free to use anyio: its scopes work in these tasks, too.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from math import inf
from typing import Any

_PATIENCE_SECONDS = 0.1  # with a task that was cancelled, before it is cancelled again


class Bell:
    """Wakes the one who waits for it; rung while nobody waits, it wakes the next one who would."""

    __slots__ = ("_rung", "_sleeper", "_timer")

    def __init__(self) -> None:
        self._rung = False
        self._sleeper: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def ring(self) -> None:
        """Wake who waits; call it on the event loop."""
        self._rung = True
        sleeper = self._sleeper
        if sleeper is not None and not sleeper.done():
            sleeper.set_result(None)

    async def rung(self, until: float = inf) -> None:
        """Wait until it is rung, if it was not already since the last time.

        Args:
            until: wait no longer than to this time (`time.monotonic`), give or take; it may also end earlier.
        """
        if not self._rung:
            loop = asyncio.get_running_loop()
            if until < inf:
                self._set_alarm(loop, until)
            self._sleeper = loop.create_future()
            try:
                await self._sleeper
            finally:
                self._sleeper = None
        self._rung = False

    def _set_alarm(self, loop: asyncio.AbstractEventLoop, until: float) -> None:
        """One timer serves many waits: it stays as long as it is early enough."""
        when = loop.time() + until - time.monotonic()
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = loop.call_at(when, self._alarm)

    def _alarm(self) -> None:
        self._timer = None
        self.ring()

    def silence(self) -> None:
        """Nobody will wait any more: let go of the loop."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Crew:
    """The tasks of one owner; none of them outlives it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Have a coroutine run as a task; it must keep its errors to itself."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Cancel what still runs, and wait for it; whoever goes on regardless is cancelled again."""
        await asyncio.sleep(0)  # what has not begun must not be cancelled: it has things to clean up
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=_PATIENCE_SECONDS)


def canceller() -> Callable[[], object]:
    """What cancels the task that calls this."""
    task = asyncio.current_task()
    assert task is not None
    return task.cancel


Cancelled = asyncio.CancelledError
"""What is raised in a task that is cancelled."""
