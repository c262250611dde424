"""Graphs of agents: families, one's own, statistics, drawings."""

from swarmmind.topologies.graphs.drawing import drawn
from swarmmind.topologies.graphs.graph import Graph, Kind

__all__ = ["Graph", "Kind", "drawn"]
