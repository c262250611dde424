"""Data sets that a program makes, by name; the module of each is imported when it is used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

from swarmmind.evals.scoring import Scoring


class Item(NamedTuple):
    """One problem with what is right, if that is known."""

    text: str
    target: Any = None
    kind: str = ""


class Dataset(NamedTuple):
    """Problems, and how they are judged where the task does not say.

    Attributes:
        items: the problems, in an order that depends on the parameters alone.
        scoring: how outputs are judged; `None` leaves it to the task.
    """

    items: Sequence[Item]
    scoring: Scoring | None = None


DATASETS: dict[str, tuple[str, str]] = {
    "arithmetic": ("swarmmind.evals.generated.arithmetic", "arithmetic"),
    "blocksworld": ("swarmmind.evals.generated.blocksworld", "blocksworld"),
    "counting": ("swarmmind.evals.generated.sorting", "counting"),
    "game-of-24": ("swarmmind.evals.generated.game24", "game_of_24"),
    "sorting": ("swarmmind.evals.generated.sorting", "sorting"),
    "reasoning-gym/": ("swarmmind.evals.reasoning_gym", "dataset"),
    "planning/graph": ("swarmmind.evals.planning", "graph"),
    "planning/hanoi": ("swarmmind.evals.planning", "hanoi"),
}
"""What a task's `problem: {dataset: ...}` may name besides files: the module, and the factory in it. A factory takes
its parameters by keyword and returns a `Dataset`. A name that ends in `/` stands for all names that begin so: its
factory takes the rest first."""


def known(name: str) -> bool:
    """Whether a data set in the box is called so."""
    return (name in DATASETS and not name.endswith("/")) or _family(name) is not None


def factory(name: str) -> Callable[..., Dataset]:
    """The factory of a data set in the box; takes its parameters by keyword.

    Raises:
        KeyError: there is none of that name.
    """
    family = _family(name)
    if family is None:
        module, made = DATASETS[name]
        return getattr(import_module(module), made)
    module, made = DATASETS[family]
    return partial(getattr(import_module(module), made), name.removeprefix(family))


def _family(name: str) -> str | None:
    return next((known for known in DATASETS if known.endswith("/") and name.startswith(known) and name != known), None)
