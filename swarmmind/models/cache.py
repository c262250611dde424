"""Answers remembered across runs, if the user wants that: one SQLite file that several processes may share."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable
from hashlib import blake2b
from pathlib import Path

import msgspec

from swarmmind.effects import Choice, Later, Reply, Usage
from swarmmind.errors import UserError
from swarmmind.ports import Call, Model, Request

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS replies(key BLOB PRIMARY KEY, text TEXT, finish TEXT) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS probabilities(key BLOB PRIMARY KEY, options TEXT) WITHOUT ROWID",  # where given
)
_BUSY_SECONDS = 5.0
_NOTHING_PAID = Usage()


class Cached:
    """A model that does not ask twice; a wrapper (satisfies `ports.Model`).

    A hit costs nothing: its `usage` is zero calls, zero tokens, zero dollars, because nothing was paid. Only answers
    are kept, never failures. Two requests are the same if all that shapes the answer is: `identity`, messages, output,
    sampling and seed; the agent who asks is not.

    Args:
        inner: what is asked on a miss; it must not be stateful.
        path: the file; made if it does not exist.
        identity: what else shapes the answer: provider, base URL, the model's name, extra fields.

    Raises:
        UserError: the file is not a cache, or cannot be opened.
        ValueError: `inner` is stateful.
    """

    stateful = False

    def __init__(self, inner: Model, path: Path, identity: str) -> None:
        if inner.stateful:
            raise ValueError("a stateful model cannot be cached: its answers depend on what it was asked before")
        self.inner, self.path = inner, path
        self._identity = blake2b(identity.encode(), digest_size=16)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = _open(path)
        except (sqlite3.Error, OSError) as error:
            raise UserError(f"{path}: not usable as a cache of answers ({error}); delete it or name another") from error

    def answer(self, request: Request, call: Call) -> Reply | Later | Awaitable[Reply]:
        """The remembered reply at once, or the inner model's.

        Raises:
            Spent: the budget cannot pay for the request; it was not sent.
        """
        key = self._key(request)
        row = self._db.execute("SELECT text, finish FROM replies WHERE key=?", (key,)).fetchone()
        if row is not None:
            likely = (
                self._probabilities(key) if isinstance(request.output, Choice) and request.output.logprobs else None
            )
            return Reply(text=row[0], usage=_NOTHING_PAID, finish=row[1], probabilities=likely)
        answer = self.inner.answer(request, call)
        if isinstance(answer, Later):
            self._keep(key, answer.reply)
        elif isinstance(answer, Reply):
            self._keep(key, answer)
        else:
            return self._kept(key, answer)
        return answer

    async def close(self) -> None:
        """Close the file and the inner model."""
        self._db.close()
        await self.inner.close()

    async def _kept(self, key: bytes, answer: Awaitable[Reply]) -> Reply:
        reply = await answer
        self._keep(key, reply)
        return reply

    def _keep(self, key: bytes, reply: Reply) -> None:
        if reply.failure is not None or reply.text is None:
            return
        try:
            if reply.probabilities is not None:  # first, so that no reply is found without
                likely = msgspec.json.encode(reply.probabilities).decode()
                self._db.execute("INSERT OR IGNORE INTO probabilities VALUES(?,?)", (key, likely))
            self._db.execute("INSERT OR IGNORE INTO replies VALUES(?,?,?)", (key, reply.text, reply.finish))
        except sqlite3.OperationalError:  # locked for too long, or the disk is full: the run itself has its reply
            return

    def _probabilities(self, key: bytes) -> dict[str, float] | None:
        row = self._db.execute("SELECT options FROM probabilities WHERE key=?", (key,)).fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=dict[str, float])

    def _key(self, request: Request) -> bytes:
        digest = self._identity.copy()
        shaped = (request.messages, request.output, request.sampling, request.seed)
        try:
            digest.update(msgspec.msgpack.encode(shaped))
        except UnicodeEncodeError:  # half a surrogate pair
            digest.update(repr(shaped).encode("utf-8", "backslashreplace"))
        return digest.digest()


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_SECONDS)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=OFF")  # losing the last answers to a power cut costs asking again
        for table in _SCHEMA:
            connection.execute(table)
    except sqlite3.Error:
        connection.close()
        raise
    return connection
