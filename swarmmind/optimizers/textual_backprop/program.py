"""The loop of textual backpropagation (Agentic Neural Networks, arXiv 2506.09046, algorithm 1).

    run a batch -> backward pass: critiques -> momentum -> one edit each -> gates: node, edge, structure, performance

Agent symbolic learning and TextGrad are the same loop with other backward passes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field

from swarmmind.effects import Program
from swarmmind.errors import UserError
from swarmmind.optimizers.acceptance import Rule, acceptance
from swarmmind.optimizers.study import Most, Study
from swarmmind.optimizers.textual_backprop.backward import Backward
from swarmmind.optimizers.textual_backprop.descent import KINDS, Descent, Way, editable
from swarmmind.optimizers.textual_backprop.graph import asks as graph_asks
from swarmmind.optimizers.textual_backprop.graph import graph
from swarmmind.optimizers.textual_backprop.layers import asks as layers_asks
from swarmmind.optimizers.textual_backprop.layers import layers
from swarmmind.optimizers.textual_backprop.momentum import Momentum
from swarmmind.optimizers.textual_backprop.requirements import asks as requirements_asks
from swarmmind.optimizers.textual_backprop.requirements import requirements
from swarmmind.optimizers.textual_backprop.schedule import Schedule
from swarmmind.ports import Context

BACKWARD: dict[str, Backward] = {"layers": layers, "requirements": requirements, "graph": graph}
"""Backward passes by the names that `backward:` may give."""

ASKS: dict[str, Callable[[Study, int], int]] = {
    "layers": layers_asks,
    "requirements": requirements_asks,
    "graph": graph_asks,
}
"""For each, from a study and a number of cases to how many asks it makes at most."""

_Positive = Annotated[int, Field(ge=1)]
_Share = Annotated[float, Field(ge=0, le=1)]


def textual_backprop(
    ctx: Context,
    study: Study,
    backward: Literal["layers", "requirements", "graph"] | Backward = "layers",
    steps: _Positive = 10,
    batch: _Positive = 4,
    accept: Rule = "sign-test",
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.2,
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0,
    persistence: Annotated[float, Field(gt=0)] = 1.6,
    history: Annotated[int, Field(ge=0)] = 0,
    schedule: Schedule = "all",
    explore: _Share = 0.2,
    remeasure: bool = True,
    enough: Annotated[float, Field(allow_inf_nan=False)] = 1.0,
) -> Program:
    """Improve a team step by step by what critics say of its failures.

    Args:
        ctx: the program's place.
        study: with text, workflow, choice, graph or number parameters.
        backward: how critiques are found: `layers` (the whole, then each layer that is at fault by its own traces),
            `requirements` (what is required goes back from step to step), `graph` (a critique for every edge); or a
            function, see `backward.Backward`.
        steps: how many batches.
        batch: training examples in one.
        accept: when a child replaces the best: `sign-test`, `strict`, `not-worse`, `always`.
        alpha: the level of the sign test.
        momentum: how much of a critique's weight is kept from step to step (the paper's alpha is .7): above 0, only
            critiques that come back are acted upon. 0 acts upon all.
        persistence: how weighty a critique must be, in units of being said once.
        history: how many earlier values of a parameter its editor is shown, with what was said of them (TextGrad's
            momentum as intended, arXiv 2406.07496).
        schedule: what is edited in a step: `all` that was criticized; or structure before texts (`top-down`), texts
            before structure (`bottom-up`), one after the other (`in-turn`).
        explore: how often choice parameters try an option at random, to learn from how trials go. With 0 they are
            edited like all others.
        remeasure: whether best and child are measured afresh before one is chosen. If not, the best keeps the score
            that it was chosen for, lucky as it was.
        enough: a case with this score or more did not fail.

    Raises:
        UserError: there is nothing to change, or nothing to measure on; no critique could ever come through.
    """
    _require(study)
    pass_ = BACKWARD[backward] if isinstance(backward, str) else backward
    weights, better = Momentum(momentum, persistence), acceptance(accept, alpha)
    pairs = _pairs(accept, remeasure)
    descent = Descent(ctx, study, Way(pass_, steps, better, pairs, weights, history, explore, enough, schedule))
    yield from descent.begin()
    for number, ids in zip(range(1, steps + 1), study.train.batches(batch, ctx.rng("batches")), strict=False):
        yield from descent.step(number, ids)


def textual_backprop_most(
    study: Study,
    backward: Literal["layers", "requirements", "graph"] | Backward = "layers",
    steps: int = 10,
    batch: int = 4,
    accept: Rule = "sign-test",
    explore: float = 0.2,
    remeasure: bool = True,
    **others: object,
) -> Most:
    """Every batch fails, everything is criticized and edited; a function's own asks are not counted."""
    train, validate = min(batch, len(study.train.ids)), len(study.validate.ids)
    critics = ASKS[backward](study, train) if isinstance(backward, str) else 0
    editors = len(editable(study, explore))
    measured = validate * (2 if _pairs(accept, remeasure) else 1)
    return Most(len(study.start) * validate + steps * (train + measured), steps * (critics + editors))


def _require(study: Study) -> None:
    if not study.of(*KINDS):
        raise UserError(f"textual-backprop: needs a parameter of kind {', '.join(sorted(KINDS))}; the study has none")
    for split in (study.train, study.validate):
        if not split.ids:
            raise UserError(f"textual-backprop: needs examples to {split.name} on, got none")


def _pairs(accept: Rule, remeasure: bool) -> bool:
    return remeasure and accept != "always"
