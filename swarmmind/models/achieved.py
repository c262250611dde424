"""How much really was in flight at an endpoint, and what a person should know if it was less than it could have been.

An in-flight plateau far below the limit, with callers waiting, has its cause on our side: a busy loop, a slow disk, a
client's pool (users.md 2: #2, #21). One at the user's own bound is the bound's.
"""

from __future__ import annotations

_FEW_SECONDS = 1.0  # of being busy: nothing to warn about
_PLATEAU = 0.7  # of the limit, on average while callers waited
_MOSTLY = 0.9  # of the time that callers waited
_MANY_REFUSED = 0.05


class Achieved:
    """Counts what is in flight over time.

    Attributes:
        most: the most that ever was.
        busy_seconds: for how long there was any.
        queued_seconds: that requests waited on our side, all together.
        answered: requests that the server answered.
    """

    __slots__ = (
        "_bound",
        "_crowded",
        "_limit",
        "_sum",
        "_then",
        "_waited",
        "answered",
        "busy_seconds",
        "most",
        "queued_seconds",
    )

    def __init__(self) -> None:
        self.most = self.answered = 0
        self.busy_seconds = self.queued_seconds = 0.0
        self._then: float | None = None
        self._sum = 0.0  # request-seconds
        self._waited = 0.0  # seconds during which callers waited
        self._crowded = self._limit = self._bound = (
            0.0  # in these: request-seconds, limit-seconds, seconds at the bound
        )

    def changed(self, in_flight: int, waiting: int, limit: int, bound: bool, now: float) -> None:
        """Something is about to change.

        Args:
            in_flight: requests in flight until now.
            waiting: callers in the queue until now.
            limit: most in flight until now.
            bound: whether the limit was as high as the user lets it be.
            now: the run's clock, in seconds.
        """
        seconds = now - self._then if self._then is not None else 0.0
        self._then = now
        if in_flight > self.most:
            self.most = in_flight
        if not in_flight or seconds <= 0:
            return
        self.busy_seconds += seconds
        self._sum += in_flight * seconds
        if waiting:
            self._waited += seconds
            self._crowded += in_flight * seconds
            self._limit += limit * seconds
            self._bound += bound * seconds

    @property
    def mean(self) -> float | None:
        """Requests in flight, on average over the time in which there were any; `None` if there never were."""
        return self._sum / self.busy_seconds if self.busy_seconds else None

    def warnings(self, url: str, bound: int | None, rejections: int) -> list[str]:
        """What a person should know, a line each.

        Args:
            url: the server.
            bound: the user's own limit.
            rejections: how often it said 429 or 503.
        """
        found: list[str] = []
        if self._waited >= _FEW_SECONDS and self._crowded < _PLATEAU * self._limit:
            mean, limit = self._crowded / self._waited, self._limit / self._waited
            found.append(
                f"{url}: {mean:.0f} requests were in flight on average while others waited, of {limit:.0f} allowed: "
                "what held them back is on this side, a rate limit, a busy loop or a slow disk"
            )
        crowded = self._waited >= max(_FEW_SECONDS, self.busy_seconds / 2)
        if bound is not None and crowded and self._bound >= _MOSTLY * self._waited:
            found.append(
                f"{url}: was at its limits.concurrency of {bound} for {self._bound:.0f} s while requests waited: "
                "more may be faster"
            )
        if rejections > _MANY_REFUSED * (self.answered + rejections):
            share = rejections / (self.answered + rejections)
            found.append(f"{url}: refused {rejections} requests ({share:.0%}) as too many; they were sent again")
        return found
