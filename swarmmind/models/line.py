"""Who is next: the order in which requests that wait for a place at an endpoint are called.

By priority; among equals whoever shares most of its prompt's head with the one before it, so that a server's prefix
cache still holds that head (users.md 4a); among equals again, who came first. Nobody is passed over for ever.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from typing import TypeAlias

from swarmmind.models.prefixes import heads
from swarmmind.runtime.loop import Bell

TURN = 64
"""So many in a row may pass over the one that came first."""

_FEW_LEFTOVERS = 1024


class Waiter:
    """A request in the line.

    Attributes:
        priority: of its agent; lower is earlier.
        prefix: what its prompt begins with (see `prefixes`); empty if that is not known.
        woken: rung when it may be its turn.
        gone: whether it waits no longer.
    """

    __slots__ = ("gone", "prefix", "priority", "woken")

    def __init__(self, priority: int = 0, prefix: bytes = b"") -> None:
        self.priority, self.prefix = priority, prefix
        self.woken = Bell()
        self.gone = False


class Line:
    """Requests that wait; to join it and to find who is next takes the same time however long it is.

    Args:
        turn: so many in a row may pass over the one of their priority that came first.
    """

    def __init__(self, turn: int = TURN) -> None:
        self._turn = turn
        self._levels: dict[int, _Level] = {}
        self._priorities: list[int] = []  # a heap of those with a level
        self._head: Waiter | None = None
        self._before = b""  # the prefix of who was called last

    def push(self, waiter: Waiter) -> None:
        """Let somebody wait."""
        level = self._levels.get(waiter.priority)
        if level is None:
            level = self._levels[waiter.priority] = _Level(self._turn)
            heappush(self._priorities, waiter.priority)
        level.push(waiter)

    def head(self) -> Waiter | None:
        """Who is next, and stays so until it is gone, whoever comes; `None` if nobody waits."""
        head = self._head
        if head is None or head.gone:
            head = self._head = self._next()
        return head

    def _next(self) -> Waiter | None:
        while self._priorities:
            priority = self._priorities[0]
            found = self._levels[priority].next(self._before)
            if found is not None:
                self._before = found.prefix
                return found
            heappop(self._priorities)
            del self._levels[priority]
        return None


_Group: TypeAlias = "Waiter | deque[Waiter]"  # most groups have one member, and a deque is a hundred times as large


class _Level:
    """Those of one priority. Who is gone is left where it is until somebody looks, or too many are."""

    def __init__(self, turn: int) -> None:
        self._turn, self._passed = turn, 0
        self._all = deque[Waiter]()
        self._groups: dict[bytes, _Group] = {}
        self._pushed = self._left = 0  # since the last tidying; of these and those there were, not yet called

    def push(self, waiter: Waiter) -> None:
        if self._pushed > 2 * self._left + _FEW_LEFTOVERS:
            self._tidy()
        self._pushed += 1
        self._add(waiter)

    def next(self, before: bytes) -> Waiter | None:
        """Who is called after a request with this prefix."""
        oldest = _first(self._all)
        if oldest is None:
            return None
        found = (self._alike(before) if self._passed < self._turn else None) or oldest
        self._passed = 0 if found is oldest else self._passed + 1
        self._left -= 1
        return found

    def _alike(self, before: bytes) -> Waiter | None:
        for head in heads(before):
            group = self._groups.get(head)
            if group is None:
                continue
            found = _first(group) if isinstance(group, deque) else None if group.gone else group
            if found is not None:
                return found
            del self._groups[head]
        return None

    def _add(self, waiter: Waiter) -> None:
        self._left += 1
        self._all.append(waiter)
        groups = self._groups
        for head in heads(waiter.prefix):
            group = groups.setdefault(head, waiter)
            if isinstance(group, deque):
                group.append(waiter)
            elif group is not waiter:
                groups[head] = deque((group, waiter))

    def _tidy(self) -> None:
        waiting = [waiter for waiter in self._all if not waiter.gone]
        self._all, self._groups = deque[Waiter](), {}
        self._pushed = self._left = 0
        for waiter in waiting:
            self._add(waiter)


def _first(waiting: deque[Waiter]) -> Waiter | None:
    while waiting and waiting[0].gone:
        waiting.popleft()
    return waiting[0] if waiting else None
