"""Whole runs that embed: the journal, resume, the wall, the bill, and what `check` says before."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest

import swarmmind
from swarmmind import Result
from swarmmind.errors import RunError, UserError
from swarmmind.models.embed_hashing import Hashing
from swarmmind.runs.plan import make_plan
from swarmmind.runtime.journal import content
from swarmmind.spec import load_task
from swarmmind.testing import FakeEndpoint, Hostility

from .projects import asked, write_task

CODE = """
from swarmmind.effects import Ask, Record
from swarmmind.errors import Failed, Stop
from swarmmind.traces import Embed, Load, Persist, Put, Item

def program(ctx, society):
    told = []
    for number in range(6):
        texts = tuple(f"text {number * 3 + at} of {len(told)}" for at in range(5))
        [found] = yield [Embed(texts)]
        if found.failure is not None:
            raise Failed(found.failure.message)
        told.append(round(float(found.vectors().sum()), 4))
    [reply] = yield [Ask(society.agents[0], (society.question.prompt(),))]
    return told

def stores(ctx, society):
    [loaded] = yield [Load("memory.db")]
    [done] = yield [Persist("memory.db", (Put(Item("a")), Put(Item("b"))))]
    return f"{len(loaded.items)} {done.changes}"
"""
REMOTE = {"name": "vllm/e", "batch": 3, "attempts": 30}
CALLS = 6 * 2  # six effects of five texts, three at a time
TEXTS = [f"text {number * 3 + at} of {number}" for number in range(6) for at in range(5)]


def project(work: Path, **changes: Any) -> Path:
    (work / "mine.py").write_text(CODE)
    swarm = {"agents": {"solver": 1}, "topology": "./mine.py:program"}
    return write_task(work, **{"swarm": swarm, "score": None, "embedder": REMOTE, **changes})


def serving(server: FakeEndpoint, sessions: Callable[[dict[str, str]], Awaitable[Any]]) -> Any:
    async def session() -> Any:
        async with server:
            return await sessions({"VLLM_BASE_URL": server.base_url})

    return anyio.run(session)


def ran(path: Path, server: FakeEndpoint, overrides: Sequence[str] = ()) -> Result:
    return serving(server, lambda env: swarmmind.run(path, overrides=overrides, env=env, allow_code=True))


def resumed(run: Path, server: FakeEndpoint, overrides: Sequence[str] = ()) -> Result:
    return serving(server, lambda env: swarmmind.resume(run, overrides=overrides, env=env, allow_code=True))


def test_vectors_are_in_the_journal_and_a_finished_run_is_replayed_without_a_request(work: Path) -> None:
    server = FakeEndpoint()
    first = ran(project(work), server)
    rows = [row for row in content(first.path / "journal.sqlite") if row[0] == "result" and row[2] == "Embed"]
    assert (first.status, len(rows), len(asked(first.path))) == ("finished", 6, 7)
    assert (first.usage.calls, first.charged.calls, server.answered) == (CALLS + 1, CALLS + 1, CALLS)
    assert list(server.embedded.elements()) == TEXTS
    assert json.loads(rows[0][6])["dimensions"] == 64
    idle = FakeEndpoint()
    again = resumed(first.path, idle)
    assert (again.output, again.usage, again.status) == (first.output, first.usage, "finished")
    assert idle.received == 0


def test_vectors_are_those_of_the_embedder(work: Path) -> None:
    result = ran(project(work), FakeEndpoint())
    hashing = Hashing(64)
    sums = [
        float(np.stack([np.frombuffer(hashing.vector(text), "<f4") for text in TEXTS[at : at + 5]]).sum())
        for at in range(0, 30, 5)
    ]
    assert result.output == pytest.approx(sums, abs=1e-3)


@pytest.mark.parametrize("affordable", [1, 5, 8, CALLS - 1])
def test_a_budget_is_a_wall_and_with_a_larger_one_nothing_is_embedded_twice(affordable: int, work: Path) -> None:
    whole = ran(project(work), FakeEndpoint())
    first, second = FakeEndpoint(), FakeEndpoint()
    part = ran(work / "task.yaml", first, [f"budget.calls={affordable}"])
    assert (part.status, part.stopped, part.charged.calls) == ("stopped", "calls", affordable)
    assert first.received == affordable
    more = resumed(part.path, second, ["budget.calls=100"])
    assert (more.status, more.output, second.received) == ("finished", whole.output, CALLS - affordable)
    assert sorted((first.embedded + second.embedded).elements()) == sorted(TEXTS)
    assert (more.charged.calls, asked(more.path)) == (CALLS + 1, asked(whole.path))


def test_killed_it_goes_on_and_makes_no_kept_request_again(work: Path) -> None:
    project(work)
    server = FakeEndpoint(latency_seconds=0.05)
    command = [sys.executable, "-m", "swarmmind", "run", "task.yaml", "--allow-code", "--display", "none"]

    async def killed(env: dict[str, str]) -> int:
        async with await anyio.open_process(
            command, env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            with anyio.fail_after(60):
                while server.answered < 7:
                    await anyio.sleep(0.01)
            process.send_signal(signal.SIGKILL)
        return server.answered

    answered = serving(server, killed)
    [folder] = (work / "runs").glob("[!.]*")
    with closing(sqlite3.connect(folder / "journal.sqlite")) as db:
        done = db.execute("SELECT count(*) FROM results WHERE kind='Embed'").fetchone()[0]
        kept = db.execute("SELECT count(*) FROM attempts").fetchone()[0]
    assert kept >= answered - done - 2  # a kill loses what is in flight: one batch
    second = FakeEndpoint()
    result = resumed(folder, second)
    assert (result.status, len(result.output)) == ("finished", 6)
    assert second.received <= CALLS - answered + 1
    assert max((server.embedded + second.embedded).values()) <= 2


def test_a_hostile_server_changes_nothing_but_the_bill(work: Path) -> None:
    calm = ran(project(work), FakeEndpoint())
    hostile = FakeEndpoint(hostility=Hostility(busy_retry_after=0.2, internal=0.05, garbled=0.1), retry_after="0")
    result = ran(work / "task.yaml", hostile)
    assert (result.output, result.status) == (calm.output, "finished")
    assert result.charged.calls - 1 == hostile.received > CALLS


def test_a_server_that_is_down_fails_the_run_and_a_resume_mends_it(work: Path) -> None:
    whole = ran(project(work), FakeEndpoint())
    path = project(work, embedder={**REMOTE, "attempts": 1})
    first = FakeEndpoint(hostility=Hostility(internal=1.0))
    failed = ran(path, first)
    assert (failed.status, first.received) == ("failed", 1)
    assert "HTTP 500" in (failed.error or "")
    mended = resumed(failed.path, FakeEndpoint())
    assert (mended.status, mended.output) == ("finished", whole.output)


def test_by_default_vectors_cost_nothing_and_time_is_simulated(work: Path) -> None:
    slow = {"name": "scripted", "latency_seconds": 3600}
    result = swarmmind.run_sync(project(work, embedder=None, model=slow), env={}, allow_code=True)
    assert (result.status, result.usage.calls, result.makespan_seconds) == ("finished", 1, 3600)


@pytest.mark.parametrize(("embedder", "here"), [("hashing", True), ("vllm/e", False), ("onnx/m", False)])
def test_time_is_real_if_vectors_take_any(embedder: str, here: bool, work: Path) -> None:
    plan = make_plan(load_task(project(work, embedder=embedder), allow_code=True), allow_code=True)
    assert plan.rehearsable is here


def test_one_runs_vectors_are_of_one_embedder(work: Path) -> None:
    first = swarmmind.run_sync(project(work, embedder="hashing"), env={}, allow_code=True)
    for change in ("embedder=vllm/e", "embedder={name: hashing, dimensions: 64}"):
        with pytest.raises(RunError, match=r"its vectors are of 'hashing@256', not '(vllm/e|hashing@64)'"):
            resumed(first.path, FakeEndpoint(), [change])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"embedder": "onnx/gone"}, r"task\.yaml:1:\d+: embedder: no such folder: 'gone'"),
        ({"embedder": {"name": "onnx/../m"}}, r"embedder\.name: must stay inside the task's folder"),
        ({"embedder": "openai/e"}, r"embedder: model 'openai/e' needs a key"),
        ({"budget": {"usd": 1.0}}, "budget.usd: cannot be a wall without a price for 'vllm/e'"),
        (
            {"embedder": {**REMOTE, "limits": {"concurrency": 1}}, "model": {"name": "vllm/m"}},
            "embedder.name: two models set different limits",
        ),
    ],
)
def test_what_is_wrong_is_said_before_there_is_a_run(changes: dict[str, Any], message: str, work: Path) -> None:
    path = project(work, **changes)
    with pytest.raises(UserError, match=message) as caught:
        swarmmind.run_sync(path, env={}, allow_code=True)
    assert len(str(caught.value).splitlines()) == 1
    assert not (work / "runs").exists()


def test_an_embedder_without_limits_has_those_of_the_models_at_its_endpoint(work: Path) -> None:
    model = {"name": "vllm/m", "limits": {"concurrency": 1}}
    server = FakeEndpoint(latency_seconds=0.01)
    result = ran(project(work, model=model, embedder="vllm/e"), server)
    assert (result.status, server.most_in_flight) == ("finished", 1)
