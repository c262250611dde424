"""Real vLLM servers that SwarmMind starts, starts again and stops: no answer is lost, and no process is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.commands import WORDS, answers, result_of, said, swarmmind
from tests.integration.vllm_server import free_port
from tests.models.vllm.faking import alive, until

pytestmark = pytest.mark.integration

START_SECONDS = 900.0  # on a busy machine; 20 to 70 s on an idle one
FLAGS = "{max-model-len: 4096, max-num-seqs: 64, enforce-eager: true, dtype: bfloat16}"
TASK = """\
schema: swarmmind/v1
problem: {{environment: swarmbench/pursuit, size: 8, view: 5, rounds: {rounds}, actions: choice}}
model: {model}
swarm:
  agents: {{worker: 12}}
  topology: world
seed: 7
"""
Processes = dict[int, str]


@pytest.fixture
def environ(installed: Path) -> dict[str, str]:
    cache = installed / "cache"
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": os.environ["HOME"],
        "SWARMMIND_VLLM": str(installed / "vllm" / "bin" / "vllm"),
        "VLLM_CACHE_ROOT": str(cache),
        "VLLM_RPC_BASE_PATH": str(cache / "rpc"),
        "TORCHINDUCTOR_CACHE_DIR": str(cache / "inductor"),
        "VLLM_CPU_KVCACHE_SPACE": "1",
    }


def below(pid: int) -> Processes:
    """All descendants of a process, with their command lines."""
    listed = subprocess.run(["ps", "-ww", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()[1:]]
    found: Processes = {}
    ahead = [pid]
    while ahead:
        parent = ahead.pop()
        for child, its_parent, words in rows:
            if int(its_parent) == parent:
                found[int(child)] = words
                ahead.append(int(child))
    return found


def one_of(pid: int, words: str) -> int | None:
    return next((child for child, said in below(pid).items() if words in said), None)


def victim_of(run: subprocess.Popen[str], words: str) -> int:
    """A process of the run's server, once it is there."""
    found: list[int] = []

    def look() -> bool:
        guard = one_of(run.pid, "guard.py")
        pid = one_of(guard, words) if guard is not None else None
        found.extend([] if pid is None else [pid])
        return bool(found)

    until(look, 60.0)
    return found[0]


def gone(pids: Processes) -> Callable[[], bool]:
    return lambda: not any(alive(pid) for pid in pids)


def test_engine_and_server_are_killed_and_the_run_goes_on(
    installed: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    model = f"{{vllm: {installed}/tiny-model, manage: true, flags: {FLAGS}}}"
    (tmp_path / "task.yaml").write_text(TASK.format(rounds=60, model=model))
    with swarmmind(tmp_path, environ, "run", "task.yaml", "--json", "--display", "plain") as run:
        seen: Processes = {}
        for victim in ("VLLM::EngineCore", "bin/vllm serve"):
            before = answers(tmp_path)
            until(lambda before=before: run.poll() is not None or answers(tmp_path) >= before + 60, START_SECONDS)
            assert run.poll() is None, said(tmp_path)
            seen |= below(run.pid)
            os.kill(victim_of(run, victim), signal.SIGKILL)
        result = result_of(run, tmp_path, START_SECONDS)
    until(gone(seen))
    assert result["status"] == "finished"
    assert (result["coverage"]["planned"], result["coverage"]["finished"]) == (720, 720)
    assert result["usage"]["calls"] <= 720 + 2 * 64  # beside what was in flight nothing was sent twice
    (served,) = result["served"]
    assert served["server"]["version"]
    assert "--max-num-seqs=64" in served["server"]["command"]
    assert "--generation-config=vllm" in served["server"]["command"]
    assert "--no-enable-chunked-prefill" in served["server"]["command"]
    assert any("was started again 2 time" in warning for warning in result["warnings"])


def test_a_killed_run_leaves_no_server(installed: Path, environ: dict[str, str], tmp_path: Path) -> None:
    model = f"{{vllm: {installed}/tiny-model, manage: true, flags: {FLAGS}}}"
    (tmp_path / "task.yaml").write_text(TASK.format(rounds=10, model=model))
    with swarmmind(tmp_path, environ, "run", "task.yaml", "--display", "none") as run:
        until(lambda: run.poll() is not None or one_of(run.pid, "VLLM::EngineCore"), START_SECONDS)
        seen = below(run.pid)
        assert len(seen) >= 3  # guard, server, engine
        run.kill()
    until(gone(seen))


def test_two_replicas_by_hand_and_ctrl_c(installed: Path, environ: dict[str, str], tmp_path: Path) -> None:
    port = free_port()
    limits = ("--max-model-len", "4096", "--max-num-seqs", "64", "--served-name", "tiny", "--replicas", "2")
    words = ["vllm", str(installed / "tiny-model"), "--port", str(port), *limits, "--json", "--", "--enforce-eager"]
    with swarmmind(tmp_path, environ, *words) as server:
        assert server.stdout is not None
        told = json.loads(server.stdout.readline())
        seen = below(server.pid)
        assert told["urls"] == [f"http://127.0.0.1:{port + at}/v1" for at in range(2)]
        (tmp_path / "task.yaml").write_text(TASK.format(rounds=5, model=told["model"]))
        done = subprocess.run(
            [*WORDS, "run", "task.yaml", "--json", "--display", "none"],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "VLLM_BASE_URL": told["base_url"]},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        assert result["coverage"]["finished"] == 60
        assert sum(served["answered"] for served in result["served"]) == result["usage"]["calls"]
        server.send_signal(signal.SIGINT)
        assert server.wait(60) == 130
        assert server.stdout.read() == ""
    until(gone(seen))
