"""Particle swarm optimization of numbers and choices (Kennedy & Eberhart, 1995), with Clerc and Kennedy's constants.

Every particle remembers where it did best, and flies on between that place and the best one of its neighbors:

    v <- inertia v + cognitive r1 (own best - x) + social r2 (neighbors' best - x)        x <- x + v

All particles of an iteration are scored in one list, on the same examples with the same chance, so any number of
workers can take part. Scores are noisy: a best that was lucky once would stand for good, so bests are measured again
in each iteration, and stand by their average, which counts for the more, the more measurements it is of.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from swarmmind.effects import Program, Record
from swarmmind.errors import UserError
from swarmmind.optimizers.acceptance import strict
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.parameters import ChoiceParameter, NumberParameter
from swarmmind.optimizers.particles import Best, Motion, Neighborhood, Particles, trusted
from swarmmind.optimizers.study import Evaluate, Evaluation, Keep, Most, Optimizer, Study
from swarmmind.ports import Context

INERTIA, PULL = 0.7298, 1.49618
"""2 / |2 - phi - sqrt(phi^2 - 4 phi)| for phi = 4.1, and that times phi / 2: swarms that contract."""

Count = Annotated[int, Field(ge=1, le=100_000)]
Weight = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]


def pso(
    ctx: Context,
    study: Study,
    particles: Annotated[int, Field(ge=2, le=10_000)] = 20,
    iterations: Count = 100,
    neighborhood: Neighborhood = "global",
    remeasure: bool = True,
    batch: Count | None = None,
    inertia: Weight = INERTIA,
    cognitive: Weight = PULL,
    social: Weight = PULL,
    clamp: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.5,
) -> Program:
    """Move a swarm through the study's numbers and choices; keep what does best on validation, or else on training.

    Args:
        ctx: the program's place.
        study: its numbers and choices change, everything else stays.
        particles: how many; the first begin at the study's starts.
        iterations: how many times each is scored.
        neighborhood: whom a particle learns from: everybody (fast), or those before and after it (`ring`: slower, and
            safer where there are many hills).
        remeasure: whether bests are scored again in each iteration; without it, scores must be free of noise.
        batch: so many training examples an iteration; by default all of them.
        inertia: of the velocity, what is kept.
        cognitive: how strongly a particle is drawn to its own best.
        social: how strongly it is drawn to its neighbors' best.
        clamp: the greatest speed, of a parameter's whole range.

    Raises:
        UserError: there is nothing to move, or nothing to score on.
    """
    parameters = _movable(study)
    motion = Motion(inertia, cognitive, social, clamp, neighborhood)
    chance = np.random.default_rng(ctx.rng("swarm").getrandbits(64))
    swarm = Particles(parameters, [one.values for one in study.start], particles, chance)
    here = list(study.start[:particles])
    here += [study.start[0].child(swarm.values(at)) for at in range(len(here), particles)]
    ids = _examples(study, batch, ctx.rng("batches"))
    examples = next(ids)
    best: list[Best] = []
    podium = _Podium(study)
    yield from podium.open()
    for iteration in range(iterations):
        again = [one.candidate for one in best] if remeasure else []
        rep = iteration if remeasure else 0
        seen = yield [Evaluate(one, study.train, examples, rep, needed=False) for one in (*here, *again)]
        _observe(swarm, best, seen[:particles], seen[particles:])
        yield from podium.receive(best, swarm.fitness, 2 if remeasure else 1)
        speed = float(np.abs(swarm.velocity).mean())
        yield [Record("swarm", {"iteration": iteration, "best": float(swarm.fitness.max()), "speed": speed})]
        swarm.move(motion)
        here = [_child(swarm, best, at, neighborhood) for at in range(particles)]
        examples = next(ids) if remeasure else examples
    yield from podium.close()


def _examples(study: Study, batch: int | None, chance: random.Random) -> Iterator[tuple[str, ...]]:
    while True:
        yield study.train.ids if batch is None else study.train.sample(batch, chance)


def _child(swarm: Particles, best: Sequence[Best], at: int, neighborhood: Neighborhood) -> Candidate:
    leader = swarm.leader(at, neighborhood)
    others = [] if leader == at else [best[leader].candidate]
    return best[at].candidate.child(swarm.values(at), "", *others)


def _observe(swarm: Particles, best: list[Best], seen: Sequence[Evaluation], again: Sequence[Evaluation]) -> None:
    """A particle's best moves where it did better than that one's average and, side by side, than that one did now."""
    if not best:
        best.extend(map(Best, seen))
        moved = list(range(len(seen)))
    else:
        for one, measured in zip(best, again, strict=False):
            one.add(measured)
        moved = [at for at, one in enumerate(seen) if one.mean > best[at].mean]
        moved = [at for at in moved if not again or best[at].mean == -math.inf or strict(seen[at], again[at])]
        for at in moved:
            best[at] = Best(seen[at])
    for at in moved:
        swarm.improved(at)
    swarm.fitness = trusted(best)


class _Podium:
    """Who is kept: the first start, then whoever leads the swarm and is better on validation, if there is any."""

    def __init__(self, study: Study) -> None:
        self._study, self._validating = study, bool(study.validate.ids)
        self._kept: Evaluation | None = None
        self._leader: Best | None = None  # the last one that was considered

    def open(self) -> Program:
        """Before the swarm is scored for the first time."""
        if self._validating:
            yield from self._keep((yield from self._validated(self._study.start[0])))

    def _validated(self, candidate: Candidate) -> Program:
        needed = candidate is self._study.start[0]
        [seen] = yield [Evaluate(candidate, self._study.validate, self._study.validate.ids, needed=needed)]
        return seen

    def _keep(self, seen: Evaluation) -> Program:
        self._kept = seen
        yield [Keep(seen.candidate, seen)]

    def receive(self, best: Sequence[Best], fitness: NDArray[np.float64], times: int) -> Program:
        """Somebody may have come to lead the swarm; whoever was not measured so many times may have been lucky."""
        if self._leader is None:  # the first start; nothing is known of it yet if it failed
            self._leader = best[0]
            if not self._validating and best[0].mean > -math.inf:
                yield from self._keep(best[0].evaluation)
        sure = [at for at, one in enumerate(best) if one.times >= times and one.mean > -math.inf]
        leader = best[max(sure, key=lambda at: fitness[at])] if sure else self._leader
        if leader.candidate.id == self._leader.candidate.id:
            return
        self._leader = leader
        found = (yield from self._validated(leader.candidate)) if self._validating else leader.evaluation
        if not self._validating or self._kept is None or strict(found, self._kept):
            yield from self._keep(found)

    def close(self) -> Program:
        """What was kept on training scores was measured again since: say how good it is."""
        leader = self._leader
        if leader and not self._validating and leader.mean > -math.inf and leader.evaluation != self._kept:
            yield from self._keep(leader.evaluation)


def _movable(study: Study) -> list[NumberParameter | ChoiceParameter]:
    found = cast("list[NumberParameter | ChoiceParameter]", study.of("float", "choice"))
    if not found:
        raise UserError("pso: expected a number or a choice among the parameters, found none")
    if not study.train.ids:
        raise UserError("pso: expected training examples, found none")
    return found


def pso_most(
    study: Study,
    particles: int = 20,
    iterations: int = 100,
    remeasure: bool = True,
    batch: int | None = None,
    **motion: Any,
) -> Most:
    """Every particle in every iteration, bests once more; on validation the start, and a new leader an iteration."""
    examples = min(batch or len(study.train.ids), len(study.train.ids))
    scored = particles * (2 * iterations - 1 if remeasure else iterations)
    validated = 1 + iterations - remeasure
    return Most(scored * examples + validated * len(study.validate.ids))


OPTIMIZER = Optimizer(pso, pso_most, frozenset({"float", "choice"}), asks=False)
