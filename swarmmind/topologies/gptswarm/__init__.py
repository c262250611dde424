"""GPTSwarm (arXiv 2402.16823): who reads whose answer is drawn from learned probabilities."""

from swarmmind.topologies.gptswarm.edges import Edges, Realization
from swarmmind.topologies.gptswarm.program import gptswarm
from swarmmind.topologies.society import Topology

__all__ = ["TOPOLOGY", "Edges", "Realization", "gptswarm"]

TOPOLOGY = Topology(gptswarm)
