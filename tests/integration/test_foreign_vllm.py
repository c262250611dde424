"""Real vLLM servers of somebody else: one dies and comes back during a run, one refuses what it will not queue."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path

import pytest

from swarmmind.effects import Usage
from tests.integration.commands import answers, result_of, said, swarmmind
from tests.integration.vllm_server import free_port, serving
from tests.models.vllm.faking import until

pytestmark = pytest.mark.integration

RUN = "run", "task.yaml", "--json", "--display", "plain"
RUN_SECONDS = 600.0
TASK = """\
schema: swarmmind/v1
problem: Which of the five boxes holds the key?
model: {{name: vllm/tiny, extra: {{ignore_eos: true}}{limits}}}
sampling: {{max_tokens: 40}}
swarm:
  agents: {{solver: 100}}
  topology: {{use: vote, samples: {calls}}}
"""


def environ(port: int) -> dict[str, str]:
    return {"VLLM_BASE_URL": f"http://127.0.0.1:{port}/v1", "PATH": "/usr/bin:/bin"}


def kept(folder: Path) -> list[Usage]:
    """What each reply in the journal of the folder's run cost."""
    (path,) = folder.glob("runs/*/journal.sqlite")
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT value FROM results WHERE kind='Ask'").fetchall()
    connection.close()
    return [Usage(**json.loads(value)["usage"]) for (value,) in rows]


def test_a_server_dies_and_somebody_starts_it_again(tmp_path: Path) -> None:
    calls, most_in_flight, port = 3000, 96, free_port()  # one and a half times what it runs at once
    (tmp_path / "task.yaml").write_text(TASK.format(calls=calls, limits=""))
    with serving(log="foreign.log", port=port) as first, swarmmind(tmp_path, environ(port), *RUN) as run:
        until(lambda: run.poll() is not None or answers(tmp_path) >= 300, 60.0)
        assert run.poll() is None, said(tmp_path)
        first.kill()
        time.sleep(3.0)
        assert run.poll() is None
        before = len(kept(tmp_path))
        assert 300 <= before < calls
        with serving(log="foreign_again.log", port=port) as second:
            result = result_of(run, tmp_path, RUN_SECONDS)
            second.wait_for("everything else once", lambda: second.answered() == calls - before)
    assert result["status"] == "finished"
    assert (result["coverage"]["planned"], result["coverage"]["finished"]) == (calls, calls)
    (served,) = result["served"]
    assert served["answered"] == calls
    assert any("was gone once and waited for" in warning for warning in result["warnings"])
    usages = kept(tmp_path)
    assert sum(usage.calls for usage in usages) == result["charged"]["calls"]
    died = sum(usage.prompt_tokens is None for usage in usages)  # what it had read of an attempt is not known
    assert 0 < died <= most_in_flight
    assert result["charged"]["calls"] - calls - died <= most_in_flight  # that knocked in vain before it was known


@pytest.mark.parametrize("limits", ["", ", limits: {concurrency: 64}"])
def test_what_a_server_refuses_reaches_no_agent(tmp_path: Path, limits: str) -> None:
    calls, capacity, port = 500, 4, free_port()
    (tmp_path / "task.yaml").write_text(TASK.format(calls=calls, limits=limits))
    flags = "--max-num-seqs", str(capacity), "--max-num-queued-reqs", "5"
    with serving(*flags, log="foreign.log", port=port), swarmmind(tmp_path, environ(port), *RUN) as run:
        result = result_of(run, tmp_path, RUN_SECONDS)
    assert result["status"] == "finished"
    assert (result["coverage"]["planned"], result["coverage"]["finished"]) == (calls, calls)
    assert result["failures"] == []
    (served,) = result["served"]
    assert served["answered"] == calls
    assert served["most_in_flight"] <= 1.5 * capacity
    assert served["rejections"] <= calls / 20
    assert result["charged"]["calls"] == calls + served["rejections"]
