"""What may be said: task files, role cards, parts and where they are found. Reading them never runs code.

Every mistake in them is a `SpecError`: one line, `file:line:column: path: what was expected, what was found`.
"""

from __future__ import annotations

from swarmmind.spec.cards import Card, load_card
from swarmmind.spec.load import LoadedSwarm, LoadedTask, changed, load_task, load_task_data
from swarmmind.spec.model import EndpointLimits, ModelSpec, SamplingSpec
from swarmmind.spec.optimize import LoadedOptimize, Optimize, PathParameter
from swarmmind.spec.parts import Part, load_code, load_part
from swarmmind.spec.schema import task_schema
from swarmmind.spec.task import (
    Budget,
    DatasetProblem,
    EnvironmentProblem,
    Group,
    PartUse,
    Price,
    QuorumPolicy,
    Score,
    Swarm,
    Task,
)
from swarmmind.spec.values import Distribution

__all__ = [
    "Budget",
    "Card",
    "DatasetProblem",
    "Distribution",
    "EndpointLimits",
    "EnvironmentProblem",
    "Group",
    "LoadedOptimize",
    "LoadedSwarm",
    "LoadedTask",
    "ModelSpec",
    "Optimize",
    "Part",
    "PartUse",
    "PathParameter",
    "Price",
    "QuorumPolicy",
    "SamplingSpec",
    "Score",
    "Swarm",
    "Task",
    "changed",
    "load_card",
    "load_code",
    "load_part",
    "load_task",
    "load_task_data",
    "task_schema",
]
