"""Makes `report.html` of a run's folder (see `shell` for what keeps it harmless).

The page is written as it is made and takes its place by a rename.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from swarmmind.errors import RunError
from swarmmind.report import contexts, shell, text
from swarmmind.report.events import Boards
from swarmmind.report.pack import TEXT_CHARACTERS, Marks, Packer, Transcripts
from swarmmind.report.read import Source
from swarmmind.report.records import Frames, Tables
from swarmmind.report.series import Series
from swarmmind.report.tally import Tally, plus
from swarmmind.report.traffic import Heard, Traffic

LIMIT_BYTES = 64_000_000
_FRAME_CHARACTERS_PER_BYTE = 2  # maps deflate to a tenth or so: they take a fifth of the page at most
_SCRIPTS = ("core.js", "lines.js", "charts.js", "world.js", "events.js", "graph.js", "agents.js")


def render(folder: Path, limit_bytes: int = LIMIT_BYTES) -> Path:
    """Write a run's `report.html`; the run may still go on, the page then shows what was there.

    Args:
        folder: the run's folder: `journal.sqlite`, and `result.json` and `task.yaml` if they are there.
        limit_bytes: how much of maps and transcripts, in the page, is enough; the page says what was left out.

    Returns:
        The path of the page.

    Raises:
        RunError: there is no readable journal in the folder.
        OSError: the page cannot be written; an older one is still there then.
    """
    source = Source(folder)
    try:
        return shell.write(folder / "report.html", _pieces(source, limit_bytes))
    except sqlite3.DatabaseError as error:
        raise RunError(f"{folder / 'journal.sqlite'}: damaged ({error})") from error
    finally:
        source.close()


def context(folder: Path) -> str:
    """Whose words filled the contexts of a run, in one line; empty if nobody's words were shown to others.

    Raises:
        RunError: there is no readable journal in the folder.
    """
    source = Source(folder)
    try:
        return text.visible(contexts.line(contexts.read(source, Tally(source).members)))
    except sqlite3.DatabaseError as error:
        raise RunError(f"{folder / 'journal.sqlite'}: damaged ({error})") from error
    finally:
        source.close()


def _pieces(source: Source, limit_bytes: int) -> Iterator[str]:
    tally = Tally(source)
    packer = Packer()
    series, boards = Series(source), Boards(source, tally.members, packer)
    frames = Frames(source, packer, _FRAME_CHARACTERS_PER_BYTE * limit_bytes)
    marks = Marks()
    heard = Heard()
    shares = contexts.read(source, tally.members, marks, listener=heard)
    traffic = Traffic(source, tally.members, heard, shares.total.others)
    transcripts = Transcripts(source, tally.members, marks, packer, limit_bytes)

    def chunks() -> Iterator[tuple[str, str]]:
        yield from boards.chunks()
        yield from frames.chunks()
        yield from transcripts.chunks()

    def index() -> dict[str, Any]:
        drawn = {"series": list(series.charts.items()), "events": boards.data(), "graph": traffic.data()}
        return _index(tally, frames, transcripts, limit_bytes) | drawn

    usage = shell.Lenient(source.result.get("usage") or msgspec.structs.asdict(tally.usage()))
    return shell.document(
        "report.html.j2",
        _SCRIPTS,
        ["report.css"],
        result=shell.Lenient(source.result),
        usage=usage,
        tokens=plus(usage["prompt_tokens"], usage["completion_tokens"]),
        charged=shell.Lenient(source.result.get("charged") or {}),
        models=", ".join(map(text.plain, source.result.get("models") or [])) or source.result.get("model"),
        folder=source.folder.name,
        task=source.task,
        tally=tally,
        latency=tally.latency(),
        contexts=shares,
        traffic=traffic,
        places={name: place for place, name in enumerate(tally.members)},
        tables=Tables(source),
        charted=list(series.charts),
        chunks=chunks(),
        index=index,
    )


def _index(tally: Tally, frames: Frames, transcripts: Transcripts, limit_bytes: int) -> dict[str, Any]:
    members = tally.members.values()
    return {
        "agents": [[m.id, m.role, len(m.ids), m.failures, m.tokens, transcripts.places.get(m.id, [])] for m in members],
        "steps": [] if tally.matrix is None else tally.steps,
        "columns": _sample(tally.steps, tally.activity.columns),
        "activity": tally.activity.data(),
        "matrix": tally.matrix,
        "worlds": frames.worlds,
        "every": frames.every,
        "shared": transcripts.shared,
        "left_out": transcripts.left_out,
        "clipped": transcripts.clipped,
        "text_characters": TEXT_CHARACTERS,
        "limit_bytes": limit_bytes,
    }


def _sample(steps: list[str], columns: int) -> list[str]:
    """The first step of every bin of the activity map."""
    return [steps[-(-column * len(steps) // columns)] for column in range(columns)]
