"""Graphs of agents: families, files, statistics."""

from swarmmind.topologies.graphs.graph import Graph, Kind

__all__ = ["Graph", "Kind"]
