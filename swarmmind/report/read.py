"""A run's folder, opened for reading only: streams of rows, never the whole run.

The journal may be in use by a run that goes on: it is read as it was at one moment (one read transaction), and never
written.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from swarmmind.effects import Usage
from swarmmind.errors import RunError

_DIGEST_BYTES = 16


class Broke(msgspec.Struct, frozen=True):
    """Why there is no value; like `effects.Failure`, of whatever kind."""

    kind: str = "unknown"
    message: str = ""


class Cost(msgspec.Struct, frozen=True):
    """The parts of a journaled result that aggregates are made of."""

    failure: Broke | None = None
    usage: Usage = Usage()


class Said(Cost, frozen=True):
    """A journaled reply in full."""

    text: str | None = None
    value: Any = None
    finish: str | None = None


_COST = msgspec.json.Decoder(Cost)
_SAID = msgspec.json.Decoder(Said)


def cost(value: str) -> Cost:
    """What a result cost and why it failed; a value that cannot be read is a failure of kind `unreadable`."""
    try:
        return _COST.decode(value)
    except msgspec.MsgspecError as error:
        return Cost(Broke("unreadable", f"in the journal: {error}"))


def said(value: str) -> Said:
    """A reply in full; a value that cannot be read is a failure of kind `unreadable`, its JSON the text."""
    try:
        return _SAID.decode(value)
    except msgspec.MsgspecError as error:
        return Said(Broke("unreadable", f"in the journal: {error}"), text=value)


def natural(text: str) -> list[tuple[int, str]]:
    """A sort key under which `worker-2` comes before `worker-10`."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d{1,18})", text) if part]


def step_of(key: str) -> str:
    """The yield an effect belongs to: `run/3/debate/2/worker-1` is of step `run/3/debate/2`."""
    return key.rpartition("/")[0]


def program_of(key: str) -> str:
    """The program an effect belongs to: `run/3/world/8/round` is of `run/3/world`."""
    return step_of(step_of(key))


class Source:
    """A run's folder: `result` (JSON, empty if there is none), `task` (text) and the journal's rows.

    Args:
        folder: the run's folder.

    Raises:
        RunError: there is no journal in it, or it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "journal.sqlite"
        if not path.is_file():
            raise RunError(f"{folder}: not a run's folder (expected a journal.sqlite in it)")
        self.folder = folder
        self._attempted: set[str] | None = None
        self.result: dict[str, Any] = _json_object(folder / "result.json")
        self.task = _text(folder / "task.yaml")
        self.db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        try:
            self.db.text_factory = _lenient
            self.db.execute("BEGIN")
            self.db.execute("SELECT count(*) FROM meta").fetchone()
        except sqlite3.Error as error:
            self.db.close()
            raise RunError(f"{path}: not a readable journal ({error})") from error

    def close(self) -> None:
        """Close the journal."""
        self.db.close()

    def asks(self) -> Iterator[tuple[int, str, str, str]]:
        """Id, key, agent and role of every ask that was answered, in order of completion."""
        yield from self.db.execute("SELECT id, key, agent, role FROM results WHERE kind='Ask' ORDER BY id")

    def replies(self) -> Iterator[tuple[str, str, str, str, float, float]]:
        """Key, agent, role, value, seconds and queued seconds of every ask that was answered, in the same order."""
        yield from self.db.execute(
            "SELECT key, agent, role, value, seconds, queued_seconds FROM results WHERE kind='Ask' ORDER BY id"
        )

    def request(self, result_id: int) -> bytes:
        """The digests of the messages of a result's request, joined; empty if not journaled."""
        query = "SELECT q.messages FROM results r JOIN requests q ON q.digest = r.request WHERE r.id = ?"
        row = self.db.execute(query, (result_id,)).fetchone()
        return row[0] if row else b""

    def requests(self, ids: Iterable[int]) -> Iterator[tuple[bytes, int]]:
        """Of these results in turn, the digests of their requests, and how many the one before began with as well."""
        before = b""
        for result_id in ids:
            joined = self.request(result_id)
            yield joined, common(before, joined)
            before = joined

    def exchange(self, result_id: int) -> tuple[str, str, float, float, bytes, str]:
        """Key, value (JSON), seconds and queued seconds of one result, and its request as `request` gives it."""
        query = (
            "SELECT r.key, r.value, r.seconds, r.queued_seconds, coalesce(q.messages, x''), coalesce(q.body, '')"
            " FROM results r LEFT JOIN requests q ON q.digest = r.request WHERE r.id = ?"
        )
        return self.db.execute(query, (result_id,)).fetchone()

    def attempts(self, key: str) -> list[str]:
        """Paid replies (JSON) that did not settle an ask, in order."""
        if self._attempted is None:
            self._attempted = {name for (name,) in self.db.execute("SELECT DISTINCT key FROM attempts")}
        if key not in self._attempted:
            return []
        rows = self.db.execute("SELECT value FROM attempts WHERE key = ? ORDER BY number", (key,))
        return [value for (value,) in rows]

    def message(self, digest: bytes) -> tuple[str, str]:
        """Role and content of a message."""
        row = self.db.execute("SELECT role, content FROM messages WHERE digest = ?", (digest,)).fetchone()
        return row or ("unknown", "(this message is missing in the journal)")

    def records(self, name: str) -> Iterator[tuple[str, str]]:
        """Key and data (JSON) of the records of a series, in the order they were made."""
        yield from self.db.execute("SELECT key, data FROM records WHERE name = ? ORDER BY id", (name,))

    def mixed(self, names: Sequence[str]) -> Iterator[tuple[str, str, str]]:
        """Key, series and data (JSON) of the records of several series, in the order they were made."""
        places = ",".join("?" * len(names))
        yield from self.db.execute(f"SELECT key, name, data FROM records WHERE name IN ({places}) ORDER BY id", names)  # noqa: S608 - question marks

    @cached_property
    def series(self) -> list[tuple[str, int, int]]:
        """Name, number and characters of every series of records, by name."""
        query = "SELECT name, count(*), sum(length(data)) FROM records GROUP BY name ORDER BY name"
        return self.db.execute(query).fetchall()

    def repeated(self) -> dict[str, int]:
        """How many attempts did not settle their ask, by agent."""
        query = "SELECT r.agent, count(*) FROM attempts a JOIN results r ON r.key = a.key GROUP BY r.agent"
        return dict(self.db.execute(query).fetchall())


def digests(joined: bytes, start: int = 0) -> Iterator[bytes]:
    """The digests of a request, one by one, from the `start`-th on."""
    for at in range(start * _DIGEST_BYTES, len(joined), _DIGEST_BYTES):
        yield joined[at : at + _DIGEST_BYTES]


def common(before: bytes, joined: bytes) -> int:
    """How many messages two requests share at their start."""
    if joined.startswith(before):
        return len(before) // _DIGEST_BYTES
    low, high = 0, min(len(before), len(joined)) // _DIGEST_BYTES
    while low < high:
        middle = (low + high + 1) // 2
        if joined.startswith(before[: middle * _DIGEST_BYTES]):
            low = middle
        else:
            high = middle - 1
    return low


def _lenient(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _json_object(path: Path) -> dict[str, Any]:
    text = _text(path)
    if not text:
        return {}
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError as error:
        return {"warnings": [f"result.json cannot be read: {error}"]}
