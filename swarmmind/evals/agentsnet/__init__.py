"""AgentsNet: classic problems of distributed computing, between agents who can talk to their neighbors only.

Graphs, protocol, reading of replies and scores equal the original's (arXiv 2507.08616, code at commit 269f576); the
prompts are in words of our own.
"""

from swarmmind.evals.agentsnet.environment import AgentsNet
from swarmmind.evals.agentsnet.instances import FAMILIES, Instance, instance
from swarmmind.evals.agentsnet.policies import POLICIES
from swarmmind.evals.agentsnet.problems import PROBLEMS
from swarmmind.evals.agentsnet.prompt import Observation

__all__ = ["FAMILIES", "POLICIES", "PROBLEMS", "AgentsNet", "Instance", "Observation", "instance"]
