"""Self-sorting cells (arXiv 2401.05375): sorting algorithms turned round, so that every cell of the array acts."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

from swarmmind.effects import Agent
from swarmmind.evals.sorting.environment import Observation, Overview, Seen, SortingCells
from swarmmind.evals.sorting.measures import aggregation, aligned, delayed_gratification, error
from swarmmind.evals.sorting.policy import Rule
from swarmmind.ports import Policy

POLICIES: MappingProxyType[str, Callable[[Agent], Policy]] = MappingProxyType({"sorting-cells": Rule})

__all__ = [
    "POLICIES",
    "Observation",
    "Overview",
    "Rule",
    "Seen",
    "SortingCells",
    "aggregation",
    "aligned",
    "delayed_gratification",
    "error",
]
