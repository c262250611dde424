"""Directed graphs without circles."""

from __future__ import annotations

from collections.abc import Iterable

import networkx as nx

from swarmmind.topologies.graphs.kinds import Directed


def acyclic(n: int, pairs: Iterable[tuple[int, int]], *, reverse: bool = False) -> tuple[Directed, list[int]]:
    """The graph with these edges, and a circle in it, if there is one, from a node back to it; else an empty list.

    Args:
        n: nodes.
        pairs: edges, each from its first to its second node.
        reverse: whether every edge is turned round.
    """
    graph: Directed = nx.DiGraph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from((v, u) if reverse else (u, v) for u, v in pairs)
    if nx.is_directed_acyclic_graph(graph):
        return graph, []
    circle = [u for u, *_ in nx.find_cycle(graph)]
    return graph, [*circle, circle[0]]
