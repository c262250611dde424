"""A graph for people: the record that reports draw."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from swarmmind.effects import Agent, Record

if TYPE_CHECKING:
    from swarmmind.topologies.graphs.kinds import Directed, Undirected

MAX_NODES, MAX_EDGES = 2_000, 10_000
"""What a record holds at most; more cannot be seen in a drawing."""


def drawn(graph: Undirected | Directed, players: Sequence[Agent], drains: Sequence[tuple[int, Agent]] = ()) -> Record:
    """The record `graph`, which topologies that work on a graph yield first.

    Its data: `nodes`, the id of the agent that plays each node; `edges`, pairs of numbers of nodes; `directed`;
    `statistics` (see `statistics`), of the whole graph; `left_out`, how many nodes and edges the record does not hold:
    of a graph beyond the bounds, it holds the first nodes and edges among them. `drains`, if there are any: the number
    of a node and the id of an agent.

    Args:
        graph: on the nodes 0 to n - 1.
        players: who plays each of them.
        drains: from which nodes words go to whom beside the edges, as work does that leaves a graph at its sinks.
    """
    edges = [[u, v] for u, v in graph.edges if u < MAX_NODES and v < MAX_NODES][:MAX_EDGES]
    nodes = [agent.id for agent in players[:MAX_NODES]]
    out = [[v, agent.id] for v, agent in drains if v < MAX_NODES][: MAX_EDGES - len(edges)]
    missing = graph.number_of_edges() - len(edges) + len(drains) - len(out)
    left_out = {"nodes": len(players) - len(nodes), "edges": missing}
    found = import_module("swarmmind.topologies.graphs.statistics").statistics(graph)
    directed = graph.is_directed()
    data = {"nodes": nodes, "edges": edges, "directed": directed, "statistics": found, "left_out": left_out}
    return Record("graph", {**data, "drains": out} if drains else data)
