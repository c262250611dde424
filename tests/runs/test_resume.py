from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

import swarmmind
from swarmmind import Result
from swarmmind.errors import Diverged, RunError
from swarmmind.runs.execute import Progress, Watch
from swarmmind.runtime.journal import content

from .projects import asked, stored, task, write_sums, write_task

DEBATE = {"agents": {"solver": 3}, "topology": {"use": "debate", "rounds": 4}}
UNSURE = {"name": "scripted", "accuracy": 0.4}


def resume(
    run: str | Path,
    overrides: Sequence[str] = (),
    *,
    runs: str = "runs",
    allow_code: bool = False,
    watch: Watch | None = None,
) -> Result:
    async def main() -> Result:
        return await swarmmind.resume(run, overrides=overrides, runs=runs, allow_code=allow_code, env={}, watch=watch)

    return anyio.run(main)


def same(a: Result, b: Result) -> bool:
    names = ("status", "output", "score", "usage", "charged", "coverage", "seed", "makespan_seconds")
    return all(getattr(a, name) == getattr(b, name) for name in names)


def test_a_finished_run_is_replayed_without_a_call(work: Path) -> None:
    first = swarmmind.run_sync(task(model=UNSURE, swarm=DEBATE), env={})
    before = list(content(first.path / "journal.sqlite"))
    watched: list[Progress] = []
    again = resume(first.folder, watch=watched.append)
    assert same(first, again)
    assert watched[0].meter.replayed == 12
    assert list(content(first.path / "journal.sqlite")) == before


def test_a_run_is_found_by_folder_name_id_and_last(work: Path) -> None:
    first = swarmmind.run_sync(task(seed=1), env={})
    second = swarmmind.run_sync(task(seed=2), env={}, runs="elsewhere")
    assert resume(first.path).seed == 1
    assert resume(first.run_id).seed == 1
    assert resume(first.run_id.rsplit("-", 1)[1]).seed == 1
    assert resume("last").seed == 1
    assert resume("last", runs="elsewhere").run_id == second.run_id


@pytest.mark.parametrize(
    ("run", "message"),
    [("nothing", r"nothing: no such run in runs/ \(1 runs there\)"), ("cards", r"cards: holds no ")],
)
def test_a_run_that_is_not_there_is_the_users_mistake(run: str, message: str, work: Path) -> None:
    swarmmind.run_sync(task(), env={})
    (work / "cards").mkdir()
    with pytest.raises(RunError, match=message):
        resume(run)


@pytest.mark.parametrize("affordable", [1, 3, 5, 11])
def test_stopped_by_its_budget_it_goes_on_with_a_larger_one_as_if_never_stopped(affordable: int, work: Path) -> None:
    data = task(model=UNSURE, swarm=DEBATE)
    whole = swarmmind.run_sync(data, env={})
    part = swarmmind.run_sync(task(model=UNSURE, swarm=DEBATE, budget={"calls": affordable}), env={})
    assert (part.status, part.stopped, part.usage.calls) == ("stopped", "calls", affordable)
    more = resume(part.folder, overrides=["budget.calls=100"])
    assert same(whole, more)
    assert asked(more.folder) == asked(whole.folder)
    assert stored(more.folder)["status"] == "finished"


def test_resumed_without_more_money_it_stops_at_the_same_place(work: Path) -> None:
    part = swarmmind.run_sync(task(model=UNSURE, swarm=DEBATE, budget={"calls": 5}), env={})
    assert same(part, resume(part.folder))


def test_a_data_set_goes_on_too(work: Path) -> None:
    write_sums(work)
    changes: dict[str, Any] = {"problem": {"dataset": "sums.jsonl"}, "score": {"use": "number"}, "model": UNSURE}
    whole = swarmmind.run_sync(write_task(work, **changes), env={})
    part = swarmmind.run_sync(work / "task.yaml", overrides=["budget.calls=4"], env={})
    assert part.status == "stopped"
    assert same(whole, resume(part.folder, overrides=["budget.calls=1000"]))


def test_inputs_are_remembered(work: Path) -> None:
    data = task(problem="What is {{ a }} + 3?", inputs={"a": 1}, budget={"calls": 1}, score=None)
    part = swarmmind.run_sync(data, inputs={"a": 2}, env={})
    more = resume(part.folder, overrides=["budget.calls=9"])
    assert (more.status, more.usage.calls) == ("finished", 3)


def test_a_change_that_concerns_answers_that_are_there_is_refused(work: Path) -> None:
    first = swarmmind.run_sync(task(), env={})
    with pytest.raises(Diverged, match="asks something else"):
        resume(first.folder, overrides=["sampling.temperature=0.1"])
    with pytest.raises(RunError, match="was run with seed 7, not 8"):
        resume(first.folder, overrides=["seed=8"])
    assert resume(first.folder).status == "finished"


def test_a_task_whose_folder_is_gone_is_said_so(work: Path) -> None:
    result = swarmmind.run_sync(write_task(work / "project"), env={})
    shutil.rmtree(work / "project")
    with pytest.raises(RunError, match="is not there any more"):
        resume(result.folder)


def test_a_crashed_run_goes_on_when_the_code_is_mended(work: Path) -> None:
    code = """
from swarmmind.effects import Ask

def program(ctx, society):
    [reply] = yield [Ask(society.agents[0], (society.question.prompt(),))]
    yield [Ask(society.agents[1], (society.question.prompt(),))]
    {bug}
    return reply.value
"""
    (work / "bad.py").write_text(code.replace("{bug}", "1 / 0"))
    (work / "good.py").write_text(code.replace("{bug}", ""))
    path = write_task(work, swarm={"agents": {"solver": 2}, "topology": "./bad.py:program"})
    with pytest.raises(ZeroDivisionError):
        swarmmind.run_sync(path, env={}, allow_code=True)
    [folder] = (work / "runs").iterdir()
    watched: list[Progress] = []
    mended = resume(folder, overrides=["swarm.topology=./good.py:program"], allow_code=True, watch=watched.append)
    assert (mended.status, mended.score, watched[0].meter.replayed) == ("finished", 1.0, 2)
    assert json.loads((folder / "result.json").read_text())["status"] == "finished"


def test_a_damaged_journal_is_refused_and_left_alone(work: Path) -> None:
    result = swarmmind.run_sync(task(), env={})
    journal = result.path / "journal.sqlite"
    journal.write_bytes(b"not a database, whatever it was before " * 200)
    with pytest.raises(RunError, match="not a readable journal"):
        resume(result.folder)
    assert journal.read_bytes().startswith(b"not a database")
