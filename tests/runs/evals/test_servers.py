"""Evals whose servers fail: that costs the episodes that it befell, and those only until the next session."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import anyio
import pytest

import swarmmind
from swarmmind import Result
from swarmmind.evals.record import read
from swarmmind.testing import FakeEndpoint
from swarmmind.testing.fake_endpoint import Refusal
from tests.runs.evals.test_evals import played, rows, scores, suite


class Moody:
    """Answers 5; while it is in a mood not to, every so many requests are refused with a 500."""

    def __init__(self, every: int) -> None:
        self.every, self.asked = every, 0

    def __call__(self, body: Any) -> str | Refusal:
        self.asked += 1
        return Refusal(500) if self.every and self.asked % self.every == 0 else "5"


@pytest.mark.parametrize("topology", ["vote", "debate", "macnet-mesh"])
def test_what_no_server_answered_is_asked_again_by_the_next_session(topology: str, work: Path) -> None:
    async def main() -> tuple[Result, Result, Result, list[int]]:
        moody = Moody(25)
        async with FakeEndpoint(reply=moody) as server:
            model = {"name": "vllm/fake", "base_url": server.base_url, "attempts": 1}
            swarm = {"agents": {"solver": 3}, "topology": topology, "on_failure": "fail"}
            path = suite(work, model=model, swarm=swarm, eval={"seeds": 4})
            first = await swarmmind.evaluate(path, env={})
            counts = [server.answered]
            moody.every = 0
            second = await swarmmind.resume(first.folder, env={})
            counts.append(server.answered)
            whole = await swarmmind.evaluate(path, env={})
            return first, second, whole, [*counts, server.answered]

    first, second, whole, (once, twice, thrice) = anyio.run(main)
    assert first.eval is not None
    assert 0 < first.eval.failed < first.eval.planned
    assert second.eval is not None
    assert (second.eval.finished, second.status) == (second.eval.planned, "finished")
    assert scores(read(second.path)) == scores(read(whole.path))
    paid = thrice - twice
    if topology == "macnet-mesh":  # answered in the order in which replies came: of use as a whole only
        assert paid <= twice < once + paid
    else:
        assert twice == paid


def test_a_control_waits_for_the_score_of_its_arm(work: Path) -> None:
    async def main() -> tuple[Result, int, Result]:
        moody = Moody(1)
        async with FakeEndpoint(reply=moody) as server:
            model = {"name": "vllm/fake", "base_url": server.base_url, "attempts": 1}
            first = await swarmmind.evaluate(suite(work, model=model, compare=["solo", "vote"]), env={})
            asked, moody.every = moody.asked, 0
            return first, asked, await swarmmind.resume(first.folder, env={})

    first, asked, second = anyio.run(main)
    assert first.eval is not None
    assert second.eval is not None
    assert asked == 3 * 2 * 3
    assert (first.eval.planned, first.eval.failed, first.eval.cancelled) == (18, 6, 12)
    assert second.eval.planned == second.eval.finished
    counts = {row.arm.id: row.played.calls for row in rows(second) if row.played is not None}
    assert (counts["a1"], counts["a1-vote"]) == (3, 3)


def test_a_scorer_that_is_mended_judges_the_answers_that_are_there(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (work / "judgment.py").write_text("good = False\ndef score(output, target):\n    return 1.0 if good else 1 / 0\n")
    monkeypatch.syspath_prepend(work)

    async def main() -> tuple[Result, int, Result, int]:
        async with FakeEndpoint() as server:
            model = {"name": "vllm/fake", "base_url": server.base_url}
            path = suite(work, model=model, score={"use": "judgment:score"})
            first = await swarmmind.evaluate(path, env={}, allow_code=True)
            asked = server.received
            vars(importlib.import_module("judgment"))["good"] = True
            second = await swarmmind.resume(first.folder, env={}, allow_code=True)
            return first, asked, second, server.received

    first, before, second, after = anyio.run(main)
    assert first.eval is not None
    assert first.eval.failed == 6
    assert [one.score for one in played(second)] == [1.0] * 6
    assert before == after == 18


def test_agents_of_whom_none_can_be_read_do_not_hold_all_places_forever(work: Path) -> None:
    async def main() -> tuple[Result, int]:
        async with FakeEndpoint(reply=lambda _: "neither here nor there") as server:
            model = {"name": "vllm/fake", "base_url": server.base_url, "limits": {"concurrency": 2}, "reasks": 2}
            swarm = {"agents": dict.fromkeys(("explorer", "worker", "validator"), 2), "topology": "swarmsys"}
            with anyio.fail_after(30):
                return await swarmmind.evaluate(suite(work, model=model, swarm=swarm), env={}), server.received

    result, received = anyio.run(main)
    assert result.coverage.failed == result.coverage.planned > 0
    assert received == 3 * result.coverage.failed


def test_no_more_episodes_than_wanted_are_under_way(work: Path) -> None:
    async def main() -> int:
        async with FakeEndpoint(latency_seconds=0.01) as server:
            model = {"name": "vllm/fake", "base_url": server.base_url}
            swarm = {"agents": {"solver": 1}, "topology": "solo"}
            await swarmmind.evaluate(
                suite(work, model=model, swarm=swarm), env={}, overrides=["eval.max_concurrent=2", "eval.seeds=8"]
            )
            return server.most_in_flight

    assert anyio.run(main) == 2


def test_episodes_that_stand_in_line_hear_of_a_spent_budget(work: Path) -> None:
    async def main() -> tuple[Result, Result, Result]:
        async with FakeEndpoint() as server:
            model = {"name": "vllm/fake", "base_url": server.base_url}
            told = {"seeds": 8, "max_concurrent": 2}
            path = suite(work, model=model, eval=told, swarm={"agents": {"solver": 1}, "topology": "debate"})
            with anyio.fail_after(30):
                whole = await swarmmind.evaluate(path, env={})
                short = await swarmmind.evaluate(path, env={}, overrides=["budget.calls=10"])
                rest = await swarmmind.resume(short.folder, env={}, overrides=["budget.calls=1000"])
            return whole, short, rest

    whole, short, rest = anyio.run(main)
    assert short.eval is not None
    assert (short.status, short.stopped) == ("stopped", "calls")
    assert short.eval.cancelled in (21, 22)
    assert (rest.status, scores(read(rest.path))) == ("finished", scores(read(whole.path)))
