"""The worlds and rule-based agents in the box, by name; their code is imported when it is used."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from swarmmind.effects import Agent
from swarmmind.ports import Environment, Policy

_SWARMBENCH = "swarmmind.evals.swarmbench"
_TASKS = ("flocking", "foraging", "pursuit", "synchronization", "transport")
_AGENTSNET = "swarmmind.evals.agentsnet"
_PROBLEMS = ("coloring", "vertex_cover", "matching", "leader_election", "consensus", "consensus-bits")
ENVIRONMENTS: dict[str, tuple[str, ...]] = {
    **{f"swarmbench/{task}": (_SWARMBENCH, "SwarmBench", task) for task in _TASKS},
    **{f"agentsnet/{problem}": (_AGENTSNET, "AgentsNet", problem) for problem in _PROBLEMS},
    "collective-memory": ("swarmmind.evals.collective", "Collective"),
    "musicswarm": ("swarmmind.evals.musicswarm", "MusicSwarm"),
    "sorting-cells": ("swarmmind.evals.sorting", "SortingCells"),
}
"""What a task's `problem: {environment: ...}` may name: the module, the name in it, and what that is called with."""

_NAMES = ("random", "still", "swarmbench", *(f"swarmbench-{task}" for task in _TASKS))
_ALGORITHMS = ("gather", "flood", "firstfit", "hashed", "trial", "mis", "luby", "matching", "proposals")
POLICIES: dict[str, str] = {
    **dict.fromkeys(_NAMES, _SWARMBENCH),
    **dict.fromkeys(("agentsnet", *(f"agentsnet-{name}" for name in (*_ALGORITHMS, "random", "silent"))), _AGENTSNET),
    "apprentice": "swarmmind.evals.apprentice",
    "checklist": "swarmmind.evals.checklist",
    "collective-memory": "swarmmind.evals.collective",
    "musicswarm": "swarmmind.evals.musicswarm",
    "notes": "swarmmind.evals.notes",
    **dict.fromkeys(("planner", "planner-exact", "planner-random"), "swarmmind.evals.planning"),
    "reckoner": "swarmmind.evals.reckoner",
    "sorting-cells": "swarmmind.evals.sorting",
    "worksheet": "swarmmind.evals.worksheet",
}
"""What a task's `model: builtin/...` may name: the module whose `POLICIES` holds it."""


def environment(name: str) -> Callable[..., Environment]:
    """The factory of an environment in the box; takes its parameters by keyword.

    Raises:
        KeyError: there is none of that name.
    """
    module, factory, *arguments = ENVIRONMENTS[name]
    return partial(getattr(import_module(module), factory), *arguments)


def parallel_world(env: Any, rounds: int = 100, noop: int = 0) -> Environment:
    """A PettingZoo parallel environment as a world; see `swarmmind.evals.pettingzoo.ParallelWorld`."""
    return import_module("swarmmind.evals.pettingzoo").ParallelWorld(env, rounds, noop)


def policies() -> dict[str, Callable[[Agent], Policy]]:
    """The factories of all rule-based agents in the box; the module of each is imported when it is first called."""
    return {name: _late(module, name) for name, module in POLICIES.items()}


def _late(module: str, name: str) -> Callable[[Agent], Policy]:
    def make(agent: Agent) -> Policy:
        factories: dict[str, Any] = import_module(module).POLICIES
        return factories[name](agent)

    return make


def summary(name: str) -> str:
    """The first line about an environment or policy in the box."""
    if name.startswith("swarmbench/"):
        return f"SwarmBench's {ENVIRONMENTS[name][2]} (arXiv 2505.04364)"
    if name.startswith("agentsnet/"):
        return f"AgentsNet's {ENVIRONMENTS[name][2]} (arXiv 2507.08616)"
    found: Any = environment(name) if name in ENVIRONMENTS else import_module(POLICIES[name]).POLICIES[name]
    return (getattr(found, "func", found).__doc__ or "").strip().split("\n")[0]
