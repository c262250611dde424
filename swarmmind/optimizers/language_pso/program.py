"""The loop of SwarmAgentic: particle swarm optimization whose positions are systems and whose velocities are words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, TypeAlias

from pydantic import Field

from swarmmind.effects import Program, Record
from swarmmind.errors import UserError
from swarmmind.optimizers.acceptance import strict
from swarmmind.optimizers.archives.swarm import Particle, Swarm
from swarmmind.optimizers.language_pso import generation, shapes
from swarmmind.optimizers.language_pso.feedback import Feedback
from swarmmind.optimizers.language_pso.position import applied, apply
from swarmmind.optimizers.language_pso.velocity import Guidance, fuse, fused
from swarmmind.optimizers.parameters import Parameter
from swarmmind.optimizers.requests import Critique
from swarmmind.optimizers.study import Evaluate, Evaluation, Keep, Most, Study
from swarmmind.ports import Context

Count: TypeAlias = Annotated[int, Field(ge=1)]


def language_pso(
    ctx: Context,
    study: Study,
    particles: Count = 5,
    iterations: Count = 10,
    examples: Count = 10,
    scratch: bool | None = None,
    memory: Annotated[int, Field(ge=0)] | None = None,
    guidance: Guidance = "both",
    restart: Count | None = None,
) -> Program:
    """Let a swarm of systems find a better one.

    In each iteration all particles are scored on the same examples; what fails is traced to flaws; each flaw gets an
    adjustment that is none of those that failed before and that may draw on the particle's own best and the swarm's,
    where these do better on an example behind that flaw; and the adjustments are written into the system, whatever
    becomes of its score. The last iteration only scores. It ends early if no particle fails anything.

    The global best is judged on the training examples. If there are validation examples, a new one is scored on these,
    and kept if it is better there than what was kept before: the reported score is then not the one it was chosen by
    among the particles. Without them the score on the training examples is what is reported.

    Args:
        ctx: the program's place.
        study: with a workflow or texts to change; other parameters stay as they are.
        particles: systems; the first ones are the start's unless they are made from scratch.
        iterations: how often all of them are scored.
        examples: of training, on which they are; drawn once.
        scratch: whether the systems are made from what the study is about alone; by default where it starts from a
            bare workflow, whose steps have no tasks.
        memory: so many failed adjustments of a flaw are remembered, the latest ones; all of them by default.
        guidance: which bests a particle may learn from.
        restart: after so many moves in a row to where it does worse than at its best, a particle goes back there.

    Raises:
        UserError: there is nothing that can be changed in words, or nothing to learn from.
    """
    parameters = _changeable(study)
    ids = study.train.sample(examples, ctx.rng("examples"))
    swarm = Swarm((yield from generation.positions(study, parameters, particles, scratch)), memory, restart)
    feedback = Feedback(study, parameters)
    judged = kept = None
    for iteration in range(iterations):
        swarm.observe((yield [Evaluate(one.position, study.train, ids, needed=False) for one in swarm.particles]))
        if swarm.best is not None and (judged is None or strict(swarm.best, judged)):
            judged = swarm.best
            kept = yield from _keep(study, judged, kept)
        yield [Record("swarm", _picture(iteration, swarm))]
        if iteration == iterations - 1 or all(map(_done, swarm.particles)):
            return
        flaws = yield from feedback.flaws(swarm.particles)
        yield from _move(study, parameters, swarm, flaws, guidance)


def _done(particle: Particle) -> bool:
    """Whether it was scored, and fails nothing."""
    seen = particle.seen
    return seen is not None and not math.isnan(seen.mean) and not seen.failing()


def _changeable(study: Study) -> Sequence[Parameter]:
    parameters = study.of(*shapes.KINDS)
    if not parameters:
        raise UserError("language-pso changes texts and workflows, and the study has no such parameter")
    if not study.train.ids:
        raise UserError("language-pso learns from training examples, and there are none")
    return parameters


def _keep(study: Study, best: Evaluation, kept: Evaluation | None) -> Program:
    """Keep a new global best, unless validation speaks against it; returns what is kept now."""
    if study.validate.ids:
        [best] = yield [Evaluate(best.candidate, study.validate, study.validate.ids)]
        if kept is not None and not strict(best, kept):
            return kept
    yield [Keep(best.candidate, best)]
    return best


def _move(
    study: Study,
    parameters: Sequence[Parameter],
    swarm: Swarm,
    flaws: Sequence[Sequence[Critique]],
    guidance: Guidance,
) -> Program:
    """Velocity, then position, of all particles that have flaws."""
    for particle, those in zip(swarm.particles, flaws, strict=True):
        particle.blame([flaw.key for flaw in those])
    flying = [at for at, those in enumerate(flaws) if those]
    replies = yield [fuse(study, parameters, at, swarm, flaws[at], guidance) for at in flying]
    plans = {}
    for at, reply in zip(flying, replies, strict=True):
        plan = yield from fused(reply, swarm.particles[at], flaws[at])
        if plan:
            plans[at] = plan
    replies = yield [apply(study, parameters, at, swarm.particles[at], plan) for at, plan in plans.items()]
    for (at, plan), reply in zip(plans.items(), replies, strict=True):
        yield from applied(study, parameters, reply, swarm.particles[at], plan)


def _picture(iteration: int, swarm: Swarm) -> dict[str, object]:
    """For whoever watches."""
    found = [particle.seen for particle in swarm.particles if particle.seen]
    return {
        "iteration": iteration,
        "positions": [seen.candidate.id for seen in found],
        "means": [None if math.isnan(seen.mean) else seen.mean for seen in found],
        "best": swarm.best.mean if swarm.best else None,
    }


def language_pso_most(
    study: Study,
    particles: int = 5,
    iterations: int = 10,
    examples: int = 10,
    scratch: bool | None = None,
    memory: int | None = None,
    guidance: Guidance = "both",
    restart: int | None = None,
) -> Most:
    """What it takes at most: every example scored anew for every particle, and in every iteration but the last all of
    them failed (a call each), a call for the flaws, one for the velocity and one for the position.
    """
    _changeable(study)
    each = min(examples, len(study.train.ids))
    made = particles - len(generation.ready(study, scratch)[:particles])
    moves = particles * (iterations - 1)
    scored = particles * iterations * each + iterations * len(study.validate.ids)
    return Most(scored, made * generation.TRIES + moves * (each + 3))
