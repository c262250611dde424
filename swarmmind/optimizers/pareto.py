"""Reflective evolution with a Pareto pool (GEPA: Agrawal et al., arXiv 2507.19457).

A parent is drawn from the candidates that win some validation example, an editor reflects on how it did on a few
training examples, and the child that does better on these few is scored on all of validation and joins the pool:

    parent -> b examples -> reflection -> child -> the same b -> validation -> fronts

The gate of b examples only saves money: a useless child passes it every third time. Validation decides.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from swarmmind.effects import Program, Record
from swarmmind.optimizers.acceptance import Acceptance, Rule, acceptance, not_worse
from swarmmind.optimizers.archives.pareto_fronts import ParetoFronts
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.merging import Merge, merges, stratified
from swarmmind.optimizers.parameters import Parameter
from swarmmind.optimizers.reflection import reflect, texts
from swarmmind.optimizers.requests import edited, propose, unread
from swarmmind.optimizers.study import Case, Evaluate, Evaluation, Keep, Most, Optimizer, Study
from swarmmind.ports import Context

Select: TypeAlias = Literal["pareto", "best", "epsilon-greedy", "top-k"]
Components: TypeAlias = Literal["round-robin", "all"]
Count = Annotated[int, Field(ge=1, le=100_000)]
Share = Annotated[float, Field(ge=0, le=1)]
Score = Annotated[float, Field(allow_inf_nan=False)]


def pareto(
    ctx: Context,
    study: Study,
    steps: Count = 100,
    select: Select = "pareto",
    prune: bool = True,
    batch: Count = 3,
    components: Components = "round-robin",
    accept: Rule = "strict",
    alpha: Share = 0.2,
    perfect: Score = 1.0,
    epsilon: Share = 0.1,
    top: Count = 5,
    merge: Annotated[int, Field(ge=0, le=1000)] = 0,
) -> Program:
    """Evolve a study's texts; keeps what does best on validation.

    Args:
        ctx: the program's place.
        study: its texts change, everything else stays.
        steps: how many children (or merges) are tried.
        select: where parents come from: `pareto`, as likely as they win validation examples; `best`, the best mean;
            `epsilon-greedy`, the best, or now and then anybody; `top-k`, as `pareto` among the best means.
        prune: whether candidates whose wins are all shared by others are left out of the draw.
        batch: examples that a parent is reflected on and its child compared on.
        components: which texts a reflection changes: one after the other, or all in one step, with a request for each.
        accept: whether a child that did so on the few examples is scored on validation.
        alpha: the level of `sign-test`.
        perfect: a score that leaves nothing to learn; a parent with nothing else in its batch is skipped.
        epsilon: of `epsilon-greedy`, how often it is anybody.
        top: of `top-k`, how many.
        merge: how many merges are tried at most, each after a child was accepted (GEPA: 5).

    Raises:
        UserError: the study has no text, or no examples for training or validation.
    """
    names = [parameter.name for parameter in texts(study, study.train, study.validate)]
    pool, rng = ParetoFronts(), ctx.rng("parents")
    mutation = _Mutation(study, pool, components, acceptance(accept, alpha), perfect)
    batches = study.train.batches(batch, ctx.rng("batches"))
    for seen in (yield [Evaluate(one, study.validate, study.validate.ids) for one in study.start]):
        yield from _added(pool, seen)
    due = False
    for _ in range(steps):
        pairs = merges(pool, names) if due and merge else []
        due = False
        if pairs:
            merge -= 1
            child = yield from _merged(study, rng.choice(pairs), rng)
        else:
            parent = _parent(pool, select, prune, epsilon, top, rng)
            child = yield from mutation.child(parent.candidate, next(batches))
            due = child is not None
        if child is not None:
            [seen] = yield [Evaluate(child, study.validate, study.validate.ids)]
            yield from _added(pool, seen)


def _added(pool: ParetoFronts, seen: Evaluation) -> Program:
    best = pool.add(seen)
    record = Record("front", {"pool": len(pool.members), "front": len(pool.survivors())})
    yield [record, Keep(seen.candidate, seen)] if best else [record]


def _parent(
    pool: ParetoFronts, select: Select, prune: bool, epsilon: float, top: int, rng: random.Random
) -> Evaluation:
    assert pool.best is not None
    if select == "best":
        return pool.best
    if select == "epsilon-greedy":
        return rng.choice(pool.members) if rng.random() < epsilon else pool.best
    among = sorted(pool.members, key=lambda one: -one.mean)[:top] if select == "top-k" else None
    return pool.draw(rng, prune, among) or pool.best


class _Mutation:
    """How a parent comes to a child that did better on a few training examples."""

    def __init__(
        self, study: Study, pool: ParetoFronts, components: Components, accept: Acceptance, perfect: float
    ) -> None:
        self._study, self._pool = study, pool
        self._accept, self._perfect = accept, perfect
        self._texts, self._all = study.of("text"), components == "all"
        self._turns: dict[str, int] = {}

    def child(self, parent: Candidate, ids: tuple[str, ...]) -> Program:
        """The child, or `None`: nothing to learn, nothing readable, nothing new, or nothing better."""
        [before] = yield [Evaluate(parent, self._study.train, ids, needed=False)]
        if not before.failing(self._perfect):
            return None
        cases = [case for case in before.cases if case.run.score is not None]
        child = yield from reflected(self._study, self._turn(parent), parent, cases)
        if child is None or child in self._pool:
            return None
        [after] = yield [Evaluate(child, self._study.train, ids, needed=False)]
        return child if self._accept(after, before) else None

    def _turn(self, parent: Candidate) -> list[Parameter]:
        """Whose turn it is to be changed; a child goes on where its parent was."""
        if self._all:
            return self._texts
        turn = self._turns.get(parent.id)
        if turn is None:
            turn = max((self._turns.get(id_, 0) for id_ in parent.parents), default=0)
        self._turns[parent.id] = turn + 1
        return [self._texts[turn % len(self._texts)]]


def reflected(study: Study, parameters: Sequence[Parameter], parent: Candidate, cases: Sequence[Case]) -> Program:
    """The child that an editor makes of a parent, looking at these runs; `None` if it makes none."""
    replies = yield [reflect(study, parameter, parent, cases) for parameter in parameters]
    changes: dict[str, str] = {}
    notes: list[str] = []
    for parameter, reply in zip(parameters, replies, strict=True):
        found = edited(reply, parameter)
        if found is None:
            yield [unread(f"a reflection on {parameter.name}", reply)]
        else:
            changes[parameter.name] = found.value
            notes.append(found.note)
    return (yield from propose(study, parent, changes, "; ".join(notes)))


def _merged(study: Study, pair: Merge, rng: random.Random) -> Program:
    """The merged candidate if, on a few validation examples of all sorts, it is no worse than either parent."""
    [seen] = yield [Evaluate(pair.child, study.validate, stratified(pair.one, pair.other, rng))]
    return pair.child if not_worse(seen, pair.one) and not_worse(seen, pair.other) else None


def pareto_most(
    study: Study, steps: int = 100, batch: int = 3, components: Components = "round-robin", **_: Any
) -> Most:
    """What `pareto` takes at most: every child is accepted, and scored on all of validation."""
    each = 2 * min(batch, len(study.train.ids)) + len(study.validate.ids)
    asks = len(study.of("text")) if components == "all" else 1
    return Most(len(study.start) * len(study.validate.ids) + steps * each, steps * asks)


OPTIMIZER = Optimizer(pareto, pareto_most, frozenset({"text"}))
