"""The record that makes resume exact: one SQLite file per run, written by one thread.

Every paid reply is handed to the writer the moment it is there and committed at once, together with whatever came in
while the last commit ran (so group commit forms under load by itself). A kill -9 loses calls in flight and nothing
else; `after_kept` callbacks run when a reply is durable.

Tables (all JSON as text):
    meta(name, value)                   schema version, seed, digest of the task, status, progress
    messages(digest, role, content)     every message once, by content
    requests(digest, messages, body)    messages: their digests, 16 bytes each, in order; body: model, output, sampling
    results(id, key, kind, agent, role, request, value, seconds, queued_seconds, at)
                                        one row per effect; key: its path in the program; id: order of completion
    attempts(key, number, value)        paid replies that did not settle their ask (unreadable, asked again)
    deliveries(program, step, keys)     what an any, now or quorum was answered with, in order; where a spent budget
                                        ended it: minus step, and the wall before the keys
    records(id, key, name, data)        facts for people (`effects.Record`)

Timings have columns of their own, so that two runs can be compared without them (`content`).
"""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import msgspec

from swarmmind.effects import Message, Reply
from swarmmind.errors import JournalError, RunError
from swarmmind.runtime import tables
from swarmmind.runtime.pen import Pen, Question, Timing, characters
from swarmmind.runtime.writer import Writer

_READ_AHEAD = 4096
_MAX_READ_AHEAD = 65536


class Found(NamedTuple):
    """A journaled result: the digest of its request, its value as JSON, and how long it took."""

    request: bytes
    value: str
    seconds: float


