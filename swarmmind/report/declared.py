"""Graphs that topologies left for people: records of the series `graph`, read as edges between agents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, TypeAlias, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from swarmmind.report import text
from swarmmind.report.read import Source
from swarmmind.report.records import GRAPH
from swarmmind.report.tally import Member

READER_BITS = 32
_MAX_RECORDS, _MAX_CHARACTERS, _MAX_EDGES, _MAX_NAMES = 1000, 64_000_000, 1_000_000, 100_000
_MAX_STATISTICS, _STATISTIC_CHARACTERS = 24, 100

Numbers: TypeAlias = NDArray[np.int64]


class _Record(msgspec.Struct):
    """A record of the series `graph`: who plays each node, edges between nodes, and what is known of the graph.

    The end of an edge is the number of a node, or the id of its agent. An edge of a graph that is not directed leads
    both ways. `drains` are edges on which words run as well, but which are no part of the graph; they lead from a node
    to the id of an agent. `left_out` counts what the record, of a large graph, does not hold.
    """

    nodes: list[str | int]
    edges: list[tuple[int | str, int | str]] = []
    directed: bool = True
    drains: list[tuple[int, str]] = []
    statistics: dict[str, Any] = {}
    left_out: dict[str, int] = {}


class Declared:
    """The graphs that topologies left: all their edges, between agents.

    Args:
        source: the run.
        members: its agents; a node of somebody else, who was never asked, is an agent as well.

    Attributes:
        names: of all agents, members first.
        graphs: how many different graphs there were.
        unread: records that are not read: of another shape, or far too long.
        left_out: edges that the records do not hold.
        edges: author << 32 | reader of each edge, ascending.
        drains: the same of words that leave a graph: declared too, but not drawn as its edges.
        statistics: name and value; from the least to the greatest if graphs differ.
    """

    def __init__(self, source: Source, members: Mapping[str, Member]) -> None:
        self.names = list(members)
        self._places = {name: place for place, name in enumerate(self.names)}
        self.unread = self.left_out = 0
        self._named: set[int] = set()
        codes, drains = set[int](), set[int]()
        found: dict[str, list[Any]] = {}
        seen: set[int] = set()
        for _, data in islice(source.records(GRAPH), _MAX_RECORDS):
            if hash(data) in seen:
                continue
            record = _graph(data)
            if record is None or not self._add(record, codes, drains):
                self.unread += 1
                continue
            seen.add(hash(data))
            known = ((name, value) for name, value in record.statistics.items() if value not in ([], {}, ""))
            for name, value in islice(known, _MAX_STATISTICS):
                found.setdefault(name, []).append(value)
        self.graphs = len(seen)
        self.edges: Numbers = np.array(sorted(codes), np.int64)
        self.drains: Numbers = np.array(sorted(drains - codes), np.int64)
        self.nodes = sorted(self._named)
        self.statistics = [(name, _range(values)) for name, values in islice(found.items(), _MAX_STATISTICS)]

    def _add(self, record: _Record, codes: set[int], drains: set[int]) -> bool:
        if len(self.names) + len(record.nodes) + len(record.drains) > _MAX_NAMES + len(self._places):
            return False
        played = [self._place(str(name)) for name in record.nodes]
        by_end: dict[int | str, int] = {**dict(enumerate(played)), **{self.names[place]: place for place in played}}
        if not all(u in by_end and v in by_end for u, v in record.edges) or not all(
            u in by_end for u, _ in record.drains
        ):
            return False
        self._named.update(played)
        self.left_out += max(0, record.left_out.get("edges", 0))
        for number, (one, other) in enumerate(record.edges):
            if len(codes) >= _MAX_EDGES:
                self.left_out += len(record.edges) - number
                break
            u, v = by_end[one], by_end[other]
            if u != v:
                codes.update(
                    (u << READER_BITS | v,) if record.directed else (u << READER_BITS | v, v << READER_BITS | u)
                )
        drained = [(by_end[u], self._place(name)) for u, name in record.drains[: _MAX_EDGES - len(drains)]]
        drains.update(u << READER_BITS | v for u, v in drained if u != v)
        return True

    def _place(self, name: str) -> int:
        place = self._places.get(name)
        if place is None:
            place = self._places[name] = len(self.names)
            self.names.append(name)
        return place


def _graph(data: str) -> _Record | None:
    try:
        return msgspec.json.decode(data, type=_Record) if len(data) <= _MAX_CHARACTERS else None
    except msgspec.MsgspecError:
        return None


def _range(values: Sequence[Any]) -> str:
    """A statistic of all graphs: a number, from the least to the greatest if they differ; else the first one."""
    numbers = [cast("float", value) for value in values if isinstance(value, int | float)]
    if len(numbers) < len(values) or len(set(numbers)) == 1:
        shown = values[0] if values[0] is None or isinstance(values[0], int | float) else text.plain(values[0])
        return text.number(shown)[:_STATISTIC_CHARACTERS] if shown is not None else "none"
    return f"{text.number(min(numbers))} to {text.number(max(numbers))}"
