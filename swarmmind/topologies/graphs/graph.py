"""A graph as a task describes it: `graph: mesh`, or `graph: {kind: small-world, nodes: 50, k: 4, p: 0.2}`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeAlias

import networkx as nx
from pydantic import BaseModel, ConfigDict, Field, model_validator

from swarmmind.effects import Agent
from swarmmind.rng import Streams
from swarmmind.topologies.graphs import kinds
from swarmmind.topologies.graphs.kinds import Directed, Undirected

Kind: TypeAlias = Literal[
    "chain", "star", "tree", "mesh", "layered", "random", "small-world", "scale-free", "delaunay", "ring", "grid"
]
Count: TypeAlias = Annotated[int, Field(ge=1, le=1_000_000)]


class Graph(BaseModel):
    """Who may hear whom.

    Attributes:
        kind: its family (see `kinds`).
        nodes: how many; by default one for each agent. With more nodes than agents, agents play several.
        k: neighbors on the ring, of a small world.
        p: the probability that an edge of a small world is rewired.
        m: ties of each new node, of a scale-free graph.
        branching: children of a node, of a tree.
        layers: of a layered graph; floor(log2 nodes) by default.
        edges: how many, of a random graph; drawn uniformly from all possible numbers by default.
        reverse: whether every edge is turned round (a star then converges).
        seed: of a graph that is drawn; the task's by default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    kind: Kind = "layered"
    nodes: Count | None = None
    k: Annotated[int, Field(ge=2)] = 4
    p: Annotated[float, Field(ge=0, le=1)] = 0.2
    m: Annotated[int, Field(ge=1)] = 2
    branching: Annotated[int, Field(ge=1)] = 2
    layers: Count | None = None
    edges: Annotated[int, Field(ge=0)] | None = None
    reverse: bool = False
    seed: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: Any) -> Any:
        return {"kind": data} if isinstance(data, str) else data

    def undirected(self, agents: Sequence[Agent], seed: int) -> Undirected:
        """The graph on the nodes 0, 1, ..., for talk in both directions.

        Args:
            agents: who is there; `played` says which node is whose.
            seed: the task's.
        """
        n = self.nodes or len(agents)
        streams = Streams(seed if self.seed is None else self.seed)
        drawn = streams.derive("graph") % 2**32 if self.seed is None else self.seed
        match self.kind:
            case "tree":
                return kinds.tree(n, self.branching)
            case "layered":
                return kinds.layered(n, self.layers)
            case "random":
                return kinds.randomly(n, streams.rng("graph"), self.edges)
            case "small-world":
                return kinds.small_world(n, drawn, self.k, self.p)
            case "scale-free":
                return kinds.scale_free(n, drawn, self.m)
            case "delaunay":
                return kinds.delaunay(n, drawn)
            case "chain":
                return kinds.chain(n)
            case "star":
                return kinds.star(n)
            case "mesh":
                return kinds.mesh(n)
            case "ring":
                return kinds.ring(n)
            case "grid":
                return kinds.grid(n)

    def directed(self, agents: Sequence[Agent], seed: int) -> Directed:
        """The acyclic graph on the nodes 0, 1, ...; of a family, edges lead from lower to higher numbers."""
        graph: Directed = nx.DiGraph()
        found = self.undirected(agents, seed)
        graph.add_nodes_from(found)
        pairs = ((min(pair), max(pair)) for pair in found.edges)
        graph.add_edges_from((v, u) if self.reverse else (u, v) for u, v in pairs)
        return graph

    def played(self, agents: Sequence[Agent], seed: int) -> list[Agent]:
        """Who plays each node, by its number."""
        return [agents[node % len(agents)] for node in range(self.nodes or len(agents))]
