"""Runs with workers in other processes: the same journal and the same result, whatever is handed out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

import swarmmind
from swarmmind import Result
from swarmmind.errors import RunError, UserError
from swarmmind.optimizers.study import Trial
from swarmmind.runs.execute import Manner, execute
from swarmmind.runs.job import Job, job_of
from swarmmind.runs.models import Models
from swarmmind.runs.plan import make_plan
from swarmmind.runs.remote import workshop
from swarmmind.runs.result import Workers
from swarmmind.runs.studies.execute import prepared
from swarmmind.runs.studies.plan import make_study
from swarmmind.runs.studies.result import study_result
from swarmmind.runs.studies.trials import Trials, trying
from swarmmind.runtime.engines.processes import Processes
from swarmmind.runtime.journal import content
from swarmmind.runtime.remote.desk import Desk
from swarmmind.runtime.remote.link import Outbox
from swarmmind.spec import load_task
from swarmmind.testing import FakeEndpoint

from .projects import stored, task, write_sums, write_task
from .studies import answered, optimized, project, resumed, served

EXAMPLE = Path(__file__).parents[2] / "examples" / "pso-ray"
TINY = [f"optimize.{one}" for one in ("particles=2", "iterations=1", "train=1", "validate=1", "test=2")]
DEBATE = {"agents": {"solver": 4}, "topology": {"use": "debate", "rounds": 2}}


class Nowhere:
    """A link that nobody listens at."""

    async def send(self, batch: bytes) -> None:
        raise AssertionError("nothing is asked")

    async def receive(self) -> bytes:
        raise AssertionError("nothing is heard")


def rows(result: Result) -> list[Any]:
    return list(content(result.path / "journal.sqlite"))


def same(one: Result, other: Result) -> None:
    for name in ("status", "output", "score", "usage", "charged", "coverage", "stopped", "eval"):
        assert getattr(one, name) == getattr(other, name), name
    assert rows(one) == rows(other)


def call(what: Callable[..., Any], *args: Any, **options: Any) -> Result:
    async def main() -> Result:
        return await what(*args, **{"env": {}, **options})

    return anyio.run(main)


def test_an_eval_is_the_same_from_workers(work: Path) -> None:
    write_sums(work)
    arms: dict[str, Any] = {"grid": {"swarm.topology": ["vote", "debate"]}, "compare": ["solo"], "eval": {"seeds": 2}}
    model = {"name": "scripted", "accuracy": 0.5, "latency_seconds": 1.5}
    path = write_task(work, problem={"dataset": "sums.jsonl"}, model=model, score={"use": "number"}, **arms)
    alone = call(swarmmind.evaluate, path)
    spread = call(swarmmind.evaluate, path, engine="processes", workers=2)
    same(alone, spread)
    assert alone.workers is None
    assert spread.workers == Workers("processes", 2, 1)
    assert stored(spread.folder)["workers"] == {"engine": "processes", "count": 2, "nodes": 1, "lost": 0}


def test_a_candidate_is_the_same_effect_or_program(work: Path) -> None:
    """Handed to a handler in this very process, so that nothing but the effect differs."""
    study = make_study(load_task(project(work), env={}, allow_code=True), allow_code=True)
    tried: list[str] = []

    class Seen(Trials):
        def __call__(self, trial: Trial, *rest: Any) -> Any:
            tried.append(trial.label())
            return super().__call__(trial, *rest)

    async def do(env: dict[str, str]) -> Result:
        plan, _ = await prepared(study, elsewhere=True)
        models = Models(plan, env)

        def handlers(*made: Any) -> dict[type, Any]:
            return {**trying(study.evaluator, models, *made), Trial: Seen(study.evaluator)}

        def tell(*how: Any) -> Result:
            return study_result(study, *how)

        (work / "apart").mkdir()
        return await execute(plan, work / "apart", models, None, Manner(tell, handlers))

    apart = served(FakeEndpoint(answered), do)
    whole = optimized(work / "task.yaml")
    assert len(tried) == 5 * 10 + 4 * 5 + 2 * 10
    assert rows(apart) == rows(whole)
    assert apart.study is not None
    assert whole.study is not None
    assert apart.study == msgspec.structs.replace(whole.study, parts=None)
    assert not [row for row in rows(apart) if row[0] == "result" and row[2] != "Ask"]


def test_a_study_stopped_in_one_process_goes_on_with_workers(work: Path) -> None:
    path, server = project(work), FakeEndpoint(answered)
    whole = optimized(path)
    part = optimized(path, server, overrides=["budget.calls=60"])
    assert part.stopped == "calls" or (part.study is not None and part.study.reason == "calls")
    more = resumed(part.folder, server, overrides=["budget.calls=null"], engine="processes", workers=2)
    assert more.study is not None
    assert whole.study is not None
    assert more.study.best == whole.study.best
    assert more.study.held_out == whole.study.held_out
    searched = [[str(row) for row in rows(one) if "/search/" in row[1]] for one in (more, whole)]
    assert sorted(searched[0]) == sorted(searched[1])
    assert max(server.bodies.values()) == 1  # nothing was asked twice


def test_a_run_is_the_same_from_workers_that_send_its_requests(work: Path) -> None:
    path = write_task(work, model="vllm/m", swarm=DEBATE, score=None)
    alone_server, spread_server = FakeEndpoint(), FakeEndpoint(latency_seconds=0.01)
    limits = ["model={name: vllm/m, limits: {concurrency: 3}}"]

    def run(server: FakeEndpoint, **options: Any) -> Result:
        async def do(env: dict[str, str]) -> Result:
            return await swarmmind.run(path, env=env, overrides=limits, **options)

        return served(server, do)

    alone, spread = run(alone_server), run(spread_server, engine="processes", workers=2)
    same(alone, spread)
    assert spread_server.bodies == alone_server.bodies  # seeds included
    assert spread_server.most_in_flight <= 3
    assert spread.served[0].answered == spread.usage.calls


def test_the_example_is_the_same_from_workers_and_random_search_runs(work: Path) -> None:
    shutil.copytree(EXAMPLE, work / "example")
    path, small = work / "example" / "task.yaml", [*TINY, "problem.rounds=5", "swarm.agents.0.count=4"]
    alone = call(swarmmind.optimize, path, overrides=small)
    spread = call(swarmmind.optimize, path, overrides=small, engine=Processes(2))
    same(alone, spread)
    by_chance = [*small, "optimize.use=./chance.py:RANDOM"]
    drawn = call(swarmmind.optimize, path, overrides=by_chance, allow_code=True)
    assert drawn.study is not None
    assert drawn.study.tried == 1 + 2


def test_what_cannot_be_is_said_in_one_line_and_leaves_no_folder(work: Path) -> None:
    path = write_task(work)
    with pytest.raises(UserError, match=r"^engine: workers have nothing to do in a run whose agents all answer"):
        call(swarmmind.run, path, engine="processes")
    with pytest.raises(UserError, match=r"^workers: 2 workers need an engine that has some"):
        call(swarmmind.run, path, workers=2)
    with pytest.raises(UserError, match=r"^workers: must be at least 1, got 0"):
        call(swarmmind.evaluate, task(eval={"seeds": 2}), engine="processes", workers=0)
    with pytest.raises(UserError, match=r"^unknown engine 'rai'.*did you mean 'ray'"):
        call(swarmmind.evaluate, task(eval={"seeds": 2}), engine="rai")
    assert not (work / "runs").exists()


def test_an_interrupted_search_for_a_folder_is_the_same_mistake_as_ever(work: Path) -> None:
    with pytest.raises(RunError, match="no such run"):
        call(swarmmind.evaluate, task(eval={"seeds": 2}), into="nothing", engine="processes", workers=1)


def _job(work: Path, **env: str) -> Job:
    model = {"name": "vllm/m", "api_key_env": "MINE", "base_url": "http://127.0.0.1:1/v1"}
    loaded = load_task(write_task(work, model=model, inputs={"a": 1}, problem="What is {{ a }} + 3?"), env={})
    return job_of(loaded, "run", make_plan(loaded, {"a": 2}), env, {"a": 2})


def test_a_job_takes_along_what_its_models_need_and_shows_no_key(work: Path) -> None:
    job = _job(
        work, MINE="secret-1", OPENAI_API_KEY="secret-2", VLLM_API_KEY="secret-3", PATH="/bin", VLLM_BASE_URL="u"
    )
    assert job.env == {"MINE": "secret-1", "VLLM_BASE_URL": "u"}
    assert "secret" not in repr(job)


def test_a_workshop_is_made_of_a_job_alone(work: Path) -> None:
    job = _job(work, MINE="k", VLLM_BASE_URL="http://127.0.0.1:1/v1")
    made = workshop(msgspec.msgpack.encode(job), Desk(Outbox(Nowhere())))
    assert not made.at_once
    plan = make_plan(job.loaded, job.inputs)
    assert plan.society.question.text == "What is 2 + 3?"
    assert made.streams.derive("run/1/solver-0") == plan.streams.derive("run/1/solver-0")
    gone = msgspec.structs.replace(job, folder=str(work / "gone"))
    with pytest.raises(
        UserError, match=r"^the task's folder .*gone is not there on .*: workers need it under the same"
    ):
        workshop(msgspec.msgpack.encode(gone), Desk(Outbox(Nowhere())))
