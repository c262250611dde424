"""The graphs of AgentsNet, regenerated: families, seeds and names as the original draws them (spec section 2).

Small worlds (`ws`: k=4, p=0.4), scale-free graphs (`ba`: m=2) and Delaunay triangulations of random points (`dt`). One
stream seeded with 42 first gives the graphs' seeds, then the agents' names, graph by graph: the 27 graphs of the main
benchmark (4, 8 and 16 agents) in one pass, those of the scaling study (20, 30, ..., 100) in another. Other sizes, and
instances from the fourth on, go on with the same stream of seeds and have names of their own.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import product
from typing import Literal, NamedTuple, TypeAlias

import networkx as nx

from swarmmind.errors import UserError
from swarmmind.evals.agentsnet.names import NAMES
from swarmmind.rng import Streams
from swarmmind.topologies.graphs.delaunay import delaunay
from swarmmind.topologies.graphs.kinds import Undirected, joined, scale_free, small_world

Family: TypeAlias = Literal["ws", "ba", "dt"]
FAMILIES: tuple[Family, ...] = ("ws", "ba", "dt")
MAIN_SIZES = (4, 8, 16)
LARGE_SIZES = tuple(range(20, 101, 10))
SAMPLES = 3
"""Instances of a family and size in the original."""

MIN_AGENTS, MAX_AGENTS = 4, len(NAMES)
_SEED = 42
_HIGHEST_SEED = 10_000


class Instance(NamedTuple):
    """Who is there, and who knows whom.

    Attributes:
        names: by node.
        neighbors: by node, the nodes it is tied to, in the order in which it is told of them.
        diameter: the longest of all shortest paths.
    """

    names: tuple[str, ...]
    neighbors: tuple[tuple[int, ...], ...]
    diameter: int

    @property
    def edges(self) -> list[tuple[int, int]]:
        """Every tie once, as (lower, higher) node."""
        return [(u, v) for u, row in enumerate(self.neighbors) for v in row if u < v]

    @property
    def max_degree(self) -> int:
        """How many neighbors the agent with most of them has."""
        return max(map(len, self.neighbors))

    def names_near(self, node: int) -> tuple[str, ...]:
        """The names of a node's neighbors, in its order."""
        return tuple(self.names[at] for at in self.neighbors[node])

    def local_rounds(self) -> int:
        """Rounds for coloring, vertex cover and matching: 4, 5 and 6 for 4, 8 and 16 agents, as `global_rounds` above.

        Between these sizes, which the original does not have, it is two more than the logarithm, rounded up.
        """
        size = len(self.names)
        return (size - 1).bit_length() + 2 if size <= MAIN_SIZES[-1] else self.global_rounds()

    def global_rounds(self) -> int:
        """Rounds for leader election and consensus: twice the diameter and one."""
        return 2 * self.diameter + 1


@lru_cache(maxsize=512)
def instance(family: Family, agents: int, index: int = 0) -> Instance:
    """The graph of a family and size with this number; equal arguments give equal graphs.

    Raises:
        UserError: there is no such family, too few or too many agents, or the number is negative.
    """
    if family not in FAMILIES:
        raise UserError(f"family: must be one of {', '.join(FAMILIES)}, got {family!r}")
    if not MIN_AGENTS <= agents <= MAX_AGENTS:
        raise UserError(f"agents: must be from {MIN_AGENTS} to {MAX_AGENTS} (there are no more names), got {agents}")
    if index < 0:
        raise UserError(f"index: must be at least 0, got {index}")
    return connected(_names(family, agents, index), _graph(family, agents, graph_seed(index)))


def connected(names: Sequence[str], graph: Undirected) -> Instance:
    """An instance of a graph; neighbors are in the graph's order."""
    return Instance(tuple(names), tuple(tuple(graph[node]) for node in range(len(names))), nx.diameter(graph))


def tied(names: Sequence[str], edges: Iterable[tuple[int, int]]) -> Instance:
    """An instance of one's own: names by node, and ties; it must be connected."""
    return connected(names, joined(len(names), edges))


def graph_seed(index: int) -> int:
    """The seed of the instance with this number, for every family and size: 1825, 410, 4507, ..."""
    rng = random.Random(_SEED)
    return [rng.randint(1, _HIGHEST_SEED) for _ in range(index + 1)][-1]


def _graph(family: Family, agents: int, seed: int) -> Undirected:
    if family == "ws":
        return small_world(agents, seed, k=4, p=0.4)
    return scale_free(agents, seed, m=2) if family == "ba" else delaunay(agents, seed)


def _names(family: Family, agents: int, index: int) -> tuple[str, ...]:
    sizes = next((sizes for sizes in (MAIN_SIZES, LARGE_SIZES) if agents in sizes), None)
    if sizes is None or index >= SAMPLES:
        return tuple(Streams(_SEED).rng(f"agentsnet/{family}/{agents}/{index}").sample(NAMES, agents))
    return _drawn(sizes)[family, agents, index]


@lru_cache(maxsize=2)
def _drawn(sizes: tuple[int, ...]) -> dict[tuple[str, int, int], tuple[str, ...]]:
    """The names of all graphs of these sizes, in one pass of the original's stream."""
    rng = random.Random(_SEED)
    for _ in range(SAMPLES):
        rng.randint(1, _HIGHEST_SEED)
    graphs = product(FAMILIES, sizes, range(SAMPLES))
    return {(family, size, at): tuple(rng.sample(NAMES, size)) for family, size, at in graphs}
