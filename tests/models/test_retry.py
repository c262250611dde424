from __future__ import annotations

import random

import pytest

from swarmmind.models.retry import backoff_seconds, kind_of, retry_after_seconds


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0.25", 0.25),
        ("0", 0.0),
        ("-3", 0.0),
        ("86400", 120.0),
        ("inf", 120.0),
        ("nan", None),
        ("", None),
        ("soon", None),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 59.0),
        ("Fri, 31 Dec 1999 23:58:59 GMT", 0.0),
    ],
)
def test_retry_after_in_seconds_and_as_a_date(header: str, seconds: float | None) -> None:
    assert retry_after_seconds({"retry-after": header, "date": "Fri, 31 Dec 1999 23:59:00 GMT"}) == seconds


def test_a_date_without_the_servers_clock_is_read_by_ours() -> None:
    assert retry_after_seconds({"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}) == 0.0
    assert retry_after_seconds({}) is None


def test_waits_double_with_chance_and_have_an_end() -> None:
    rng = random.Random(1)
    for attempt, longest in ((1, 0.5), (2, 1.0), (3, 2.0), (7, 30.0), (50, 30.0)):
        waits = [backoff_seconds(attempt, rng) for _ in range(200)]
        assert longest / 2 <= min(waits) < max(waits) <= longest
        assert max(waits) - min(waits) > longest / 4


def test_kinds_of_status() -> None:
    kinds = {status: kind_of(status) for status in (301, 400, 401, 404, 408, 409, 422, 429, 500, 502, 503, 529)}
    assert [status for status, kind in kinds.items() if kind == "refused"] == [301, 400, 401, 404, 422]
    assert [status for status, kind in kinds.items() if kind == "busy"] == [429, 503]
    assert kinds[408] == "timeout"
    assert [status for status, kind in kinds.items() if kind == "server"] == [409, 500, 502, 529]
