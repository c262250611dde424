"""How much to have in flight at a server that says how much it works on: just full, with the queue on our side.

What a server runs at once is at most its capacity, so a limit of one and a half times the most that was seen running
never exceeds one and a half times the capacity, whatever that is: so much it grows after each look at which nothing
waits there, from two requests on. Once requests wait while no more of them run, the capacity is known; from then on
the limit follows what waits: as many as may end within one step, so that places that get free are taken at once, and
no more (users.md 4e).
"""

from __future__ import annotations

from collections import deque
from math import ceil, sqrt
from typing import NamedTuple

from swarmmind.models.gauges import Snapshot

FIRST_LIMIT = 2
_MOST = 1.5  # of what was seen running
_SLOW_GROWTH = 1.1
_CUT = 0.8
_LOOKS = 4  # before a limit is judged, once the capacity is known
_ROOMY = 2 / 3  # of what is in flight: less is at the server
_STALLS = 2  # looks in a row at which requests wait and no more run than ever: that is the capacity
_RESERVE = 4.0  # times the root of what runs: requests that began together end together, 10 to 40 of 64 in one step
_SCANT = 0.75  # of the reserve: with less, the limit grows
_FULL_CACHE, _NEARLY_FULL_CACHE = 0.95, 0.9
_CUT_EVERY_SECONDS = 1.0
_SHY_SECONDS, _MOST_SHY_SECONDS = 10.0, 60.0  # before a limit that was too much is tried again


class Load(NamedTuple):
    """What is known on our side at the time of a look.

    Attributes:
        limit: most requests in flight now.
        in_flight: requests that are, those answered left out.
        saturated: whether as many are in flight as may be, and others wait.
    """

    limit: int
    in_flight: int
    saturated: bool


