"""The thread that writes a journal, so that no call waits for the disk unless it wants to."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import anyio.lowlevel

from swarmmind.runtime import tables

_MAX_ROWS_BEHIND = 8192  # handed over and not yet written; beyond, the driver waits for the disk
_MOST_ROWS = 512  # from which on a commit takes in no more: what does not fit on a full disk is lost as a whole
_LINGER_SECONDS = 0.001  # after a commit: what comes in meanwhile is written together, and nobody must be woken for it
_STEADY, _PAUSE_SECONDS = 16, 0.004  # who has had so many hand-overs without a pause lingers: a burst is waited for

Rows = Mapping[str, Sequence[Sequence[Any]]]
"""What is written, by table."""
Callback = Callable[[], None]


class Writer:
    """Commits what it is handed, with whatever came in while the last commit ran; it begins with the first hand-over.

    Args:
        path: of the file.

    Attributes:
        error: what went wrong, if anything did.
        bug: whether that was a callback.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.error: Exception | None = None
        self.bug = False
        self._handed = self._written = 0  # rows; the first is this thread's, the second the writer's
        self._queue: SimpleQueue[tuple[Rows, list[Callback]] | None] = SimpleQueue()
        self._loop: Any = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; call it on the event loop that callbacks shall run on."""
        self._loop = anyio.lowlevel.current_token().native_token
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def hand_over(self, rows: Rows, callbacks: list[Callback]) -> None:
        """Have rows written, and callbacks run on the loop once they are durable; returns at once."""
        self._handed += sum(map(len, rows.values()))
        self._queue.put((rows, callbacks))

    def behind(self) -> bool:
        """Whether the disk lags so far behind that memory would grow."""
        return self._handed - self._written > _MAX_ROWS_BEHIND

    def catch_up(self) -> None:
        """Keep this thread waiting for as long as the disk lags so far behind; a write that failed ends that, too."""
        while self.behind() and self.error is None and self._thread is not None:
            time.sleep(_LINGER_SECONDS)

    def close(self) -> bool:
        """Write everything and end the thread; returns whether there was one."""
        if self._thread is None:
            return False
        self._queue.put(None)
        self._thread.join()
        self._thread = None
        return True

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        over, steady = False, 0
        while not over:
            given, rows, idle_since = list[tuple[Rows, list[Callback]]](), 0, time.monotonic()
            while not over and rows < _MOST_ROWS and not (given and self._queue.empty()):
                batch = self._queue.get()
                if not given:
                    steady = steady + 1 if time.monotonic() - idle_since < _PAUSE_SECONDS else 0
                over = batch is None
                if batch is not None:
                    given.append(batch)
                    rows += sum(map(len, batch[0].values()))
            try:
                if self.error is None:
                    connection = connection or self._connect()
                    tables.commit(connection, [made for made, _ in given])
            except Exception as error:  # whatever it is, the run must hear of it: it waits for this thread
                self.error = error
            self._written += rows
            self._tell([callback for _, callbacks in given for callback in callbacks])
            if not over and steady >= _STEADY and self._queue.empty():
                time.sleep(_LINGER_SECONDS)
        if connection is not None:
            if self.error is None:
                with suppress(sqlite3.Error):  # everything is kept without it
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint={tables.CHECKPOINT_PAGES}")
        return connection

    def _tell(self, callbacks: list[Callback]) -> None:
        """Have callbacks run on the loop, without waiting for it: it may be waiting for this thread, in `close`."""
        if not callbacks:
            return
        try:
            self._loop.call_soon_threadsafe(self._call, callbacks)
        except RuntimeError:
            return  # the loop has ended; nobody is waiting

    def _call(self, callbacks: list[Callback]) -> None:
        for callback in callbacks:
            try:
                callback()
            except Exception as bug:  # the others must be called, and the run must hear of it
                if self.error is None:
                    self.error, self.bug = bug, True
