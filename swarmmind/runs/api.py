"""SwarmMind as a library: run a task, improve it, go on with a run."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import anyio

from swarmmind.errors import RunError, UserError
from swarmmind.runs import folder as folders
from swarmmind.runs.evals.execute import Roster, run_eval
from swarmmind.runs.evals.plan import make_eval
from swarmmind.runs.evals.suites import load_suite
from swarmmind.runs.execute import Watch, execute, plain
from swarmmind.runs.job import Crowd, EngineName, Kind, check_divisible, engaged, job_of
from swarmmind.runs.models import Models
from swarmmind.runs.plan import Plan, make_plan
from swarmmind.runs.result import Result
from swarmmind.runs.studies.execute import prepared, run_study
from swarmmind.runs.studies.plan import StudyPlan, make_study, same_study
from swarmmind.runs.studies.price import StudyPrice
from swarmmind.runtime.remote.engine import Engine
from swarmmind.spec import LoadedTask, load_task, load_task_data

RUNS = "runs"
STUDY, EVAL = "study", "eval"
"""What the origin of a folder calls one that is no plain run."""


async def run(
    task: str | os.PathLike[str] | Mapping[str, Any],
    *,
    inputs: Mapping[str, Any] | None = None,
    overrides: Sequence[str] = (),
    runs: str | os.PathLike[str] = RUNS,
    allow_code: bool = False,
    env: Mapping[str, str] | None = None,
    watch: Watch | None = None,
    engine: EngineName | Engine = "local",
    workers: int | None = None,
) -> Result:
    """Run a task and return its result; everything about it is in `result.folder`.

    A task with a `grid`, or with `compare`, is an eval (see `evaluate`).

    Args:
        task: a task file, or the same as plain data (paths in it are relative to the working directory).
        inputs: values for the names that the task declares under `inputs`.
        overrides: `swarm.topology=debate`, as the command line's `--set`.
        runs: where the run's folder is made.
        allow_code: whether the task may name Python code of its own.
        env: environment variables for keys, endpoints and `${NAME}`; `None` is the process's.
        watch: called once at the beginning with the run's live counters.
        engine: what executes it: `local` is this process; `processes` are several of this machine, `ray` is on every
            node of a Ray cluster (the one that `RAY_ADDRESS` names, or one of this machine's own). Episodes and
            candidates are handed out whole; of a plain run, the requests to models behind endpoints.
        workers: how many there shall be of `processes` or `ray`; by default one for each processor.

    Raises:
        UserError: the task, or something it names, is wrong; one line with its place. Or there is nothing in it that
            workers could do.
        MissingExtra: the engine's package is not installed.
        Diverged, JournalError: see `execute`.
    """
    env = os.environ if env is None else env
    loaded = _loaded(task, overrides, env, allow_code)
    way = _Way(Path(runs), allow_code, env, watch, engine, workers)
    if loaded.task.grid or loaded.task.compare:
        return await _evaluated(loaded, inputs or {}, way)
    plan = make_plan(loaded, inputs, allow_code=allow_code)
    models = Models(plan, env)  # a missing key or an unknown policy leaves no folder behind
    with way.crowd(loaded, "run", plan, inputs) as crowd:
        folder = _begin(plan, loaded, Path(runs), inputs or {})
        try:
            return await execute(plan, folder, models, watch, plain(crowd))
        except UserError:  # some topologies find out at their first step only that they cannot work with a swarm
            folders.discard_unused(folder)
            raise


async def optimize(
    task: str | os.PathLike[str] | Mapping[str, Any],
    *,
    overrides: Sequence[str] = (),
    runs: str | os.PathLike[str] = RUNS,
    allow_code: bool = False,
    env: Mapping[str, str] | None = None,
    watch: Watch | None = None,
    engine: EngineName | Engine = "local",
    workers: int | None = None,
    priced: Callable[[StudyPlan, StudyPrice], None] | None = None,
) -> Result:
    """Let a task's study (`optimize`) improve it; `result.study` says what came of it, `result.study.parts` where.

    Args:
        task: a task file, or the same as plain data.
        overrides: `optimize.patience=5`, as the command line's `--set`.
        runs: where the study's folder is made.
        allow_code: whether the task may name Python code of its own.
        env: environment variables for keys, endpoints and `${NAME}`; `None` is the process's.
        watch: called once at the beginning with the study's live counters.
        engine: what executes it (see `run`).
        workers: how many (see `run`).
        priced: called once before anything is started or paid for, with what it will take.

    Raises:
        UserError: the task or its study is wrong; one line with its place.
        Diverged, JournalError: see `execute`.
    """
    env = os.environ if env is None else env
    loaded = _loaded(task, overrides, env, allow_code)
    way = _Way(Path(runs), allow_code, env, watch, engine, workers)
    study = make_study(loaded, allow_code=allow_code)
    plan, price = await prepared(study, elsewhere=way.elsewhere)
    if priced is not None:
        priced(study, price)
    models = Models(plan, env)
    with way.crowd(loaded, "study", plan) as crowd:
        folder = _begin(plan, loaded, Path(runs), {}, STUDY)
        try:
            return await run_study(study, plan, folder, models, watch, crowd)
        except UserError:
            folders.discard_unused(folder)
            raise


async def evaluate(
    suite: str | os.PathLike[str] | Mapping[str, Any],
    *,
    overrides: Sequence[str] = (),
    runs: str | os.PathLike[str] = RUNS,
    into: str | os.PathLike[str] | None = None,
    allow_code: bool = False,
    env: Mapping[str, str] | None = None,
    watch: Watch | None = None,
    engine: EngineName | Engine = "local",
    workers: int | None = None,
) -> Result:
    """Play a task's arms on its cases with several seeds; `result.eval` is the table.

    Args:
        suite: a task file, the name of a suite (`swarmbench`, `swarmbench/foraging`), or plain data.
        overrides: `eval.seeds=5`, as the command line's `--set`.
        runs: where the eval's folder is made.
        into: the folder, id or `last` of an earlier eval: it is this one from now on, and only what its journal does
            not hold is played.
        allow_code: whether the task may name Python code of its own.
        env: environment variables for keys, endpoints and `${NAME}`; `None` is the process's.
        watch: called once at the beginning with the eval's live counters.
        engine: what executes it (see `run`).
        workers: how many (see `run`).

    Raises:
        UserError: the suite is wrong; one line with its place.
        Diverged, JournalError: see `execute`.
    """
    env = os.environ if env is None else env
    if isinstance(suite, Mapping):
        loaded = _loaded(suite, overrides, env, allow_code)
    else:
        loaded = load_suite(suite, overrides=overrides, env=env, allow_code=allow_code)
    return await _evaluated(loaded, {}, _Way(Path(runs), allow_code, env, watch, engine, workers), into)


class _Way(NamedTuple):
    """How whoever calls wants a run to be run."""

    runs: Path
    allow_code: bool
    env: Mapping[str, str]
    watch: Watch | None
    engine: EngineName | Engine
    workers: int | None

    @property
    def elsewhere(self) -> bool:
        """Whether other processes take part."""
        return self.engine != "local"

    @contextmanager
    def crowd(
        self, loaded: LoadedTask, kind: Kind, plan: Plan, inputs: Mapping[str, Any] | None = None
    ) -> Generator[Crowd | None]:
        """The workers of a run, for as long as it goes on."""
        if self.elsewhere:
            check_divisible(kind, plan)
        with engaged(self.engine, self.workers) as engine:
            job = job_of(loaded, kind, plan, self.env, inputs, allow_code=self.allow_code)
            yield None if engine is None else Crowd(engine, job)


async def _evaluated(
    loaded: LoadedTask,
    inputs: Mapping[str, Any],
    way: _Way,
    into: str | os.PathLike[str] | None = None,
    name: str | None = None,
) -> Result:
    plan = make_eval(loaded, inputs, name, allow_code=way.allow_code)
    roster = Roster(plan, way.env)
    everybody = plan.base._replace(specs=plan.specs())
    with way.crowd(loaded, "eval", everybody, inputs) as crowd:
        options: dict[str, Any] = {"allow_code": way.allow_code, "roster": roster, "crowd": crowd}
        if into is None:
            folder = _begin(plan.base, loaded, way.runs, inputs, EVAL)
            try:
                return await run_eval(plan, folder, way.env, way.watch, **options)
            except UserError:
                folders.discard_unused(folder)
                raise
        folder = folders.find(os.fspath(into), way.runs)
        if folders.read_json(folder / folders.ORIGIN).get("kind") != EVAL:
            raise RunError(f"{folder}: is no eval; it cannot go on as one")

        def begin() -> None:
            folders.write_text(folder / folders.TASK, loaded.text)
            folders.write_json(folder / folders.ORIGIN, _origin(plan.base, loaded, inputs, EVAL))

        return await run_eval(plan, folder, way.env, way.watch, begin=begin, **options)


def _loaded(
    task: str | os.PathLike[str] | Mapping[str, Any],
    overrides: Sequence[str],
    env: Mapping[str, str],
    allow_code: bool,
) -> LoadedTask:
    if isinstance(task, Mapping):
        return load_task_data(task, Path.cwd(), overrides=overrides, allow_code=allow_code)
    return load_task(task, overrides=overrides, env=env, allow_code=allow_code)


def _begin(plan: Plan, loaded: LoadedTask, runs: Path, inputs: Mapping[str, Any], kind: str = "run") -> Path:
    return folders.create(runs, plan.name, loaded.text, _origin(plan, loaded, inputs, kind))


def _origin(plan: Plan, loaded: LoadedTask, inputs: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {"folder": str(loaded.folder.resolve()), "name": plan.name, "inputs": dict(inputs), "kind": kind}


async def resume(
    run: str | os.PathLike[str],
    *,
    overrides: Sequence[str] = (),
    runs: str | os.PathLike[str] = RUNS,
    allow_code: bool = False,
    env: Mapping[str, str] | None = None,
    watch: Watch | None = None,
    engine: EngineName | Engine = "local",
    workers: int | None = None,
) -> Result:
    """Go on with a run that was interrupted, killed, or stopped by its budget; no journaled call is made again.

    A run that is finished is replayed to its result without a call.

    Args:
        run: its folder, its id, or `last`.
        overrides: what may change: a larger budget, other limits. What changes an answer that is already there is
            refused (`Diverged`), and so is what a study is about: its examples, scores, parameters and optimizer.
        runs: where run folders are looked for.
        allow_code: whether the task may name Python code of its own.
        env: environment variables for keys and endpoints; `None` is the process's.
        watch: called once at the beginning with the run's live counters.
        engine: what executes it (see `run`).
        workers: how many (see `run`).

    Raises:
        UserError: there is no such run, or its task cannot be loaded any more.
        Diverged, JournalError: see `execute`.
    """
    folder = folders.find(os.fspath(run), Path(runs))
    loaded, origin = _again(folder, overrides, allow_code)
    env = os.environ if env is None else env
    way = _Way(Path(runs), allow_code, env, watch, engine, workers)
    if origin.get("kind") == STUDY:
        if overrides:
            same_study(_again(folder, (), allow_code)[0], loaded)
        study = make_study(loaded, allow_code=allow_code)
        plan = (await prepared(study, elsewhere=way.elsewhere))[0]._replace(name=origin["name"])
        with way.crowd(loaded, "study", plan) as crowd:
            return await run_study(study, plan, folder, Models(plan, env), watch, crowd)
    if origin.get("kind") == EVAL:
        return await _evaluated(loaded, origin["inputs"], way, folder, origin["name"])
    plan = make_plan(loaded, origin["inputs"], allow_code=allow_code)._replace(name=origin["name"])
    with way.crowd(loaded, "run", plan, origin["inputs"]) as crowd:
        return await execute(plan, folder, Models(plan, env), watch, plain(crowd))


def _again(folder: Path, overrides: Sequence[str], allow_code: bool) -> tuple[LoadedTask, dict[str, Any]]:
    """The task that a run stored, and where it came from."""
    origin = folders.read_json(folder / folders.ORIGIN)
    where = Path(origin["folder"])
    if not where.is_dir():
        raise RunError(f"{folder}: the task's folder {where} is not there any more; its cards and data are needed")
    loaded = load_task(folder / folders.TASK, overrides=overrides, env={}, allow_code=allow_code, folder=where)
    return loaded, origin


def run_sync(task: str | os.PathLike[str] | Mapping[str, Any], **options: Any) -> Result:
    """`run` for programs without an event loop; the same arguments."""

    async def main() -> Result:
        return await run(task, **options)

    return anyio.run(main)
