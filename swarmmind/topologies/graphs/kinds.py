"""Families of graphs on the nodes 0 to n - 1, undirected; a direction is given by u < v (arXiv 2406.07155, MacNet).

Chain, star, tree, mesh, layered and random are MacNet's (its released code); it has no small-world generator: that is
Watts and Strogatz's.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import combinations, pairwise, product
from math import isqrt
from typing import TypeAlias

import networkx as nx
import numpy as np
from scipy.spatial import Delaunay

Undirected: TypeAlias = "nx.Graph[int]"
Directed: TypeAlias = "nx.DiGraph[int]"


def chain(n: int) -> Undirected:
    """I to i + 1."""
    return _of(n, pairwise(range(n)))


def star(n: int) -> Undirected:
    """0 to all others."""
    return _of(n, ((0, v) for v in range(1, n)))


def tree(n: int, branching: int = 2) -> Undirected:
    """A heap: i to branching * i + 1, ..., branching * i + branching."""
    return _of(n, (((v - 1) // branching, v) for v in range(1, n)))


def mesh(n: int) -> Undirected:
    """Every node to all later ones."""
    return _of(n, combinations(range(n), 2))


def layered(n: int, layers: int | None = None) -> Undirected:
    """Layers of n // L nodes, the remainder in the first one, neighbors fully connected; L is floor(log2 n)."""
    count = min(layers or max(1, n.bit_length() - 1), n)
    size = n // count
    ends = [n - size * (count - 1 - at) for at in range(count)]
    bounds = [range(start, end) for start, end in pairwise([0, *ends])]
    return _of(n, (pair for one, other in pairwise(bounds) for pair in product(one, other)))


def randomly(n: int, rng: random.Random, edges: int | None = None) -> Undirected:
    """So many pairs at random; by default their number is drawn uniformly from [n - 1, n (n - 1) / 2]."""
    pairs = n * (n - 1) // 2
    count = rng.randint(min(n - 1, pairs), pairs) if edges is None else min(edges, pairs)
    return _of(n, (_pair(rank) for rank in sorted(rng.sample(range(pairs), count))))


def _pair(rank: int) -> tuple[int, int]:
    """The pair u < v of this rank in the order (0, 1), (0, 2), (1, 2), (0, 3), ..."""
    v = (1 + isqrt(1 + 8 * rank)) // 2
    return rank - v * (v - 1) // 2, v


def small_world(n: int, seed: int, k: int = 4, p: float = 0.2) -> Undirected:
    """Watts and Strogatz (1998), connected: k neighbors on a ring, each edge rewired with probability p."""
    return mesh(n) if k >= n else nx.connected_watts_strogatz_graph(n, k, p, seed=seed)


def scale_free(n: int, seed: int, m: int = 2) -> Undirected:
    """Barabasi and Albert (1999): every new node is tied to m older ones, in proportion to their degree."""
    return mesh(n) if m >= n else nx.barabasi_albert_graph(n, m, seed=seed)


def delaunay(n: int, seed: int) -> Undirected:
    """The Delaunay triangulation of n points that are uniform in the unit square; a mesh below 4 points."""
    if n < 4:
        return mesh(n)
    triangles = Delaunay(np.random.RandomState(seed).rand(n, 2)).simplices.tolist()
    return _of(n, (pair for triangle in triangles for pair in combinations(sorted(triangle), 2)))


def ring(n: int) -> Undirected:
    """A chain whose ends are tied."""
    return _of(n, [*pairwise(range(n)), *([(0, n - 1)] if n > 2 else [])])


def grid(n: int) -> Undirected:
    """Rows of ceil(sqrt n), neighbors tied; the last row may be short."""
    width = isqrt(n - 1) + 1
    across = ((v, v + 1) for v in range(n - 1) if (v + 1) % width)
    return _of(n, [*across, *((v, v + width) for v in range(n - width))])


def _of(n: int, edges: Iterable[tuple[int, int]]) -> Undirected:
    graph: Undirected = nx.empty_graph(n)
    graph.add_edges_from(edges)
    return graph
