"""Numbers that describe a graph: how dense, how clustered, how far apart, and how much of a small world.

All but sigma are about the graph as it is, edges without their direction, except where it says otherwise. Their cost is
bounded: beyond that, clustering and path length are means over some of the nodes, and the result says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any, TypeAlias

import networkx as nx

from swarmmind.rng import Streams
from swarmmind.topologies.graphs.kinds import Directed, Undirected, randomly

Neighbors: TypeAlias = Sequence[Sequence[int]]

_WORK = 1_000_000  # steps along edges; about a second at worst
_EXACT_NODES = 2_000
_SOURCES = 256  # of distances, in a larger graph
_RANDOM = 10  # random graphs that a small one is compared with
_MAX_COMPARED_EDGES = 100_000
_MAX_EDGES = 500_000  # beyond, a graph is counted and no more
_DESCRIPTION = ("components", "density", "clustering", "path_length", "diameter", "sigma", "estimated")
_CHANCE = Streams(0)


def statistics(graph: Undirected | Directed) -> dict[str, Any]:
    """What there is to say about a graph on the nodes 0 to n - 1.

    Returns:
        `nodes`, `edges`, `components`; `density`, the share of all pairs that are tied; `clustering`, the mean over all
        nodes of the share of a node's pairs of neighbors that are tied (Watts and Strogatz 1998); `path_length`, the
        mean distance of pairs that are connected; `diameter`, the largest one, `None` if the graph is not connected;
        `sigma`, clustering and path length over those of random graphs of as many nodes and edges, divided: above 1 is
        a small world (Humphries and Gurney 2008). `sources`, `sinks` and `critical_path` (edges on the longest way)
        of a directed graph without circles. `estimated`: what was taken from a part of the nodes. What is not defined,
        or would take too long, is `None`.
    """
    n, m = len(graph), graph.number_of_edges()
    found: dict[str, Any] = {"nodes": n, "edges": m}
    if isinstance(graph, nx.DiGraph):
        found["sources"] = sum(not degree for _, degree in graph.in_degree())
        found["sinks"] = sum(not degree for _, degree in graph.out_degree())
        found["critical_path"] = _longest(graph)
    return found | (_described(graph) if m <= _MAX_EDGES else dict.fromkeys(_DESCRIPTION))


def _described(graph: Undirected | Directed) -> dict[str, Any]:
    n, neighbors = len(graph), _neighbors(len(graph), graph.edges)
    ties = sum(map(len, neighbors)) // 2
    components = nx.number_connected_components(graph.to_undirected(as_view=True))
    clustering, all_clustered = _clustering(neighbors)
    length, diameter, all_reached = _path_length(neighbors)
    connected = components == 1
    exact = {"clustering": all_clustered, "path_length": all_reached}
    values = (
        components,
        _rounded(2 * ties / (n * (n - 1)) if n > 1 else None),
        _rounded(clustering),
        _rounded(length),
        diameter if connected and all_reached else None,
        _rounded(_sigma(n, ties, clustering, length)) if connected else None,
        [name for name, whole in exact.items() if not whole],
    )
    return dict(zip(_DESCRIPTION, values, strict=True))


def _neighbors(n: int, edges: Iterable[tuple[int, int]]) -> list[list[int]]:
    neighbors: list[dict[int, None]] = [{} for _ in range(n)]
    for u, v in edges:
        neighbors[u][v] = neighbors[v][u] = None
    return [list(near) for near in neighbors]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _longest(graph: Directed) -> int | None:
    depths = dict.fromkeys(graph, 0)
    try:
        for u in nx.topological_sort(graph):
            for v in graph.successors(u):
                depths[v] = max(depths[v], depths[u] + 1)
    except nx.NetworkXUnfeasible:  # there are circles
        return None
    return max(depths.values(), default=0)


def _some(n: int, count: int) -> list[int]:
    """So many of n nodes, drawn: always the same ones, so that equal graphs have equal statistics."""
    return sorted(_CHANCE.rng("nodes").sample(range(n), min(n, count)))


def _clustering(neighbors: Neighbors) -> tuple[float | None, bool]:
    """The mean local clustering, and whether all nodes were looked at."""
    n, sets = len(neighbors), [frozenset(near) for near in neighbors]
    work = [sum(min(len(near), len(sets[u])) for u in near) for near in neighbors] if n else []
    nodes = range(n)
    if sum(work) > _WORK * 5:  # these steps are of the kind that is done in C
        nodes = _some(n, max(1, _WORK * 5 * n // sum(work)))
    shares: list[float] = []
    for v in nodes:
        pairs = len(sets[v]) * (len(sets[v]) - 1)
        shares.append(sum(len(sets[v] & sets[u]) for u in sets[v]) / pairs if pairs else 0.0)
    return (fmean(shares) if shares else None), len(nodes) == n


def _path_length(neighbors: Neighbors) -> tuple[float | None, int, bool]:
    """The mean distance of connected pairs, the largest distance, and whether all nodes were departed from."""
    n = len(neighbors)
    ends = max(1, sum(map(len, neighbors)))
    if n <= _EXACT_NODES:
        found = _distances(neighbors, range(n), _WORK)
        if found is not None:
            return (*found, True)
    few = _some(n, max(1, min(_WORK // ends, _SOURCES)))
    found = _distances(neighbors, few, None)
    assert found is not None  # there was no limit to it
    return (*found, len(few) == n)


def _distances(neighbors: Neighbors, sources: Sequence[int], limit: int | None) -> tuple[float | None, int] | None:
    """Breadth first from all sources at once: bit i of a node's number says that source i has reached it.

    Returns:
        The mean and the largest distance from a source to the other nodes it reaches; `None` if that takes more than
        `limit` steps along edges.
    """
    reached = [0] * len(neighbors)
    for bit, source in enumerate(sources):
        reached[source] = 1 << bit
    front = {source: reached[source] for source in sources}
    total = pairs = distance = steps = 0
    while front:
        arriving: dict[int, int] = {}
        for u, news in front.items():
            steps += len(neighbors[u])
            for v in neighbors[u]:
                arriving[v] = arriving.get(v, 0) | news
        if limit is not None and steps > limit:
            return None
        front = {v: news for v, all_news in arriving.items() if (news := all_news & ~reached[v])}
        if front:
            distance += 1
        for v, news in front.items():
            reached[v] |= news
            pairs += news.bit_count()
            total += distance * news.bit_count()
    return (total / pairs if pairs else None), distance


def _sigma(n: int, ties: int, clustering: float | None, length: float | None) -> float | None:
    """Against the clustering that random graphs have in the mean, 2m / n(n-1), and the path length of some of them."""
    if not clustering or not length or n < 4 or ties > _MAX_COMPARED_EDGES:
        return None
    count = _RANDOM if n <= 1000 else 1
    others = [randomly(n, _CHANCE.rng(f"sigma/{at}"), ties) for at in range(count)]
    lengths = [_path_length(_neighbors(n, other.edges))[0] for other in others]
    known = [other for other in lengths if other is not None]
    density = 2 * ties / (n * (n - 1))
    return clustering / density * fmean(known) / length if known else None
