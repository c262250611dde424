"""The command line as a process: what only a process shows, Ctrl-C above all."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from swarmmind.testing import FakeEndpoint
from tests.runs.projects import asked, stored, write_task

SWARMMIND = [sys.executable, "-m", "swarmmind"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def command(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SWARMMIND, *arguments], cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, timeout=30
    )


def test_module_and_exit_codes(work: Path) -> None:
    write_task(work)
    done = command(work, "run", "task.yaml", "--json")
    assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (0, "", 1)
    refused = command(work, "run", "task.yaml", "--set", "seed=x")
    assert (refused.returncode, refused.stdout, len(refused.stderr.splitlines())) == (2, "", 1)


def test_a_bug_keeps_its_traceback_and_says_where_the_run_is(work: Path) -> None:
    (work / "mine.py").write_text("def program(ctx, society):\n    yield []\n    return 1 / 0\n")
    write_task(work, swarm={"agents": {"solver": 1}, "topology": "./mine.py:program"}, score=None)
    done = command(work, "run", "task.yaml", "--json", "--allow-code")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" in done.stderr
    assert "mine.py" in done.stderr
    assert "ZeroDivisionError" in done.stderr


def test_a_terminal_that_lacks_letters_is_shown_the_rest(work: Path) -> None:
    done = command(work, "list", "topologies", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "a ??? b ??? c ??? d ??? result" in done.stdout


@pytest.mark.parametrize("reader", ["head -c 10", "true"])
def test_a_reader_that_goes_away_is_no_error(reader: str, work: Path) -> None:
    shell = f"{shlex.join(SWARMMIND)} list --json | {reader}"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", shell], cwd=work, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def heeded() -> Iterator[None]:
    """Children heed Ctrl-C, also where the tests run in the background of a shell, which has them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


async def interrupted(
    folder: Path, server: FakeEndpoint, talking: anyio.Event, *arguments: str
) -> tuple[int, str, str]:
    """Start a run, press Ctrl-C when the server is being talked to; exit code, stdout, stderr."""
    env = {**os.environ, "VLLM_BASE_URL": server.base_url}
    async with await anyio.open_process(
        [*SWARMMIND, *arguments], cwd=folder, env=env, stdin=subprocess.DEVNULL
    ) as process:
        with anyio.fail_after(20):
            await talking.wait()
            process.send_signal(signal.SIGINT)
            assert process.stdout is not None
            assert process.stderr is not None
            out = b"".join([chunk async for chunk in process.stdout])
            err = b"".join([chunk async for chunk in process.stderr])
            return await process.wait(), out.decode(), err.decode()


@pytest.mark.anyio
@pytest.mark.usefixtures("heeded")
async def test_ctrl_c_stops_at_once_and_the_command_it_prints_finishes_the_run(work: Path) -> None:
    folder = work / "a folder"
    (folder).mkdir()
    (folder / "mine.py").write_text("def score(output, target):\n    return float(target in output)\n")
    swarm = {"agents": {"solver": 3}, "topology": {"use": "debate", "rounds": 4}}
    write_task(folder, model="vllm/m", swarm=swarm, score={"use": "./mine.py:score", "target": "5"})
    talking = anyio.Event()
    answers = 0

    def reply(request: dict[str, Any]) -> str:
        nonlocal answers
        answers += 1
        if answers == 5:  # in the middle of the second round
            talking.set()
        return "ANSWER: 5"

    async with FakeEndpoint(reply, latency_seconds=0.2) as server:
        options = ["--json", "--runs", "my runs", "--allow-code"]
        code, out, err = await interrupted(folder, server, talking, "run", "task.yaml", *options)
        assert (code, out) == (130, "")
        assert "Traceback" not in err
        [run] = (folder / "my runs").iterdir()
        before = stored(run)
        kept = len(asked(run))
        assert before["status"] == "interrupted"
        assert 3 <= kept <= before["usage"]["calls"] <= server.received
        received = server.received
        assert received < 12  # it did stop

        words = shlex.split(err.strip().splitlines()[-1])
        assert words[:2] == ["swarmmind", "resume"]
        env = {**os.environ, "VLLM_BASE_URL": server.base_url}
        done = await anyio.run_process([*SWARMMIND, *words[1:], "--json"], cwd=folder, env=env)
        data = json.loads(done.stdout)
        assert (data["status"], data["score"], data["usage"]["calls"]) == ("finished", 1.0, 12)
        assert server.received == received + 12 - kept  # what was answered and kept is not asked again
        assert data["charged"]["calls"] == server.received  # what was in flight at Ctrl-C may be on the bill
