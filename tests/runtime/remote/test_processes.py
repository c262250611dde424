"""Workers that are processes, and die like processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import anyio
import pytest

from swarmmind.runtime.engines.processes import Processes
from swarmmind.runtime.journal import content
from swarmmind.runtime.remote.head import Head
from swarmmind.testing.fake_endpoint import FakeEndpoint

from .site import Piece, named, real, run

PIECES = [Piece(f"p{number}") for number in range(8)]  # 15 calls each
ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers find what these tests give them to work with."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def test_a_killed_process_is_replaced_and_no_finished_call_is_made_again(tmp_path: Path) -> None:
    places = 6
    here, server, engine = FakeEndpoint(), FakeEndpoint(latency_seconds=0.02), Processes(1)
    alone = run(tmp_path / "a.sqlite", PIECES, real, server=here)

    heads: list[Head] = []

    async def kill_one(head: Head, running: Any) -> Any:
        async def soon() -> None:
            while server.answered < 40:
                await anyio.sleep(0.001)
            os.kill(engine.pids[0], signal.SIGKILL)

        async with anyio.create_task_group() as group:
            group.start_soon(soon)
            heads.append(head)
            return await running

    ran = run(tmp_path / "b.sqlite", PIECES, real, server=server, concurrency=places, engine=engine, beside=kill_one)
    assert [head.lost for head in heads] == [1]
    assert ran.outcome == alone.outcome
    assert list(content(tmp_path / "b.sqlite")) == list(content(tmp_path / "a.sqlite"))
    assert server.received - here.received <= places
    assert server.most_in_flight <= places
    total = ran.meter.total()
    assert total.planned == total.finished + total.failed + total.cancelled == 120
    assert engine.pids == []


def test_a_worker_that_hangs_does_not_stop_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = tmp_path / "go-on"
    monkeypatch.setenv("GO_ON", str(go_on))

    async def release(head: Head, running: Any) -> Any:
        async def when_all_others_are_done() -> None:
            while head.done_so_far < 4:  # of the pieces that do not share its worker
                await anyio.sleep(0.01)
            go_on.touch()

        async with anyio.create_task_group() as group:
            group.start_soon(when_all_others_are_done)
            return await running

    ran = run(tmp_path / "j.sqlite", PIECES, named, job=b"hanging", engine=Processes(2), beside=release)
    assert ran.outcome.value == [["fine"]] * len(PIECES)


def test_what_kills_every_worker_is_found_out(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"run/1/p3\.0: 3 workers in a row were lost"):
        run(tmp_path / "j.sqlite", PIECES, named, job=b"deadly", engine=Processes(2))


def test_what_is_printed_on_workers_is_not_on_stdout(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run(tmp_path / "j.sqlite", PIECES, named, job=b"loud", engine=Processes(2))
    told = capfd.readouterr()
    assert told.out == ""
    assert (told.err.count("said"), told.err.count("written")) == (len(PIECES), len(PIECES))


def test_a_worker_leaves_ctrl_c_to_the_head(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    server, engine = FakeEndpoint(latency_seconds=0.02), Processes(2)
    lost: list[int] = []

    async def interrupt_all(head: Head, running: Any) -> Any:
        async def soon() -> None:
            while server.answered < 40:
                await anyio.sleep(0.001)
            for pid in engine.pids:
                os.kill(pid, signal.SIGINT)

        async with anyio.create_task_group() as group:
            group.start_soon(soon)
            outcome = await running
            lost.append(head.lost)
            return outcome

    ran = run(tmp_path / "j.sqlite", PIECES, real, server=server, concurrency=6, engine=engine, beside=interrupt_all)
    assert ran.outcome.ok
    assert lost == [0]
    assert server.received == 120
    assert capfd.readouterr().err == ""


ORPHANING = """
import sys
from pathlib import Path
import anyio
from swarmmind.runtime.engines.processes import Processes
from tests.runtime.remote.site import Piece, named, run

engine = Processes(1)

async def beside(head, running):
    async def tell():
        await anyio.sleep(1.0)
        print(*engine.pids, flush=True)
    async with anyio.create_task_group() as group:
        group.start_soon(tell)
        return await running

run(Path(sys.argv[1]), [Piece("p0")], named, job=b"hanging", engine=engine, beside=beside)
"""


def test_a_worker_that_hangs_ends_with_a_head_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ORPHANING, str(tmp_path / "j.sqlite")]
    environ = {**os.environ, "GO_ON": str(tmp_path / "never")}
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as head:
        assert head.stdout is not None
        worker = int(head.stdout.readline())
        head.kill()
    by = time.monotonic() + 20
    while _is_there(worker):
        assert time.monotonic() < by
        time.sleep(0.05)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
