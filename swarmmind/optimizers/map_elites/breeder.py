"""Children of elites: made by chance, or by an editor who is told what is wanted and what was tried."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from swarmmind.effects import Ask, Program, Reply
from swarmmind.optimizers.archives.grid import Cell, Grid
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.parameters import Parameter
from swarmmind.optimizers.requests import edited, propose, unread
from swarmmind.optimizers.study import Evaluation, Study
from swarmmind.optimizers.variation import CHANCE, LANGUAGE, between, crossed, drawn, similarity, towards, varied
from swarmmind.ports import Context

Editor: TypeAlias = Literal["target", "crossover"]
"""What an editor does: changes a value towards a cell named in words, or joins it with those of other elites."""

_TRIES = 3  # at a cell, in the prompt of the next one that aims at it (Ruby)
_SHOWN = 3  # other elites, in the prompt of a crossover


class Plan(NamedTuple):
    """A child to be: of whom, and what changes; an editor aims at a cell, or joins the parent with others."""

    parent: Evaluation
    parameter: Parameter
    target: Cell | None = None
    others: tuple[Candidate, ...] = ()


class Breeder:
    """Makes children of elites, and remembers what was tried."""

    def __init__(
        self, ctx: Context, study: Study, grid: Grid, editor: Editor, crossover: float, spread: float, alike: float
    ) -> None:
        self.rng = ctx.rng("map-elites")
        self._study, self._grid, self._editor = study, grid, editor
        self._crossover, self._spread, self._alike = crossover, spread, alike
        self._chance, self._all = study.of(*CHANCE), study.of(*LANGUAGE, *CHANCE)
        self._tries: dict[tuple[str, Cell | None], deque[tuple[Any, list[str]]]] = {}
        self._dropped = Counter[str]()

    def first(self, count: int) -> list[Candidate]:
        """The starts, and so many with numbers, choices and graphs drawn at random."""
        starts, found = self._study.start, list(self._study.start)
        for at in range(count if self._chance else 0):
            changes = {one.name: drawn(one, self.rng) for one in self._chance}
            found.append(starts[at % len(starts)].child(changes, "drawn at random"))
        return found

    def children(self, parents: Sequence[Evaluation]) -> Program:
        """A child of each parent, unless that comes to nothing new; editors are asked all at once."""
        self._dropped.clear()
        plans = [self._planned(parent, self.rng.choice(self._all)) for parent in parents]
        asks = [self._ask(plan) for plan in plans if plan.parameter.kind in LANGUAGE]
        replies = iter((yield asks) if asks else ())
        there = {one.candidate.id for one in self._grid.elites.values()}
        made: list[tuple[Plan, Candidate]] = []
        for plan in plans:
            changes, note = self._edited(plan, next(replies)) if plan.parameter.kind in LANGUAGE else self._varied(plan)
            if not changes:
                yield [unread(note)]
                continue
            child = yield from propose(self._study, plan.parent.candidate, changes, note, *plan.others)
            if child is not None and child.id not in there:
                there.add(child.id)
                made.append((plan, child))
        self._dropped["dropped"] = len(parents) - len(made)
        return made

    def settled(self, plans: Sequence[Plan], seen: Sequence[Evaluation]) -> Counter[str]:
        """Let children into the archive; what became of how many."""
        came = Counter(self._dropped)
        for plan, evaluation in zip(plans, seen, strict=True):
            added = self._grid.add(evaluation)
            came[added] += 1
            self._grid.credit(plan.parent.candidate.id, added)
            if plan.target is not None and added != "unscored":
                told = ", ".join(f"{name} {value:.4g}" for name, value in evaluation.measures.items())
                tries = self._tries.setdefault((plan.parameter.name, plan.target), deque(maxlen=_TRIES))
                value = evaluation.candidate.values[plan.parameter.name]
                tries.append((value, [f"Its runs came to {told}, and scored {evaluation.mean:.4g}."]))
        return came

    def _planned(self, parent: Evaluation, parameter: Parameter) -> Plan:
        language = parameter.kind in LANGUAGE
        count = _SHOWN if language else 1
        crossing = self._editor == "crossover" if language else self.rng.random() < self._crossover
        others = [one.candidate for one in self._grid.elites.values() if one is not parent] if crossing else []
        if others or not language:
            return Plan(parent, parameter, others=tuple(self.rng.sample(others, min(count, len(others)))))
        return Plan(parent, parameter, tuple(self.rng.randrange(one.bins) for one in self._grid.descriptors))

    def _ask(self, plan: Plan) -> Ask:
        parent, parameter, target, others = plan
        if target is None:
            return between(self._study, parameter, parent.candidate, others)
        tries = list(self._tries.get((parameter.name, target), ()))
        return towards(self._study, parameter, parent.candidate, self._grid.wanted(parent.measures, target), tries)

    def _edited(self, plan: Plan, reply: Reply) -> tuple[dict[str, Any], str]:
        """What an editor changes and why; no change, and why not."""
        name, edit = plan.parameter.name, edited(reply, plan.parameter)
        if edit is None:
            return {}, f"the editor's {name}"
        if similarity(edit.value, plan.parent.candidate.values[name]) > self._alike:
            self._dropped["copies"] += 1
            return {}, f"a near copy of its parent's {name}"
        return {name: edit.value}, edit.note

    def _varied(self, plan: Plan) -> tuple[dict[str, Any], str]:
        taken = crossed(self._chance, plan.others[0].values, self.rng) if plan.others else {}
        values = {**plan.parent.candidate.values, **taken}
        changes = {**taken, **varied(self._chance, values, self.rng, self._spread)}
        return changes, "crossed and mutated" if taken else "mutated"
