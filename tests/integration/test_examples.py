"""The examples as they are, against a real server: only the model's name is another one.

The tiny model has random weights, so nothing it says is of use. What counts is that every example runs through to a
clean end with it, that all calls are accounted for, and that the server counted as many as we did.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.vllm_server import Vllm

pytestmark = pytest.mark.integration

EXAMPLES = Path(__file__).parents[2] / "examples"
CALLS = 60  # of the longer ones this is the beginning; the two that follow run to their end
WHOLE = ("debate", "macnet")
SHORT = ("sampling.max_tokens=60", "model={name: vllm/tiny, reasks: 0}")


def record(command: list[str], folder: Path, vllm: Vllm) -> dict[str, Any]:
    """What a command says at its end."""
    environ = {"VLLM_BASE_URL": vllm.base_url, "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=300)
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "example",
    ["swarmsys", "omne", "sapo", "musicswarm", "debate", "macnet", "mindstorm", "moa", "peer-ranking", "own-topology"],
    ids=str,
)
def test_an_example_runs_unchanged_against_a_real_server(vllm: Vllm, example: str, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / example, tmp_path / example, ignore=shutil.ignore_patterns("runs", ".swarmmind"))
    answered, calls = vllm.answered(), 500 if example in WHOLE else CALLS
    sets = [word for value in (*SHORT, f"budget.calls={calls}") for word in ("--set", value)]
    trusted = ["--allow-code"] if example == "own-topology" else []
    run = [sys.executable, "-m", "swarmmind", "run", f"{example}/task.yaml", "--json", "--display", "none"]
    result = record([*run, *trusted, *sets], tmp_path, vllm)
    assert result["status"] in ("finished", "stopped", "failed"), result
    coverage = result["coverage"]
    assert coverage["planned"] == coverage["finished"] + coverage["failed"] + coverage["cancelled"]
    assert 0 < result["usage"]["calls"] <= calls
    if example in WHOLE:
        assert (result["status"], coverage["planned"]) == ("finished", coverage["finished"]), result
    vllm.wait_for("as many answers", lambda: vllm.answered() == answered + result["usage"]["calls"])
    assert (Path(tmp_path / result["folder"]) / "report.html").is_file()


@pytest.mark.parametrize(
    ("example", "sets"),
    [
        ("optimize", ["steps=1"]),
        ("optimize", ["steps=1", "backward=requirements"]),
        ("optimize", ["steps=1", "backward=graph"]),
        ("from-scratch", ["particles=2", "iterations=2", "examples=2"]),
    ],
    ids=["layers", "requirements", "graph", "from-scratch"],
)
def test_an_example_is_optimized_unchanged_against_a_real_server(
    vllm: Vllm, example: str, sets: list[str], tmp_path: Path
) -> None:
    """Its random words improve nothing; the study is whole, every call is accounted for, and so is every refusal."""
    shutil.copytree(EXAMPLES / example, tmp_path / example)
    answered = vllm.answered()
    small = [f"optimize.{one}" for one in ("train=4", "validate=3", "test=3", "sampling={max_tokens: 300}", *sets)]
    given = [word for value in (*SHORT, *small, "budget.calls=200") for word in ("--set", value)]
    command = [sys.executable, "-m", "swarmmind", "optimize", f"{example}/task.yaml", "--json", "--display", "none"]
    result = record([*command, *given], tmp_path, vllm)
    assert result["status"] == "finished", result
    coverage, study = result["coverage"], result["study"]
    assert coverage["planned"] == coverage["finished"] + coverage["failed"] + coverage["cancelled"]
    assert study["asking"]["calls"] > 0
    assert study["held_out"]["start"]["n"] == 3
    vllm.wait_for("as many answers", lambda: vllm.answered() == answered + result["usage"]["calls"])
    assert (tmp_path / result["folder"] / "optimize-report.html").is_file()
