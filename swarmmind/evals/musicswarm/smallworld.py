"""Whether a piece is a small world: its bars as a network of likeness, against random networks of equal degrees."""

from __future__ import annotations

import random
from collections.abc import Sequence

import networkx as nx

from swarmmind.evals.musicswarm.bars import Bar

_REFERENCES = 20
_TRIES_PER_EDGE = 20
_MIN_EDGES = 2


def likeness(bars: Sequence[Bar]) -> nx.Graph[int]:
    """Bars as nodes; two are joined if they have the same class in at least two of the three fields."""
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(len(bars)))
    for left in range(len(bars)):
        for right in range(left + 1, len(bars)):
            alike = zip(bars[left].classes, bars[right].classes, strict=True)
            if sum(one == other for one, other in alike) >= 2:
                graph.add_edge(left, right)
    return graph


def sigma(bars: Sequence[Bar]) -> float | None:
    """Small-worldness (C / C') / (L / L') of the likeness graph (Humphries and Gurney 2008).

    C is the mean clustering; L the mean distance, taken as 1 / global efficiency so that graphs in pieces have one too.
    C' and L' are the means over random graphs with the same degrees, made by swapping edges; the swaps are the same in
    every run. Above 1: more clustered than chance, yet as short of ways.

    Returns:
        `None` where it is not defined: hardly any edges, or no triangle in any random graph.
    """
    graph = likeness(bars)
    if graph.number_of_edges() < _MIN_EDGES:
        return None
    references = [_measured(_shuffled(graph, seed)) for seed in range(_REFERENCES)]
    clustering = sum(one for one, _ in references) / _REFERENCES
    efficiency = sum(other for _, other in references) / _REFERENCES
    found = _measured(graph)
    if clustering == 0 or efficiency == 0:
        return None
    return found[0] / clustering * found[1] / efficiency


def _measured(graph: nx.Graph[int]) -> tuple[float, float]:
    return float(nx.average_clustering(graph)), float(nx.global_efficiency(graph))


def _shuffled(graph: nx.Graph[int], seed: int) -> nx.Graph[int]:
    """A random graph with the same degrees: pairs of edges exchange their ends, where no edge becomes double."""
    rng = random.Random(seed)
    edges = [(left, right) for left, right in graph.edges]
    there = {frozenset(edge) for edge in edges}
    for _ in range(_TRIES_PER_EDGE * len(edges)):  # tries, not swaps: in a complete graph nothing can be swapped
        first, second = rng.sample(range(len(edges)), 2)
        (a, b), (c, d) = edges[first], edges[second]
        if rng.random() < 0.5:
            c, d = d, c
        if len({a, b, c, d}) < 4 or frozenset((a, d)) in there or frozenset((c, b)) in there:
            continue
        there -= {frozenset((a, b)), frozenset((c, d))}
        there |= {frozenset((a, d)), frozenset((c, b))}
        edges[first], edges[second] = (a, d), (c, b)
    shuffled: nx.Graph[int] = nx.Graph()
    shuffled.add_nodes_from(graph)
    shuffled.add_edges_from(edges)
    return shuffled
