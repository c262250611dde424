"""Makes `optimize-report.html` of a study's folder (see `report.shell` for what keeps it harmless)."""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from swarmmind.errors import RunError
from swarmmind.report import shell, text
from swarmmind.report.pack import CHUNK_CHARACTERS, TEXT_CHARACTERS, Packer
from swarmmind.report.read import Source
from swarmmind.report.series import Series
from swarmmind.report.studies import verdict as verdicts
from swarmmind.report.studies.lineage import Lineage, lineage
from swarmmind.report.studies.records import OWN, Search, Seen, Tried, changes
from swarmmind.report.studies.refusals import MOST_GROUPS, reasons
from swarmmind.report.studies.verdict import mapping

PAGE = "optimize-report.html"
LIMIT_BYTES = 24_000_000
_NOTE_CHARACTERS, _DIFF_CHARACTERS = 160, 400_000
_SPLITS = ("validate", "train")
_SCRIPTS = (
    "core.js",
    "lines.js",
    "study_diff.js",
    "study_chart.js",
    "study_tree.js",
    "study_archive.js",
    "study_table.js",
    "study.js",
)


def render_study(folder: Path, limit_bytes: int = LIMIT_BYTES) -> Path:
    """Write a study's `optimize-report.html`; the study may still go on, the page then shows what was there.

    Args:
        folder: the run's folder: `journal.sqlite`, and `result.json`, `task.yaml` and `best/best.diff` if they are
            there.
        limit_bytes: how much of the candidates' values, in the page, is enough; the page says what was left out.

    Returns:
        The path of the page.

    Raises:
        RunError: there is no readable journal in the folder.
        OSError: the page cannot be written; an older one is still there then.
    """
    source = Source(folder)
    try:
        return shell.write(folder / PAGE, _pieces(source, limit_bytes))
    except sqlite3.DatabaseError as error:
        raise RunError(f"{folder / 'journal.sqlite'}: damaged ({error})") from error
    finally:
        source.close()


def _pieces(source: Source, limit_bytes: int) -> Iterator[str]:
    search = Search(source)
    result = shell.Lenient(source.result)
    winner = search.winner
    family = lineage(
        [one.parents for one in search.candidates], [one.candidate for one in search.kept], winner and winner.number
    )
    details = _Details(search, limit_bytes)
    series = list(Series(source, search.program, OWN).charts.items())
    told = verdicts.verdict(result)
    return shell.document(
        "study.html.j2",
        _SCRIPTS,
        ["report.css", "study.css"],
        chunks=details.chunks(),
        index=lambda: _index(search, family, details) | {"series": series},
        result=result,
        told=told,
        forest=_forest(told.compared),
        study=shell.Lenient(mapping(result["study"])),
        search=search,
        family=family,
        costs=_costs(result, search),
        reasons=reasons(search.refused)[:MOST_GROUPS],
        series=[name for name, _ in series],
        diff=_diff(source.folder),
        command=_command(result),
        folder=source.folder.name,
        task=source.task,
        models=", ".join(map(text.plain, result["models"] or [])),
    )


def _index(search: Search, family: Lineage, details: _Details) -> dict[str, Any]:
    every = search.candidates
    return {
        "worlds": {},
        "ids": [one.id for one in every],
        "parents": [one.parents for one in every],
        "notes": [one.note[:_NOTE_CHARACTERS] for one in every],
        "kept": [one.kept for one in every],
        "changed": [_changed(search, one) for one in every],
        "seen": {split: [_short(one.seen.get(split)) for one in every] for split in _SPLITS},
        "keeps": search.kept,
        "winner": search.winner.number if search.winner else None,
        "tree": {**family._asdict()},
        "archive": _archive(search),
        "places": details.places,
        "left_out": details.left_out,
        "clipped": details.clipped,
    }


def _changed(search: Search, one: Tried) -> list[str]:
    """The names of what a candidate changed in its first parent."""
    return [name for name, _, _ in changes(one, search.candidates[one.parents[0]])] if one.parents else []


def _short(seen: Seen | None) -> list[float | None] | None:
    return None if seen is None else [*map(_rounded, (seen.mean, seen.low, seen.high)), seen.n]


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


def _archive(search: Search) -> dict[str, Any] | None:
    archive = search.archive
    if archive is None:
        return None
    axes = [msgspec.structs.asdict(axis) for axis in archive.axes]
    whole = [cell for cell in archive.cells if len(cell[0]) == len(axes)]
    cells = [[place, search.numbers.get(one, -1), quality] for place, one, quality in whole]
    facts = {name: getattr(archive, name) for name in ("filled", "total", "coverage", "qd_score", "best", "round")}
    names = sorted({name for came in search.came for name in came})
    came = [(name, [came.get(name, 0) for came in search.came]) for name in names]
    return {"axes": axes, "cells": cells, "rounds": search.rounds, "came": came, **facts}


