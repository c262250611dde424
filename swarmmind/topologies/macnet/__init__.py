"""MacNet (Qian et al. 2024, arXiv 2406.07155): work is revised along the edges of an acyclic graph."""

from swarmmind.topologies.macnet.program import macnet, macnet_calls
from swarmmind.topologies.society import Topology

__all__ = ["TOPOLOGY", "macnet", "macnet_calls"]

TOPOLOGY = Topology(macnet, macnet_calls, memory=False)
