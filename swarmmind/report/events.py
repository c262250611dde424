"""Events: what was drawn for whom, what came of it, and how the allocation drifted (records of topology `swarmsys`).

Made of three series of records, `event`, `draw` and `verdict`; a record of another shape is not drawn (all of them are
in the page's tables). What agents wrote is cut here and is text in the page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from swarmmind.report import text
from swarmmind.report.pack import Packer
from swarmmind.report.read import Source, natural, program_of
from swarmmind.report.records import MAX_CHARACTERS
from swarmmind.report.series import Lines
from swarmmind.report.tally import Member

GRAPH_EVENTS, GRAPH_AGENTS = 60, 40
MAX_PROGRAMS, MAX_KINDS, MAX_LINES, MAX_POINTS = 12, 12, 8, 120
TABLE_AGENTS, TABLE_KINDS = 24, 16
_EVENTS, _AGENTS, _HISTORY, _REASONS = 20_000, 10_000, 40, 12
_TITLE_CHARACTERS, _TASK_CHARACTERS, _REASON_CHARACTERS = 80, 4000, 2000
_LEAST_VERDICTS = 8  # fewer make no curve

Name = str | int
Number = int | float | None
Shape = TypeVar("Shape")


class Event(msgspec.Struct):
    """A record of series `event`: a piece of work, as it was proposed or revised."""

    event: Name
    task: str
    requires: str = ""
    depends_on: list[Name] = []
    priority: Any = None
    by: Name = ""
    status: str = ""


class Draw(msgspec.Struct):
    """A record of series `draw`: who was drawn for an event, and how probable everybody was."""

    event: Name
    drawn: list[Name]
    round: Number = None
    attempt: Number = None
    explored: bool = False
    probabilities: dict[str, float] = {}


class Verdict(msgspec.Struct):
    """A record of series `verdict`: what the validators said of a contribution."""

    event: Name
    accepted: bool
    status: str = ""
    round: Number = None
    attempt: Number = None
    votes: dict[str, Any] = {}
    reasons: list[Any] = []
    authors: list[Name] = []
    requires: str = ""


@dataclass
class _Work:
    """An event and what became of it."""

    id: str
    number: int
    kind: str = ""
    title: str = ""
    by: str = ""
    after: list[str] = field(default_factory=list[str])
    status: str = ""
    drawn: list[str] = field(default_factory=list[str])  # of the draws that no verdict has followed
    verdicts: list[bool] = field(default_factory=list[bool])

    @property
    def state(self) -> str:
        if self.status:
            return self.status
        if not self.verdicts or self.drawn:
            return "open"
        return "validated" if self.verdicts[-1] else "failed"


class Board:
    """The events of one program, and who worked on them.

    Attributes:
        draws: by kind of event, how many draws there were.
        verdicts: how many there were.
    """

    def __init__(self) -> None:
        self.draws: Counter[str] = Counter()
        self.verdicts = 0
        self.left_out = 0
        self._works: dict[str, _Work] = {}
        self._agents: dict[str, None] = {}
        self._latest: dict[str, dict[str, float]] = {}
        self._edges: dict[tuple[str, str], list[int]] = {}
        self._votes: dict[tuple[str, str], list[int]] = {}
        self._kinds: dict[tuple[str, str], list[int]] = {}
        self._details: dict[str, dict[str, Any]] = {}
        self._lines: dict[str, Lines] = {}
        self._curve: Lines | None = None

    def event(self, record: Event) -> None:
        """An event is proposed or revised."""
        work = self._work(record.event)
        if work is None:
            return
        work.kind, work.title = record.requires[:_TITLE_CHARACTERS], " ".join(record.task[:400].split())
        work.title = work.title[:_TITLE_CHARACTERS] + ("..." if len(work.title) > _TITLE_CHARACTERS else "")
        work.after = [str(name) for name in record.depends_on[:GRAPH_EVENTS]]
        work.by = work.by or next(iter(self._named([record.by])), "")
        work.status = record.status[:_TITLE_CHARACTERS]
        if work.number < GRAPH_EVENTS:
            detail = self._detail(work)
            detail["task"], detail["priority"] = _cut(record.task, _TASK_CHARACTERS), _cut(record.priority, 40)

    def draw(self, record: Draw) -> None:
        """Agents are drawn for an event."""
        work = self._work(record.event)
        if work is None:
            return
        self.draws[work.kind] += 1
        self._latest[work.kind] = record.probabilities
        work.drawn = self._named(record.drawn)
        pairs = [[name, _chance(record, name)] for name in work.drawn]
        self._remember(work, ["draw", record.round, record.attempt, record.explored, pairs])

    def verdict(self, record: Verdict) -> None:
        """A contribution is judged."""
        work = self._work(record.event)
        if work is None:
            return
        work.kind = work.kind or record.requires[:_TITLE_CHARACTERS]
        self.verdicts += 1
        authors = self._named(record.authors) or work.drawn
        for name in authors:
            for counts in (
                self._edges.setdefault((name, work.id), [0, 0]),
                self._kinds.setdefault((name, work.kind), [0, 0]),
            ):
                counts[not record.accepted] += 1
        for name in self._named(list(record.votes)):
            self._votes.setdefault((name, work.id), [0, 0])[not record.votes[name]] += 1
        work.drawn, work.status = [], record.status[:_TITLE_CHARACTERS]
        work.verdicts.append(record.accepted)
        side = [name for name, vote in record.votes.items() if bool(vote) == record.accepted]
        who = side if len(side) == len(record.reasons) else [""] * len(record.reasons)
        reasons = [[name, _cut(why, _REASON_CHARACTERS)] for name, why in zip(who, record.reasons, strict=True)][
            :_REASONS
        ]
        votes = [[name, bool(vote)] for name, vote in list(record.votes.items())[:_HISTORY]]
        self._remember(
            work, ["verdict", record.round, record.attempt, record.accepted, authors[:_HISTORY], votes, reasons]
        )

    def begin(self) -> None:
        """All was seen: now it is known whose chances are worth a line."""
        for kind, count in self.draws.most_common(MAX_KINDS):
            chances = self._latest[kind]
            best = sorted(chances, key=lambda name: -chances[name])[:MAX_LINES]
            self._lines[kind] = Lines(kind, "draw", best, count, MAX_POINTS)
        if self.verdicts >= _LEAST_VERDICTS:
            self._curve = Lines("accepted", "verdict", ["accepted"], self.verdicts, max(4, min(40, self.verdicts // 4)))

    def drift(self, record: Draw) -> None:
        """A draw, once more, for the lines."""
        work = self._works.get(str(record.event))
        lines = self._lines.get(work.kind) if work else None
        if lines is not None:
            lines.add(None, [_chance(record, name) for name in lines.labels])

    def curve(self, record: Verdict) -> None:
        """A verdict, once more, for the curve."""
        if self._curve is not None and str(record.event) in self._works:
            self._curve.add(None, [float(record.accepted)])

    def details(self) -> dict[str, Any]:
        """By event, its task and its history in full."""
        return self._details

    def data(self, members: Mapping[str, Member]) -> dict[str, Any]:
        """The board as JSON data; agents in the order of members, then the others."""
        place = {name: number for number, name in enumerate(members)}
        agents = sorted(self._agents, key=lambda name: place.get(name, len(place)))
        states = Counter(work.state for work in self._works.values())
        small = len(self._works) <= GRAPH_EVENTS and len(agents) <= GRAPH_AGENTS
        return {
            "states": states,
            "left_out": self.left_out,
            "verdicts": self.verdicts,
            "allocation": [lines.data() for lines in self._lines.values()],
            "kinds": len(self.draws),
            "curve": self._curve.data() if self._curve else None,
            "graph": self._graph(agents, members) if small else None,
            "table": self._table(agents),
        }

    def _graph(self, agents: list[str], members: Mapping[str, Member]) -> dict[str, Any]:
        row = {name: number for number, name in enumerate(agents)}
        works = self._works
        return {
            "agents": [[name, members[name].role if name in members else ""] for name in agents],
            "events": [
                [work.id, work.kind, work.state, work.title, row.get(work.by, -1),
                 [works[name].number for name in work.after if name in works]]
                for work in works.values()
            ],
            "edges": [[row[name], works[event].number, *counts] for (name, event), counts in self._edges.items()],
            "votes": [[row[name], works[event].number, *counts] for (name, event), counts in self._votes.items()],
            "waiting": [[row[name], work.number] for work in works.values() for name in work.drawn],
        }  # fmt: skip

    def _table(self, agents: list[str]) -> dict[str, Any]:
        by_agent, by_kind = Counter[str](), Counter[str]()
        for (name, kind), counts in self._kinds.items():
            by_agent[name] += sum(counts)
            by_kind[kind] += sum(counts)
        chosen = {name for name, _ in by_agent.most_common(TABLE_AGENTS)}
        names, kinds = (
            [name for name in agents if name in chosen],
            [kind for kind, _ in by_kind.most_common(TABLE_KINDS)],
        )
        return {
            "agents": names,
            "kinds": kinds,
            "cells": [[self._kinds.get((name, kind), [0, 0]) for kind in kinds] for name in names],
            "more": [len(by_agent) - len(names), len(by_kind) - len(kinds)],
        }

    def _work(self, name: Name) -> _Work | None:
        found = self._works.get(str(name))
        if found is None:
            if len(self._works) >= _EVENTS:
                self.left_out += 1
                return None
            found = self._works[str(name)] = _Work(str(name), len(self._works))
        return found

    def _agent(self, name: Name) -> str:
        name = str(name)
        if name and len(self._agents) < _AGENTS:
            self._agents[name] = None
        return name

    def _named(self, names: Sequence[Name]) -> list[str]:
        return list(dict.fromkeys(self._agent(name) for name in names if name != ""))

    def _detail(self, work: _Work) -> dict[str, Any]:
        return self._details.setdefault(work.id, {"task": "", "priority": "", "history": []})

    def _remember(self, work: _Work, entry: list[Any]) -> None:
        if work.number < GRAPH_EVENTS:
            history = self._detail(work)["history"]
            if len(history) < _HISTORY:
                history.append(entry)


class Boards:
    """The boards of all programs of a run.

    Attributes:
        boards: by program; empty if nothing of the kind was recorded.
        left_out: programs that are not in the page.
    """

    def __init__(self, source: Source, members: Mapping[str, Member], packer: Packer) -> None:
        self.boards: dict[str, Board] = {}
        self.left_out = 0
        self._members, self._packer = members, packer
        self._chunks: dict[str, int] = {}
        missed: set[str] = set()
        names = [name for name, _, _ in source.series if name in ("event", "draw", "verdict")]
        for key, name, data in source.mixed(names):
            record = _record(name, data)
            program = program_of(key)
            if record is None:
                continue
            if program not in self.boards and len(self.boards) >= MAX_PROGRAMS:
                missed.add(program)
                continue
            board = self.boards.setdefault(program, Board())
            if isinstance(record, Event):
                board.event(record)
            elif isinstance(record, Draw):
                board.draw(record)
            else:
                board.verdict(record)
        self.left_out = len(missed)
        self._again(source)

    def _again(self, source: Source) -> None:
        for board in self.boards.values():
            board.begin()
        for key, name, data in source.mixed(("draw", "verdict")) if self.boards else ():
            record, board = _record(name, data), self.boards.get(program_of(key))
            if board is not None and isinstance(record, Draw):
                board.drift(record)
            elif board is not None and isinstance(record, Verdict):
                board.curve(record)

    def chunks(self) -> Iterator[tuple[str, str]]:
        """Id and letters of a chunk of details for each board."""
        for program, board in self.boards.items():
            self._chunks[program] = self._packer.count
            yield self._packer.pack(msgspec.json.encode(board.details()))

    def data(self) -> dict[str, Any]:
        """The boards as JSON data, by program; `chunk` holds the details of a board's events."""
        order = sorted(self.boards, key=natural)
        boards = {name: self.boards[name].data(self._members) | {"chunk": self._chunks[name]} for name in order}
        return {"boards": boards, "left_out": self.left_out}


_EVENT, _DRAW, _VERDICT = (msgspec.json.Decoder(shape) for shape in (Event, Draw, Verdict))


def _record(name: str, data: str) -> Event | Draw | Verdict | None:
    if len(data) > MAX_CHARACTERS:
        return None
    try:
        return {"event": _EVENT, "draw": _DRAW, "verdict": _VERDICT}[name].decode(data)
    except msgspec.MsgspecError:
        return None


def _chance(record: Draw, name: str) -> float | None:
    chance = record.probabilities.get(name)
    return chance if chance is not None and 0 <= chance <= 1 else None


def _cut(value: Any, characters: int) -> str:
    shown = text.plain(value)
    return shown if len(shown) <= characters else shown[:characters] + " ..."
