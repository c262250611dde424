"""What may be tried again, and when: timeouts, disconnects, 408/409/429/5xx and answers that are no answer."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from swarmmind.effects import FailureKind

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
LONGEST_RETRY_AFTER_SECONDS = 120.0
_BUSY = (429, 503)


def kind_of(status: int) -> FailureKind:
    """The kind of failure that an HTTP status other than 2xx stands for."""
    if status in _BUSY:
        return "busy"
    if status == 408:
        return "timeout"
    if status == 409 or status >= 500:
        return "server"
    return "refused"


def backoff_seconds(attempt: int, rng: random.Random) -> float:
    """How long to wait after the `attempt`-th try (from 1): doubling, with half of it left to chance."""
    longest = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** (attempt - 1))
    return longest * rng.uniform(0.5, 1.0)


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """How long the server asks us to stay away: `Retry-After` in seconds or as a date (RFC 9110, 10.2.3).

    A date is read against the response's own `Date`, so that our clock need not agree with the server's. Capped at
    two minutes; `None` if there is no such header or it cannot be read.
    """
    value = headers.get("retry-after")
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        then = _date(value)
        if then is None:
            return None
        seconds = (then - (_date(headers.get("date") or "") or datetime.now(UTC))).total_seconds()
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_SECONDS) if seconds == seconds else None


def _date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
