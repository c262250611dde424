from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.models.vllm.faking import alive, install, started_in, until

Environ = dict[str, str]
Started = Callable[[], list[dict[str, Any]]]
WORDS = [sys.executable, "-m", "swarmmind"]
TASK = """\
schema: swarmmind/v1
problem: {environment: swarmbench/pursuit, size: 8, view: 5, rounds: 40, actions: choice}
model: {vllm: good, manage: true, limits: {concurrency: 6}}
swarm: {agents: {worker: 6}, topology: world}
seed: 7
"""


@pytest.fixture
def fake(tmp_path: Path) -> Environ:
    return install(tmp_path)


@pytest.fixture
def started(tmp_path: Path) -> Started:
    return partial(started_in, tmp_path)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_server_from_its_one_line_to_ctrl_c(
    number: signal.Signals,
    code: int,
    fake: Environ,
    started: Started,
    tmp_path: Path,
) -> None:
    port = free_port()
    words = [*WORDS, "vllm", "good", "--port", str(port), "--max-num-seqs", "8", "--json", "--", "--seed=3"]
    with subprocess.Popen(words, env=fake, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        said = json.loads(server.stdout.readline())
        assert (said["base_url"], said["model"]) == (f"http://127.0.0.1:{port}/v1", "vllm/good")
        assert said["version"] == "0.99.fake"
        assert said["command"].endswith("--max-num-seqs=8 --seed=3")
        with urllib.request.urlopen(f"{said['base_url']}/models", timeout=10) as answer:  # no key is asked for
            assert answer.status == 200
        server.send_signal(number)
        assert server.wait(60) == code
        assert server.stdout.read() == b""  # exactly one record
        assert server.stderr.read().startswith(b"starting vLLM for good")
    assert not alive(started()[0]["engine"])


def test_mistakes_are_one_line(fake: Environ, tmp_path: Path) -> None:
    def told(*more: str, environ: Environ = fake) -> tuple[int, str]:
        done = subprocess.run([*WORDS, "vllm", *more], env=environ, cwd=tmp_path, capture_output=True, check=False)
        assert done.stdout == b""
        return done.returncode, done.stderr.decode()

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, text = told("good", "--port", str(port))
        assert (code, text) == (2, f"--port {port}: cannot be used on 127.0.0.1: Address already in use\n")
    code, text = told("good", "--port", str(free_port()), environ={"PATH": str(tmp_path)})
    assert code == 2
    assert text.startswith("there is no vLLM to start: install one (pip install vllm")
    assert text.count("\n") == 1
    code, text = told("stillborn", "--port", str(free_port()))
    assert code == 1
    assert "did not come up: it ended with code 3" in text.splitlines()[-1]
    assert "\x1b" not in text


def test_a_run_with_a_server_of_its_own(fake: Environ, started: Started, tmp_path: Path) -> None:
    (tmp_path / "task.yaml").write_text(TASK)
    checked = subprocess.run([*WORDS, "check", "task.yaml"], env=fake, cwd=tmp_path, capture_output=True, check=False)
    assert f"1 server(s) started for it: {fake['PATH'].split(':')[0]}/vllm serve good" in checked.stdout.decode()
    assert not started()
    done = subprocess.run(
        [*WORDS, "run", "task.yaml", "--json"], env=fake, cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert b"starting vLLM for good" in done.stderr
    (served,) = json.loads(done.stdout)["served"]
    assert served["server"]["version"] == "0.99.fake"
    assert "vllm serve good --host=127.0.0.1" in served["server"]["command"]
    assert served["answered"] == 240
    assert Path(served["server"]["log"]).parent.parent.name == "runs"
    assert not alive(started()[0]["pid"])


def test_a_killed_run_leaves_no_server_and_a_resumed_one_has_one_again(
    fake: Environ,
    started: Started,
    tmp_path: Path,
) -> None:
    (tmp_path / "task.yaml").write_text(TASK)
    run = subprocess.Popen([*WORDS, "run", "task.yaml", "--display", "none"], env=fake, cwd=tmp_path)
    until(started)
    run.kill()
    run.wait()
    (first,) = started()
    until(lambda: not alive(first["pid"]) and not alive(first["engine"]))
    done = subprocess.run(
        [*WORDS, "resume", "last", "--json"], env=fake, cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    result = json.loads(done.stdout)
    assert (result["status"], result["coverage"]["finished"]) == ("finished", 240)
    assert len(started()) == 2
    assert not alive(started()[1]["pid"])


def test_ctrl_c_stops_the_server_too(fake: Environ, started: Started, tmp_path: Path) -> None:
    (tmp_path / "task.yaml").write_text(TASK.replace("rounds: 40", "rounds: 4000"))
    run = subprocess.Popen([*WORDS, "run", "task.yaml"], env=fake, cwd=tmp_path, stderr=subprocess.PIPE)
    until(lambda: started() and next(tmp_path.glob("runs/*/journal.sqlite"), None))
    os.kill(run.pid, signal.SIGINT)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 130
    assert b"swarmmind resume" in said
    assert not alive(started()[0]["pid"])


def test_a_server_that_does_not_come_up_fails_the_run_and_keeps_its_log(fake: Environ, tmp_path: Path) -> None:
    (tmp_path / "task.yaml").write_text(TASK.replace("good", "stillborn"))
    done = subprocess.run([*WORDS, "run", "task.yaml"], env=fake, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 1
    assert b"'stillborn' did not come up" in done.stderr.splitlines()[-1]
    assert b"Traceback" not in done.stderr
    (log,) = tmp_path.glob("runs/*/vllm-0.log")
    assert "no weights" in log.read_text()
