"""What agents remember: state read through a scope that may fade. One file per kind."""

from __future__ import annotations

from collections.abc import Callable

from swarmmind.memory.window import Window, nothing
from swarmmind.ports import Memory

MEMORIES: dict[str, Callable[..., Memory]] = {"none": nothing, "window": Window}
"""The short names that a memory part's `use:` may give."""

__all__ = ["MEMORIES", "Window"]
