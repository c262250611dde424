"""SwarmBench: five tasks in which a swarm that sees little has to act together (arXiv 2505.04364).

The worlds equal the original's, bugs that matter included; `replay` checks a recorded game of the original value by
value. Scores are in the units of the original code; the paper halves those of Flocking.
"""

from swarmmind.evals.swarmbench.environment import Observation, SwarmBench
from swarmmind.evals.swarmbench.parallel import parallel_env
from swarmmind.evals.swarmbench.policies import POLICIES
from swarmmind.evals.swarmbench.replay import replay
from swarmmind.evals.swarmbench.tasks import TASKS

__all__ = ["POLICIES", "TASKS", "Observation", "SwarmBench", "parallel_env", "replay"]
