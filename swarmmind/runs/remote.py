"""The workshop: what a worker makes of a job, so that it can execute effects of the run under their keys.

A worker is given effects, nothing else. What they mean (which team plays an episode, what a candidate's values change)
it knows because it has built the same plan from the same task.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from swarmmind.effects import Program
from swarmmind.memory.store import Stores
from swarmmind.models.distant import DistantEndpoints
from swarmmind.ports import Context
from swarmmind.rng import Streams
from swarmmind.runs.evals.episode import Player
from swarmmind.runs.evals.execute import Roster, playing
from swarmmind.runs.evals.plan import make_eval
from swarmmind.runs.execute import Servants, handlers
from swarmmind.runs.job import Job
from swarmmind.runs.models import Models
from swarmmind.runs.plan import Plan, make_plan
from swarmmind.runs.studies.plan import make_study
from swarmmind.runs.studies.trials import trying
from swarmmind.runtime.handler import Handler
from swarmmind.runtime.remote.desk import Desk


class Workshop(NamedTuple):
    """What executes a run's effects in another process (satisfies `runtime.remote.worker.Workshop`).

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


def workshop(job: bytes, desk: Desk) -> Workshop:
    """Build the plan of a run again, from its task, with everything that executes its effects.

    Args:
        job: the run, a `Job` as MessagePack.
        desk: where the head is asked for places at endpoints.

    Raises:
        UserError: the task, a file that it names or an optional package is not there as it was where the run began.
    """
    told = msgspec.msgpack.decode(job, type=Job)
    endpoints = DistantEndpoints(desk, told.fleets)
    return _for_episodes(told, endpoints) if told.kind == "eval" else _for_models(told, endpoints)


def _for_models(job: Job, endpoints: DistantEndpoints) -> Workshop:
    loaded = job.loaded
    if job.kind == "study":
        study = make_study(loaded, allow_code=job.allow_code)
        plan = study.plan(_never)
        models = Models(plan, job.env, endpoints, shares=False)
        executes = trying(study.evaluator, models, plan, _stores(job, plan, models))
    else:
        plan = make_plan(loaded, job.inputs, allow_code=job.allow_code)
        models = Models(plan, job.env, endpoints, shares=False)
        executes = handlers(plan, models, _stores(job, plan, models))
    return Workshop(plan.streams, executes, models, plan.rehearsable)


def _for_episodes(job: Job, endpoints: DistantEndpoints) -> Workshop:
    plan = make_eval(job.loaded, job.inputs, job.name, allow_code=job.allow_code)
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
