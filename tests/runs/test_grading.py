"""Scorers that are programs: each output is judged once, on the record, and a resumed run does not judge again."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

import swarmmind
from swarmmind import Result
from swarmmind.errors import UserError
from swarmmind.testing import FakeEndpoint
from tests.evals.sandbox.trying import needs_walls
from tests.runs.projects import task
from tests.runs.studies import CLIMB, served

RIGHT, WRONG = "```python\ndef add(a, b):\n    return a + b\n```", "```python\ndef add(a, b):\n    return a - b\n```"
TESTS = ["assert add(1, 2) == 3"]

JUDGE = """
from swarmmind.effects import Agent, Ask, Message, Sampling
from swarmmind.evals.scoring import Mark, Scoring

def grade(ctx, answer):
    agent = Agent("judge", "judge", model="vllm/m", sampling=Sampling(max_tokens=10))
    [reply] = yield [Ask(agent, (Message("user", f"JUDGE {answer.question}: {answer.output}"),))]
    if not reply.ok:
        return Mark(None, f"the judge failed: {reply.failure.message}")
    return Mark(float(reply.value == "good"), reply.value)

def unscored(output, target):
    raise AssertionError("is not called")

JUDGED = Scoring(unscored, grade=grade)
"""


WHOLE = """
from swarmmind.effects import Ask, Message
from swarmmind.topologies import Topology

def program(ctx, society):
    replies = yield [Ask(society.agents[0], (Message("user", lesson.text),)) for lesson in society.lessons]
    return [reply.value for reply in replies]

