"""Two Ray nodes: the same result as without, whatever is killed; limits hold over both; nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from swarmmind.runtime.journal import content
from tests.acceptance.stagehands import SWARMMIND, Server, endpoint

from .ray_nodes import Nodes, children, kill, processes, two_nodes, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")]

PLACES, SUMS, CALLS = 6, 30, 30 * 2 * 4
STUDY = Path(__file__).parents[2] / "examples" / "pso-ray" / "task.yaml"
SMALL = ("particles=2", "iterations=2", "train=2", "validate=2", "test=3")


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with two_nodes() as cluster:
        yield cluster


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [json.dumps({"problem": f"What is {at} + 3?", "target": str(at + 3)}) for at in range(SUMS)]
    (tmp_path / "sums.jsonl").write_text("\n".join(rows) + "\n")
    _write(tmp_path, "eval.yaml", grid={"swarm.topology": [{"use": "vote", "samples": 3}, "solo"]}, eval={"seeds": 2})
    _write(tmp_path, "run.yaml", swarm={"agents": {"solver": 5}, "topology": {"use": "debate", "rounds": 2}})
    return tmp_path


def _write(folder: Path, name: str, **changes: Any) -> None:
    model = {"name": "vllm/fake", "limits": {"concurrency": PLACES}}
    swarm = {"agents": {"solver": 3}, "topology": "solo"}
    task = {
        "problem": {"dataset": "sums.jsonl"},
        "model": model,
        "swarm": swarm,
        "score": "exact",
        "seed": 5,
        **changes,
    }
    (folder / name).write_text(json.dumps(task))


def start(folder: Path, environment: Mapping[str, str], *words: str) -> subprocess.Popen[str]:
    command = [*SWARMMIND, *words, "--json", "--display", "none"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=folder, env=dict(environment), **pipes)


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err[-3000:]
    return json.loads(out)


def both(folder: Path, nodes: Nodes, server: Server | None, *words: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What it comes to in one process, and on two nodes."""
    environment = {**nodes.environment, **({} if server is None else {"VLLM_BASE_URL": server.base_url})}
    alone = finish(start(folder, environment, *words))
    return alone, finish(start(folder, environment, *words, "--engine", "ray"))


