"""Paired seeds: every variant of an experiment is run on the same seeds, each as a run with a journal of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple, TypeVar

from swarmmind.effects import Program
from swarmmind.ports import Context, Model
from swarmmind.runtime.handler import Handler
from swarmmind.runtime.journal import content
from tests.runtime.stage import play

T = TypeVar("T")
WORKERS = 2


class Rehearsed(NamedTuple):
    """What a program came to, and what was journaled on the way.

    Attributes:
        value: what it returned.
        asks: how many the model answered; `planned` if none is missing.
        planned: how many asks the runtime counted as planned.
        journal: what the journal holds, timings aside, if it was asked for.
    """

    value: Any
    asks: int
    planned: int
    journal: list[tuple[str, ...]]


def rehearse(
    program: Callable[[Context], Program],
    model: Model,
    seed: int,
    *,
    handlers: Mapping[type, Handler] | None = None,
    with_journal: bool = False,
) -> Rehearsed:
    """Run a program through the real driver with a journal on disk.

    Raises:
        AssertionError: it failed, or not every planned ask is accounted for.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite"
        played = play(program, path, model=model, seed=seed, handlers=handlers)
        assert played.outcome.ok, played.outcome
        total = played.meter.total()
        assert total.planned == total.finished + total.failed + total.cancelled
        rows = list(content(path)) if with_journal else []
        return Rehearsed(played.outcome.value, len(played.asked), total.planned, rows)


def over(seeds: Sequence[int], function: Callable[..., T], *arguments: Any) -> list[T]:
    """`function(*arguments, seed)` for every seed, in the order of the seeds, in processes of their own."""
    with ProcessPoolExecutor(WORKERS) as pool:
        return list(pool.map(partial(function, *arguments), seeds))


def paired(better: Sequence[float], worse: Sequence[float]) -> tuple[float, float]:
    """Mean difference over paired seeds, and the half-width of its 95 % interval (normal)."""
    differences = [one - other for one, other in zip(better, worse, strict=True)]
    half = 1.96 * stdev(differences) / len(differences) ** 0.5 if len(differences) > 1 else float("nan")
    return mean(differences), half
