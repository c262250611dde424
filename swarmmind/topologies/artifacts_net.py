"""A graph that work flows through: who sits at each node, how deep, and the virtual sink where all of it ends."""

from __future__ import annotations

import msgspec
import networkx as nx

from swarmmind.effects import Record
from swarmmind.topologies.artifacts import Seat
from swarmmind.topologies.graphs import Graph
from swarmmind.topologies.society import Society


class Net:
    """The nodes of an acyclic graph in their order, and after them a virtual sink that drains those that lead nowhere.

    Attributes:
        players: who plays each node; the sink is played by the agent that would play one more node.
        edges: those of the graph, sorted, then those into the sink.
        depths: of each node, the number of edges of the longest way to it; the sink lies below all others.
    """

    def __init__(self, society: Society, graph: Graph) -> None:
        agents = society.agents
        self._graph, players = graph.directed(agents, society.seed), graph.played(agents, society.seed)
        sink = len(players)
        self.players = [*players, agents[sink % len(agents)]]
        drains = [v for v in range(sink) if not self._graph.out_degree(v)]
        self.edges = [*sorted(self._graph.edges), *((v, sink) for v in drains)]
        self.depths = [0] * (sink + 1)
        for u in nx.topological_sort(self._graph):
            for v in self._graph.successors(u):
                self.depths[v] = max(self.depths[v], self.depths[u] + 1)
        self.depths[sink] = max(self.depths) + 1

    def record(self) -> Record:
        """The graph, for people."""
        edges = [[u, v] for u, v in self.edges if v < len(self.players) - 1]
        return Record("graph", {"nodes": [agent.id for agent in self.players[:-1]], "edges": edges})

    def seats(self, cooling: bool) -> list[Seat]:
        """A seat for each node and the sink; cooling, its temperature is 1 - depth / depth of the graph."""
        seats: list[Seat] = []
        for agent, depth in zip(self.players, self.depths, strict=True):
            temperature = 1 - depth / self.depths[-1]
            cooled = msgspec.structs.replace(agent.sampling, temperature=temperature) if cooling else None
            seats.append(Seat(agent, cooled))
        return seats
