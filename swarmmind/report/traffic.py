"""Who heard whom: the words of one agent that stood quoted in the prompts of another, edge by edge.

Traffic is measured, never declared: an edge leads from an author to a reader whose prompts quote it. A topology that
has a graph of its own may leave it as a record of the series `graph`; its edges are then drawn where nobody spoke, too,
and traffic beside them is told apart. Memory is some bytes for each agent and edge; a picture has a limited number of
both, whatever the swarm is.
"""

from __future__ import annotations

import heapq
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from swarmmind.agents.prompts import CHARACTERS_PER_TOKEN
from swarmmind.report.contexts import as_quoted
from swarmmind.report.declared import READER_BITS, Declared, Numbers
from swarmmind.report.layout import arrange
from swarmmind.report.read import Source
from swarmmind.report.tally import Member

MAX_AGENTS, MAX_EDGES, MAX_STRONGEST, MAX_PARTNERS, MAX_ROLES = 150, 600, 30, 8, 12
_READER = (1 << READER_BITS) - 1


class Heard:
    """All edges with traffic, reader after reader; `contexts.read` fills it."""

    def __init__(self) -> None:
        self._readers, self._authors, self._prompts = array("q"), array("q"), array("q")
        self._characters = array("q")

    def heard(self, reader: int, words: Mapping[int, tuple[int, int]]) -> None:
        """The reader's place and, by the places of those that it heard, characters and prompts with words of theirs."""
        for author in sorted(words):
            characters, prompts = words[author]
            self._readers.append(reader)
            self._authors.append(author)
            self._characters.append(characters)
            self._prompts.append(prompts)

    @property
    def columns(self) -> tuple[Numbers, Numbers, Numbers, Numbers]:
        """Author, reader, characters and prompts of every edge."""
        return _numbers(self._authors), _numbers(self._readers), _numbers(self._characters), _numbers(self._prompts)


@dataclass(frozen=True)
class Edge:
    """Traffic from an author to a reader: about how many tokens, in how many prompts."""

    author: str
    reader: str
    tokens: int
    prompts: int


