"""Gossip: everybody tells its answer to its neighbors and revises at its own pace."""

from swarmmind.topologies.gossip.program import gossip, gossip_calls
from swarmmind.topologies.society import Topology

__all__ = ["TOPOLOGY", "gossip", "gossip_calls"]

TOPOLOGY = Topology(gossip, gossip_calls)
