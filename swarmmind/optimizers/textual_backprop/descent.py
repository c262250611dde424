"""One step after the other: what was learned on the way, and what is best so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from swarmmind.effects import Program, Record
from swarmmind.errors import Failed
from swarmmind.optimizers.acceptance import Acceptance, differences
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.parameters import ChoiceParameter
from swarmmind.optimizers.requests import Critique
from swarmmind.optimizers.study import Evaluate, Evaluation, Keep, Study
from swarmmind.optimizers.textual_backprop.aggregators import Aggregators
from swarmmind.optimizers.textual_backprop.backward import Backward
from swarmmind.optimizers.textual_backprop.editing import Past, edits
from swarmmind.optimizers.textual_backprop.momentum import Momentum
from swarmmind.optimizers.textual_backprop.schedule import Schedule, due
from swarmmind.ports import Context

KINDS = ("text", "choice", "float", "graph", "workflow")
"""Of parameters that can be changed."""


class Way(NamedTuple):
    """How a descent goes; see `program.textual_backprop`, whose parameters these are."""

    backward: Backward
    steps: int
    better: Acceptance
    pairs: bool
    momentum: Momentum
    history: int
    explore: float
    enough: float
    schedule: Schedule


class Descent:
    """A study on its way down. Every candidate that is refused is refused for good: measured again and again, one
    would pass by luck.

    Args:
        ctx: the program's place.
        study: what is improved.
        way: how.
    """

    def __init__(self, ctx: Context, study: Study, way: Way) -> None:
        self._ctx, self._study, self._way = ctx, study, way
        self._aggregators = Aggregators(choices(study, way.explore), way.explore, ctx.rng("aggregators"))
        self._past: Past = {}
        self._seen: set[str] = set()
        self._rep = 0
        self._best, self._score = study.start[0], Evaluation(study.start[0], study.validate.name, {}, {})

    def begin(self) -> Program:
        """The best of the starts, kept.

        Raises:
            Failed: none of them could be scored.
        """
        starts, split = self._study.start, self._study.validate
        wanted = [Evaluate(one, split, split.ids, needed=len(starts) == 1) for one in starts]
        measured: list[Evaluation] = yield wanted
        known = [one for one in measured if differences(one, one)]
        if not known:
            raise Failed(f"none of {len(starts)} starts could be scored on {split.name}")
        yield [self._keep(max(known, key=lambda one: one.mean))]

    def step(self, number: int, batch: tuple[str, ...]) -> Program:
        """Run a batch, and improve what failed, if anything did."""
        trial: Evaluation
        tried = self._aggregators.trial(self._best)
        wanted = Evaluate(tried, self._study.train, batch, number, needed=False)
        [trial, *_] = yield [wanted] if tried is self._best else [wanted, self._known()]
        failing = trial.failing(self._way.enough)
        said: list[Critique] = []
        if failing:
            said = yield from self._way.backward(self._ctx, self._study, trial.candidate, failing)
        self._aggregators.credit(trial, said)
        if failing:
            changes, notes = yield from self._update(number, trial.candidate, said)
            yield from self._gate(number, self._child(changes, notes))

    def _update(self, number: int, candidate: Candidate, said: Sequence[Critique]) -> Program:
        """Ask for edits of what is criticized, and may be edited now; `(changes, notes)`."""
        due_now = due(self._study.parameters, self._way.schedule, number, self._way.steps)
        names = [name for name in editable(self._study, self._way.explore) if name in due_now]
        heeded = self._way.momentum.filter([one for one in said if one.parameter in due_now])
        wrong = {name: [one for one in heeded if one.parameter == name] for name in names}
        wrong = {name: found for name, found in wrong.items() if found}
        if not wrong:
            return {}, []
        return (yield from edits(self._study, candidate, wrong, self._past, self._way.history))

    def _child(self, changes: Mapping[str, Any], notes: Sequence[str]) -> Candidate:
        """The best candidate with the settings that did best, and edited."""
        settled = self._aggregators.best(self._best)
        note = settled.note if settled is not self._best else ""
        return self._best.child({**settled.values, **changes}, "; ".join(filter(None, (note, *notes))))

    def _gate(self, number: int, child: Candidate) -> Program:
        """The gate of performance: the child is kept if it does better, both measured afresh on the same chance."""
        if child.id in self._seen:
            return
        self._seen.add(child.id)
        split, rep = self._study.validate, number if self._way.pairs else 0
        best = Evaluate(self._best, split, split.ids, rep) if self._way.pairs else self._known()
        [score, self._score] = yield [Evaluate(child, split, split.ids, rep, needed=False), best]
        self._rep = rep
        if differences(score, self._score) and self._way.better(score, self._score):
            yield [self._keep(score)]
        else:
            gates = {name: "performance" for name, value in child.values.items() if value != self._best.values[name]}
            data = {"parent": self._best.id, "note": child.note[:200], "problems": {}, "gates": gates}
            yield [Record("refused", data)]

    def _known(self) -> Evaluate:
        """What is known of the best, for nothing. Beside it a candidate that cannot be run is no outage."""
        ids = tuple(example for example, score in self._score.scores.items() if score is not None)
        return Evaluate(self._best, self._study.validate, ids, self._rep)

    def _keep(self, score: Evaluation) -> Keep:
        self._best, self._score = score.candidate, score
        self._seen.add(score.candidate.id)
        return Keep(score.candidate, score)


def choices(study: Study, explore: float) -> list[ChoiceParameter]:
    """The parameters that learn from trials."""
    return [p for p in study.parameters if isinstance(p, ChoiceParameter)] if explore else []


def editable(study: Study, explore: float) -> list[str]:
    """The names of those that are edited."""
    chosen = {p.name for p in choices(study, explore)}
    return [p.name for p in study.of(*KINDS) if p.name not in chosen]
