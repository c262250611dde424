"""Emergent collective memory (arXiv 2512.10166): foragers with private memories and traces on the ground."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from swarmmind.effects import Agent
from swarmmind.evals.collective.environment import Collective, Observation
from swarmmind.evals.collective.policy import Rule
from swarmmind.ports import Policy

POLICIES: MappingProxyType[str, Callable[[Agent], Policy]] = MappingProxyType({"collective-memory": Rule})

__all__ = ["POLICIES", "Collective", "Observation", "Rule"]
