"""A graph that work flows through: who sits at each node, how deep, and the virtual sink where all of it ends."""

from __future__ import annotations

import msgspec

from swarmmind.effects import Record
from swarmmind.topologies.graphs import Graph, drawn
from swarmmind.topologies.macnet.prompts import Seat
from swarmmind.topologies.society import Society


class Net:
    """The nodes of an acyclic graph in their order, and after them a virtual sink that drains those that lead nowhere.

    Attributes:
        players: who plays each node; the sink is played by the agent that would play one more node.
        edges: those of the graph, sorted, then those into the sink.
        depths: of each node, the number of edges of the longest way to it; the sink lies below all others.

    Raises:
        UserError: see `Graph.directed` and `Graph.played`.
    """

    def __init__(self, society: Society, graph: Graph) -> None:
        agents = society.agents
        self._graph, players = graph.directed(agents, society.seed), graph.played(agents, society.seed)
        sink = len(players)
        self.players = [*players, agents[sink % len(agents)]]
        drains = [v for v in range(sink) if not self._graph.out_degree(v)]
        self.edges = [*sorted(self._graph.edges), *((v, sink) for v in drains)]
        self.depths = self._depths(sink)

    def _depths(self, sink: int) -> list[int]:
        depths, missing = [0] * (sink + 1), [self._graph.in_degree(v) for v in range(sink)]
        ready = [v for v in range(sink) if not missing[v]]
        for u in ready:  # it grows while it is walked (Kahn)
            for v in self._graph.successors(u):
                depths[v] = max(depths[v], depths[u] + 1)
                missing[v] -= 1
                if not missing[v]:
                    ready.append(v)
        depths[sink] = max(depths) + 1
        return depths

    def record(self) -> Record:
        """The graph for people; its sink is no node of it."""
        sink = len(self.players) - 1
        return drawn(self._graph, self.players[:-1], [(u, self.players[-1]) for u, v in self.edges if v == sink])

    def seats(self, cooling: bool) -> list[Seat]:
        """A seat for each node and the sink; cooling, its temperature is 1 - depth / depth of the graph."""
        seats: list[Seat] = []
        for agent, depth in zip(self.players, self.depths, strict=True):
            temperature = 1 - depth / self.depths[-1]
            cooled = msgspec.structs.replace(agent.sampling, temperature=temperature) if cooling else None
            seats.append(Seat(agent, cooled))
        return seats
