"""Makes `report.html`: one file, no network, nothing in it that was said by an agent is ever markup or script.

The skeleton is a Jinja template with autoescape; details follow as inert compressed chunks, an index of them as JSON,
and then the page's own script and style, which alone the page's Content-Security-Policy allows (by their hashes).
The page is written as it is made and takes its place by a rename.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from markupsafe import Markup

from swarmmind.errors import RunError
from swarmmind.report import contexts, text
from swarmmind.report.events import Boards
from swarmmind.report.pack import TEXT_CHARACTERS, Marks, Packer, Transcripts
from swarmmind.report.read import Source
from swarmmind.report.records import Frames, Tables
from swarmmind.report.series import Series
from swarmmind.report.tally import Tally, plus
from swarmmind.report.traffic import Heard, Traffic
from swarmmind.version import __version__

LIMIT_BYTES = 64_000_000
_FRAME_CHARACTERS_PER_BYTE = 2  # maps deflate to a tenth or so: they take a fifth of the page at most
_PAGE = files("swarmmind.report") / "page"
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
    path = folder / "report.html"
    part = folder / f".report-{secrets.token_hex(4)}.html"
    try:
        with part.open("w", encoding="utf-8", newline="\n") as file:
            for piece in _pieces(source, limit_bytes):
                file.write(piece)
        part.replace(path)
    except sqlite3.DatabaseError as error:
        raise RunError(f"{folder / 'journal.sqlite'}: damaged ({error})") from error
    finally:
        source.close()
        part.unlink(missing_ok=True)
    return path


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

    def index() -> Markup:
        drawn = {"series": list(series.charts.items()), "events": boards.data(), "graph": traffic.data()}
        return json_in_script(_index(tally, frames, transcripts, limit_bytes) | drawn)

    usage = _Lenient(source.result.get("usage") or msgspec.structs.asdict(tally.usage()))
    script, style = _own(*_SCRIPTS), _own("report.css")
    template = _environment().from_string((_PAGE / "report.html.j2").read_text("utf-8"))
    return template.generate(
        result=_Lenient(source.result),
        usage=usage,
        tokens=plus(usage["prompt_tokens"], usage["completion_tokens"]),
        charged=_Lenient(source.result.get("charged") or {}),
        models=", ".join(map(text.plain, source.result.get("models") or [])) or source.result.get("model"),
        version=__version__,
        number=text.number,
        usd=text.usd,
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
        script=script,
        style=style,
        policy=_policy(script, style),
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


def json_in_script(value: Any) -> Markup:
    """JSON that can stand in a script element: ASCII, and no `<`, `>` or `&` of a string is left as it is."""
    letters = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        letters = letters.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(letters)  # noqa: S704 - the point of this function


def _policy(script: str, style: str) -> str:
    hashes = {name: b64encode(sha256(code.encode()).digest()).decode() for name, code in (("j", script), ("c", style))}
    return (
        f"default-src 'none'; script-src 'sha256-{hashes['j']}'; style-src 'sha256-{hashes['c']}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _own(*names: str) -> Markup:
    return Markup("\n".join((_PAGE / name).read_text("utf-8") for name in names))  # noqa: S704 - files of this package


class _Lenient(dict[str, Any]):
    """A result as the template sees it: what is not there is `None`, which reads `unknown`; nothing else is lenient."""

    def __missing__(self, key: str) -> None:
        return None


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {"number": text.number, "usd": text.usd, "duration": text.duration, "share": text.share}
    environment.filters.update(filters | {"plain": text.plain, "answer": text.answer, "coverage": text.coverage_line})
    return environment


def _shown(value: Any) -> Any:
    """What a template prints: our own markup as it is, everything else with hostile characters made visible."""
    return value if isinstance(value, Markup) else text.visible(value) if isinstance(value, str) else value
