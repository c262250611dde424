"""A task that is being changed: its data, and the role cards that no file holds."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from swarmmind.spec import Card, LoadedTask
from swarmmind.spec.overrides import SHORT
from swarmmind.spec.source import show

_PARTS = (("swarm", "topology"), ("swarm", "memory"))
"""Where a text stands for `{use: text}`."""


class Draft(NamedTuple):
    """What will be loaded again.

    Attributes:
        data: the task's values, a copy of their own.
        cards: the role cards of the outermost swarm, by name.
    """

    data: dict[str, Any]
    cards: dict[str, Card]

    @staticmethod
    def of(loaded: LoadedTask) -> Draft:
        """A task before it is changed."""
        return Draft(copy.deepcopy(loaded.source.data), dict(loaded.cards))

    def put(self, steps: Sequence[str], value: Any) -> None:
        """Put a value where a path leads; mappings that are missing on the way are made.

        Raises:
            ValueError: the path leads through something that is neither a mapping nor a list, or past a list's end.
        """
        holder: Any = self.data
        for depth, step in enumerate(steps[:-1]):
            key = _key(holder, step, steps[:depth])
            if isinstance(holder, dict):
                holder = cast("dict[str, Any]", holder)
                holder.setdefault(key, {})
            if isinstance(holder[key], str) and _short(steps[: depth + 1]) is not None:
                holder[key] = {_short(steps[: depth + 1]): holder[key]}
            holder = holder[key]
        holder[_key(holder, steps[-1], steps[:-1])] = copy.deepcopy(value)

    def get(self, steps: Sequence[str]) -> Any:
        """The value where a path leads.

        Raises:
            KeyError: there is none.
        """
        value: Any = self.data
        for depth, step in enumerate(steps):
            if isinstance(value, str) and _short(steps[:depth]) is not None:
                value = {_short(steps[:depth]): value}
            try:
                value = value[_key(value, step, steps[:depth])]
            except (ValueError, KeyError):
                raise KeyError(".".join(steps)) from None
        return value


def _short(steps: Sequence[str]) -> str | None:
    """The key for which a text stands there; memories may stand in a list."""
    return SHORT.get(tuple(steps[:2] if steps[0] == "swarm" else steps))


def _key(holder: Any, step: str, before: Sequence[str]) -> Any:
    if isinstance(holder, dict):
        return step
    where = ".".join(before)
    if not isinstance(holder, list):
        raise ValueError(f"{where} is {show(holder)}, which has no {show(step)}")
    count = len(cast("list[Any]", holder))
    if not (step.isascii() and step.isdigit() and int(step) < count):
        raise ValueError(f"{where} is a list of {count}; its entries are counted from 0, got {show(step)}")
    return int(step)