WHOLE = Topology(program, lambda society: len(society.lessons), whole=True)
"""


def answered(request: dict[str, Any]) -> str:
    said = request["messages"][-1]["content"]
    if said.startswith("JUDGE"):
        return "good" if "a + b" in said else "bad"
    return WRONG if "badly" in said else RIGHT


def project(folder: Path, **changes: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "judge.py").write_text(JUDGE)
    (folder / "whole.py").write_text(WHOLE)
    rows = [{"problem": f"{how} add {at}", "target": TESTS} for at, how in enumerate(("", "badly", ""))]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    path = folder / "task.yaml"
    own = {"model": "vllm/m", "swarm": {"agents": {"solver": 1}, "topology": "solo"}}
    path.write_text(json.dumps(task(**own, **changes)))
    return path


def ran(path: Path, server: FakeEndpoint | None = None) -> Result:
    async def do(env: dict[str, str]) -> Result:
        return await swarmmind.run(path, env=env, allow_code=True, runs=path.parent / "runs")

    return served(server or FakeEndpoint(answered), do)


def resumed(result: Result, *overrides: str) -> tuple[Result, int]:
    server = FakeEndpoint(answered)

    async def do(env: dict[str, str]) -> Result:
        return await swarmmind.resume(result.folder, env=env, allow_code=True, overrides=overrides)

    return served(server, do), server.received


def rows(result: Result, kind: str) -> list[Any]:
    with sqlite3.connect(result.path / "journal.sqlite") as db:
        if kind == "RunTests":
            return [key for (key,) in db.execute("SELECT key FROM results WHERE kind='RunTests' ORDER BY key")]
        return [
            json.loads(data) for (data,) in db.execute("SELECT data FROM records WHERE name=? ORDER BY id", (kind,))
        ]


@needs_walls
def test_one_output_is_tested_once(tmp_path: Path) -> None:
    score = {"use": "tests", "target": TESTS}
    good = ran(project(tmp_path, problem="add", score=score))
    assert (good.status, good.score, len(rows(good, "RunTests"))) == ("finished", 1.0, 1)
    bad = ran(project(tmp_path, problem="badly", score=score))
    assert bad.score == 0.0
    assert rows(bad, "score") == [{"score": 0.0, "reason": "wrong: assert add(1, 2) == 3"}]
    again, calls = resumed(bad)
    assert (again.score, calls, len(rows(again, "RunTests"))) == (0.0, 0, 1)


@needs_walls
@pytest.mark.parametrize("topology", ["solo", {"use": "./whole.py:WHOLE"}])
def test_each_output_of_a_data_set_is_tested_once(topology: Any, tmp_path: Path) -> None:
    path = project(tmp_path, problem={"dataset": "rows.jsonl"}, score={"use": "tests"})
    data = json.loads(path.read_text())
    data["swarm"]["topology"] = topology
    path.write_text(json.dumps(data))
    result = ran(path)
    assert result.output == [RIGHT, WRONG, RIGHT]
    assert result.score == pytest.approx(2 / 3)
    assert len(rows(result, "RunTests")) == 3
    assert [row["score"] for row in rows(result, "item")] == [1.0, 0.0, 1.0]
    assert [row.get("reason") for row in rows(result, "item")] == [None, "wrong: assert add(1, 2) == 3", None]
    again, calls = resumed(result)
    assert (again.score, calls, len(rows(again, "RunTests"))) == (result.score, 0, 3)


@needs_walls
def test_rows_of_humaneval_are_used_as_they_are(tmp_path: Path) -> None:
    fields = {"problem": "prompt", "target": ["prompt", "entry_point", "test"]}
    path = project(tmp_path, problem={"dataset": "he.jsonl", "fields": fields}, score={"use": "tests"})
    row = {"prompt": "def add(a, b):\n    'Their sum.'\n", "entry_point": "add"}
    check = "def check(candidate):\n    assert candidate(1, 2) == 3\n"
    (tmp_path / "he.jsonl").write_text("\n".join(json.dumps({**row, "test": check}) for _ in range(2)))
    result = ran(path)
    assert (result.score, len(rows(result, "RunTests"))) == (1.0, 2)
    (tmp_path / "he.jsonl").write_text(json.dumps(row))
    with pytest.raises(UserError, match=r"he\.jsonl:1:1: must be an object with a column 'test'"):
        ran(path)


def test_a_judge_is_asked_within_the_budget_and_what_it_could_not_judge_is_missing(tmp_path: Path) -> None:
    score = {"use": "./judge.py:JUDGED"}
    whole = ran(project(tmp_path / "a", problem={"dataset": "rows.jsonl"}, score=score))
    assert (whole.score, whole.usage.calls) == (pytest.approx(2 / 3), 6)
    assert [row["reason"] for row in rows(whole, "item")] == ["good", "bad", "good"]
    short = ran(project(tmp_path / "b", problem={"dataset": "rows.jsonl"}, score=score, budget={"calls": 4}))
    assert (short.status, short.usage.calls) == ("stopped", 4)
    assert sorted(str(row["score"]) for row in rows(short, "item") if "score" in row).count("None") == 2
    assert short.score in (0.0, 1.0)
    more, calls = resumed(short, "budget.calls=100")
    assert (more.status, more.score, calls) == ("finished", whole.score, 2)
    assert [row["score"] for row in rows(more, "item")] == [1.0, 0.0, 1.0]


def test_one_output_that_nobody_could_judge_has_no_score(tmp_path: Path) -> None:
    path = project(tmp_path, problem="add", score={"use": "./judge.py:JUDGED"}, budget={"calls": 1})
    result = ran(path)
    assert (result.status, result.output, result.score) == ("stopped", RIGHT, None)
    assert rows(result, "score")[0]["score"] is None
    more, calls = resumed(result, "budget.calls=9")
    assert (more.status, more.score, calls) == ("finished", 1.0, 1)


@needs_walls
def test_a_study_learns_from_what_tests_say(tmp_path: Path) -> None:
    path = project(tmp_path, problem={"dataset": "rows.jsonl"}, score={"use": "tests"})
    (tmp_path / "climbing.py").write_text(CLIMB)
    lines = [json.dumps({"problem": f"badly add {at}", "target": TESTS}) for at in range(3)]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    data = json.loads(path.read_text())
    data["optimize"] = {
        "use": "./climbing.py:CLIMBING", "parameters": ["prompts"], "train": 1, "validate": 1, "test": 1, "steps": 1,
    }  # fmt: skip
    path.write_text(json.dumps(data))

    async def do(env: dict[str, str]) -> Result:
        return await swarmmind.optimize(path, env=env, allow_code=True, runs=tmp_path / "runs")

    told: list[str] = []

    def noted(request: dict[str, Any]) -> str:
        told.append(str(request["messages"]))
        return answered(request)

    result = served(FakeEndpoint(noted), do)
    assert result.status == "finished"
    assert result.study is not None
    assert result.study.missing == 0
    assert result.study.evaluating is not None
    assert len(rows(result, "RunTests")) == result.study.evaluating.calls == 3
    assert any("wrong: assert add(1, 2) == 3" in text for text in told)  # critic or editor heard why
    again, calls = resumed(result)
    assert (calls, len(rows(again, "RunTests"))) == (0, 3)


def test_a_machine_that_cannot_shut_code_in_is_said_with_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swarmmind.evals.sandbox.handler.trouble", "sandbox: no Landlock".format)
    with pytest.raises(
        UserError, match=r"task\.yaml:1:\d+: score: .*no Landlock; if you trust the code, `sandbox: weak`"
    ):
        ran(project(tmp_path, problem="add", score={"use": "tests", "target": TESTS}))
