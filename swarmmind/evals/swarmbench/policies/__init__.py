"""Rule-based agents, the honest baselines: what a task is worth without a language model.

`POLICIES` maps a name to a factory that makes one policy per agent. A policy sees its own observations only, remembers
what it likes, and answers with text that is read like any other reply. What each one uses is said in its docstring.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from types import MappingProxyType

from swarmmind.effects import Agent
from swarmmind.evals.swarmbench.environment import Observation
from swarmmind.evals.swarmbench.policies.chance import Random, Still
from swarmmind.evals.swarmbench.policies.flocking import FirstCome
from swarmmind.evals.swarmbench.policies.foraging import Carrier
from swarmmind.evals.swarmbench.policies.pursuit import Hunter
from swarmmind.evals.swarmbench.policies.synchronization import Clock
from swarmmind.evals.swarmbench.policies.transport import Mover
from swarmmind.ports import Policy

_BY_TASK: dict[str, Callable[[Agent], Policy]] = {
    "pursuit": Hunter,
    "synchronization": Clock,
    "foraging": Carrier,
    "flocking": FirstCome,
    "transport": Mover,
}


class AnyTask:
    """The rules of whatever task is observed first."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._rules: Policy | None = None

    def __call__(self, observation: Observation, rng: random.Random) -> str:
        """What the task's rules say."""
        if self._rules is None:
            self._rules = _BY_TASK[observation.task.lower()](self._agent)
        return self._rules(observation, rng)


POLICIES: MappingProxyType[str, Callable[[Agent], Policy]] = MappingProxyType(
    {
        "random": Random,
        "still": Still,
        "swarmbench": AnyTask,
        **{f"swarmbench-{task}": rules for task, rules in _BY_TASK.items()},
    }
)

__all__ = ["POLICIES"]
