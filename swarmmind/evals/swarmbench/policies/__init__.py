"""Rule-based agents, the honest baselines: what a task is worth without a language model.

`POLICIES` maps a name to a factory that makes one policy per agent. A policy sees its own observations only, remembers
what it likes, and answers with text that is read like any other reply.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from swarmmind.effects import Agent
from swarmmind.evals.swarmbench.policies.chance import Random
from swarmmind.ports import Policy

POLICIES: MappingProxyType[str, Callable[[Agent], Policy]] = MappingProxyType(
    {
        "random": Random,
    }
)

__all__ = ["POLICIES"]
