"""The server is kept full and never flooded: one limiter per endpoint and key in the process.

How much is in flight adapts. While callers wait for a place, the limit grows as long as growing pays: by Little's law
latency that rises without throughput is a queue at the server, and it belongs on our side (users.md 4e). A 429 or 503
cuts it to 0.8, once for all requests that were under way together; requests per minute and tokens per minute are
buckets; `Retry-After` pauses the whole endpoint. Callers are served in the order they came.
"""

from __future__ import annotations

from math import inf

import anyio

from swarmmind.models.buckets import Bucket
from swarmmind.models.line import Line, Waiter
from swarmmind.ports import Call

START = 32
CEILING = 512
_CUT = 0.8
_FAST_GROWTH = 1.5  # per window, until the first cut or the first growth that did not pay
_SLOW_GROWTH = 1.1
_GAIN = 0.25  # of the throughput that a growth promises: less, and it did not pay
_PATIENCE_WINDOWS = 10  # before a limit that did not pay, or was rejected, is tried again
_SMALLEST_WINDOW = 32
_FEW_REFUSED = 0.05  # of a window's answers: nothing to learn from
_SAME, _WORSE = 0.75, 1.5
_FUTILE_WINDOWS = 20
_SHORTEST_SLEEP_SECONDS = 1e-6


class Place:
    """One request's place at an endpoint; give it back with `release`, any number of times."""

    __slots__ = ("_limiter", "held", "round")

    def __init__(self, limiter: Limiter, round_: int) -> None:
        self._limiter, self.round, self.held = limiter, round_, True

    def release(self) -> None:
        """Let the next caller in."""
        if self.held:
            self.held = False
            self._limiter.give_back()


class Limiter:
    """Concurrency, requests per minute and tokens per minute of one endpoint.

    It reads the time from the calls it serves, so all of them must be on one clock.

    Args:
        concurrency: the user's own bound: the limit starts there and never exceeds it. By default it starts at 32 and
            stays within 512.
        requests_per_minute: never more requests than this start within any minute.
        tokens_per_minute: the same for the tokens that requests may cost at worst; a single request over a tenth of it
            is let through when nothing is owed.

    Attributes:
        limit: most requests in flight now.
        in_flight: places held.
        most_in_flight: the most that were ever held at once.
        waiting: callers in the queue.
        rejections: how often the server said 429 or 503.
        cuts: how often the limit was cut for it.
    """

    def __init__(
        self,
        concurrency: int | None = None,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
    ) -> None:
        self.ceiling = CEILING if concurrency is None else concurrency
        self.limit = START if concurrency is None else concurrency
        self.in_flight = self.most_in_flight = self.waiting = 0
        self.rejections = self.cuts = 0
        self._line = Line()
        self._requests = None if requests_per_minute is None else Bucket(requests_per_minute)
        self._tokens = None if tokens_per_minute is None else Bucket(tokens_per_minute)
        self._paused_until = -inf
        self._pace = _Pace()
        self._cutting = _Cutting()

    async def acquire(self, call: Call, tokens: int = 0, priority: int = 0, prefix: bytes = b"") -> Place:
        """A place for a request, in turn; being cancelled while waiting is safe.

        Args:
            call: whom it is for.
            tokens: the most it can cost.
            priority: of its agent; lower is earlier.
            prefix: which requests it shares the head of its prompt with (see `Line`).
        """
        now = call.now()
        if self._line.head() is None and self.in_flight < self.limit and self._seconds_until(now, tokens) <= 0:
            return self._take(now, tokens)
        waiter = Waiter(priority, prefix)
        self._line.push(waiter)
        self.waiting += 1
        try:
            place = await self._wait(waiter, call, tokens)
            call.queued(call.now() - now)
            return place
        finally:
            waiter.gone = True
            self.waiting -= 1
            self._call_next()

    async def _wait(self, waiter: Waiter, call: Call, tokens: int) -> Place:
        while True:
            if self._line.head() is waiter and self.in_flight < self.limit:
                seconds = self._seconds_until(call.now(), tokens)
                if seconds <= 0:
                    return self._take(call.now(), tokens)
                await call.sleep(max(seconds, _SHORTEST_SLEEP_SECONDS))
                continue
            await waiter.woken.wait()
            waiter.woken = anyio.Event()

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
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        if self.in_flight >= self.limit and self.waiting > 1:  # full, and somebody waits beside the one who takes it
            self._pace.saturated = True
        return Place(self, self.cuts)

    def give_back(self) -> None:
        """A place is free (`Place.release` calls this)."""
        self.in_flight -= 1
        self._call_next()

    def _call_next(self) -> None:
        head = self._line.head()
        if head is not None and self.in_flight < self.limit:
            head.woken.set()

    # --- what the server says -----------------------------------------------------------------------------------------

    def rejected(self, place: Place, now: float, retry_after_seconds: float | None = None) -> None:
        """The server said 429 or 503; what was sent before the last cut has been answered by that cut."""
        self.rejections += 1
        if retry_after_seconds:
            self._paused_until = max(self._paused_until, now + retry_after_seconds)
        self._answered(now, refused=True)
        if place.round == self.cuts and not self._cutting.futile:
            self.cuts += 1
            self._pace.rejected(self.limit, now)
            self.limit = max(1, int(self.limit * _CUT))

    def succeeded(self, place: Place, now: float) -> None:
        """The server answered; after a window of answers the limit is judged, if callers had to wait for it."""
        self._answered(now, refused=False)
        if place.round != self.cuts:
            return
        self._pace.done += 1
        if self._pace.done >= max(self.limit, _SMALLEST_WINDOW):
            self.limit = self._pace.judge(self.limit, self.ceiling, now)
            self._call_next()

    def _answered(self, now: float, refused: bool) -> None:
        restored = self._cutting.answered(self.limit, now, refused)
        if restored is not None:
            self.limit = restored
            self._call_next()


