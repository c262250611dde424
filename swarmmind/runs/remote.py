"""What another process needs to execute effects of a run: the task as data; and the workshop that it makes of it there.

A worker is given effects under their keys, nothing else. What they mean (which team an episode is played by, what a
candidate's values change) it knows because it has built the same plan from the same task.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from swarmmind.effects import Ask, Program
from swarmmind.errors import UserError
from swarmmind.evals.record import Episode
from swarmmind.memory.store import Stores
from swarmmind.models.make import Endpoints
from swarmmind.optimizers.study import Trial
from swarmmind.ports import Context
from swarmmind.rng import Streams
from swarmmind.runs.evals.episode import Player
from swarmmind.runs.evals.execute import Roster, playing
from swarmmind.runs.evals.plan import make_eval
from swarmmind.runs.execute import Servants, handlers
from swarmmind.runs.models import Models
from swarmmind.runs.plan import Plan, make_plan
from swarmmind.runs.studies.plan import make_study
from swarmmind.runs.studies.trials import Trials
from swarmmind.runtime.handler import Handler
from swarmmind.spec import LoadedTask, ModelSpec, load_task_data

Kind = Literal["run", "study", "eval"]

UNITS: Mapping[Kind, type] = {"run": Ask, "study": Trial, "eval": Episode}
"""What is handed out of each kind of run."""


class Job(msgspec.Struct, frozen=True):
    """A task on its way to a worker. Keys to endpoints are in it: it is never written down, and not shown.

    Attributes:
        kind: what the run is.
        task: the resolved task's data, as JSON.
        folder: the task's folder, which must be there under the same path.
        name: what the run is called.
        run: the name of the run's folder.
        inputs: values for the names that the task declares.
        allow_code: whether the user allowed the task to name Python code.
        env: the environment variables that its models need.
    """

    kind: Kind
    task: str
    folder: str
    name: str
    run: str
    inputs: dict[str, Any] = {}
    allow_code: bool = False
    env: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"Job({self.kind!r}, {self.run!r})"

    def loaded(self) -> LoadedTask:
        """The task.

        Raises:
            UserError: its folder is not there.
        """
        folder = Path(self.folder)
        if not folder.is_dir():
            raise UserError(
                f"the task's folder {folder} is not there on {socket.gethostname()}: workers need it under the same "
                "path (a shared disk, or the same checkout on every node)"
            )
        return load_task_data(json.loads(self.task), folder, allow_code=self.allow_code)


def job_of(
    loaded: LoadedTask,
    kind: Kind,
    name: str,
    run: str,
    specs: Iterable[ModelSpec],
    *,
    inputs: Mapping[str, Any] | None = None,
    allow_code: bool = False,
    env: Mapping[str, str],
) -> Job:
    """The job of a run.

    Args:
        loaded: the task.
        kind: what the run is.
        name: what it is called.
        run: the name of its folder.
        specs: its models.
        inputs: values for the names that the task declares.
        allow_code: whether the user allowed the task to name Python code.
        env: where keys and base URLs come from; only what the models may need is taken along.
    """
    needed = sorted(_variables(loaded, specs) & env.keys())
    data = json.dumps(loaded.source.data)
    folder = str(loaded.folder.resolve())
    return Job(kind, data, folder, name, run, dict(inputs or {}), allow_code, {name: env[name] for name in needed})


def _variables(loaded: LoadedTask, specs: Iterable[ModelSpec]) -> set[str]:
    embedder = loaded.task.embedder
    found: set[str] = set()
    for spec in (*specs, *([embedder.endpoint()] if embedder.remote else [])):
        if spec.provider in ("openai", "vllm"):
            upper = spec.provider.upper()
            found |= {f"{upper}_BASE_URL", spec.api_key_env or f"{upper}_API_KEY"}
    return found


class Workshop(NamedTuple):
    """What executes a run's effects in another process.

    Attributes:
        streams: the run's chance: an effect draws the same there as here, by its key.
        handlers: who executes which effects, those that they come to included.
        servants: who answers; to be run, and closed, by whoever executes.
        at_once: whether all of them answer from this process, in no time.
    """

    streams: Streams
    handlers: dict[type, Handler]
    servants: Servants
    at_once: bool


def workshop(job: Job, endpoints: Endpoints | None = None) -> Workshop:
    """Build the plan of a run again, from its task, with everything that executes its effects.

    Args:
        job: the run.
        endpoints: the limiters and connection pools that its models share; its own if left out.

    Raises:
        UserError: the task, a file it names or an optional package is not there as it was where the run was started.
    """
    loaded = job.loaded()
    if job.kind == "eval":
        return _for_episodes(job, loaded, endpoints)
    if job.kind == "study":
        study = make_study(loaded, allow_code=job.allow_code)
        plan = study.plan(_never)
        own: dict[type, Handler] = {Trial: Trials(study.evaluator)}
    else:
        plan, own = make_plan(loaded, job.inputs, allow_code=job.allow_code), {}
    models = Models(plan, job.env, endpoints)
    executes = {**handlers(plan, models, _stores(job, plan, models)), **own}
    return Workshop(plan.streams, executes, models, plan.rehearsable)


def _for_episodes(job: Job, loaded: LoadedTask, endpoints: Endpoints | None) -> Workshop:
    plan = make_eval(loaded, job.inputs, job.name, allow_code=job.allow_code)
    roster = Roster(plan, job.env, endpoints)
    root = plan.base._replace(specs=plan.specs())
    player = Player(plan, allow_code=job.allow_code)
    executes = playing(plan, roster, player, root, _stores(job, root, roster))
    return Workshop(root.streams, executes, roster, root.rehearsable)


def _stores(job: Job, plan: Plan, servants: Servants) -> Stores:
    return Stores(plan.loaded.folder, job.run, at_once=plan.rehearsable, embedder=servants.embedder.name)


def _never(ctx: Context) -> Program:
    """The root program of a plan of which only parts are executed.

    Raises:
        RuntimeError: always.
    """
    raise RuntimeError("a worker executes effects, no whole runs")
