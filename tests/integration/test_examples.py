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

import pytest

from tests.integration.vllm_server import Vllm

pytestmark = pytest.mark.integration

EXAMPLES = Path(__file__).parents[2] / "examples"
CALLS = 60  # of the longer ones this is the beginning; the two that follow run to their end
WHOLE = ("debate", "macnet")
SHORT = ("sampling.max_tokens=60", "model={name: vllm/tiny, reasks: 0}")


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
    command = [*run, *trusted, *sets]
    environ = {"VLLM_BASE_URL": vllm.base_url, "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=300)
    assert "Traceback" not in done.stderr
    result = json.loads(done.stdout)
    assert result["status"] in ("finished", "stopped", "failed"), result
    coverage = result["coverage"]
    assert coverage["planned"] == coverage["finished"] + coverage["failed"] + coverage["cancelled"]
    assert 0 < result["usage"]["calls"] <= calls
    if example in WHOLE:
        assert (result["status"], coverage["planned"]) == ("finished", coverage["finished"]), result
    vllm.wait_for("as many answers", lambda: vllm.answered() == answered + result["usage"]["calls"])
    assert (Path(tmp_path / result["folder"]) / "report.html").is_file()
