"""Families of graphs on the nodes 0 to n - 1, undirected; a direction is given by u < v (arXiv 2406.07155, MacNet).

Chain, star, tree, mesh, layered and random are MacNet's (its released code); it has no small-world generator: that is
Watts and Strogatz's. Small worlds, scale-free graphs and triangulations of a given seed are those of AgentsNet
(arXiv 2507.08616): the same edges, and the same order of neighbors as in its published files.

Every function raises `UserError` for a graph that there is none of, or that has more than `MAX_EDGES` edges.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import combinations, islice, pairwise, product
from math import isqrt
from typing import TypeAlias

import networkx as nx

from swarmmind.errors import UserError

Undirected: TypeAlias = "nx.Graph[int]"
Directed: TypeAlias = "nx.DiGraph[int]"

MAX_EDGES = 2_000_000
"""Some 0.7 GB; a mesh of 2,000 nodes has as many."""


def chain(n: int) -> Undirected:
    """I to i + 1."""
    return joined(n, pairwise(range(n)))


def star(n: int) -> Undirected:
    """0 to all others."""
    return joined(n, ((0, v) for v in range(1, n)))


def tree(n: int, branching: int = 2) -> Undirected:
    """A heap: i to branching * i + 1, ..., branching * i + branching."""
    return joined(n, (((v - 1) // branching, v) for v in range(1, n)))


def mesh(n: int) -> Undirected:
    """Every node to all later ones."""
    return joined(n, combinations(range(n), 2))


def layered(n: int, layers: int | None = None) -> Undirected:
    """Layers of n // L nodes, the remainder in the first one, neighbors fully connected; L is floor(log2 n)."""
    count = layers or max(1, n.bit_length() - 1)
    if count > n:
        raise UserError(f"graph: {count} layers need at least as many nodes, and there are {n}")
    size = n // count
    ends = [n - size * (count - 1 - at) for at in range(count)]
    bounds = [range(start, end) for start, end in pairwise([0, *ends])]
    return joined(n, (pair for one, other in pairwise(bounds) for pair in product(one, other)))


def randomly(n: int, rng: random.Random, edges: int | None = None) -> Undirected:
    """So many pairs at random; by default their number is drawn uniformly from [n - 1, n (n - 1) / 2]."""
    pairs = n * (n - 1) // 2
    if edges is None and pairs > MAX_EDGES:
        raise UserError(f"graph: a random graph of {n:,} nodes may have {pairs:,} edges; say how many with 'edges'")
    if edges is not None and edges > pairs:
        raise UserError(f"graph: {n} nodes have at most {pairs} edges, not {edges}")
    count = rng.randint(min(n - 1, pairs), pairs) if edges is None else edges
    _affordable(count)
    return joined(n, (_pair(rank) for rank in sorted(rng.sample(range(pairs), count))))


def _pair(rank: int) -> tuple[int, int]:
    """The pair u < v of this rank in the order (0, 1), (0, 2), (1, 2), (0, 3), ..."""
    v = (1 + isqrt(1 + 8 * rank)) // 2
    return rank - v * (v - 1) // 2, v


def small_world(n: int, seed: int, k: int = 4, p: float = 0.2, tries: int = 100) -> Undirected:
    """Watts and Strogatz (1998), connected: k neighbors on a ring, each edge rewired with probability p.

    A mesh if there are no more than k nodes. The first of `tries` graphs that is connected.
    """
    if k >= n:
        return mesh(n)
    _affordable(n * k // 2)
    try:
        return joined(n, nx.connected_watts_strogatz_graph(n, k, p, tries, seed).edges)
    except nx.NetworkXError:
        message = f"graph: {tries} small worlds of n={n}, k={k}, p={p:g} were drawn, none of them connected"
        raise UserError(f"{message}; raise 'k' or lower 'p'") from None


def scale_free(n: int, seed: int, m: int = 2) -> Undirected:
    """Barabasi and Albert (1999): every new node is tied to m older ones, in proportion to their degree.

    A mesh if there are no more than m nodes.
    """
    if m >= n:
        return mesh(n)
    _affordable((n - m) * m)
    return joined(n, nx.barabasi_albert_graph(n, m, seed=seed).edges)


def ring(n: int) -> Undirected:
    """A chain whose ends are tied."""
    return joined(n, [*pairwise(range(n)), *([(0, n - 1)] if n > 2 else [])])


def grid(n: int) -> Undirected:
    """Rows of ceil(sqrt n), neighbors tied; the last row may be short."""
    width = isqrt(n - 1) + 1
    across = ((v, v + 1) for v in range(n - 1) if (v + 1) % width)
    return joined(n, [*across, *((v, v + width) for v in range(n - width))])


def joined(n: int, edges: Iterable[tuple[int, int]]) -> Undirected:
    """The nodes 0 to n - 1 with these edges, neighbors in the order in which edges name them."""
    pairs = list(islice(edges, MAX_EDGES + 1))
    _affordable(len(pairs))
    graph: Undirected = nx.empty_graph(n)
    graph.add_edges_from(pairs)
    return graph


def _affordable(edges: int) -> None:
    if edges > MAX_EDGES:
        raise UserError(f"graph: more than {MAX_EDGES:,} edges; take fewer nodes, or a sparser graph")
