"""A graph as a task describes it: `graph: mesh`, `{kind: small-world, k: 4, p: 0.2}`, `{file: team.graphml}`, pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from swarmmind.effects import Agent
from swarmmind.errors import SpecError, UserError
from swarmmind.rng import Streams
from swarmmind.spec.source import KeyPath, show, show_key, show_path
from swarmmind.topologies.graphs.own import own, read_file, seated

if TYPE_CHECKING:
    from swarmmind.topologies.graphs.kinds import Directed, Undirected

Kind: TypeAlias = Literal[
    "chain", "star", "tree", "mesh", "layered", "random", "small-world", "scale-free", "delaunay", "ring", "grid", "own"
]
Count: TypeAlias = Annotated[int, Field(ge=1, le=1_000_000)]
Seed: TypeAlias = Annotated[int, Field(ge=0, lt=1 << 32)]

_OF = {"k": "small-world", "p": "small-world", "m": "scale-free", "branching": "tree", "layers": "layered"}
_DRAWN = ("random", "small-world", "scale-free", "delaunay")
_SHOWN = 10


class Graph(BaseModel):
    """Who may hear whom.

    Attributes:
        kind: its family (see `kinds`); `own` for one that is given by its edges or a file.
        nodes: how many; by default one for each agent. With more nodes than agents, agents play several; agents
            beyond the nodes play none. Of an own graph: the names of all nodes, by default those in the edges.
        k: neighbors on the ring, of a small world; even.
        p: the probability that an edge of a small world is rewired.
        m: ties of each new node, of a scale-free graph.
        branching: children of a node, of a tree.
        layers: of a layered graph; floor(log2 nodes) by default.
        edges: how many, of a random graph; drawn uniformly from all possible numbers by default. Or the edges of an
            own graph: pairs of names, each leading from its first to its second. If names are agents' ids, those
            agents play; else agents are assigned in the names' order of appearance.
        file: of an own graph: YAML with `edges` and perhaps `nodes`, or GraphML, in the task's folder.
        reverse: whether every edge is turned round (a star then converges).
        seed: of a graph that is drawn; the task's by default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    kind: Kind = "layered"
    nodes: Count | tuple[str, ...] | None = None
    k: Annotated[int, Field(ge=2, multiple_of=2)] = 4
    p: Annotated[float, Field(ge=0, le=1)] = 0.2
    m: Annotated[int, Field(ge=1)] = 2
    branching: Annotated[int, Field(ge=1)] = 2
    layers: Count | None = None
    edges: Annotated[int, Field(ge=0)] | tuple[tuple[str, str], ...] | None = None
    file: str | None = None
    reverse: bool = False
    seed: Seed | None = None

    @model_validator(mode="before")
    @classmethod
    def _told(cls, data: Any, info: ValidationInfo) -> Any:
        """One form for all: names and pairs are read, from a file in the folder that the context names or from here."""
        if isinstance(data, str):
            return {"kind": data}
        if isinstance(data, Graph):
            return data
        if not isinstance(data, Mapping):
            raise ValueError(f"must be a kind, or a mapping with 'kind', 'edges' or 'file'; got {show(data)}")
        if "file" in data:
            return _read(data, (info.context or {}).get("folder"))
        if isinstance(data.get("edges"), (list, tuple, Mapping)) or data.get("kind") == "own":
            found = own(data.get("edges"), data.get("nodes"), _wrong)
            return {"kind": "own", **data, "nodes": found.nodes, "edges": found.edges}
        return data

    @model_validator(mode="after")
    def _fits(self) -> Graph:
        """Refuse what belongs to another kind: it would change nothing, and its author thinks that it does."""
        owned = {**_OF, "edges": "own" if isinstance(self.edges, tuple) else "random"}
        for name in self.model_fields_set:
            if owned.get(name, self.kind) != self.kind:
                raise ValueError(f"{name}: belongs to the kind {owned[name]!r}, not to {self.kind!r}")
        if self.seed is not None and self.kind not in _DRAWN:
            raise ValueError(f"seed: there is no chance in the kind {self.kind!r}, only in {', '.join(_DRAWN)}")
        if isinstance(self.nodes, tuple) and self.kind != "own":
            raise ValueError(f"nodes: must be a number for the kind {self.kind!r}; names need 'edges'")
        return self

    def undirected(self, agents: Sequence[Agent], seed: int) -> Undirected:
        """The graph on the nodes 0, 1, ..., for talk in both directions.

        Args:
            agents: who is there; `played` says which node is whose.
            seed: the task's.

        Raises:
            UserError: there is no such graph with so many nodes.
        """
        n = self._size(agents)
        streams = Streams(seed if self.seed is None else self.seed)
        drawn = streams.derive("graph") % 2**32 if self.seed is None else self.seed
        kinds = import_module("swarmmind.topologies.graphs.kinds")  # it and what it needs are slow to import
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
                return import_module("swarmmind.topologies.graphs.delaunay").delaunay(n, drawn)
            case "own":
                return kinds.joined(n, self._pairs())
            case _:
                return getattr(kinds, self.kind)(n)

    def directed(self, agents: Sequence[Agent], seed: int) -> Directed:
        """The acyclic graph on the nodes 0, 1, ...; of a family, edges lead from lower to higher numbers.

        Args:
            agents: who is there.
            seed: the task's.

        Raises:
            UserError: there is no such graph with so many nodes, or the edges of an own one lead in a circle.
        """
        if self.kind == "own":
            pairs = self._pairs()
        else:
            pairs = [(min(pair), max(pair)) for pair in self.undirected(agents, seed).edges]
        kinds = import_module("swarmmind.topologies.graphs.directed")
        graph, cycle = kinds.acyclic(self._size(agents), pairs, reverse=self.reverse)
        if cycle:
            assert isinstance(self.nodes, tuple)  # families have none
            way = [show_key(self.nodes[node]) for node in cycle]
            way = way if len(way) <= _SHOWN else [*way[: _SHOWN - 2], "...", *way[-2:]]
            raise UserError(f"graph: its edges lead in a circle: {' -> '.join(way)}; take one of them out")
        return graph

    def played(self, agents: Sequence[Agent], seed: int) -> list[Agent]:
        """Who plays each node, by its number.

        Raises:
            UserError: some names in an own graph are agents' ids, and others are not.
        """
        if isinstance(self.nodes, tuple):
            return seated(self.nodes, agents)
        return [agents[node % len(agents)] for node in range(self._size(agents))]

    def _size(self, agents: Sequence[Agent]) -> int:
        return len(self.nodes) if isinstance(self.nodes, tuple) else self.nodes or len(agents)

    def _pairs(self) -> list[tuple[int, int]]:
        assert isinstance(self.nodes, tuple)
        assert isinstance(self.edges, tuple)
        numbers = {name: at for at, name in enumerate(self.nodes)}
        return [(numbers[u], numbers[v]) for u, v in self.edges]


def _wrong(path: KeyPath, message: str) -> ValueError:
    return ValueError(f"{show_path(path)}: {message}")


def _read(data: Mapping[str, Any], folder: Any) -> dict[str, Any]:
    for name in data:
        if name not in ("file", "reverse"):
            raise ValueError(f"{show_key(name)}: all that is said of a graph beside its file is 'reverse'")
    if not isinstance(data["file"], str):
        raise ValueError("file: must be text")
    if folder is None:
        raise ValueError("file: needs a task's folder to be relative to")
    try:
        found = read_file(folder, data["file"])
    except SpecError:
        raise
    except ValueError as error:
        raise ValueError(f"file: {error}") from None
    return {**data, "kind": "own", "nodes": found.nodes, "edges": found.edges}
