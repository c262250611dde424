"""Ask/evaluate loops that improve prompts, teams, topologies and numbers: one generator per file.

A file (or package) here that holds an `OPTIMIZER` is an optimizer; its name, with hyphens, is what `optimize: {use:}`
says. What they share lies beside them: `study` (the nouns), `conduct` (what drives them), `requests` (what critics and
editors are asked), `acceptance` and `archives` (what survives).
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from swarmmind.optimizers.study import Optimizer


def _found() -> dict[str, Optimizer]:
    modules = {module.name: import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)}
    return {
        name.replace("_", "-"): module.OPTIMIZER for name, module in modules.items() if hasattr(module, "OPTIMIZER")
    }


OPTIMIZERS: dict[str, Optimizer] = _found()
"""The short names that `optimize: {use: ...}` may give."""

__all__ = ["OPTIMIZERS", "Optimizer"]