class Traffic:
    """The graph of a run, to be drawn and told.

    Args:
        source: the run.
        members: its agents, in their order.
        heard: who heard whom.
        others: everybody's words that were quoted, by author; names that are no agent's are told.

    Attributes:
        agents: how many there are.
        edges: how many have traffic; `tokens` and `prompts` are their sums.
        silent: agents that neither quoted anybody nor were quoted.
        strangers: names that are no agent's, those quoted most; `unknown` is how many, `strange` their tokens.
        strongest: the edges with most traffic.
        beside: edges whose traffic ran where no edge was declared; `against`: where one was declared the other way.
        unused: declared edges without traffic.
        drawn: agents and edges with traffic in the picture.
        rest: what is not drawn: author's role, reader's role, edges, tokens.
    """

    def __init__(self, source: Source, members: Mapping[str, Member], heard: Heard, others: Mapping[str, int]) -> None:
        self.declared = Declared(source, members)
        self._members = members
        self._names, self.agents = self.declared.names, len(members)
        self._authors, self._readers, self._characters, self._prompts = heard.columns
        self.edges, self.tokens = len(self._authors), _tokens(self._characters.sum())
        self.prompts = int(self._prompts.sum())
        self._strange(others)
        self._declare()
        order = np.lexsort((self._readers, self._authors, -self._prompts, -self._characters))
        self.strongest = [self._edge(at) for at in order[:MAX_STRONGEST].tolist()]
        self._totals = np.zeros((2, len(self._names)), np.int64)
        np.add.at(self._totals[0], self._authors, self._characters)
        np.add.at(self._totals[1], self._readers, self._characters)
        self.silent = int((self._totals[:, : self.agents].sum(axis=0) == 0).sum())
        self._chosen = self._choose()
        row = np.full(len(self._names), -1, np.int64)
        row[self._chosen] = np.arange(len(self._chosen))
        self._row = row
        inside = order[(row[self._authors[order]] >= 0) & (row[self._readers[order]] >= 0)]
        self._inside: Numbers = inside[:MAX_EDGES]
        self.drawn = len(self._chosen), len(self._inside)
        self.rest = self._left()

    @property
    def any(self) -> bool:
        """Whether there is anything to tell: traffic, declared edges, or words of unknown authors."""
        return bool(self.edges or len(self.declared.edges) or self.unknown)

    def data(self) -> dict[str, Any]:
        """The picture as JSON data; nodes and edges by their numbers in it, partners by their place among agents."""
        codes = self.declared.edges
        if not self._chosen:
            return {"nodes": []}
        edges = [
            [int(self._row[self._authors[at]]), int(self._row[self._readers[at]]), _tokens(self._characters[at]),
             int(self._prompts[at]), int(self._kind[at])]
            for at in self._inside.tolist()
        ]  # fmt: skip
        silent = self._pairs(codes[~np.isin(codes, self._codes)])
        told = self._pairs(codes)
        layout = arrange(len(self._chosen), told or [(u, v) for u, v, *_ in edges])
        nodes = [self._node(place, point) for place, point in zip(self._chosen, layout.points, strict=True)]
        return {"kind": layout.kind, "size": [layout.width, layout.height], "nodes": nodes, "edges": edges,
                "silent": silent[:MAX_EDGES], "declared": len(codes) > 0}  # fmt: skip

    def _pairs(self, codes: Numbers) -> list[tuple[int, int]]:
        """Declared edges as pairs of numbers in the picture; those that lead out of it are left out."""
        pairs = np.stack((self._row[codes >> READER_BITS], self._row[codes & _READER]), axis=1)
        return [(u, v) for u, v in pairs[(pairs >= 0).all(axis=1)].tolist()]

    def _node(self, place: int, point: tuple[float, float]) -> list[Any]:
        name = self._names[place]
        member = self._members.get(name)
        shown = as_quoted(name)
        return [name, member.role if member else "", place if member else -1, *point, "" if shown == name else shown,
                self._partners(place, self._authors, self._readers),
                self._partners(place, self._readers, self._authors)]  # fmt: skip

    def _partners(self, place: int, mine: Numbers, others: Numbers) -> list[Any]:
        """Number of partners, tokens, and the strongest of them: place, tokens, prompts."""
        found = np.flatnonzero(mine == place)
        best = found[np.lexsort((others[found], -self._characters[found]))[:MAX_PARTNERS]]
        listed = [[int(others[at]), _tokens(self._characters[at]), int(self._prompts[at])] for at in best.tolist()]
        return [len(found), _tokens(self._characters[found].sum()), listed]

    def _edge(self, at: int) -> Edge:
        names = self._names[self._authors[at]], self._names[self._readers[at]]
        return Edge(*names, _tokens(self._characters[at]), int(self._prompts[at]))

    def _strange(self, others: Mapping[str, int]) -> None:
        unknown = Counter({name: size for name, size in others.items() if name not in self._members})
        self.unknown, self.strange = len(unknown), _tokens(unknown.total())
        self.strangers = [name for name, _ in unknown.most_common(5)]

    def _declare(self) -> None:
        """Tell traffic along declared edges (1) from that the other way (2) and beside them (3); 0: there are none."""
        codes = self.declared.edges
        self._codes: Numbers = self._authors << READER_BITS | self._readers
        self._kind: Numbers = np.zeros(len(self._codes), np.int64)
        if len(codes):
            back = self._readers << READER_BITS | self._authors
            other = (
                0 if self.declared.left_out else 3
            )  # of a graph that is known in part, nobody knows what is beside it
            known = np.union1d(codes, self.declared.drains)
            self._kind = np.where(np.isin(self._codes, known), 1, np.where(np.isin(back, codes), 2, other)).astype(
                np.int64
            )
        self.against, self.beside = int((self._kind == 2).sum()), int((self._kind == 3).sum())
        self.unused = int((~np.isin(codes, self._codes)).sum())

    def _choose(self) -> list[int]:
        """Who is drawn: from the busiest agent outward, always along the edge with most traffic; then whom declared."""
        total = self._totals.sum(axis=0)
        busy = np.lexsort((np.arange(len(total)), -total))
        busy = [place for place in busy.tolist() if total[place]]
        if len(busy) > MAX_AGENTS:
            busy = self._neighborhood(busy)
        known = set(busy)
        declared = islice((place for place in self.declared.nodes if place not in known), MAX_AGENTS - len(busy))
        return sorted([*busy, *declared])

    def _neighborhood(self, busy: Sequence[int]) -> list[int]:
        chosen: dict[int, None] = {}
        heap: list[tuple[int, int]] = []
        for start in busy:
            heapq.heappush(heap, (0, start))
            while heap and len(chosen) < MAX_AGENTS:
                _, place = heapq.heappop(heap)
                if place in chosen:
                    continue
                chosen[place] = None
                for mine, others in ((self._authors, self._readers), (self._readers, self._authors)):
                    for at in np.flatnonzero(mine == place).tolist():
                        if int(others[at]) not in chosen:
                            heapq.heappush(heap, (-int(self._characters[at]), int(others[at])))
            if len(chosen) >= MAX_AGENTS:
                break
        return list(chosen)

    def _left(self) -> list[tuple[str, str, int, int]]:
        """What is not drawn, by roles: most tokens first, the last row all others."""
        out = np.ones(self.edges, bool)
        out[self._inside] = False
        roles = sorted({member.role for member in self._members.values()})
        number = {role: at for at, role in enumerate(roles)}
        of = np.array([number[member.role] for member in self._members.values()], np.int64)
        pairs, inverse = np.unique(
            of[self._authors[out]] * len(roles) + of[self._readers[out]], return_inverse=True
        ) if self.edges else (np.zeros(0, np.int64), np.zeros(0, np.int64))  # fmt: skip
        counts = np.bincount(inverse, minlength=len(pairs))
        sizes = np.bincount(inverse, self._characters[out], minlength=len(pairs))
        rows = [
            (roles[pair // len(roles)], roles[pair % len(roles)], int(count), _tokens(size))
            for pair, count, size in zip(pairs.tolist(), counts.tolist(), sizes.tolist(), strict=True)
        ]
        rows.sort(key=lambda row: (-row[3], row))
        more = rows[MAX_ROLES:]
        if more:
            rows[MAX_ROLES:] = [("all others", "all others", sum(row[2] for row in more), sum(row[3] for row in more))]
        return rows


def _numbers(column: array[int]) -> Numbers:
    return np.frombuffer(column, np.int64) if column else np.zeros(0, np.int64)


def _tokens(characters: Any) -> int:
    return round(int(characters) / CHARACTERS_PER_TOKEN)
