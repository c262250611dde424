"""Effects that were asked for and are not started yet: they wait for the replay to end, or for a place."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from swarmmind.runtime.frame import Flight
from swarmmind.runtime.handler import Handler


class Waiting:
    """Who waits, first come first served.

    Args:
        handlers: by the type of effect; one with an `at_once` has no more than so many under way.
    """

    def __init__(self, handlers: Mapping[type, Handler]) -> None:
        self._ready: deque[Flight] = deque()
        limits = {kind: getattr(handler, "at_once", None) for kind, handler in handlers.items()}
        self._places: dict[type, int] = {kind: limit for kind, limit in limits.items() if limit is not None}
        self._lines: dict[type, deque[Flight]] = {kind: deque() for kind in self._places}
        self._placed: set[Flight] = set()
        self._called: set[Flight] = set()  # from a line, because there is a place

    def __bool__(self) -> bool:
        return bool(self._ready)

    def hold(self, flight: Flight) -> None:
        """Keep an effect until `next` gives it out."""
        self._ready.append(flight)

    def next(self) -> Flight:
        """The next effect to start, unless it is over by now; there must be one (see `__bool__`)."""
        return self._ready.popleft()

    def admit(self, flight: Flight) -> bool:
        """Whether there is a place for an effect; if not it stands in line, and is given out when there is one."""
        kind = type(flight.effect)
        free = self._places.get(kind)
        if free is None:
            return True
        self._called.discard(flight)
        if not free:
            self._lines[kind].append(flight)
            return False
        self._places[kind] = free - 1
        self._placed.add(flight)
        flight.begin()
        return True

    def over(self, flight: Flight) -> None:
        """An effect is over: its place, if it has one or was called to one, is free."""
        kind = type(flight.effect)
        if flight in self._placed:
            self._placed.remove(flight)
            self._places[kind] += 1
        elif flight in self._called:
            self._called.remove(flight)
        else:
            return None
        line = self._lines[kind]
        while line:
            waiting = line.popleft()
            if not waiting.over:
                self._called.add(waiting)
                return self._ready.append(waiting)
        return None
