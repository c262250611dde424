"""Real vLLM servers of somebody else: one dies and comes back during a run, one refuses what it will not queue."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration

SERVE = Path(__file__).with_name("serve_vllm.sh")
START_SECONDS = 300.0
TASK = """\
schema: swarmmind/v1
problem: Which of the five boxes holds the key?
model: {{name: vllm/tiny, extra: {{ignore_eos: true}}{limits}}}
sampling: {{max_tokens: 40}}
swarm:
  agents: {{solver: 100}}
  topology: {{use: vote, samples: {calls}}}
"""


@contextmanager
def serving(root: Path, port: int, *flags: str) -> Generator[subprocess.Popen[bytes]]:
    """A server at a port, in a session of its own; killed at the end."""
    with (root / "foreign.log").open("a") as log:
        command = [SERVE, str(port), root, *flags]
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            yield server
        finally:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait(60)


def until_healthy(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, "vLLM ended; see foreign.log"
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2) as response:
            if response.status == 200:
                return
        time.sleep(0.2)
    raise AssertionError("vLLM was not up in time; see foreign.log")


def started(folder: Path, port: int, calls: int, limits: str = "") -> subprocess.Popen[str]:
    """A run against the server at a port, going on; what it says of itself is in `stderr`."""
    (folder / "task.yaml").write_text(TASK.format(calls=calls, limits=limits))
    command = [sys.executable, "-m", "swarmmind", "run", "task.yaml", "--json", "--display", "plain"]
    environ = {"VLLM_BASE_URL": f"http://127.0.0.1:{port}/v1", "PATH": "/usr/bin:/bin"}
    with (folder / "stderr").open("w") as told:
        return subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=told, text=True)


def result_of(run: subprocess.Popen[str], folder: Path) -> dict[str, Any]:
    out, _ = run.communicate(timeout=600)
    assert run.returncode == 0, (folder / "stderr").read_text()[-3000:]
    return json.loads(out)


def answers(folder: Path) -> int:
    """What the progress lines said last."""
    told = [line for line in (folder / "stderr").read_text().splitlines() if " answers · " in line]
    return int(told[-1].partition(" of ")[0].rpartition("· ")[2].replace(",", "")) if told else 0


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_a_server_dies_and_somebody_starts_it_again(installed: Path, tmp_path: Path, port: int) -> None:
    calls = 3000
    with serving(installed, port) as first:
        until_healthy(first, port)
        run = started(tmp_path, port, calls)
        deadline = time.monotonic() + 60
        while answers(tmp_path) < 300:
            assert run.poll() is None, (tmp_path / "stderr").read_text()[-3000:]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(first.pid, signal.SIGKILL)
        there = answers(tmp_path)
        first.wait(60)
    assert run.poll() is None
    assert there < calls
    time.sleep(3.0)
    with serving(installed, port) as second:
        until_healthy(second, port)
        result = result_of(run, tmp_path)
    assert result["status"] == "finished"
    assert (result["coverage"]["planned"], result["coverage"]["finished"]) == (calls, calls)
    (served,) = result["served"]
    under_way = 1.5 * 64  # when it died; as many may have knocked in vain before that was known
    assert result["charged"]["calls"] <= calls + 2 * under_way
    assert any("was gone once and waited for" in warning for warning in result["warnings"])
    assert served["answered"] == calls


@pytest.mark.parametrize("limits", ["", ", limits: {concurrency: 64}"])
def test_what_a_server_refuses_reaches_no_agent(installed: Path, tmp_path: Path, port: int, limits: str) -> None:
    calls, capacity = 500, 4
    with serving(installed, port, "--max-num-seqs", str(capacity), "--max-num-queued-reqs", "5") as server:
        until_healthy(server, port)
        result = result_of(started(tmp_path, port, calls, limits), tmp_path)
    assert result["status"] == "finished"
    assert (result["coverage"]["planned"], result["coverage"]["finished"]) == (calls, calls)
    assert result["failures"] == []
    (served,) = result["served"]
    assert served["answered"] == calls
    assert served["most_in_flight"] <= 1.5 * capacity
    assert served["rejections"] <= calls / 20
    assert result["charged"]["calls"] == calls + served["rejections"]
