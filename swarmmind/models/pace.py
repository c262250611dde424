"""Where nothing is known of a server but its answers: whether growing pays, and whether cutting helps.

By Little's law latency that rises without throughput is a queue at the server, and it belongs on our side (users.md
4e).
"""

from __future__ import annotations

from math import inf

_FAST_GROWTH = 1.5  # per window, until the first cut or the first growth that did not pay
_SLOW_GROWTH = 1.1
_GAIN = 0.25  # of the throughput that a growth promises: less, and it did not pay
_PATIENCE_WINDOWS = 10  # before a limit that did not pay, or was rejected, is tried again
SMALLEST_WINDOW = 32
_FEW_REFUSED = 0.05  # of a window's answers: nothing to learn from
_SAME, _WORSE = 0.75, 1.5
_FUTILE_WINDOWS, _MOST_TIMES = 20, 4  # doubled as often when it turns out futile again


class Cutting:
    """Whether cutting helps. A server that refuses by chance, whatever its load, gains nothing from an idle client.

    Windows of answers are compared: if the limit was halved, as large a share is refused as before, and fewer requests
    are answered a second, then the cuts did not help. They are taken back, and none is made for a while.
    """

    def __init__(self) -> None:
        self.futile = 0  # windows left in which a refusal cuts nothing
        self._accepted = self._refused = self._began_at = self._times = 0
        self._since: float | None = None
        self._worst: tuple[int, float, float] | None = None  # limit, share refused and answers per second before cuts

    def answered(self, limit: int, now: float, refused: bool) -> int | None:
        """Count an answer; returns the limit to go back to, if the cuts since then turned out futile."""
        self._refused += refused
        self._accepted += not refused
        answers = self._accepted + self._refused
        self._began_at = max(self._began_at, limit)
        if answers < max(limit, SMALLEST_WINDOW):
            return None
        share, seconds = self._refused / answers, now - (self._since if self._since is not None else now)
        rate = self._accepted / seconds if seconds > 0 else inf
        self._accepted = self._refused = 0
        self._since, self.futile = now, max(0, self.futile - 1)
        began_at, self._began_at = self._began_at, 0
        return self._judged(began_at, share, rate)

    def _judged(self, began_at: int, share: float, rate: float) -> int | None:
        if share < _FEW_REFUSED:
            self._worst, self._times = None, 0
        elif self._worst is None or began_at > self._worst[0]:
            self._worst = (began_at, share, rate)
        elif self.futile:
            if share > _WORSE * self._worst[1]:
                self.futile = 0
        else:
            before, share_before, rate_before = self._worst
            if 2 * began_at <= before and share > _SAME * share_before and rate < _SAME * rate_before:
                self.futile = _FUTILE_WINDOWS * 2**self._times
                self._times = min(_MOST_TIMES, self._times + 1)
                return before
        return None


class Pace:
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
        self.moved(now)

    def moved(self, now: float) -> None:
        """The limit is about to be another, for reasons that are not throughput's: what was measured is void."""
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
