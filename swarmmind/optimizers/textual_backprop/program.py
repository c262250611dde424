"""The loop of textual backpropagation (Agentic Neural Networks, arXiv 2506.09046, algorithm 1).

    run a batch -> backward pass: critiques -> momentum -> one edit each -> gates: node, edge, structure, performance

Agent symbolic learning and TextGrad are the same loop with other backward passes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from swarmmind.effects import Program, Record
from swarmmind.errors import UserError
from swarmmind.optimizers.acceptance import Rule, acceptance
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.parameters import ChoiceParameter
from swarmmind.optimizers.requests import Critique
from swarmmind.optimizers.study import Evaluate, Keep, Most, Study
from swarmmind.optimizers.textual_backprop.aggregators import Aggregators
from swarmmind.optimizers.textual_backprop.backward import Backward
from swarmmind.optimizers.textual_backprop.editing import Past, edits
from swarmmind.optimizers.textual_backprop.graph import asks as graph_asks
from swarmmind.optimizers.textual_backprop.graph import graph
from swarmmind.optimizers.textual_backprop.layers import asks as layers_asks
from swarmmind.optimizers.textual_backprop.layers import layers
from swarmmind.optimizers.textual_backprop.momentum import Momentum
from swarmmind.optimizers.textual_backprop.requirements import asks as requirements_asks
from swarmmind.optimizers.textual_backprop.requirements import requirements
from swarmmind.optimizers.textual_backprop.schedule import Schedule, due
from swarmmind.ports import Context

BACKWARD: dict[str, Backward] = {"layers": layers, "requirements": requirements, "graph": graph}
"""Backward passes by the names that `backward:` may give."""

ASKS: dict[str, Callable[[Study, int], int]] = {
    "layers": layers_asks,
    "requirements": requirements_asks,
    "graph": graph_asks,
}
"""For each, from a study and a number of cases to how many asks it makes at most."""

KINDS = frozenset({"text", "choice", "float", "graph", "workflow"})

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
    enough: float = 1.0,
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
        explore: how often a choice parameter tries an option at random; they learn from how trials go. With 0 they
            are edited like all others.
        remeasure: whether best and child are both measured afresh before one is chosen, on the same chance. If not,
            the best keeps the score it was chosen for, lucky as it was.
        enough: a case with this score or more did not fail.

    Raises:
        UserError: there is nothing to change, or nothing to measure on; no critique could ever come through.
    """
    _require(study)
    pass_ = BACKWARD[backward] if isinstance(backward, str) else backward
    better, pairs = acceptance(accept, alpha), _pairs(accept, remeasure)
    weights, past = Momentum(momentum, persistence), Past()
    chosen = Aggregators(_choices(study, explore), explore, ctx.rng("aggregators"))
    batches = study.train.batches(batch, ctx.rng("batches"))
    best, score = yield from _begin(study)
    seen = {best.id}
    for step in range(1, steps + 1):
        [trial] = yield [Evaluate(chosen.trial(best), study.train, next(batches), step)]
        failing = trial.failing(enough)
        if not failing:
            chosen.credit(trial, ())
            continue
        said: list[Critique] = yield from pass_(ctx, study, trial.candidate, failing)
        chosen.credit(trial, said)
        open_now = due(study.parameters, schedule, step, steps)
        heeded = weights.filter([one for one in said if one.parameter in open_now])
        wrong = _by_parameter(study, heeded, explore)
        changes, notes = (yield from edits(study, trial.candidate, wrong, past, history)) if wrong else ({}, [])
        child = _child(best, chosen.best(best), changes, notes)
        if child.id in seen:  # measured again and again, one that was refused would pass by luck
            continue
        seen.add(child.id)
        wanted = [Evaluate(one, study.validate, study.validate.ids, step if pairs else 0) for one in (child, best)]
        [after, *again] = yield wanted if pairs else wanted[:1]
        [score] = again or [score]
        if not better(after, score):
            yield [_refused(best, child)]
            continue
        best, score = child, after
        yield [Keep(best, score)]


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
    editors = len(_editable(study, explore))
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


def _choices(study: Study, explore: float) -> list[ChoiceParameter]:
    """The parameters that learn from trials."""
    return [p for p in study.parameters if isinstance(p, ChoiceParameter)] if explore else []


def _editable(study: Study, explore: float) -> list[str]:
    chosen = {p.name for p in _choices(study, explore)}
    return [p.name for p in study.of(*KINDS) if p.name not in chosen]


def _begin(study: Study) -> Program:
    """The best of the starts, kept."""
    measured = yield [Evaluate(start, study.validate, study.validate.ids) for start in study.start]
    score = max(measured, key=lambda one: one.mean)
    yield [Keep(score.candidate, score)]
    return score.candidate, score


def _by_parameter(study: Study, said: Sequence[Critique], explore: float) -> dict[str, list[Critique]]:
    """What is wrong with each parameter that an editor may change, in the study's order."""
    found = {name: [one for one in said if one.parameter == name] for name in _editable(study, explore)}
    return {name: wrong for name, wrong in found.items() if wrong}


def _child(best: Candidate, settled: Candidate, changes: Mapping[str, object], notes: Sequence[str]) -> Candidate:
    """The best candidate with the settings that did best, and edited."""
    values = {**settled.values, **changes}
    return best.child(values, "; ".join(filter(None, (settled.note if settled is not best else "", *notes))))


def _refused(best: Candidate, child: Candidate) -> Record:
    """The record of a child that the last gate is closed to."""
    gates = {name: "performance" for name, value in child.values.items() if value != best.values[name]}
    return Record("refused", {"parent": best.id, "note": child.note[:200], "problems": {}, "gates": gates})
