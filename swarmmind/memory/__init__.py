"""What agents remember: state read through a scope that may fade. One file per kind; its code is imported when used."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from swarmmind.memory.several import Several
from swarmmind.memory.window import Window
from swarmmind.ports import Memory

_WINDOW = "swarmmind.memory.window"
MEMORIES: dict[str, tuple[str, str]] = {
    "none": (_WINDOW, "nothing"),
    "blackboard": ("swarmmind.memory.blackboard", "Blackboard"),
    "longterm": ("swarmmind.memory.longterm", "LongTerm"),
    "pheromone": ("swarmmind.memory.pheromone", "Pheromone"),
    "traces": ("swarmmind.memory.vectors", "Vectors"),
    "vectors": ("swarmmind.memory.vectors", "Vectors"),
    "window": (_WINDOW, "Window"),
}
"""The short names that a memory part's `use:` may give: the module, and the name in it."""


def memory(name: str) -> Callable[..., Memory]:
    """The factory of a memory in the box; takes its parameters by keyword.

    Raises:
        KeyError: there is none of that name.
    """
    module, factory = MEMORIES[name]
    return getattr(import_module(module), factory)


__all__ = ["MEMORIES", "Several", "Window", "memory"]