class _Details:
    """What is shown of a candidate when somebody looks at it, in chunks: its note, its changes, its measures.

    The first chunk is the winner against the start.

    Attributes:
        places: `[chunk, number of the first candidate in it]`.
        left_out: candidates that found no place in the page; they are the last ones.
        clipped: texts that are not in the page in full.
    """

    def __init__(self, search: Search, limit_bytes: int) -> None:
        self.places: list[tuple[int, int]] = []
        self.left_out = 0
        self.clipped = 0
        self._search, self._limit_bytes = search, limit_bytes
        self._packer = Packer()

    def chunks(self) -> Iterator[tuple[str, str]]:
        """Id and letters of chunk after chunk; the attributes are whole when this has ended."""
        start, winner = self._search.start, self._search.winner
        found = self._shown(winner, start) if winner is not None and start is not None else []
        yield self._packer.pack(msgspec.json.encode(found))
        waiting: list[bytes] = []
        size = first = 0
        for one in self._search.candidates:
            if self._packer.weight_bytes >= self._limit_bytes:
                self.left_out += 1
                continue
            waiting.append(msgspec.json.encode(self._detail(one)))
            size += len(waiting[-1])
            if size >= CHUNK_CHARACTERS:
                yield self._packed(waiting, first)
                waiting, size, first = [], 0, one.number + 1
        if waiting:
            yield self._packed(waiting, first)

    def _packed(self, waiting: list[bytes], first: int) -> tuple[str, str]:
        self.places.append((self._packer.count, first))
        return self._packer.pack(b"[" + b",".join(waiting) + b"]")

    def _detail(self, one: Tried) -> dict[str, Any]:
        parent = self._search.candidates[one.parents[0]] if one.parents else None
        return {
            "note": self._text(one.note),
            "strangers": one.strangers,
            "changes": self._shown(one, parent),
            "seen": list(one.seen.values()),
        }

    def _shown(self, one: Tried, parent: Tried | None) -> list[Any]:
        return [(name, self._text(old), self._text(new)) for name, old, new in changes(one, parent)]

    def _text(self, value: Any) -> str | None:
        if value is None:
            return None
        whole = f"{value:.6g}" if isinstance(value, float) else text.plain(value)
        if len(whole) <= TEXT_CHARACTERS:
            return whole
        self.clipped += 1
        left = len(whole) - TEXT_CHARACTERS
        return f"{whole[:TEXT_CHARACTERS]}\n\n[{left:,} characters more are not in this page but in journal.sqlite]"


def _forest(compared: list[verdicts.Compared]) -> list[dict[str, Any]]:
    """Start and winner of every set as places from 0 to 1 on one scale, for a picture."""
    estimates = [one for each in compared for one in (each.start, each.best) if one]
    ends = [end for one in estimates for end in (one.mean, one.low, one.high) if end is not None]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    span = high - low or 1.0

    def bar(one: verdicts.Estimate | None) -> dict[str, Any] | None:
        if one is None:
            return None
        places = [(value - low) / span if value is not None else None for value in (one.mean, one.low, one.high)]
        return {"at": places[0], "low": places[1], "high": places[2], "words": one.words(), "n": one.n}

    return [{"one": each, "start": bar(each.start), "best": bar(each.best)} for each in compared]


def _costs(result: shell.Lenient, search: Search) -> list[tuple[str, Any, Any, Any]]:
    """What was spent on what: a name, calls, tokens, USD; from the journal's running totals if no result says it."""
    study = mapping(result["study"])
    names = {"evaluating": "running candidates", "asking": "critic and editor"}
    found = {name: mapping(study.get(name)) for name in names}
    totals = search.totals
    if not any(found.values()) and totals is not None:
        asking = {name: totals.asking.get(name) for name in ("calls", "tokens", "usd")}
        whole = {"calls": totals.calls, "tokens": totals.tokens, "usd": totals.usd}
        found = {"evaluating": {name: _less(whole[name], asking[name]) for name in whole}, "asking": asking}
    spent = [(label, found[name]) for name, label in names.items()]
    return [(label, one.get("calls"), one.get("tokens"), one.get("usd")) for label, one in spent]


def _less(whole: float | None, part: float | None) -> float | None:
    return None if whole is None or part is None else whole - part


def _diff(folder: Path) -> list[tuple[str, str]]:
    """The lines of `best/best.diff`, each with what it is: `head`, `in`, `out`, `place` or nothing in particular."""
    try:
        with (folder / "best" / "best.diff").open(encoding="utf-8", errors="replace", newline="") as file:
            lines = file.read(_DIFF_CHARACTERS + 1).split("\n")
    except OSError:
        return []
    return [(_kind(line), line) for line in lines[:-1] or lines]


def _kind(line: str) -> str:
    if line.startswith(("--- ", "+++ ")):
        return "head"
    return {"+": "in", "-": "out", "@": "place"}.get(line[:1], "")


def _command(result: shell.Lenient) -> str:
    parts = mapping(result["study"]).get("parts")
    return f"swarmmind run {shlex.quote(str(Path(str(parts)) / 'task.yaml'))}" if parts else ""
