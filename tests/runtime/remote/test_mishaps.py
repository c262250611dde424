"""What goes wrong on a worker, and what does not go wrong because of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from swarmmind.errors import UserError
from swarmmind.runtime.remote.head import Head
from swarmmind.testing.fake_endpoint import FakeEndpoint

from .near import Near
from .site import Piece, named, real, rehearsal, run, spoiled

PIECES = [Piece(f"p{number}") for number in range(8)]


def test_a_bug_arrives_in_its_own_clothes_with_the_place_where_it_is(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError, match="in p3") as caught:
        run(tmp_path / "j.sqlite", PIECES, named, job=b"buggy", engine=Near(2))
    assert 'raise ZeroDivisionError("in p3")' in "".join(caught.value.__notes__)


def test_what_a_user_can_mend_is_told_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the folder is not there"):
        run(tmp_path / "j.sqlite", PIECES, spoiled, engine=Near(2))


def test_workers_that_are_never_ready_end_the_run(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no worker could be started"):
        run(tmp_path / "j.sqlite", PIECES, rehearsal, engine=Near(2, [0] * 6))


def test_a_worker_that_is_lost_again_and_again_is_replaced_as_often(tmp_path: Path) -> None:
    engine = Near(1, [1, 1])
    assert run(tmp_path / "j.sqlite", PIECES[:1], rehearsal, engine=engine).outcome.ok
    assert engine.hired == 3


def test_what_loses_three_workers_in_a_row_is_a_bug(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"run/1/p0\.0: 3 workers in a row were lost"):
        run(tmp_path / "j.sqlite", PIECES[:1], rehearsal, engine=Near(1, [1] * 9))


def test_a_run_that_is_cancelled_leaves_nothing_in_flight(tmp_path: Path) -> None:
    server = FakeEndpoint(latency_seconds=60.0)

    async def cut(head: Head, running: Any) -> Any:
        async def soon(scope: anyio.CancelScope) -> None:
            while server.in_flight < 4:
                await anyio.sleep(0.001)
            scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(soon, group.cancel_scope)
            await running
        with anyio.fail_after(5):
            while server.in_flight:
                await anyio.sleep(0.001)

    ran = run(tmp_path / "j.sqlite", PIECES, real, server=server, concurrency=4, engine=Near(2), beside=cut)
    assert ran.purse.reserved.calls == 0
    assert ran.purse.spent.calls == 4  # they may have been worked on
    total = ran.meter.total()
    assert total.planned == total.finished + total.failed + total.cancelled