class Steering:
    """Judges a limit by looks at the server.

    Args:
        ceiling: the limit never exceeds it.
        capacity: how many requests the server runs at once, if that is known beforehand.

    Attributes:
        capacity: the same, or what the server has shown; `None` as long as it was never full.
        most_running: the most that it was seen to run.
    """

    def __init__(self, ceiling: int, capacity: int | None = None) -> None:
        self.ceiling, self.capacity = ceiling, capacity
        self.most_running = capacity or 0
        self._last: Snapshot | None = None
        self._looks: deque[Snapshot] = deque(maxlen=_LOOKS)  # in a row at the present limit, saturated
        self._limit = self._stalls = 0
        self._steady = self._ran = self._waited = 0  # of all looks at the present limit: number and sums
        self._squeezed = False  # by want of cache: its capacity is what that has room for
        self._cut_at = self._shy_until = float("-inf")
        self._shy_seconds = _SHY_SECONDS
        self._too_much = ceiling + 1

    @property
    def first_limit(self) -> int:
        """Where to begin."""
        return min(self.ceiling, self.capacity or FIRST_LIMIT)

    @property
    def is_settled(self) -> bool:
        """Whether the limit is no longer growing from look to look."""
        return self.capacity is not None or self._steady > _LOOKS

    @property
    def is_roomy(self) -> bool:
        """Whether hardly anything waits at the server with this limit, and not much is seen to run there either.

        Then most of what is in flight is on its way, or done within one step; throughput must say whether more pays.
        """
        at_most = self._limit * self._steady  # if all that was in flight had been there at each look
        if self._squeezed or self._steady < _LOOKS or self._waited > at_most / 20:
            return False
        return self._ran + self._waited < _ROOMY * at_most

    def moved(self) -> None:
        """Somebody else has set the limit: what was seen until now says nothing about it."""
        self._forget()

    def observe(self, seen: Snapshot, load: Load, now: float) -> int:
        """The limit from now on.

        Args:
            seen: what the server says.
            load: what we know.
            now: the run's clock, in seconds.
        """
        last, self._last = self._last, seen
        if load.limit != self._limit or load.in_flight > load.limit:  # the latter: after a cut
            self._forget()
        limit = self._steered(seen, last, load, now)
        if now >= self._shy_until:
            self._too_much = self.ceiling + 1
        limit = max(1, min(limit, self.ceiling, self._too_much - 1))
        if limit != self._limit:
            self._forget()
        self._limit = limit
        return limit

    def _forget(self) -> None:
        self._looks.clear()
        self._steady = self._ran = self._waited = 0

    def rejected(self, limit: int, now: float) -> None:
        """The server refused a request at this limit, which is about to be cut."""
        self._shy(limit, now)

    def _steered(self, seen: Snapshot, last: Snapshot | None, load: Load, now: float) -> int:
        if self._is_pressed(seen, last):
            return self._relieved(seen, load, now)
        before, self.most_running = self.most_running, max(self.most_running, seen.running)
        at_once = max(self.most_running, load.in_flight - seen.waiting)  # what finishes in a step is not seen to run
        if seen.waiting and load.limit > max(FIRST_LIMIT, _MOST * at_once) * (at_once > 1):
            return at_once + self._reserve(at_once)
        if not load.saturated or load.in_flight > load.limit:
            return load.limit
        self._looks.append(seen)
        self._steady, self._ran, self._waited = self._steady + 1, self._ran + seen.running, self._waited + seen.waiting
        self._learn(seen, before)
        others = max(0, seen.running + seen.waiting - load.in_flight)
        running = self.most_running if self.capacity is not None else seen.running
        most = max(FIRST_LIMIT, int(_MOST * running) - others)
        if seen.kv_used:
            most = min(most, int(seen.running * _NEARLY_FULL_CACHE / seen.kv_used))
        if self.capacity is not None and (seen.waiting or load.limit >= self.capacity):
            return self._judged(load, most)
        if seen.waiting:
            return load.limit
        return max(
            load.limit, most if self.capacity is None else min(most, self.capacity + self._reserve(self.capacity))
        )

    def _learn(self, seen: Snapshot, before: int) -> None:
        """What a look says about the capacity, if `before` was the most that ran until then."""
        self._stalls = self._stalls + 1 if seen.waiting and seen.running <= before else 0
        if self._stalls == _STALLS and self.capacity is None:
            self.capacity = self.most_running
        elif self.capacity is not None and seen.running > self.capacity and not seen.waiting and not self._squeezed:
            self.capacity = None  # that was something else, a burst of long prompts perhaps

    def _judged(self, load: Load, most: int) -> int:
        """The limit at a capacity that is known."""
        looks = self._looks
        waiting = sum(one.waiting for one in looks) / len(looks)
        running = max(one.running for one in looks)
        reserve = self._reserve(running)
        if self._stalls >= _STALLS and waiting > min(1.5 * reserve, running / 2):
            if len(looks) == _LOOKS:  # it may run less than it did: longer requests, a smaller cache
                self.capacity = self.most_running = running
            return max(load.limit - int(waiting) + reserve, running)
        if len(looks) == _LOOKS and waiting < _SCANT * reserve:
            grown = max(load.limit + 1, int(load.limit * _SLOW_GROWTH))
            return max(load.limit, min(most, grown if self._squeezed else max(grown, running + reserve)))
        return load.limit

    @staticmethod
    def _reserve(running: int) -> int:
        """How many should wait at the server, so that places that get free there, often several, are taken at once."""
        return min(ceil(_RESERVE * sqrt(running)), max(1, running // 2))

    # --- pressure -----------------------------------------------------------------------------------------------------

    def _is_pressed(self, seen: Snapshot, last: Snapshot | None) -> bool:
        if (seen.kv_used or 0.0) > _FULL_CACHE:
            return True
        if last is None:
            return False
        return (seen.preemptions or 0) > (last.preemptions or 0)

    def _relieved(self, seen: Snapshot, load: Load, now: float) -> int:
        self._forget()
        if load.in_flight > load.limit:  # still at what was cut before
            self._cut_at = now
        if now < self._cut_at + _CUT_EVERY_SECONDS:
            return load.limit
        self._cut_at, self._squeezed = now, True
        limit = max(1, int(min(load.limit, load.in_flight) * _CUT))
        self.capacity, self.most_running = limit, max(limit, seen.running)
        self._shy(load.limit, now)
        return limit

    def _shy(self, limit: int, now: float) -> None:
        if now >= self._shy_until:
            self._shy_seconds = (
                min(_MOST_SHY_SECONDS, 2 * self._shy_seconds) if self._too_much <= limit else _SHY_SECONDS
            )
        self._too_much, self._shy_until = limit, now + self._shy_seconds
        self._forget()
