"""Evals against a real server: every call is counted by both sides, and what is played is not played again.

The tiny model has random weights: its scores are of no interest, its tokens are real.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from swarmmind.evals.record import read
from tests.integration.vllm_server import Vllm

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
SHORT = ("--set", "sampling.max_tokens=40", "--json", "--display", "none")


def swarmmind(folder: Path, vllm: Vllm, *words: str) -> dict[str, Any]:
    environ = {"VLLM_BASE_URL": vllm.base_url, "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "swarmmind", *words]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=300)
    assert "Traceback" not in done.stderr, done.stderr[-2000:]
    return json.loads(done.stdout)


def adds_up(record: dict[str, Any]) -> bool:
    told = (record["eval"], record["coverage"])
    return all(one["planned"] == one["finished"] + one["failed"] + one["cancelled"] for one in told)


def test_arms_and_controls_at_equal_tokens(vllm: Vllm, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples" / "eval", tmp_path / "eval")
    before = vllm.answered()
    model = ("--model", "vllm/tiny", "--set", "model.reasks=0")
    first = swarmmind(tmp_path, vllm, "eval", "eval/task.yaml", *model, "--limit", "6", "--seeds", "2", *SHORT)
    assert (first["status"], adds_up(first)) == ("finished", True)
    assert first["eval"]["planned"] == 6 * 6 * 2
    calls = first["usage"]["calls"]
    vllm.wait_for("as many answers", lambda: vllm.answered() == before + calls)
    spent = {line["arm"]["id"]: line["total"]["tokens"] for line in first["eval"]["lines"]}
    for arm in ("a1", "a2"):
        for control in ("solo", "vote"):
            assert spent[f"{arm}-{control}"] == pytest.approx(spent[arm], rel=0.1)
    again = swarmmind(tmp_path, vllm, "resume", first["folder"], "--json", "--display", "none")
    assert again["eval"] == first["eval"]
    assert vllm.answered() == before + calls
    more = swarmmind(tmp_path, vllm, "resume", first["folder"], "--set", "eval.seeds=3", "--json", "--display", "none")
    assert more["eval"]["planned"] == 6 * 6 * 3
    assert more["usage"]["calls"] > calls
    vllm.wait_for("as many answers", lambda: vllm.answered() == before + more["usage"]["calls"])
    logs = swarmmind(tmp_path, vllm, "export", first["folder"], "--format", "inspect", "--json")["files"]
    assert len(logs) == 6


@pytest.mark.parametrize(
    ("suite", "words"),
    [
        ("agentsnet/coloring", ("--only", "swarm.agents.peer=4", "--limit", "1")),
        ("swarmbench/flocking", ("--set", "problem.rounds=2")),
        ("planning", ("--limit", "1", "--only", "problem.disks=3", "--set", "budget.calls=60")),
        ("sorting-cells", ("--limit", "1", "--set", "budget.calls=40")),
        ("arithmetic", ("--limit", "1")),
        ("reasoning-gym/chain_sum", ("--limit", "1")),
    ],
    ids=str,
)
def test_a_suite_of_the_box_with_a_model(vllm: Vllm, suite: str, words: tuple[str, ...], tmp_path: Path) -> None:
    before = vllm.answered()
    record = swarmmind(tmp_path, vllm, "eval", suite, "--model", "vllm/tiny", "--seeds", "1", *words, *SHORT)
    assert record["status"] in ("finished", "stopped"), record
    assert adds_up(record)
    rows = [row for row in read(tmp_path / record["folder"]).rows() if row.arm.kind == "arm" and row.played]
    paid = sum(row.played.usage.completion_tokens or 0 for row in rows if row.played)
    assert paid > 0 or record["status"] == "stopped"
    vllm.wait_for("answers", lambda: vllm.answered() > before)
    assert (tmp_path / record["folder"] / "eval.html").is_file()
