"""Where the nodes of a graph stand in a picture: in layers, on a circle, or as springs would have them.

Everything is computed from the graph alone, with fixed seeds: the same graph is always drawn the same way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, TypeAlias

import networkx as nx
import numpy as np
from numpy.typing import NDArray

Directed: TypeAlias = "nx.DiGraph[int]"
Kind: TypeAlias = Literal["layered", "circle", "spring"]
Point: TypeAlias = tuple[float, float]

WIDTH, WIDE = 720, 1100
CIRCLE_NODES, WIDE_NODES = 40, 60
_LAYERS, _LAYER_NODES, _LONG = 30, 24, 0.5
_MARGIN, _LEAST_HEIGHT, _ROWS_HEIGHT, _SPRING_HEIGHT = 46, 240, 460, 640
_LEAST_ROW, _ROW = 34, 92
_SWEEPS, _ITERATIONS, _SEED = 8, 120, 11
_NUDGE, _PUSHES, _ROOM = 0.03, 120, 24.0
_HUBS = 8  # a circle has at most so many nodes in its middle, and one of so many


class Layout(NamedTuple):
    """A picture's size, and the place of each node in it, in its units."""

    kind: Kind
    width: int
    height: int
    points: list[Point]


def arrange(count: int, edges: Iterable[tuple[int, int]]) -> Layout:
    """Places for the nodes 0 to count - 1.

    An acyclic graph whose edges mostly lead to the next layer stands in layers, by topological generation, from left
    to right; another one on a circle, with its hubs in the middle, or, if it is large, as springs.
    """
    graph: Directed = nx.DiGraph()
    graph.add_nodes_from(range(count))
    graph.add_edges_from((u, v) for u, v in edges if u != v)
    layers = _layers(graph)
    if layers:
        return _in_layers(graph, layers)
    return _on_circle(graph) if count <= CIRCLE_NODES else _as_springs(graph)


def _layers(graph: Directed) -> list[list[int]]:
    """The topological generations, if they make a picture; else nothing."""
    if not graph.number_of_edges() or not nx.is_directed_acyclic_graph(graph):
        return []
    layers = [sorted(layer) for layer in nx.topological_generations(graph)]
    level = {node: at for at, layer in enumerate(layers) for node in layer}
    far = sum(level[v] - level[u] > 1 for u, v in graph.edges)
    fits = len(layers) <= _LAYERS and max(map(len, layers)) <= _LAYER_NODES
    return layers if fits and far <= _LONG * graph.number_of_edges() else []


def _in_layers(graph: Directed, layers: list[list[int]]) -> Layout:
    width = WIDTH if len(layers) <= 8 else WIDE
    most = max(map(len, layers))
    height = max(_LEAST_HEIGHT, round(2 * _MARGIN + most * max(_LEAST_ROW, min(_ROW, _ROWS_HEIGHT / most))))
    row = {node: (at + 0.5) / len(layer) for layer in layers for at, node in enumerate(layer)}
    for sweep in range(_SWEEPS):  # each node goes to the middle of its neighbors: fewer edges cross
        forth = sweep % 2 == 0
        for layer in layers if forth else reversed(layers):
            middle = {node: _middle(row, graph.pred[node] if forth else graph.succ[node], row[node]) for node in layer}
            layer.sort(key=lambda node: (middle[node], node))
            row.update((node, (at + 0.5) / len(layer)) for at, node in enumerate(layer))
    step = (width - 2 * 1.6 * _MARGIN) / max(1, len(layers) - 1)
    points: list[Point] = [(0.0, 0.0)] * len(graph)
    for at, layer in enumerate(layers):
        for node in layer:
            points[node] = (1.6 * _MARGIN + at * step, _MARGIN + row[node] * (height - 2 * _MARGIN))
    return Layout("layered", width, height, _rounded(points))


def _middle(row: dict[int, float], nodes: Iterable[int], alone: float) -> float:
    rows = [row[node] for node in nodes]
    return sum(rows) / len(rows) if rows else alone


def _on_circle(graph: Directed) -> Layout:
    count = len(graph)
    hubs = _hubs(graph)
    around = [node for node in graph if node not in hubs]
    radius = min(270.0, 140 + 12.0 * len(around))
    height = round(2 * radius + 2.4 * _MARGIN)
    middle = (WIDTH / 2, height / 2)
    points: list[Point] = [middle] * count
    for nodes, size in ((around, radius), (hubs, 0.0 if len(hubs) == 1 else 0.3 * radius)):
        for at, node in enumerate(nodes):
            angle = math.tau * at / len(nodes) - math.pi / 2
            points[node] = (middle[0] + 1.02 * size * math.cos(angle), middle[1] + size * math.sin(angle))
    return Layout("circle", WIDTH, height, _rounded(points))


def _hubs(graph: Directed) -> list[int]:
    """Nodes that have far more neighbors than most, if they are few."""
    degrees = {node: len({*graph.pred[node], *graph.succ[node]}) for node in graph}
    usual = sorted(degrees.values())[len(degrees) // 2] if degrees else 0
    hubs = [node for node, degree in degrees.items() if degree > 2 and degree >= 2 * usual]
    return hubs if len(hubs) * _HUBS <= max(_HUBS, len(graph)) and len(graph) > len(hubs) + 2 else []


def _as_springs(graph: Directed) -> Layout:
    ties: nx.Graph[int] = nx.Graph()
    ties.add_nodes_from(graph)
    ties.add_edges_from(graph.edges)
    parts = [max(sorted(part), key=lambda node: ties.degree[node]) for part in nx.connected_components(ties)]
    if len(parts) > 1:  # what is not tied together would fly apart
        ties.add_edges_from((-1, node) for node in parts)
    start = {node: point + _nudge(node) for node, point in nx.spectral_layout(ties).items()}
    found = nx.spring_layout(ties, k=1.8 / math.sqrt(len(ties)), pos=start, iterations=_ITERATIONS, seed=_SEED)
    width = WIDTH if len(graph) <= WIDE_NODES else WIDE
    places = np.array([found[node] for node in range(len(graph))], np.float64)
    size = np.array([width, _SPRING_HEIGHT], np.float64) - 2 * _MARGIN
    places = _stretched(_apart(_stretched(places, size)), size)
    points = [(float(x) + _MARGIN, float(y) + _MARGIN) for x, y in places]
    return Layout("spring", width, _SPRING_HEIGHT, _rounded(points))


def _stretched(places: NDArray[np.float64], size: NDArray[np.float64]) -> NDArray[np.float64]:
    """The places over the whole of a picture of this size."""
    return (places - places.min(axis=0)) / np.maximum(np.ptp(places, axis=0), 1e-9) * size


def _nudge(node: int) -> NDArray[np.float64]:
    """A bit to one side, another one for every node: those with the same neighbors would never part."""
    angle = node * math.pi * (3 - math.sqrt(5))
    return np.array([math.cos(angle), math.sin(angle)]) * _NUDGE


def _apart(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """The places, pushed from each other until, mostly, no two are closer than a node needs."""
    for _ in range(_PUSHES):
        apart = places[:, None] - places[None]
        far = np.hypot(apart[..., 0], apart[..., 1]) + np.eye(len(places)) * _ROOM
        push = np.maximum(0, _ROOM - far) / np.maximum(far, 1e-3) / 2
        places = places + (apart * push[..., None]).sum(axis=1)
    return places


def _rounded(points: Sequence[Point]) -> list[Point]:
    return [(round(x, 1), round(y, 1)) for x, y in points]
