"""The server is kept full and never flooded: one limiter per endpoint and key in the process.

How much is in flight adapts. At a server that says what it runs and what waits there, the limit follows that (see
`Steering`); at any other it grows as long as that pays (see `Pace`). A 429 or 503 cuts it to 0.8, once for all requests
that were under way together; requests per minute and tokens per minute are buckets; `Retry-After` pauses the whole
endpoint, and so do rejections when there is no more than one request to cut. Callers are served as the line has them.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, inf

import anyio

from swarmmind.models.achieved import Achieved
from swarmmind.models.buckets import Bucket
from swarmmind.models.gauges import Snapshot
from swarmmind.models.line import Line, Waiter
from swarmmind.models.pace import SMALLEST_WINDOW, Cutting, Pace
from swarmmind.models.steering import Load, Steering
from swarmmind.ports import Call

START = 32
CEILING = 512
STEERED_CEILING = 2048
_CUT = 0.8
_GROWTH = 1.25  # at most, by throughput alone, at a server that is looked at
_SATURATED = 0.9  # of the limit
_WINDOWS = 4  # of answers are one there: most of a latency is on the way, and requests travel in swarms
_SHORTEST_SLEEP_SECONDS = 1e-6
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.02, 8.0


class Place:
    """One request's place at an endpoint; give it back with `release`, any number of times."""

    __slots__ = ("_limiter", "answered", "held", "round")

    def __init__(self, limiter: Limiter, round_: int) -> None:
        self._limiter, self.round, self.held, self.answered = limiter, round_, True, False

    def release(self) -> None:
        """Let the next caller in."""
        if self.held:
            self.held = False
            self._limiter.give_back(self.answered)


