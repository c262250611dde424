"""GraphML (graphml.graphdrawing.org), as much of it as says who is tied to whom: `graph`, `node`, `edge`.

Read as a stream, with bounds; a document type, and with it entities, is refused, so that nothing in a file expands.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, NoReturn
from xml.parsers import expat

from swarmmind.errors import SpecError
from swarmmind.spec.source import printable, show, show_key

MAX_BYTES, MAX_DEPTH = 64 << 20, 64
_CHUNK = 1 << 23  # a tag that is not complete yet is read anew with every chunk


_DIRECTED = {"true": True, "1": True, "false": False, "0": False}
_DEFAULTS = {"directed": True, "undirected": False}


class _Edge(NamedTuple):
    source: str
    target: str
    directed: bool
    line: int
    column: int


def read_graphml(path: Path, max_nodes: int, max_edges: int) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The ids of nodes in their order, and the edges; an undirected edge leads from its earlier node to its later one.

    Raises:
        SpecError: it is no GraphML, or no graph without loops, repeated edges and hyperedges; `file:line:column`.
    """
    reader = _Reader(printable(path), max_nodes, max_edges)
    read = 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                read += len(chunk)
                if read > MAX_BYTES:
                    raise SpecError(f"is larger than {MAX_BYTES >> 20} MiB", file=reader.name)
                reader.parser.Parse(chunk, False)
        reader.parser.Parse(b"", True)
    except expat.ExpatError as error:
        message = f"not valid XML: {expat.ErrorString(error.code)}"
        raise SpecError(message, file=reader.name, line=error.lineno, column=error.offset + 1) from None
    except OSError as error:
        raise SpecError(f"cannot be read: {error.strerror}", file=reader.name) from error
    except (LookupError, ValueError):  # Python's, about an encoding that it does not know or cannot map
        raise SpecError("is in an encoding that cannot be read; use UTF-8", file=reader.name) from None
    return reader.graph()


class _Reader:
    def __init__(self, name: str, max_nodes: int, max_edges: int) -> None:
        self.name, self._max_nodes, self._max_edges = name, max_nodes, max_edges
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self._nodes: dict[str, int] = {}
        self._edges: list[_Edge] = []
        self._depth, self._is_graphml = 0, False
        self._directed: bool | None = None  # until there is a graph

    def graph(self) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
        """What was read, checked."""
        if self._directed is None or not self._nodes:
            raise SpecError("holds no GraphML <graph> with a <node>", file=self.name, line=1, column=1)
        pairs: dict[tuple[str, str], None] = {}
        for edge in self._edges:
            u, v = edge.source, edge.target
            for end in (u, v):
                if end not in self._nodes:
                    self._wrong(f"an edge names {show(end)}, which is no node", edge.line, edge.column)
            if u == v:
                self._wrong(f"an edge leads from {show_key(u)} to itself", edge.line, edge.column)
            if not edge.directed and self._nodes[u] > self._nodes[v]:
                u, v = v, u
            if (u, v) in pairs or (not edge.directed and (v, u) in pairs):
                self._wrong(f"the edge {show_key(u)} to {show_key(v)} occurs twice", edge.line, edge.column)
            pairs[u, v] = None
        return tuple(self._nodes), tuple(pairs)

    def _wrong(self, message: str, line: int = 0, column: int = 0) -> NoReturn:
        line, column = line or self.parser.CurrentLineNumber, column or self.parser.CurrentColumnNumber + 1
        raise SpecError(message, file=self.name, line=line, column=column)

    def _doctype(self, *_: Any) -> None:
        self._wrong("holds a document type (<!DOCTYPE ...>), which may define entities; take it out")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._wrong(f"nested deeper than {MAX_DEPTH} levels")
        name = tag.rpartition(" ")[2]
        if self._depth == 1:
            self._is_graphml = name == "graphml"
        match name if self._is_graphml else "":
            case "graph":
                if self._directed is not None:
                    self._wrong("holds a second <graph>; one file is one graph")
                self._directed = self._said(attributes, "edgedefault", _DEFAULTS, True)
            case "node":
                self._node(attributes.get("id", ""))
            case "edge":
                self._edge(attributes)
            case "hyperedge":
                self._wrong("holds a <hyperedge>; only edges between two nodes have a meaning here")
            case _:
                pass

    def _end(self, _: str) -> None:
        self._depth -= 1

    def _node(self, name: str) -> None:
        if not 0 < len(name) <= 100 or not name.isprintable():
            self._wrong(f"a node's id must be a name of at most 100 characters, got {show(name)}")
        if name in self._nodes:
            self._wrong(f"the node {show_key(name)} occurs twice")
        if len(self._nodes) >= self._max_nodes:
            self._wrong(f"more than {self._max_nodes:,} nodes")
        self._nodes[name] = len(self._nodes)

    def _edge(self, attributes: dict[str, str]) -> None:
        if len(self._edges) >= self._max_edges:
            self._wrong(f"more than {self._max_edges:,} edges")
        directed = self._said(attributes, "directed", _DIRECTED, bool(self._directed))
        line, column = self.parser.CurrentLineNumber, self.parser.CurrentColumnNumber + 1
        self._edges.append(_Edge(attributes.get("source", ""), attributes.get("target", ""), directed, line, column))

    def _said(self, attributes: dict[str, str], name: str, known: dict[str, bool], default: bool) -> bool:
        if name not in attributes:
            return default
        if attributes[name] not in known:
            self._wrong(f"{name} must be {' or '.join(map(repr, known))}, got {show(attributes[name])}")
        return known[attributes[name]]
