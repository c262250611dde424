"""Which parameters are edited in which step: agent symbolic learning's schedules (arXiv 2406.18532)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from swarmmind.optimizers.parameters import Parameter

Schedule: TypeAlias = Literal["all", "top-down", "bottom-up", "in-turn"]

_LEVELS = (("workflow", "graph"), ("choice", "float"), ("text",))
"""From the whole to its parts."""


def due(parameters: Sequence[Parameter], schedule: Schedule, step: int, steps: int) -> list[str]:
    """The names of those that may be edited in a step.

    Args:
        parameters: all of them.
        schedule: `all` of them always; or level by level, structure, settings, texts: `top-down` and `bottom-up` give
            each level that there is an equal share of the steps, `in-turn` takes another level in every step.
        step: from 1.
        steps: how many there will be.
    """
    levels = [[p.name for p in parameters if p.kind in kinds] for kinds in _LEVELS]
    levels = [names for names in levels if names]
    if schedule == "all" or not levels:
        return [name for names in levels for name in names]
    if schedule == "in-turn":
        return levels[(step - 1) % len(levels)]
    at = (step - 1) * len(levels) // steps
    return levels[at if schedule == "top-down" else -1 - at]