class Journal(Pen):
    """One run's journal, open for writing by this process alone.

    Args:
        path: the file; made if it does not exist.

    Raises:
        RunError: another process has it open, or the file is not a journal or is damaged.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._lock = path.with_suffix(".lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise RunError(f"{path.parent}: this run is going on in another process; wait for it or stop it") from None
        try:
            self._reader = tables.opened(path)
            self.unread, self._last_id = self._counted()
            self._attempted = {key for (key,) in self._reader.execute("SELECT DISTINCT key FROM attempts")}
            kept = "SELECT EXISTS(SELECT 1 FROM attempts), EXISTS(SELECT 1 FROM deliveries)"
            self._has_attempts, self._has_deliveries = self._reader.execute(kept).fetchone()
        except (sqlite3.DatabaseError, RunError) as error:
            self._lock.close()
            raise RunError(f"{path}: not a readable journal ({error})") from error
        self._ahead: dict[str, Found] = {}
        self._reads_ahead = True
        self._last_read = 0
        self._callbacks: list[Callable[[], None]] = []
        self._writer = Writer(path)
        self._closed = False

    # --- reading, while a run is replayed --------------------------------------------------------------------------

    def find(self, key: str) -> Found | None:
        """The journaled result of an effect, or `None`; each result is expected to be found once."""
        if not self.unread:
            return None
        found = self._ahead.pop(key, None)
        if found is None and self._reads_ahead and len(self._ahead) < _MAX_READ_AHEAD:
            self._read_ahead()
            found = self._ahead.pop(key, None)
        if found is None:
            row = self._reader.execute("SELECT request, value, seconds FROM results WHERE key=?", (key,)).fetchone()
            found = None if row is None else Found(*row)
        if found is not None:
            self.unread -= 1
        return found

    def skip(self, key: str) -> None:
        """What an effect asked on its way to a journaled result is not asked for again."""
        query = "SELECT count(*) FROM results WHERE key>? AND key<?"
        self.unread -= int(self._reader.execute(query, (f"{key}/", f"{key}0")).fetchone()[0])  # 0 comes after /

    def _counted(self) -> tuple[int, int]:
        row = self._reader.execute("SELECT count(*), coalesce(max(id), 0) FROM results").fetchone()
        return int(row[0]), int(row[1])

    def reopen(self, keys: Sequence[str], kinds: Sequence[str]) -> None:
        """Have kept effects executed once more: what was answered stays, failures of these kinds do not.

        Call it before anything is read, and before `start`.
        """
        for key in keys:
            tables.reopen(self._reader, key, kinds)
        self.unread, self._last_id = self._counted()

    def look_up(self) -> None:
        """Read each result when it is asked for, not in the order they came in: most of them will not be."""
        self._reads_ahead = False

    def _read_ahead(self) -> None:
        """Programs ask for results nearly in the order they came in: one query for many."""
        if self._last_read >= self._last_id:
            return
        query = "SELECT id, key, request, value, seconds FROM results WHERE id>? AND id<=? ORDER BY id LIMIT ?"
        for row, key, *found in self._reader.execute(query, (self._last_read, self._last_id, _READ_AHEAD)):
            self._ahead[key] = Found(*found)
            self._last_read = row

    def attempts(self, key: str) -> list[Reply]:
        """Paid replies of earlier sessions that did not settle the ask `key`, in order."""
        if not self._has_attempts or key not in self._attempted:
            return []
        rows = self._reader.execute("SELECT value FROM attempts WHERE key=? ORDER BY number", (key,))
        return [msgspec.json.decode(value, type=Reply) for (value,) in rows]

    def delivered(self, program: str, step: int) -> list[str] | None:
        """The keys that a program's yield was answered with, or `None` if it was not answered yet."""
        if not self._has_deliveries:
            return None
        query = "SELECT keys FROM deliveries WHERE program=? AND step=?"
        row = self._reader.execute(query, (program, step)).fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=list[str])

    def below(self, key: str) -> tables.Below:
        """What is held of everything below a key, and of attempts at the key itself; as much of it as is durable."""
        return tables.below(self._reader, key)

    def meta(self, name: str) -> Any:
        """A fact about the run, or `None`."""
        row = self._reader.execute("SELECT value FROM meta WHERE name=?", (name,)).fetchone()
        return None if row is None else msgspec.json.decode(row[0])

    # --- writing ---------------------------------------------------------------------------------------------------

    def after_kept(self, callback: Callable[[], None]) -> None:
        """Call back on the loop once everything handed in so far is durable."""
        self._callbacks.append(callback)

    def check(self) -> None:
        """Say what went wrong in the writer, if anything did.

        Raises:
            JournalError: a write failed, or the journal is closed.
            Exception: an `after_kept` callback has a bug.
        """
        error = self._writer.error
        if error is not None and self._writer.bug:
            raise error
        if error is not None or self._closed:
            raise JournalError(f"{self.path}: cannot write: {error or 'it is closed'}") from error

    def flush(self) -> None:
        """Hand what was collected to the writer; returns at once.

        Raises:
            JournalError: an earlier write failed.
        """
        self.check()
        if not self._count and not self._callbacks:
            return
        self._writer.hand_over(self._take(), self._callbacks)
        self._callbacks = []

    def behind(self) -> bool:
        """Whether the disk lags so far behind that memory would grow."""
        return self._writer.behind()

    def catch_up(self) -> None:
        """Wait for the disk if it lags so far behind; the event loop waits, too, so that nothing comes between.

        A write that failed ends the wait; `check` tells of it.
        """
        self._writer.catch_up()

    async def synced(self) -> None:
        """Wait until everything handed in so far is durable.

        Raises:
            JournalError: a write failed.
        """
        done = anyio.Event()
        self.after_kept(done.set)
        self.flush()
        await done.wait()
        self.check()

    def start(self) -> None:
        """Start the writer; call it on the event loop that callbacks shall run on."""
        self._writer.start()

    def close(self) -> None:
        """Write everything, close the file and give it free; callbacks that were still due are called.

        Raises:
            JournalError: a write failed.
        """
        self._writer.hand_over(self._rows, self._callbacks)
        if self._writer.close():
            self._rows, self._callbacks, self._count = {}, [], 0
        self._reader.close()
        self._lock.close()
        self.check()
        self._closed = True


def content(path: Path) -> Iterator[tuple[str, ...]]:
    """What a journal holds, timings and order of completion aside, sorted: equal runs give equal sequences.

    Yields:
        `("result", key, kind, agent, role, request, value)`, with the request as JSON in full;
        `("delivery", program, step, keys)`; `("record", key, name, data)`.
    """
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        requests = "SELECT digest, messages, body FROM requests"
        bodies = {digest: (digests, body) for digest, digests, body in db.execute(requests)}
        for key, kind, agent, role, request, value in db.execute(
            "SELECT key, kind, agent, role, request, value FROM results ORDER BY key"
        ):
            digests, body = bodies.get(request, (b"", request.hex()))
            messages = [read_message(db, digests[i : i + 16]) for i in range(0, len(digests), 16)]
            yield ("result", key, kind, agent, role, msgspec.json.encode([messages, body]).decode(), value)
        for program, step, keys in db.execute(
            "SELECT program, step, keys FROM deliveries WHERE step>0 ORDER BY program, step"
        ):
            yield ("delivery", program, str(step), keys)
        for key, name, data in db.execute("SELECT key, name, data FROM records ORDER BY key"):
            yield ("record", key, name, data)


def read_message(db: sqlite3.Connection, digest: bytes) -> Message:
    """A journaled message by its digest."""
    role, text = db.execute("SELECT role, content FROM messages WHERE digest=?", (digest,)).fetchone()
    return Message(role, text)


__all__ = ["Found", "Journal", "Question", "Timing", "characters", "content", "read_message"]
