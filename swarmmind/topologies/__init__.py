"""Who hears whom and when: one short generator per file, and the number of calls it will make.

A file (or package) here that holds a `TOPOLOGY` is a topology; its name, with hyphens, is what a part's `use:` says.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from swarmmind.topologies.society import Lesson, Policy, Question, Society, Topology


def _found() -> dict[str, Topology]:
    modules = {module.name: import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)}
    return {name.replace("_", "-"): module.TOPOLOGY for name, module in modules.items() if hasattr(module, "TOPOLOGY")}


TOPOLOGIES: dict[str, Topology] = _found()
"""The short names that a topology part's `use:` may give."""

__all__ = ["TOPOLOGIES", "Lesson", "Policy", "Question", "Society", "Topology"]