def same(folder: Path, one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    """Two results are equal, times aside, and so are their journals."""
    for name in ("status", "output", "score", "usage", "coverage", "failures", "metrics", "stopped"):
        assert one[name] == other[name], name
    assert _timeless(one["eval"]) == _timeless(other["eval"])
    first, second = (list(content(folder / result["folder"] / "journal.sqlite")) for result in (one, other))
    assert first == second


def _timeless(table: Any) -> Any:
    if isinstance(table, dict):
        return {name: _timeless(value) for name, value in table.items() if name != "seconds"}
    return [_timeless(value) for value in table] if isinstance(table, list) else table


@pytest.mark.parametrize("words", [("eval", "eval.yaml"), ("run", "run.yaml")], ids=["eval", "run"])
def test_the_same_from_two_nodes_as_from_one_process(words: tuple[str, ...], folder: Path, nodes: Nodes) -> None:
    with endpoint(folder, "--latency-seconds", "0.01") as server:
        alone, spread = both(folder, nodes, server, *words)
    same(folder, alone, spread)
    assert alone["charged"] == spread["charged"]
    assert alone["workers"] is None
    assert spread["workers"] == {"engine": "ray", "count": 2, "nodes": 2, "lost": 0}


def test_a_swarm_of_particles_is_the_same_from_two_nodes(tmp_path: Path, nodes: Nodes) -> None:
    sets = [word for each in SMALL for word in ("--set", f"optimize.{each}")]
    alone, spread = both(tmp_path, nodes, None, "optimize", str(STUDY), *sets, "--set", "problem.rounds=10")
    same(tmp_path, alone, spread)
    untold = {"parts"}
    one, other = ({name: v for name, v in each["study"].items() if name not in untold} for each in (alone, spread))
    assert one == other
    assert spread["workers"]["count"] == 2


def test_limits_hold_over_all_nodes(folder: Path, nodes: Nodes) -> None:
    wall = CALLS // 2
    with endpoint(folder, "--latency-seconds", "0.05") as server:
        environment = {**nodes.environment, "VLLM_BASE_URL": server.base_url}
        words = ("eval", "eval.yaml", "--engine", "ray", "--set", f"budget.calls={wall}")
        result = finish(start(folder, environment, *words))
        events = [1 if line.startswith("received") else -1 for line in server.log.read_text().splitlines()]
    assert (result["status"], result["stopped"]) == ("stopped", "calls")
    assert wall - PLACES <= events.count(1) <= wall
    assert events.count(1) == result["charged"]["calls"]
    assert PLACES - 1 <= max(accumulate(events)) <= PLACES


@pytest.mark.parametrize("victim", ["worker", "node"])
def test_killing_a_worker_or_its_node_loses_nothing(victim: str, folder: Path) -> None:
    with two_nodes() as nodes, endpoint(folder, "--latency-seconds", "0.1") as server:
        environment = {**nodes.environment, "VLLM_BASE_URL": server.base_url}
        alone = finish(start(folder, environment, "eval", "eval.yaml"))
        before, _ = server.counts()
        going = start(folder, environment, "eval", "eval.yaml", "--engine", "ray")
        wait_until(lambda: server.counts()[1] > before + CALLS // 4)
        raylet = nodes.raylets[1]
        [worker] = nodes.workers(raylet)
        kill(*([worker] if victim == "worker" else [raylet, *children(raylet)]))
        result = finish(going)
        received = server.counts()[0] - before
    same(folder, alone, result)
    assert result["workers"]["lost"] == 1
    assert CALLS <= received <= CALLS + PLACES  # only what was in flight was asked again
    assert result["charged"]["calls"] >= received


@pytest.mark.parametrize("engine", ["ray", "local"])
def test_the_head_is_killed_and_the_run_goes_on(engine: str, folder: Path, nodes: Nodes) -> None:
    with endpoint(folder, "--latency-seconds", "0.1") as server:
        environment = {**nodes.environment, "VLLM_BASE_URL": server.base_url}
        alone = finish(start(folder, environment, "eval", "eval.yaml"))
        before, _ = server.counts()
        going = start(folder, environment, "eval", "eval.yaml", "--engine", "ray")
        wait_until(lambda: server.counts()[1] > before + CALLS // 4)
        going.kill()
        going.communicate()
        wait_until(lambda: not nodes.workers())
        result = finish(start(folder, environment, "resume", "last", "--engine", engine))
        received = server.counts()[0] - before
    same(folder, alone, result)
    assert CALLS <= received <= CALLS + 2 * PLACES
    assert result["charged"]["calls"] >= received


def test_an_interrupted_run_leaves_no_worker_and_the_cluster_as_it_was(folder: Path, nodes: Nodes) -> None:
    with endpoint(folder, "--latency-seconds", "0.1") as server:
        environment = {**nodes.environment, "VLLM_BASE_URL": server.base_url}
        going = start(folder, environment, "eval", "eval.yaml", "--engine", "ray")
        wait_until(lambda: server.counts()[1] > CALLS // 4)
        going.send_signal(signal.SIGINT)
        _, err = going.communicate(timeout=60)
    assert going.returncode == 130
    assert "swarmmind resume" in err
    wait_until(lambda: not nodes.workers(), seconds=20)
    assert all(any(pid == raylet for pid, _, _ in processes()) for raylet in nodes.raylets)


def test_a_cluster_that_was_started_for_a_run_ends_with_it(folder: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    with endpoint(folder, "--latency-seconds", "0.1") as server:
        environment["VLLM_BASE_URL"] = server.base_url
        known = {pid for pid, _, _ in processes()}
        going = start(folder, environment, "eval", "eval.yaml", "--engine", "ray", "--workers", "2")
        wait_until(lambda: server.counts()[1] > CALLS // 4)
        begun = [pid for pid, parent, _ in processes() if parent == going.pid and pid not in known]
        going.send_signal(signal.SIGINT)
        going.communicate(timeout=60)
    assert going.returncode == 130
    assert begun
    wait_until(lambda: not any(pid in begun for pid, _, name in processes() if name), seconds=30)


def test_a_cluster_that_is_not_there_is_the_users_mistake(folder: Path) -> None:
    environment = {**os.environ, "RAY_ADDRESS": "127.0.0.1:1", "VLLM_BASE_URL": "http://127.0.0.1:1/v1"}
    process = start(folder, environment, "eval", "eval.yaml", "--engine", "ray")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err.startswith("the Ray cluster at 127.0.0.1:1 does not answer: ")
    assert err.count("\n") == 1
    assert not (folder / "runs").exists()
