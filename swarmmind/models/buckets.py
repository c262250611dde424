"""So much per minute: a token bucket whose burst is a tenth, so that no minute whatever sees more than its due."""

from __future__ import annotations

_BURST_SHARE = 0.1
_ROUNDING = 1e-9


class Bucket:
    """`per_minute` units in any minute: a tenth at once, the rest evenly over the minute.

    A request larger than the burst may start when the bucket is full, and is owed for.
    """

    __slots__ = ("_burst", "_level", "_per_second", "_then")

    def __init__(self, per_minute: float) -> None:
        self._burst = max(min(1.0, per_minute), per_minute * _BURST_SHARE)
        rest = per_minute - self._burst
        self._per_second = (rest if rest > 0 else per_minute) / 60
        self._level = self._burst
        self._then: float | None = None

    def seconds_until(self, now: float, amount: float) -> float:
        """How long until `amount` may be taken; 0 or less is now."""
        short = min(amount, self._burst) - self._filled(now)
        return short / self._per_second if short > _ROUNDING else 0.0

    def take(self, now: float, amount: float) -> None:
        """Take it; the level may go below zero."""
        self._level = self._filled(now) - amount
        self._then = now

    def _filled(self, now: float) -> float:
        if self._then is None:
            return self._level
        return min(self._burst, self._level + (now - self._then) * self._per_second)
