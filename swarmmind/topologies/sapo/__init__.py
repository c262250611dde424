"""Exchange of verified exemplars between nodes (arXiv 2509.08721)."""

from swarmmind.topologies.sapo.network import Delivery, Network, Rollout
from swarmmind.topologies.sapo.node import Mix, Node
from swarmmind.topologies.sapo.program import sapo, sapo_calls

__all__ = ["Delivery", "Mix", "Network", "Node", "Rollout", "sapo", "sapo_calls"]
