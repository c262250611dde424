"""Systems of agents, evolved as a swarm whose velocities are words (SwarmAgentic, arXiv 2506.15672).

A particle is a whole system: a team with its workflow, or the texts of several parameters. It is evaluated, its flaws
are named, each flaw gets an adjustment, and the adjustments are written into it. There are no coefficients: inertia is
the memory of what failed, attraction is what the personal and the global best do better (see `program`).

What differs from the published code: an adjustment counts as failed only if it is literally in the system that was
evaluated and the flaw is still there; a best advises on a flaw only if it does better on an example behind that flaw;
a workflow is data that the topology `workflow` interprets, never code; nothing is retried without a bound.
"""

from swarmmind.optimizers.language_pso.program import language_pso, language_pso_most
from swarmmind.optimizers.language_pso.shapes import KINDS
from swarmmind.optimizers.study import Optimizer

__all__ = ["OPTIMIZER", "language_pso", "language_pso_most"]

OPTIMIZER = Optimizer(language_pso, language_pso_most, frozenset(KINDS))
