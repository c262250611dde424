"""A user's own graph: pairs of names in the task, or a file beside it (YAML, or GraphML)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from swarmmind.effects import Agent
from swarmmind.errors import UserError, near
from swarmmind.spec.paths import existing_file
from swarmmind.spec.source import KeyPath, printable, read_text, read_yaml, show, show_key
from swarmmind.topologies.graphs.graphml import read_graphml

MAX_NODES, MAX_EDGES = 100_000, 1_000_000
_MAX_LABEL = 100


class Own(NamedTuple):
    """Names of nodes, and edges between them as they were given: each leads from its first to its second.

    No edge occurs twice, and none leads to where it comes from.
    """

    nodes: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]


Wrong = Callable[[KeyPath, str], Exception]
"""From where something stands in the data, and what is wrong with it, to an error."""


def read_file(folder: Path, name: str) -> Own:
    """The graph in a file of the task's folder: `.graphml`, or else YAML with `edges` and, if need be, `nodes`.

    Raises:
        ValueError: there is no such file in the folder.
        SpecError: it is not what it should be; `file:line:column`.
    """
    path = existing_file(folder, name)
    if path.suffix.lower() in (".graphml", ".xml"):
        return Own(*read_graphml(path, MAX_NODES, MAX_EDGES))
    source = read_yaml(read_text(path), printable(path))
    data = source.data
    if not isinstance(data, dict) or "edges" not in data:
        raise source.error((), f"must be a mapping with 'edges', a list of pairs of names; got {show(data)}")
    for key in data:
        if key not in ("edges", "nodes"):
            raise source.error((key,), "unknown key; a graph has 'edges' and, if need be, 'nodes'", key=True)
    return own(data["edges"], data.get("nodes"), source.error)


def own(edges: Any, nodes: Any, wrong: Wrong) -> Own:
    """Checked names and pairs.

    Args:
        edges: should be a list of pairs of names.
        nodes: should be a list of all names, in order; `None`: those of the edges, in order of appearance.
        wrong: makes the error.
    """
    if not isinstance(edges, (list, tuple)):
        raise wrong(("edges",), f"must be a list of pairs of names, got {show(edges)}")
    if len(edges) > MAX_EDGES:
        raise wrong(("edges",), f"must be at most {MAX_EDGES:,}, got {len(edges):,}")
    known = dict.fromkeys(_names(nodes, wrong)) if nodes is not None else None
    seen: dict[str, None] = known if known is not None else {}
    pairs: dict[tuple[str, str], None] = {}
    for at, edge in enumerate(edges):
        path = ("edges", at)
        if not isinstance(edge, (list, tuple)) or len(edge) != 2:
            raise wrong(path, f"must be a pair of names, got {show(edge)}")
        u, v = (_name(end, (*path, side), wrong) for side, end in enumerate(edge))
        for side, end in enumerate((u, v)):
            if known is not None and end not in known:
                raise wrong((*path, side), f"{show(end)} is not among 'nodes'{near(end, list(known)[:100])}")
            seen[end] = None
        if u == v:
            raise wrong(path, f"leads from {show_key(u)} to itself")
        if (u, v) in pairs:
            raise wrong(path, f"{show_key(u)} to {show_key(v)} occurs twice")
        if len(seen) > MAX_NODES:
            raise wrong(path, f"more than {MAX_NODES:,} nodes")
        pairs[u, v] = None
    if not seen:
        raise wrong(("edges",), "must not be empty")
    return Own(tuple(seen), tuple(pairs))


def _names(nodes: Any, wrong: Wrong) -> list[str]:
    if not isinstance(nodes, (list, tuple)):
        raise wrong(("nodes",), f"must be a list of names, got {show(nodes)}")
    if len(nodes) > MAX_NODES:
        raise wrong(("nodes",), f"must be at most {MAX_NODES:,}, got {len(nodes):,}")
    names = [_name(name, ("nodes", at), wrong) for at, name in enumerate(nodes)]
    seen: set[str] = set()
    for at, name in enumerate(names):
        if name in seen:
            raise wrong(("nodes", at), f"{show_key(name)} occurs twice")
        seen.add(name)
    return names


def _name(value: Any, path: KeyPath, wrong: Wrong) -> str:
    name = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(name, str) or not 0 < len(name) <= _MAX_LABEL or not name.isprintable():
        raise wrong(path, f"must be a name of at most {_MAX_LABEL} characters, got {show(value)}")
    return name


def seated(labels: Sequence[str], agents: Sequence[Agent]) -> list[Agent]:
    """Who plays each node: the agent of that id, or, if no name is an agent's, agents in their order, and again.

    An agent of a swarm that stands for another agent is known by its own id, without that agent's.

    Raises:
        UserError: some names are agents' ids and others are not.
    """
    known = {agent.id: agent for agent in agents}
    for agent in agents:
        rest = agent.id
        while "." in rest:
            rest = rest.partition(".")[2]
            known.setdefault(rest, agent)
    unknown = [label for label in labels if label not in known]
    if len(unknown) == len(labels):
        return [agents[at % len(agents)] for at in range(len(labels))]
    if unknown:
        hint = near(unknown[0], [agent.id for agent in agents[:100]])
        raise UserError(f"graph: other names are agents' ids, but no agent is called {show_key(unknown[0])}{hint}")
    return [known[label] for label in labels]
