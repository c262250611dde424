"""Limits hold over all workers together, as the server counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmmind.effects import Limits
from swarmmind.testing.fake_endpoint import FakeEndpoint

from .near import Near
from .site import Piece, Ran, real, run

PIECES = [Piece(f"p{number}") for number in range(8)]  # 15 calls each


@pytest.mark.parametrize("workers", [2, 3])
def test_no_more_requests_are_in_flight_than_one_limiter_allows(tmp_path: Path, workers: int) -> None:
    server = FakeEndpoint(latency_seconds=0.01)
    ran = run(tmp_path / "j.sqlite", PIECES, real, server=server, concurrency=5, engine=Near(workers))
    assert ran.outcome.ok
    assert server.most_in_flight == 5
    assert server.received == 120


@pytest.mark.parametrize("workers", [2, 3])
def test_a_budget_of_calls_is_one_wall_for_all_workers(tmp_path: Path, workers: int) -> None:
    server = FakeEndpoint(latency_seconds=0.002)
    ran = run(tmp_path / "j.sqlite", PIECES, real, server=server, engine=Near(workers), limits=Limits(calls=50))
    assert ran.outcome.stopped == "calls"
    assert server.received == 50
    assert ran.purse.spent.calls == 50
    assert ran.purse.reserved.calls == 0
    _accounted(ran)


def test_the_rest_is_made_by_a_resumed_run_and_nothing_twice(tmp_path: Path) -> None:
    first, second = FakeEndpoint(), FakeEndpoint()
    run(tmp_path / "j.sqlite", PIECES, real, server=first, engine=Near(2), limits=Limits(calls=50))
    ran = run(tmp_path / "j.sqlite", PIECES, real, server=second, engine=Near(3), limits=Limits(calls=200))
    assert ran.outcome.ok
    assert ran.outcome.stopped is None
    assert first.received + second.received == 120
    _accounted(ran)


def test_a_busy_server_is_spared_by_all_workers(tmp_path: Path) -> None:
    server = FakeEndpoint(latency_seconds=0.01, capacity=3)
    ran = run(tmp_path / "j.sqlite", PIECES, real, server=server, engine=Near(2), concurrency=12)
    assert ran.outcome.ok
    assert ran.meter.total().failed == 0
    assert server.answered == 120


def test_a_run_out_of_time_ends_on_workers_too(tmp_path: Path) -> None:
    server = FakeEndpoint(latency_seconds=0.05)
    ran = run(
        tmp_path / "j.sqlite",
        PIECES,
        real,
        server=server,
        concurrency=1,
        engine=Near(2),
        limits=Limits(seconds=0.5),
    )
    assert ran.outcome.stopped == "seconds"
    assert server.received < 30
    _accounted(ran)


def _accounted(ran: Ran) -> None:
    total = ran.meter.total()
    assert total.planned == total.finished + total.failed + total.cancelled
