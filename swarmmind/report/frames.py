"""What a run recorded for people: the rounds of its worlds, to be replayed, and other series, as tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from swarmmind.report.pack import CHUNK_CHARACTERS, Packer
from swarmmind.report.read import Source, program_of, step_of

ROUND = "round"
RAW_CHARACTERS = 96_000_000
MAX_SERIES, MAX_ROWS, MAX_ROW_CHARACTERS = 20, 200, 2000


class _Round(msgspec.Struct):
    round: Any = None
    score: Any = None


class Frames:
    """The frames of every world of a run.

    Attributes:
        worlds: by program, `steps`, `rounds` and `scores` of all frames, and `places` of those in the page:
            `[chunk, number of its first frame]`.
        every: 1 if all frames are in the page; n if only every n-th is, since all would be too much.
    """

    def __init__(self, source: Source, packer: Packer) -> None:
        self._source, self._packer = source, packer
        self.worlds: dict[str, dict[str, list[Any]]] = {}
        size = sum(size for name, _, size in source.series() if name == ROUND)
        self.every = 1 + size // RAW_CHARACTERS

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


class Tables:
    """The other series of records: the first rows of each.

    Attributes:
        series: name, number of rows, and chunk of its first rows (key and JSON, long ones cut).
        left_out: series that are not in the page at all.
    """

    def __init__(self, source: Source, packer: Packer) -> None:
        self._source, self._packer = source, packer
        self.series: list[list[Any]] = []
        self.left_out = 0

    def chunks(self) -> Iterator[tuple[str, str]]:
        """Id and letters of chunk after chunk; the attributes are whole when this has ended."""
        found = [(name, count) for name, count, _ in self._source.series() if name != ROUND]
        self.left_out = max(0, len(found) - MAX_SERIES)
        for name, count in found[:MAX_SERIES]:
            rows: list[tuple[str, str]] = []
            for key, data in self._source.records(name):
                rows.append((key, data[:MAX_ROW_CHARACTERS]))
                if len(rows) == MAX_ROWS:
                    break
            self.series.append([name, count, self._packer.count])
            yield self._packer.pack(msgspec.json.encode(rows))


def _round(data: str) -> _Round:
    try:
        return msgspec.json.decode(data, type=_Round)
    except msgspec.MsgspecError:
        return _Round()