class _Cutting:
    """Whether cutting helps. A server that refuses by chance, whatever its load, gains nothing from an idle client.

    Windows of answers are compared: if the limit was halved, as large a share is refused as before, and fewer requests
    are answered a second, then the cuts did not help. They are taken back, and none is made for a while.
    """

    def __init__(self) -> None:
        self.futile = 0  # windows left in which a refusal cuts nothing
        self._accepted = self._refused = self._began_at = 0
        self._since: float | None = None
        self._worst: tuple[int, float, float] | None = None  # limit, share refused and answers per second before cuts

    def answered(self, limit: int, now: float, refused: bool) -> int | None:
        """Count an answer; returns the limit to go back to, if the cuts since then turned out futile."""
        self._refused += refused
        self._accepted += not refused
        answers = self._accepted + self._refused
        self._began_at = max(self._began_at, limit)
        if answers < max(limit, _SMALLEST_WINDOW):
            return None
        share, seconds = self._refused / answers, now - (self._since if self._since is not None else now)
        rate = self._accepted / seconds if seconds > 0 else inf
        self._accepted = self._refused = 0
        self._since, self.futile = now, max(0, self.futile - 1)
        began_at, self._began_at = self._began_at, 0
        return self._judged(limit, began_at, share, rate)

    def _judged(self, limit: int, began_at: int, share: float, rate: float) -> int | None:
        if share < _FEW_REFUSED:
            self._worst = None
        elif self._worst is None or began_at > self._worst[0]:
            self._worst = (began_at, share, rate)
        elif self.futile:
            if share > _WORSE * self._worst[1]:
                self.futile = 0
        else:
            before, share_before, rate_before = self._worst
            if 2 * limit <= before and share > _SAME * share_before and rate < _SAME * rate_before:
                self.futile = _FUTILE_WINDOWS
                return before
        return None


class _Pace:
    """Whether growing pays: hill climbing on the throughput of windows of answers.

    A window is as many answers as the limit: with steady latency that is one latency, in which requests that were
    added at its start are answered too, so that two windows can be compared.
    """

    def __init__(self) -> None:
        self.done = 0
        self.saturated = False
        self.since: float | None = None
        self._growth = _FAST_GROWTH
        self._best = 0.0  # answers per second at the present limit
        self._before: tuple[int, float] | None = None  # the limit before the growth on trial, and its best throughput
        self._patience = 0
        self._rejected_at = inf

    def judge(self, limit: int, ceiling: int, now: float) -> int:
        """The limit after a window of answers at `limit`."""
        since, done, saturated = self.since, self.done, self.saturated
        self.since, self.done, self.saturated = now, 0, False
        if not saturated:
            return limit
        rate = done / (now - since) if since is not None and now > since else inf
        self._best = max(self._best, rate)
        if self._before is not None:
            smaller, best = self._before
            self._before = None
            if rate < best * (1 + _GAIN * (limit / smaller - 1)):
                self._growth, self._best, self._patience = _SLOW_GROWTH, best, _PATIENCE_WINDOWS
                return smaller
            self._best = rate
        if self._patience:
            self._patience -= 1
            return limit
        return self._grown(limit, ceiling)

    def rejected(self, limit: int, now: float) -> None:
        """The limit is about to be cut."""
        self._rejected_at, self._growth = limit, _SLOW_GROWTH
        self._before, self._best, self._patience = None, 0.0, 0
        self.since, self.done, self.saturated = now, 0, False

    def _grown(self, limit: int, ceiling: int) -> int:
        grown = min(ceiling, max(limit + 1, int(limit * self._growth)))
        if grown >= self._rejected_at:
            grown = max(limit, int(self._rejected_at) - 1)
            if grown == limit:  # right below what was too much: stay a while, then try again
                self._patience, self._rejected_at = _PATIENCE_WINDOWS, inf
        if grown > limit:
            self._before, self._best = (limit, self._best), 0.0
        return grown
