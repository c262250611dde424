"""Who is next: the order in which requests that wait for a place at an endpoint are called."""

from __future__ import annotations

from collections import deque

import anyio


class Waiter:
    """A request in the line.

    Attributes:
        priority: of its agent; lower is earlier.
        prefix: which requests it shares the head of its prompt with; empty if that is not known.
        woken: set when it may be its turn.
        gone: whether it waits no longer.
    """

    __slots__ = ("gone", "prefix", "priority", "woken")

    def __init__(self, priority: int = 0, prefix: bytes = b"") -> None:
        self.priority, self.prefix = priority, prefix
        self.woken = anyio.Event()
        self.gone = False


class Line:
    """First come, first served."""

    def __init__(self) -> None:
        self._waiting: deque[Waiter] = deque()

    def push(self, waiter: Waiter) -> None:
        """Let somebody wait."""
        self._waiting.append(waiter)

    def head(self) -> Waiter | None:
        """Who is next, and stays so until it is gone; `None` if nobody waits."""
        while self._waiting and self._waiting[0].gone:
            self._waiting.popleft()
        return self._waiting[0] if self._waiting else None
