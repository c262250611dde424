"""What a run recorded for people: the rounds of its worlds, to be replayed, and other series, as tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

import msgspec

from swarmmind.report import text
from swarmmind.report.pack import CHUNK_CHARACTERS, Packer
from swarmmind.report.read import Source, program_of, step_of

ROUND, METRICS, GRAPH = "round", "metrics", "graph"
MAX_SERIES, MAX_ROWS, MAX_COLUMNS, MAX_CELL_CHARACTERS, MAX_CHARACTERS = 20, 200, 12, 300, 1_000_000


class _Round(msgspec.Struct):
    round: Any = None
    score: Any = None


class Frames:
    """The frames of every world of a run.

    Args:
        source: the run.
        packer: numbers the chunks.
        limit_characters: how much JSON of frames is enough.

    Attributes:
        worlds: by program, `steps`, `rounds` and `scores` of all frames, and `places` of those in the page:
            `[chunk, number of its first frame]`.
        every: 1 if all frames are in the page; n if only every n-th is, since all would be too much.
    """

    def __init__(self, source: Source, packer: Packer, limit_characters: int) -> None:
        self._source, self._packer = source, packer
        self.worlds: dict[str, dict[str, list[Any]]] = {}
        size = sum(size for name, _, size in source.series if name == ROUND)
        self.every = 1 + size // limit_characters

    def chunks(self) -> Iterator[tuple[str, str]]:
        """Id and letters of chunk after chunk; the attributes are whole when this has ended."""
        waiting: dict[str, list[str]] = {}
        kept: dict[str, int] = {}
        for key, data in self._source.records(ROUND):
            program = program_of(key)
            world = self.worlds.setdefault(program, {"steps": [], "rounds": [], "scores": [], "places": []})
            place = len(world["rounds"])
            read = _round(data)
            number = step_of(key).rpartition("/")[2]
            world["steps"].append(int(number) if number.isdecimal() else -1)
            world["rounds"].append(place if read.round is None else read.round)
            world["scores"].append(read.score if isinstance(read.score, int | float) else None)
            if place % self.every:
                continue
            frames = waiting.setdefault(program, [])
            frames.append(data)
            if sum(map(len, frames)) >= CHUNK_CHARACTERS:
                yield self._pack(program, waiting.pop(program), kept)
        for program, frames in waiting.items():
            yield self._pack(program, frames, kept)

    def _pack(self, program: str, frames: list[str], kept: dict[str, int]) -> tuple[str, str]:
        first = kept.get(program, 0)
        kept[program] = first + len(frames)
        self.worlds[program]["places"].append([self._packer.count, first])
        return self._packer.pack(("[" + ",".join(frames) + "]").encode())


@dataclass(frozen=True)
class Table:
    """The first records of a series: a row is the key of a record and its cells, in the order of `columns`."""

    name: str
    count: int
    columns: list[str]
    rows: list[tuple[str, list[str]]]


class Tables:
    """The other series of records.

    Attributes:
        metrics: the swarm's own, by name, if it recorded them once.
        series: the first rows of each of the others.
        left_out: series that are not in the page at all.
    """

    def __init__(self, source: Source) -> None:
        found = [(name, count) for name, count, _ in source.series if name not in (ROUND, GRAPH)]
        self.left_out = max(0, len(found) - MAX_SERIES)
        self.series = [_table(source, name, count) for name, count in found[:MAX_SERIES]]
        once = next((table for table in self.series if table.name == METRICS and table.count == 1), None)
        self.metrics: dict[str, str] = {}
        if once is not None:
            self.series.remove(once)
            self.metrics = dict(zip(once.columns, once.rows[0][1], strict=True))


def _table(source: Source, name: str, count: int) -> Table:
    rows = [(key, _fields(data)) for key, data in islice(source.records(name), MAX_ROWS)]
    columns = list(dict.fromkeys(column for _, fields in rows for column in fields))
    if len(columns) > MAX_COLUMNS:
        rows = [(key, {"data": _listed(fields)}) for key, fields in rows]
        columns = ["data"]
    return Table(name, count, columns, [(key, [fields.get(column, "") for column in columns]) for key, fields in rows])


def _fields(data: str) -> dict[str, str]:
    """A record's parts as text; one that is no object, or is too long to be read here, is one part, `data`."""
    value: Any = data if len(data) > MAX_CHARACTERS else msgspec.json.decode(data)
    parts = cast("dict[str, Any]", value) if isinstance(value, dict) else {"data": value}
    return {name: _cell(part) for name, part in parts.items()}


def _listed(fields: dict[str, str]) -> str:
    return _cell(", ".join(f"{name}: {value}" for name, value in fields.items()))


def _cell(value: Any) -> str:
    shown = text.number(value) if isinstance(value, int | float) else text.plain(value)
    return shown if len(shown) <= MAX_CELL_CHARACTERS else shown[:MAX_CELL_CHARACTERS] + " ..."


def _round(data: str) -> _Round:
    try:
        return msgspec.json.decode(data, type=_Round)
    except msgspec.MsgspecError:
        return _Round()
