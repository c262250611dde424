"""The loop of MAP-Elites, and its price."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias

from pydantic import Field

from swarmmind.effects import Program, Record
from swarmmind.errors import UserError, near
from swarmmind.optimizers.acceptance import strict
from swarmmind.optimizers.archives.grid import Choose, Descriptor, Grid, Outside
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.map_elites.breeder import Breeder, Editor, Plan
from swarmmind.optimizers.study import Evaluate, Evaluation, Keep, Most, Optimizer, Study
from swarmmind.optimizers.variation import CHANCE, LANGUAGE
from swarmmind.ports import Context

Count: TypeAlias = Annotated[int, Field(ge=0)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]


def map_elites(
    ctx: Context,
    study: Study,
    descriptors: Annotated[list[Descriptor], Field(min_length=1)],
    steps: Count = 20,
    batch: Annotated[int, Field(ge=1)] = 8,
    initial: Count = 8,
    outside: Outside = "clip",
    choose: Choose = "uniform",
    remeasure: bool = True,
    vary: Editor = "target",
    crossover: Share = 0.0,
    spread: Annotated[float, Field(gt=0, le=1)] = 0.1,
    max_similarity: Share = 0.6,
    offset: Annotated[float, Field(allow_inf_nan=False)] = 0.0,
) -> Program:
    """Fill a grid of behaviors with the best of each; keeps the best of all, by validation.

    Each round is recorded as `archive`: `Grid.facts`, its number, and what became of its children.

    Args:
        ctx: the program's place.
        study: quality is the mean score on its whole training split.
        descriptors: the axes of the grid.
        steps: rounds after the first.
        batch: children of a round, evaluated at once.
        initial: candidates drawn at random beside the study's starts, whose texts and workflows they share.
        outside: what becomes of measures beyond the bounds.
        choose: which elites become parents (see `Grid.select`).
        remeasure: whether an incumbent that is challenged is measured again, with its challenger's chance, and its
            measurements are averaged: scores are noisy, and a lucky one is not to stay for good.
        vary: texts and workflows are changed towards a cell drawn at random, or crossed with other elites.
        crossover: the probability that a child first takes half of another elite's numbers, choices and graphs.
        spread: of a number's mutation, on the unit scale.
        max_similarity: a text or workflow more like its parent's is dropped (see `variation.similarity`).
        offset: what a quality of nothing is, for the QD score.

    Raises:
        UserError: nothing here may change, a split is empty, or descriptors are of one measure, or of none there is.
    """
    _expect_study(study)
    grid = Grid(descriptors, outside)
    breeder = Breeder(ctx, study, grid, vary, crossover, spread, max_similarity)
    ids = study.train.ids
    found: list[Evaluation] = yield [
        Evaluate(one, study.train, ids, needed=one is study.start[0]) for one in breeder.first(initial)
    ]
    _expect_measures(descriptors, found)
    came = Counter[str](grid.add(one) for one in found)
    kept: Evaluation | None = None
    judged: set[str] = set()
    for step in range(steps + 1):
        if step:
            parents = [grid.select(breeder.rng, choose) if grid.elites else found[0] for _ in range(batch)]
            came = yield from _round(study, grid, breeder, parents, step if remeasure else None)
        best = grid.best() or found[0]
        if best.candidate.id not in judged:
            kept = yield from _kept(study, best, kept, judged)
        yield [Record("archive", {"round": step, "children": dict(came), **grid.facts(offset)})]


def map_elites_most(
    study: Study, steps: int = 20, batch: int = 8, initial: int = 8, remeasure: bool = True, **others: Any
) -> Most:
    """Every child is read, new, and challenges an elite of its own; every round has a new best."""
    measured = len(study.start) + initial + steps * batch * (1 + remeasure)
    examples = measured * len(study.train.ids) + (steps + 1) * len(study.validate.ids)
    return Most(examples, steps * batch if study.of(*LANGUAGE) else 0)


def _expect_study(study: Study) -> None:
    if not study.of(*LANGUAGE, *CHANCE):
        raise UserError("map-elites changes texts, workflows, choices, numbers and graphs; the study has none of them")
    if not study.train.ids or not study.validate.ids:
        raise UserError("map-elites needs examples to learn from and others to choose by")


def _expect_measures(descriptors: Sequence[Descriptor], found: Sequence[Evaluation]) -> None:
    """That every measure of the grid is one of these runs.

    Raises:
        UserError: one is not.
    """
    known = sorted({name for one in found for name in one.measures})
    for name in (one.measure for one in descriptors):
        if name not in known:
            measured = ", ".join(known) or "nothing"
            raise UserError(
                f"descriptors: expected measures of the runs ({measured}), found {name!r}{near(name, known)}"
            )


def _round(study: Study, grid: Grid, breeder: Breeder, parents: Sequence[Evaluation], rep: int | None) -> Program:
    """Make children and let them challenge elites; returns what became of how many.

    With a `rep`, children are measured as that one, and so are the elites whom they challenge.
    """
    children: list[tuple[Plan, Candidate]] = yield from breeder.children(parents)
    seen: list[Evaluation] = []
    if children:
        seen = yield [Evaluate(one, study.train, study.train.ids, rep or 0, needed=False) for _, one in children]
    if rep is not None:
        yield from _remeasured(study, grid, seen, rep)
    return breeder.settled([plan for plan, _ in children], seen)


def _remeasured(study: Study, grid: Grid, seen: Sequence[Evaluation], rep: int) -> Program:
    """Measure the elites again that are challenged, each once, with the chance that their challengers had."""
    cells = dict.fromkeys(grid.cell(one.measures) for one in seen)
    elites = [grid.elites[cell].candidate for cell in cells if cell in grid.elites]
    if elites:
        grid.remeasured((yield [Evaluate(one, study.train, study.train.ids, rep, needed=False) for one in elites]))


def _kept(study: Study, best: Evaluation, kept: Evaluation | None, judged: set[str]) -> Program:
    """Keep the best if validation prefers it to the one that was kept; returns the evaluation of the one that is.

    One that could not be scored is not judged: it is validated again as long as it is the best.
    """
    [seen] = yield [Evaluate(best.candidate, study.validate, study.validate.ids, needed=False)]
    if math.isnan(seen.mean):
        return kept
    judged.add(best.candidate.id)
    if kept is not None and not strict(seen, kept):
        return kept
    yield [Keep(best.candidate, seen)]
    return seen


OPTIMIZER = Optimizer(map_elites, map_elites_most, frozenset((*LANGUAGE, *CHANCE)))
