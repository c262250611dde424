"""Exchange of verified exemplars between nodes (arXiv 2509.08721)."""

from swarmmind.topologies.sapo.network import Delivery, Network, Rollout
from swarmmind.topologies.sapo.node import Mix, Node
from swarmmind.topologies.sapo.program import sapo, sapo_calls
from swarmmind.topologies.society import Topology

__all__ = ["TOPOLOGY", "Delivery", "Mix", "Network", "Node", "Rollout", "sapo", "sapo_calls"]

TOPOLOGY = Topology(sapo, sapo_calls, whole=True)