class Limiter:
    """Concurrency, requests per minute and tokens per minute of one endpoint.

    It reads the time from the calls it serves, so all of them must be on one clock.

    Args:
        concurrency: the user's own bound, which the limit never exceeds. Without looks at the server it starts there;
            by default it starts at 32 and stays within 512.
        requests_per_minute: never more requests than this start within any minute.
        tokens_per_minute: the same for the tokens that requests may cost at worst; a single request over a tenth of it
            is let through when nothing is owed.

    Attributes:
        limit: most requests in flight now. What the server has answered is not at the server any more: where looks
            steer the limit, as many replies again may be on their way into the journal, with their places held.
        in_flight: places held.
        answered: of these, those whose request the server has answered.
        waiting: callers in the queue.
        rejections: how often the server said 429 or 503.
        cuts: how often the limit was cut for it.
        achieved: how much really was in flight.
        steering: what judges looks at the server; `None` as long as nobody looks.
    """

    def __init__(
        self,
        concurrency: int | None = None,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
    ) -> None:
        self.concurrency = concurrency
        self.ceiling = CEILING if concurrency is None else concurrency
        self.limit = START if concurrency is None else concurrency
        self.in_flight = self.answered = self.waiting = 0
        self.rejections = self.cuts = 0
        self._line = Line()
        self._requests = None if requests_per_minute is None else Bucket(requests_per_minute)
        self._tokens = None if tokens_per_minute is None else Bucket(tokens_per_minute)
        self._paused_until = -inf
        self._pause_seconds = 0.0
        self._pace = Pace()
        self._cutting = Cutting()
        self.achieved = Achieved()
        self.steering: Steering | None = None
        self._now: Callable[[], float] | None = None  # of the calls that it serves
        self._busy = anyio.Event()

    async def acquire(self, call: Call, tokens: int = 0, priority: int = 0, prefix: bytes = b"") -> Place:
        """A place for a request, in turn; being cancelled while waiting is safe.

        Args:
            call: whom it is for.
            tokens: the most it can cost.
            priority: of its agent; lower is earlier.
            prefix: which requests it shares the head of its prompt with (see `Line`).
        """
        self._now, now = call.now, call.now()
        if self._line.head() is None and self._has_room() and self._seconds_until(now, tokens) <= 0:
            return self._take(now, tokens)
        waiter = Waiter(priority, prefix)
        self._line.push(waiter)
        self._count(now)
        self.waiting += 1
        try:
            return await self._wait(waiter, call, tokens)
        finally:
            seconds = call.now() - now
            call.queued(seconds)
            self.achieved.queued_seconds += seconds
            self._count(now + seconds)
            waiter.gone = True
            self.waiting -= 1
            self._call_next()

    async def _wait(self, waiter: Waiter, call: Call, tokens: int) -> Place:
        while True:
            if self._line.head() is waiter and self._has_room():
                seconds = self._seconds_until(call.now(), tokens)
                if seconds <= 0:
                    return self._take(call.now(), tokens)
                await call.sleep(max(seconds, _SHORTEST_SLEEP_SECONDS))
                continue
            await waiter.woken.rung()

    def _seconds_until(self, now: float, tokens: int) -> float:
        seconds = self._paused_until - now
        if self._requests is not None:
            seconds = max(seconds, self._requests.seconds_until(now, 1))
        if self._tokens is not None:
            seconds = max(seconds, self._tokens.seconds_until(now, tokens))
        return seconds

    def _take(self, now: float, tokens: int) -> Place:
        if self._requests is not None:
            self._requests.take(now, 1)
        if self._tokens is not None:
            self._tokens.take(now, tokens)
        if self._pace.since is None:
            self._pace.since = now
        self._count(now)
        if not self.in_flight:
            self._busy.set()
        self.in_flight += 1
        if not self._has_room() and self.waiting > 1:  # full, and somebody waits beside the one who takes it
            self._pace.saturated = True
        return Place(self, self.cuts)

    def give_back(self, answered: bool) -> None:
        """A place is free (`Place.release` calls this)."""
        if self._now is not None:
            self._count(self._now())
        self.in_flight -= 1
        self.answered -= answered
        self._call_next()

    def _has_room(self) -> bool:
        if self.steering is None:
            return self.in_flight < self.limit
        most = 2 * self.limit if self.concurrency is None else self.concurrency
        return self.in_flight - self.answered < self.limit and self.in_flight < most

    def _count(self, now: float) -> None:
        bound = self.concurrency is not None and self.limit >= self.concurrency
        self.achieved.changed(self.in_flight - self.answered, self.waiting, self.limit, bound, now)

    def _call_next(self) -> None:
        head = self._line.head()
        if head is not None and self._has_room():
            head.woken.ring()

    @property
    def most_in_flight(self) -> int:
        """The most requests that ever were under way at once."""
        return max(self.achieved.most, self.in_flight - self.answered)

    # --- what the server's answers say --------------------------------------------------------------------------------

    def rejected(self, place: Place, now: float, retry_after_seconds: float | None = None) -> None:
        """The server said 429 or 503; what was sent before the last cut has been answered by that cut."""
        self.rejections += 1
        if retry_after_seconds:
            self._pause(now + retry_after_seconds)
        self._heard(now, refused=True)
        if place.round != self.cuts or self._cutting.futile:
            return
        if self.limit == 1:
            self._pause_seconds = min(_LONGEST_PAUSE_SECONDS, max(_FIRST_PAUSE_SECONDS, 2 * self._pause_seconds))
            self._pause(now + self._pause_seconds)
            return
        self.cuts += 1
        self._pace.rejected(self.limit, now)
        if self.steering is not None:
            self.steering.rejected(self.limit, now)
        self._set(int(self.limit * _CUT), now)

    def failed(self) -> None:
        """The server failed in another way: it is not too busy to."""
        self._pause_seconds = 0.0

    def succeeded(self, place: Place, now: float) -> None:
        """The server answered; after a window of answers the limit is judged, if callers had to wait for it."""
        self.achieved.answered += 1
        self._pause_seconds = 0.0
        self._count(now)
        place.answered = True
        self.answered += 1
        if self.steering is not None:
            self._call_next()
        self._heard(now, refused=False)
        if place.round != self.cuts:
            return
        self._pace.done += 1
        if self.steering is None:
            if self._pace.done >= max(self.limit, SMALLEST_WINDOW):
                self._set(self._pace.judge(self.limit, self.ceiling, now), now)
        elif self._pace.done >= max(_WINDOWS * self.limit, SMALLEST_WINDOW // 2) and self.steering.is_roomy:
            ceiling = min(self.ceiling, ceil(_GROWTH * self.limit))
            self._set(self._pace.judge(self.limit, ceiling, now), now)
            self.steering.moved()

    def _heard(self, now: float, refused: bool) -> None:
        restored = self._cutting.answered(self.limit, now, refused)
        if restored is not None:
            self._set(restored, now)

    def _pause(self, until: float) -> None:
        self._paused_until = max(self._paused_until, until)

    def _set(self, limit: int, now: float) -> None:
        limit = max(1, limit)
        if limit == self.limit:
            return
        self._count(now)
        grows, self.limit = limit > self.limit, limit
        if grows:
            self._call_next()

    # --- what the server says of itself -------------------------------------------------------------------------------

    async def until_busy(self) -> None:
        """Until something is in flight."""
        while not self.in_flight:
            self._busy = anyio.Event()
            await self._busy.wait()

    def steer(self, capacity: int | None = None) -> None:
        """Begin low: somebody will look at the server, and say what it says or that it says nothing.

        Args:
            capacity: how many requests the server runs at once, if that is known.
        """
        self.ceiling = STEERED_CEILING if self.concurrency is None else self.concurrency
        self.steering = Steering(self.ceiling, capacity)
        self.limit = self.steering.first_limit

    def unsteered(self) -> None:
        """The server says nothing of itself: go by its answers."""
        self.steering = None
        self.ceiling = CEILING if self.concurrency is None else self.concurrency
        self._set(START if self.concurrency is None else self.concurrency, self._now() if self._now else 0.0)

    @property
    def is_settled(self) -> bool:
        """Whether the limit is no longer growing from look to look."""
        return self.steering is None or self.steering.is_settled

    def observe(self, seen: Snapshot) -> None:
        """Somebody has looked at the server."""
        if self.steering is None or self._now is None:
            return
        now = self._now()
        in_flight = self.in_flight - self.answered
        saturated = in_flight >= _SATURATED * self.limit and self.waiting > 0
        limit = self.steering.observe(seen, Load(self.limit, in_flight, saturated), now)
        if limit != self.limit:
            self._pace.moved(now)
            self._set(limit, now)
