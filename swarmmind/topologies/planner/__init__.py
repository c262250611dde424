"""The planner of MAP: a plan made by modules that propose, check, predict, estimate and compare (arXiv 2310.00194)."""

from swarmmind.topologies.planner.program import planner
from swarmmind.topologies.society import Topology

__all__ = ["TOPOLOGY", "planner"]

TOPOLOGY = Topology(planner, memory=False)
