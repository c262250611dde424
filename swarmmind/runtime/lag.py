"""How late an event loop was, and whose code held it up (see `watchdog`): what is known of it, and said of it."""

from __future__ import annotations

from collections import Counter
from math import log2

import msgspec

BEAT_SECONDS = 0.02
"""How often it is measured."""

_STEPS = 8  # of the histogram, from one number to its double
_FINEST_SECONDS = 1e-4
_BAD_SECONDS, _BAD_SHARE, _BAD_P99_SECONDS = 1.0, 0.05, 0.1
_BUSY_SECONDS, _BUSY_SHARE = 10.0, 0.2


class Culprit(msgspec.Struct, frozen=True):
    """What held the loop up, and for how long in all.

    Attributes:
        where: `file:line function`, the line being the one it was seen at most; or a word for what has no line.
        seconds: in stalls.
    """

    where: str
    seconds: float


class Lag(msgspec.Struct, frozen=True):
    """How late the loop was, over the moments of a run: whatever becomes due at one of them comes so much later.

    Attributes:
        p50_seconds: at half of the moments it was no later.
        p99_seconds: at 99 of 100.
        max_seconds: the longest that it stood still.
        own_p99_seconds: as `p99_seconds`, but of its lag only what the loop's thread computed meanwhile.
        stalled_seconds: all stalls that something in this process is to blame for, together.
        busy_seconds: all stalls in which the machine was busy with something else, or asleep.
        watched_seconds: how long it was watched.
        culprits: what held it up, the worst first; at most five.
    """

    p50_seconds: float
    p99_seconds: float
    max_seconds: float
    own_p99_seconds: float
    stalled_seconds: float
    busy_seconds: float
    watched_seconds: float
    culprits: list[Culprit] = []

    @property
    def warnings(self) -> list[str]:
        """What a person should know of it: a line, or nothing if all is well."""
        seconds, watched = self.stalled_seconds, self.watched_seconds
        tail = f"p99 of its lag {1000 * self.p99_seconds:,.0f} ms, worst {self.max_seconds:,.2f} s"
        if seconds >= _BAD_SECONDS and (seconds >= _BAD_SHARE * watched or self.own_p99_seconds >= _BAD_P99_SECONDS):
            most = f"; most in {self.culprits[0].where} ({self.culprits[0].seconds:,.1f} s)" if self.culprits else ""
            return [f"all agents stood still for {seconds:,.1f} s while the event loop was held up ({tail}){most}"]
        if self.busy_seconds >= _BUSY_SECONDS and self.busy_seconds >= _BUSY_SHARE * watched:
            return [f"the machine was busy: the run waited {self.busy_seconds:,.1f} s for a processor ({tail})"]
        return []


class Histogram:
    """Seconds by size, in steps of a twelfth part: percentiles of any number of them in constant space."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self.worst = 0.0

    def add(self, seconds: float) -> None:
        """One measurement."""
        self.worst = max(self.worst, seconds)
        self._counts[0 if seconds <= _FINEST_SECONDS else 1 + int(_STEPS * log2(seconds / _FINEST_SECONDS))] += 1

    def stood(self, seconds: float) -> None:
        """A beat came so late: whatever was due since the one before had to wait too, the latest the shortest."""
        while True:
            self.add(max(seconds, 0.0))
            seconds -= BEAT_SECONDS
            if seconds <= 0:
                return

    def percentile(self, share: float) -> float:
        """No more than this is `share` of all that was measured, to a twelfth; 0 if nothing was."""
        left = share * self._counts.total()
        for step in sorted(self._counts):
            left -= self._counts[step]
            if left <= 0:
                return min(self.worst, _FINEST_SECONDS * 2 ** (step / _STEPS))
        return self.worst
