"""An archive with a cell for each kind of behavior, and in each cell the best that behaves so (MAP-Elites).

Mouret and Clune, arXiv 1504.04909. A candidate's cell follows from what was measured of its runs, never from what
anybody says it is, and its occupant is replaced if, and only if, the cell is empty or the newcomer's quality is
greater.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from swarmmind.errors import UserError
from swarmmind.optimizers.acceptance import strict
from swarmmind.optimizers.study import Evaluation

Cell: TypeAlias = tuple[int, ...]
"""One bin for each descriptor, from 0."""
Outside: TypeAlias = Literal["clip", "reject"]
"""What becomes of a measure beyond a descriptor's bounds: the nearest bin, or no cell at all."""
Choose: TypeAlias = Literal["uniform", "curiosity", "low-quality"]
"""Which elites become parents; see `Grid.select`."""
Added: TypeAlias = Literal["new", "better", "worse", "outside", "unscored"]

_LEAST_CURIOSITY = 0.1  # so that no elite is given up for good
_REWARD, _BOREDOM = 1.0, -0.5  # Cully and Demiris, arXiv 1708.09251: what a child adds to its parent's


class Descriptor(BaseModel):
    """One axis of the grid: a measure of behavior, and how it is cut into bins of equal width.

    Attributes:
        measure: `calls`, `agents`, `messages`, `depth`, `density`, `tokens` (see `tracing.measures`), or a metric of
            the task's own world.
        low: where the first bin begins; above 0 on a log scale.
        high: where the last bin ends; belongs to it.
        bins: how many.
        scale: on which the bins are of equal width.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    measure: Annotated[str, Field(min_length=1)]
    low: Annotated[float, Field(allow_inf_nan=False)]
    high: Annotated[float, Field(allow_inf_nan=False)]
    bins: Annotated[int, Field(ge=1, le=1000)] = 7
    scale: Literal["linear", "log"] = "linear"

    @model_validator(mode="before")
    @classmethod
    def _measured(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and "parameter" in data:
            raise ValueError("expected a 'measure' of behavior, found 'parameter': a value is no behavior")
        return cast("Any", data)

    @model_validator(mode="after")
    def _bounded(self) -> Descriptor:
        if not self.low < self.high:
            raise ValueError(f"low must be less than high, got {self.low} and {self.high}")
        if self.scale == "log" and self.low <= 0:
            raise ValueError(f"low must be above 0 on a log scale, got {self.low}")
        return self

    def bin(self, value: float, outside: Outside = "clip") -> int | None:
        """The bin of a measured value; `None` if it has none."""
        if not math.isfinite(value) or (outside == "reject" and not self.low <= value <= self.high):
            return None
        inside = min(max(value, self.low), self.high)
        if self.scale == "log":
            unit = math.log(inside / self.low) / math.log(self.high / self.low)
        else:
            unit = (inside - self.low) / (self.high - self.low)
        return min(int(unit * self.bins), self.bins - 1)

    def words(self, at: int) -> str:
        """A bin for people and editors, e.g. `from 5 to 9`."""
        return f"from {self._edge(at):.4g} to {self._edge(at + 1):.4g}"

    def _edge(self, at: int) -> float:
        share = at / self.bins
        return (
            self.low * (self.high / self.low) ** share
            if self.scale == "log"
            else (1 - share) * self.low + share * self.high
        )


class Grid:
    """The archive; equal additions in equal order give equal archives.

    Args:
        descriptors: its axes, at least one, of distinct measures.
        outside: what becomes of measures beyond the bounds.

    Raises:
        UserError: there is no descriptor, or two of one measure.
    """

    def __init__(self, descriptors: Sequence[Descriptor], outside: Outside = "clip") -> None:
        names = [one.measure for one in descriptors]
        if not names or len(set(names)) < len(names):
            raise UserError(
                f"descriptors: expected one or more, each of another measure, found {', '.join(names) or 'none'}"
            )
        self.descriptors: tuple[Descriptor, ...] = tuple(descriptors)
        self._outside: Outside = outside
        self.elites: dict[Cell, Evaluation] = {}
        self._times: dict[str, int] = {}
        self._curiosity: dict[str, float] = {}

    @property
    def size(self) -> int:
        """How many cells there are, filled or empty."""
        return math.prod(one.bins for one in self.descriptors)

    def cell(self, measures: Mapping[str, float]) -> Cell | None:
        """Where a behavior belongs; `None` if a measure is missing, or outside and rejected."""
        found: list[int] = []
        for one in self.descriptors:
            value = measures.get(one.measure)
            at = None if value is None else one.bin(value, self._outside)
            if at is None:
                return None
            found.append(at)
        return tuple(found)

    def add(self, evaluation: Evaluation, times: int = 1) -> Added:
        """Let a candidate have its cell if that is empty, or if its scores are greater on the examples both have.

        One without any score has no quality, and gets none.

        Args:
            evaluation: how it did.
            times: the average over how many measurements that is.
        """
        if math.isnan(evaluation.mean):
            return "unscored"
        cell = self.cell(evaluation.measures)
        if cell is None:
            return "outside"
        occupant = self.elites.get(cell)
        if occupant is not None and not strict(evaluation, occupant):
            return "worse"
        self.elites[cell] = evaluation
        self._times[evaluation.candidate.id] = times
        return "new" if occupant is None else "better"

    def remeasured(self, again: Sequence[Evaluation]) -> None:
        """Average another measurement into each of these elites; whoever now behaves otherwise moves to that cell."""
        cells = {elite.candidate.id: cell for cell, elite in self.elites.items()}
        before = [self.elites.pop(cells[one.candidate.id]) for one in again]
        for old, new in zip(before, again, strict=True):
            times = self._times[old.candidate.id]
            self.add(averaged(old, times, new), times + 1)

    def select(self, rng: random.Random, choose: Choose = "uniform") -> Evaluation:
        """A parent, of at least one elite there is.

        `uniform`; `curiosity`, in proportion to what children of an elite have lately brought in (Cully and Demiris,
        arXiv 1708.09251); `low-quality`, where the worst of n elites weighs n and the best 1 (Rainbow Teaming, arXiv
        2402.16822, favors low fitness).
        """
        elites = list(self.elites.values())
        if choose == "uniform":
            return rng.choice(elites)
        if choose == "curiosity":
            known = [self._curiosity.get(one.candidate.id, 0.0) for one in elites]
            return rng.choices(elites, [max(value, 0.0) + _LEAST_CURIOSITY for value in known])[0]
        elites.sort(key=lambda one: one.mean)
        return rng.choices(elites, range(len(elites), 0, -1))[0]

    def credit(self, parent: str, added: Added) -> None:
        """Tell what became of a child of this elite, for `curiosity`."""
        gain = _REWARD if added in ("new", "better") else _BOREDOM
        self._curiosity[parent] = max(self._curiosity.get(parent, 0.0) + gain, 0.0)

    def best(self) -> Evaluation | None:
        """The elite of the greatest quality; the one that was there first, if several are; `None` in an empty grid."""
        return max(self.elites.values(), key=lambda one: one.mean, default=None)

    def wanted(self, measures: Mapping[str, float], target: Cell) -> dict[str, tuple[float, str]]:
        """What a behavior lacks to belong to a cell: by measure, what it is, and in words what it should be."""
        found: dict[str, tuple[float, str]] = {}
        for one, at in zip(self.descriptors, target, strict=True):
            value = measures.get(one.measure, math.nan)
            if one.bin(value) != at:
                found[one.measure] = value, one.words(at)
        return found

    def facts(self, offset: float = 0.0) -> dict[str, Any]:
        """The archive as JSON data: axes, `coverage`, `qd_score` (the sum of quality less `offset`), `best`, `cells`.

        `cells` holds `[cell, candidate's id, quality]`, in the cells' order.
        """
        filled = [(cell, one.candidate.id, one.mean) for cell, one in sorted(self.elites.items())]
        return {
            "axes": [one.model_dump() for one in self.descriptors],
            "filled": len(filled),
            "total": self.size,
            "coverage": len(filled) / self.size,
            "qd_score": math.fsum(quality - offset for _, _, quality in filled),
            "best": max((quality for _, _, quality in filled), default=None),
            "cells": filled,
        }


def averaged(before: Evaluation, times: int, again: Evaluation) -> Evaluation:
    """One evaluation of a candidate from two: `before`, itself an average over so many measurements, and another one.

    A score that is missing in one of them is the other's.
    """
    scores: dict[str, float | None] = {}
    for example in {**before.scores, **again.scores}:
        old, new = before.scores.get(example), again.scores.get(example)
        scores[example] = _mean(old, times, new)
    measures = {
        name: _mean(before.measures.get(name), times, again.measures.get(name)) or 0.0
        for name in {**before.measures, **again.measures}
    }
    return before._replace(scores=scores, measures=measures, cases=again.cases)


def _mean(old: float | None, times: int, new: float | None) -> float | None:
    if old is None or new is None:
        return new if old is None else old
    return (old * times + new) / (times + 1)
