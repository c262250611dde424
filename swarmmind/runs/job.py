"""A run on its way to workers in other processes: its task as data, and which of its effects they are given."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from swarmmind.effects import Ask
from swarmmind.errors import UserError, near
from swarmmind.evals.record import Episode
from swarmmind.models.endpoints import Endpoints
from swarmmind.optimizers.study import Trial
from swarmmind.runs.plan import Plan
from swarmmind.runtime.engines.processes import Processes
from swarmmind.runtime.engines.ray_actors import connected
from swarmmind.runtime.handler import Handler
from swarmmind.runtime.remote.engine import Engine
from swarmmind.runtime.remote.head import Head, RemoteAsks, RemoteHandler
from swarmmind.runtime.remote.messages import Order
from swarmmind.spec import LoadedTask, ModelSpec, load_task_data

Kind: TypeAlias = Literal["run", "study", "eval"]
EngineName: TypeAlias = Literal["local", "processes", "ray"]
ENGINES: tuple[EngineName, ...] = ("local", "processes", "ray")
REMOTE = ("openai", "vllm")
"""Providers whose models are behind endpoints."""

_WORKSHOP = "swarmmind.runs.remote:workshop"
_UNITS: Mapping[Kind, type] = {"study": Trial, "eval": Episode}
_BUSY_SLOTS = 4  # effects that a worker has at once whose time is spent on it: enough that it never waits for the head


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
        fleets: the servers that are started for it (see `models.endpoints.Endpoints.fleets`).
    """

    kind: Kind
    task: str
    folder: str
    name: str
    run: str = ""
    inputs: dict[str, Any] = {}
    allow_code: bool = False
    env: dict[str, str] = {}
    fleets: dict[str, tuple[str, str | None]] = {}

    def __repr__(self) -> str:
        return f"Job({self.kind!r}, {self.run!r})"

    @property
    def loaded(self) -> LoadedTask:
        """The task.

        Raises:
            UserError: its folder is not there.
        """
        folder = Path(self.folder)
        if not folder.is_dir():
            raise UserError(
                f"the task's folder {folder} is not there on {socket.gethostname()}: workers need it under the same "
                "path, on a shared disk or as a copy"
            )
        return load_task_data(json.loads(self.task), folder, allow_code=self.allow_code)


def job_of(
    loaded: LoadedTask,
    kind: Kind,
    plan: Plan,
    env: Mapping[str, str],
    inputs: Mapping[str, Any] | None = None,
    *,
    allow_code: bool = False,
) -> Job:
    """The job of a run.

    Args:
        loaded: the task.
        kind: what the run is.
        plan: the same as a run.
        env: where keys and base URLs come from; only what the models may need is taken along.
        inputs: values for the names that the task declares.
        allow_code: whether the user allowed the task to name Python code.
    """
    needed = sorted(_variables(loaded, plan.specs.values()) & env.keys())
    return Job(
        kind,
        json.dumps(loaded.source.data),
        str(loaded.folder.resolve()),
        plan.name,
        inputs=dict(inputs or {}),
        allow_code=allow_code,
        env={name: env[name] for name in needed},
    )


def _variables(loaded: LoadedTask, specs: Iterable[ModelSpec]) -> set[str]:
    embedder = loaded.task.embedder
    found: set[str] = set()
    for spec in (*specs, *([embedder.endpoint()] if embedder.remote else [])):
        if spec.provider in REMOTE:
            upper = spec.provider.upper()
            found |= {f"{upper}_BASE_URL", spec.api_key_env or f"{upper}_API_KEY"}
    return found


class Crowd(NamedTuple):
    """Workers for a run.

    Attributes:
        engine: has them.
        job: what they are told.
    """

    engine: Engine
    job: Job

    def head(self, journal: Any, endpoints: Endpoints) -> Head:
        """Who gives them effects, in the process that holds journal and limiters."""
        return Head(journal, endpoints.limiter, self.engine.workers)

    def order(self, run: str, endpoints: Endpoints) -> Order:
        """What each of them is told first."""
        job = msgspec.structs.replace(self.job, run=run, fleets=endpoints.fleets())
        return Order(_WORKSHOP, msgspec.msgpack.encode(job))

    def handed_out(self, head: Head, plan: Plan, handlers: Mapping[type, Handler]) -> dict[type, Handler]:
        """Who executes which effects, some of them by way of the head.

        Episodes and candidates are handed out whole; of a plain run, the requests to models behind endpoints.

        Args:
            head: gives them to workers.
            plan: the run.
            handlers: who would execute them here.
        """
        kind = self.job.kind
        if kind == "run":
            names = frozenset(name for name, spec in plan.specs.items() if spec.provider in REMOTE)
            return {**handlers, Ask: RemoteAsks(head, handlers[Ask], names)}
        unit = _UNITS[kind]
        slots = _BUSY_SLOTS if plan.rehearsable else None
        return {**handlers, unit: RemoteHandler(head, handlers[unit], slots)}


def check_divisible(kind: Kind, plan: Plan) -> None:
    """Refuse workers where there is nothing to hand out.

    Raises:
        UserError: all agents of a plain run answer from its own process.
    """
    if kind == "run" and not any(spec.provider in REMOTE for spec in plan.specs.values()):
        raise UserError(
            "engine: workers have nothing to do in a run whose agents all answer from its own process; they play the "
            "episodes of an eval, try the candidates of a study, and ask models behind endpoints"
        )


@contextmanager
def engaged(engine: EngineName | Engine, workers: int | None = None) -> Generator[Engine | None]:
    """The engine of a name, for as long as a run goes on; `None` is this process alone.

    Args:
        engine: its name, or one that was made.
        workers: how many; by default as many as there are processors, of this machine or of the cluster.

    Raises:
        UserError: the name is unknown, or workers are wanted where there are none.
        MissingExtra: the engine's package is not installed.
    """
    if workers is not None and workers < 1:
        raise UserError(f"workers: must be at least 1, got {workers}")
    if engine == "local":
        if workers is not None:
            raise UserError(f"workers: {workers} workers need an engine that has some: processes or ray, not 'local'")
        yield None
    elif engine == "processes":
        yield Processes(workers or os.cpu_count() or 1)
    elif engine == "ray":
        with connected(workers) as actors:
            yield actors
    elif isinstance(engine, str):
        raise UserError(f"unknown engine {engine!r}{near(engine, ENGINES)}")
    else:
        yield engine
