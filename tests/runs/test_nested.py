"""Swarms that stand where an agent stands, and what they remember: from ask to ask, at once, and in a replay."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from zlib import crc32

import anyio
import pytest
from aiohttp import web

import swarmmind
from swarmmind.memory import MEMORIES
from swarmmind.runs.execute import Manner, execute, result_of
from swarmmind.runs.models import Models
from swarmmind.runs.plan import make_plan
from swarmmind.runs.price import estimate
from swarmmind.runtime.journal import content
from swarmmind.spec import load_task
from swarmmind.testing import FakeEndpoint

from .projects import write_task
from .test_embedding import ran, resumed

UNIFORM = {"uniform": [0.1, 3.0]}


def nested(work: Path, memory: Any, topology: Any, inner: Any = None, latency: Any = 0.0, count: int = 1) -> Path:
    panel = {"agents": {"solver": 2}, "topology": inner or {"use": "debate", "rounds": 2}, "memory": memory}
    group = {"card": "judge", "id": "panel", "count": count, "swarm": panel}
    model = {"name": "scripted", "accuracy": 0.5, "latency_seconds": latency}
    return write_task(work, model=model, swarm={"agents": [group], "topology": topology})


def journal(result: swarmmind.Result) -> list[tuple[str, ...]]:
    return list(content(result.path / "journal.sqlite"))


def prompts(result: swarmmind.Result, under: str) -> list[list[dict[str, str]]]:
    rows = [row for row in journal(result) if row[0] == "result" and row[2] == "Ask" and row[1].startswith(under)]
    return [json.loads(row[5])[0] for row in rows]


@pytest.mark.parametrize("memory", [*MEMORIES, [*MEMORIES]])
def test_a_swarm_asked_several_times_at_once_is_the_same_however_long_answers_take(memory: Any, work: Path) -> None:
    runs = [
        swarmmind.run_sync(nested(work / f"{at}", memory, {"use": "vote", "samples": 4}, latency=latency), env={})
        for at, latency in enumerate([0.0, 1.0, UNIFORM])
    ]
    assert runs[0].status == "finished"
    assert journal(runs[0]) == journal(runs[1]) == journal(runs[2])
    again = [swarmmind.run_sync(work / "2" / "task.yaml", overrides=["seed=8"], env={}), runs[0]]
    assert journal(again[0]) != journal(again[1])


def test_a_swarm_remembers_from_ask_to_ask(work: Path) -> None:
    result = swarmmind.run_sync(nested(work, "window", {"use": "debate", "rounds": 3}, "solo"), env={})
    turns = [len([m for m in messages if m["role"] == "assistant"]) for messages in prompts(result, "run/")]
    assert turns == [0, 1, 2]


def test_asked_several_times_at_once_it_goes_on_from_the_last_of_these(work: Path) -> None:
    (work / "mine.py").write_text(
        """
from swarmmind.effects import Ask, Message

def program(ctx, society):
    for number in range(2):
        yield [Ask(society.agents[0], (Message("user", f"Question {number}{letter}"),)) for letter in "ABC"]
"""
    )
    result = swarmmind.run_sync(nested(work, "window", "./mine.py:program", "solo", UNIFORM), env={}, allow_code=True)
    asked = [[m["content"] for m in messages if m["role"] == "user"] for messages in prompts(result, "run/2")]
    assert sorted([text[:11] for text in texts] for texts in asked) == [
        ["Question 0C", f"Question 1{c}"] for c in "ABC"
    ]


@pytest.mark.parametrize("memory", ["window", "traces", "pheromone"])
def test_a_plan_that_was_priced_runs_as_if_it_were_not(memory: str, work: Path) -> None:
    panel = {"agents": {"solver": 2}, "topology": "vote", "memory": memory}
    agents = [{"card": "judge", "swarm": panel}, {"card": "solver"}]
    swarm = {"agents": agents, "topology": {"use": "debate", "rounds": 2}, "memory": memory}
    first = swarmmind.run_sync(write_task(work, swarm=swarm), env={})
    plan = make_plan(load_task(work / "task.yaml"))

    async def priced_and_run() -> swarmmind.Result:
        await estimate(plan, {})
        (work / "again").mkdir()
        return await execute(plan, work / "again", Models(plan, {}), manner=Manner(result_of))

    second = anyio.run(priced_and_run)
    assert (second.output, journal(second)) == (first.output, journal(first))


def remote(work: Path, memory: str = "traces", **changes: Any) -> Path:
    panel = {"agents": {"solver": 2}, "topology": {"use": "debate", "rounds": 2}, "memory": memory}
    agents = [{"card": "judge", "id": "panel", "swarm": panel, "count": 2}, {"card": "solver"}]
    swarm = {"agents": agents, "topology": {"use": "debate", "rounds": 2}, "memory": memory}
    model, embedder = {"name": "vllm/m", "attempts": 1}, {"name": "vllm/e", "attempts": 1}
    return write_task(work, model=model, embedder=embedder, swarm=swarm, **changes)


def answers(body: dict[str, Any]) -> str:
    return f"ANSWER: {crc32(repr(body['messages']).encode()) % 7}"


class Moody(FakeEndpoint):
    """Its `bad`-th request for vectors meets with a 500."""

    def __init__(self, bad: int) -> None:
        super().__init__(answers)
        self.bad, self.vectors = bad, 0

    async def _respond(self, request: web.Request, raw: bytes, digest: str) -> web.StreamResponse:
        if request.path.endswith("/embeddings"):
            self.vectors += 1
            if self.vectors == self.bad:
                return web.Response(status=500)
        return await super()._respond(request, raw, digest)


def without_usage(result: swarmmind.Result) -> list[tuple[str, ...]]:
    return [(*row[:6], re.sub(r',?"usage":{[^}]*}', "", row[6])) if len(row) > 6 else row for row in journal(result)]


@pytest.mark.parametrize("bad", range(1, 12, 2))
def test_wherever_the_embedder_fails_a_resumed_run_mends_it(bad: int, work: Path) -> None:
    whole = ran(remote(work / "whole"), FakeEndpoint(answers))
    moody = Moody(bad)
    failed = ran(remote(work / "failed"), moody)
    assert moody.vectors >= bad
    assert (failed.status, "the embedder failed: server" in (failed.error or "")) == ("failed", True)
    mended = resumed(failed.path, FakeEndpoint(answers))
    assert (mended.status, mended.output) == ("finished", whole.output)
    assert without_usage(mended) == without_usage(whole)
    idle = FakeEndpoint(answers)
    assert (resumed(failed.path, idle).output, idle.received) == (whole.output, 0)


@pytest.mark.parametrize("allowed", [1, 9, 17])
def test_a_run_that_a_budget_stopped_inside_a_swarm_is_stopped(allowed: int, work: Path) -> None:
    whole = ran(remote(work / "whole", "window"), FakeEndpoint(answers))
    first, second = FakeEndpoint(answers), FakeEndpoint(answers)
    stopped = ran(remote(work / "part", "window", budget={"calls": allowed}), first)
    assert (stopped.status, stopped.stopped, first.received) == ("stopped", "calls", allowed)
    more = resumed(stopped.path, second, ["budget.calls=100"])
    assert (more.status, more.output, journal(more)) == ("finished", whole.output, journal(whole))
    assert first.received + second.received == whole.usage.calls == 2 * (2 * 2 * 2 + 1)
