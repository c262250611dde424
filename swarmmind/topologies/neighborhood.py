"""Who is whose neighbor, for topologies in which every node is an agent of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from swarmmind.effects import Agent
from swarmmind.errors import UserError
from swarmmind.topologies.graphs import Graph
from swarmmind.topologies.society import Society

if TYPE_CHECKING:
    from swarmmind.topologies.graphs.kinds import Undirected


class Neighborhood(NamedTuple):
    """A graph with its players: the agent of each node, and the numbers of its neighbors, in the graph's order."""

    graph: Undirected
    players: list[Agent]
    neighbors: list[list[int]]


def neighborhood(society: Society, graph: Graph) -> Neighborhood:
    """The undirected graph on a society.

    Raises:
        UserError: there are more nodes than agents, or there is no such graph.
    """
    players = graph.played(society.agents, society.seed)
    if len(players) > len(society.agents):
        raise UserError(f"graph: {len(players)} nodes need as many agents, and there are {len(society.agents)}")
    found = graph.undirected(society.agents, society.seed)
    return Neighborhood(found, players, [list(found[node]) for node in range(len(players))])
