"""What a swarm of particles is compared with: candidates drawn at random. A swarm scores its bests again and again, so
eleven draws of six cost as many runs as six flights of six.

    swarmmind optimize examples/pso-ray/task.yaml --allow-code \\
        --set optimize.use=./chance.py:RANDOM --set optimize.iterations=11
"""

from __future__ import annotations

from swarmmind.effects import Program
from swarmmind.optimizers.parameters import NumberParameter
from swarmmind.optimizers.study import Evaluate, Keep, Most, Optimizer, Study
from swarmmind.ports import Context


def at_random(ctx: Context, study: Study, particles: int = 6, iterations: int = 6) -> Program:
    """Draw every candidate anew; keep what does best on validation."""
    rng = ctx.rng("candidates")
    best = study.start[0]
    [most] = yield [Evaluate(best, study.validate, study.validate.ids)]
    yield [Keep(best, most)]
    for _ in range(iterations):
        drawn = [
            best.child(
                {
                    parameter.name: parameter.from_unit(rng.random())
                    for parameter in study.parameters
                    if isinstance(parameter, NumberParameter)
                }
            )
            for _ in range(particles)
        ]
        seen = yield [Evaluate(one, study.train, study.train.ids) for one in drawn]
        _, one = max((found.mean, -at, drawn[at]) for at, found in enumerate(seen))[1:]
        [found] = yield [Evaluate(one, study.validate, study.validate.ids)]
        if found.mean > most.mean:
            best, most = one, found
            yield [Keep(best, most)]


def at_most(study: Study, particles: int = 6, iterations: int = 6) -> Most:
    """What it takes."""
    return Most(iterations * (particles * len(study.train.ids) + len(study.validate.ids)) + len(study.validate.ids))


RANDOM = Optimizer(at_random, at_most, frozenset({"float"}), asks=False)
