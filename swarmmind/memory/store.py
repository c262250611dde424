"""Long-term stores on disk: who executes `Load` and `Persist`. One SQLite file per store, inside the task's folder.

    handlers = {Load: stores, Persist: stores}      # stores = Stores(folder, run="20260103T1200-omne-1f2e3d")

A `Persist` is one transaction: all of its changes or none, and it is noted in the same transaction as done, by run and
effect, so that an effect that a resumed run executes again does nothing. Several runs, threads and processes may write
at once; they wait for each other. Vectors lie in the row of their text and indexes are built from rows when a store is
loaded, so a text and its place in an index cannot disagree.

Nothing damaged is ever read as if it were whole: each row carries a checksum over all its columns, and a seal, written
with every transaction, holds the number of rows and the sum of their checksums, so that a row that is missing, old,
doubled or altered is noticed. Such a store is refused in one line; `memory.salvage` saves what is whole of it.

Tables (schema version in `user_version`):
    items(id, scope, kind, text, key, author, data, born, uses, wins, losses, vector, sum)
    done(change)          a digest of run and effect for each transaction
    seal(body, sum)       one row: JSON with how many items and transactions there are, the sum of all checksums modulo
                          2**128, and the number of the last change

A store notes in the `data` of an item when it was last used (`last_use`), in numbers of changes like `born`.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeAlias

import anyio.to_thread
import msgspec

from swarmmind.effects import Failure, Outcome
from swarmmind.runtime.frame import Flight
from swarmmind.runtime.meter import Meter
from swarmmind.spec import paths
from swarmmind.traces import Change, Drop, Item, Load, Loaded, Persist, Persisted, Put

VERSION = 1
LAST_USE = "last_use"
"""Where in an item's `data` it stands when it was last used."""

_BUSY_SECONDS = 60.0
_MODULUS = 1 << 128
_MAX_MESSAGE = 200
_SELECT = "SELECT id, scope, kind, text, key, author, data, born, uses, wins, losses, vector, sum FROM items"
_TABLES = (
    "CREATE TABLE items(id TEXT PRIMARY KEY, scope TEXT, kind TEXT, text TEXT, key TEXT, author TEXT, data TEXT,"
    " born INTEGER, uses INTEGER, wins INTEGER, losses INTEGER, vector BLOB, sum BLOB)",
    "CREATE TABLE done(change BLOB PRIMARY KEY) WITHOUT ROWID",
    "CREATE TABLE seal(body TEXT, sum BLOB)",
)
Row: TypeAlias = tuple[Any, ...]


class Damaged(Exception):
    """A store does not hold what was written to it; the message says what gave it away."""


class Seal(msgspec.Struct):
    """What a store must hold.

    Attributes:
        items: how many items.
        done: how many transactions.
        total: the sum of the checksums of all rows, modulo 2**128, in hexadecimal.
        clock: the number of the last change.
        embedder: the name of the embedder whose vectors it holds; empty if nobody said.
    """

    items: int = 0
    done: int = 0
    total: str = "0"
    clock: int = 0
    embedder: str = ""

    def agree(self, embedder: str) -> None:
        """These are the vectors of this embedder, and of no other.

        Raises:
            ValueError: they are of another one; likeness between the two means nothing.
        """
        if self.embedder and embedder and self.embedder != embedder:
            raise ValueError(
                f"was made with the embedder {self.embedder!r}, and this task's is {embedder!r}; "
                "use the same, or another store"
            )
        self.embedder = self.embedder or embedder

    def count(self, digest: bytes, sign: int) -> None:
        """A row with this checksum came (1) or went (-1)."""
        self.total = f"{(int(self.total, 16) + sign * int.from_bytes(digest, 'big')) % _MODULUS:x}"


class Stores:
    """Executes `Load` and `Persist` (`runtime.handler.Handler`); what goes wrong is a failure, in one line.

    All programs of a run that load a store begin with the same: what it held when the first of them did.

    Args:
        folder: the task's; stores lie inside it.
        run: which run this is, the same when it is resumed; no two runs that share a store share it.
        at_once: execute on the event loop rather than in a worker thread. For the virtual clock, whose time must not
            pass while a thread works.
        embedder: the name of the task's embedder; a store that was made with another one is refused.
    """

    def __init__(self, folder: Path, run: str, *, at_once: bool = False, embedder: str = "") -> None:
        self._folder, self._run, self._at_once, self._embedder = folder, run, at_once, embedder
        self._open: dict[Path, Store] = {}
        self._first: dict[str, Loaded] = {}
        self._lock = threading.Lock()  # guards `_open` and its connections: worker threads share them

    def __call__(self, effect: Load | Persist, flight: Flight, /) -> Any:
        """The `Loaded` or `Persisted`, or an awaitable of it."""
        work = partial(self._execute, effect, flight.key)
        return work() if self._at_once else _in_a_thread(work)

    def replayed(self, effect: Any, flight: Flight, result: Any, /) -> None:
        """Remember what the run began with; what the journal says was persisted is in the store."""
        if isinstance(effect, Load) and result.failure is None:
            self._first.setdefault(effect.store, result)

    def read(self, effect: Any, outcome: Outcome, meter: Meter | None = None, /) -> Any:
        """The failure of a program that stood in for a store; there is none in the box."""
        return type(effect).result(failure=outcome.failure or Failure("program", "a program is no store"))

    def close(self) -> None:
        """Close all files; nothing is in flight any more."""
        with self._lock:
            for store in self._open.values():
                store.close()
            self._open.clear()

    def _execute(self, effect: Load | Persist, key: str) -> Loaded | Persisted:
        kind = type(effect).result
        try:
            with self._lock:
                if isinstance(effect, Load) and effect.store in self._first:
                    return self._first[effect.store]
                store = self._store(effect.store)
                if isinstance(effect, Load):
                    self._first[effect.store] = found = Loaded(store.load(self._embedder))
                    return found
                return Persisted(store.persist(f"{self._run}\0{key}", effect.changes, self._embedder))
        except Damaged as damaged:
            return kind(failure=Failure("exception", _advice(_line(str(damaged)), effect.store)))
        except (sqlite3.Error, OSError, ValueError, OverflowError) as error:
            what = str(error) if isinstance(error, ValueError) else f"cannot be used: {error}"
            return kind(failure=Failure("exception", _line(what)))

    def _store(self, name: str) -> Store:
        path = paths.inside(self._folder, name)
        if path not in self._open:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open[path] = Store(path)
        return self._open[path]


async def _in_a_thread(work: partial[Loaded | Persisted]) -> Loaded | Persisted:
    return await anyio.to_thread.run_sync(work)


def _line(text: str) -> str:
    """What SQLite says may quote what it found in a damaged file."""
    line = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(line.split())[:_MAX_MESSAGE]


def _advice(damaged: str, name: str) -> str:
    return (
        f"the store is damaged ({damaged}) and was left as it is; put a copy in its place, save what is whole of it "
        f"with `python -m swarmmind.memory.salvage {name}`, or move it away to begin anew"
    )


class Store:
    """One store, open.

    Args:
        path: its file; made, empty, if there is none.

    Raises:
        Damaged: the file is no store, or one of another version.
        OSError, sqlite3.Error: it cannot be opened or made.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            create(path, [], [])
        self._connection = connection = connected(path)
        try:
            with _damage_is_told():
                [version] = connection.execute("PRAGMA user_version").fetchone()
                if version != VERSION:
                    raise Damaged(f"its schema has version {version}, expected {VERSION}")
                connection.execute("PRAGMA synchronous=FULL")
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def load(self, embedder: str = "") -> tuple[Item, ...]:
        """All items, oldest first.

        Raises:
            Damaged: anything is not as it was written.
            ValueError: it was made with another embedder.
        """
        with _damage_is_told(), self._transaction("BEGIN"):
            [complaint] = self._connection.execute("PRAGMA integrity_check(1)").fetchone()
            if complaint != "ok":
                raise Damaged(str(complaint))
            rows = self._connection.execute(_SELECT + " ORDER BY born, id").fetchall()
            done = [change for (change,) in self._connection.execute("SELECT change FROM done")]
            items = tuple(map(whole, rows))
            seal, found = self._seal(), _sealed([row[-1] for row in rows], done)
            if (seal.items, seal.done, seal.total) != (found.items, found.done, found.total):
                raise Damaged(
                    f"it holds {found.items} items and {found.done} transactions "
                    f"and is sealed for {seal.items} and {seal.done}, or other ones"
                )
            seal.agree(embedder)
            return items

    def persist(self, effect: str, changes: Sequence[Change], embedder: str = "") -> int:
        """Write changes, all or none; nothing if this very effect was persisted before. Returns how many changes.

        Raises:
            Damaged: what they touch is not as it was written.
            ValueError: it was made with another embedder.
            sqlite3.Error: the disk is full, or somebody else has kept the file for a minute.
        """
        digest = blake2b(effect.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        with _damage_is_told(), self._transaction("BEGIN IMMEDIATE"):
            seal = self._seal()
            seal.agree(embedder)
            if self._connection.execute("SELECT 1 FROM done WHERE change=?", (digest,)).fetchone() is None:
                for change in changes:
                    self._apply(change, seal)
                self._connection.execute("INSERT INTO done VALUES(?)", (digest,))
                seal.count(digest, 1)
                seal.done += 1
                self._connection.execute("UPDATE seal SET body=?, sum=?", _seal_row(seal))
        return len(changes)

    def _apply(self, change: Change, seal: Seal) -> None:
        """Counts belong to `Credit`: a `Put` of what is there already never lowers them."""
        gone = isinstance(change, Drop)
        at = change.item.id if isinstance(change, Put) else change.id
        old = self._remove(at, seal, keep=not gone)
        if gone:
            return
        seal.clock += 1
        if isinstance(change, Put):
            new = change.item
            seal.clock = max(seal.clock, new.born)
            if old is not None:
                counts = {name: max(getattr(old, name), getattr(new, name)) for name in ("uses", "wins", "losses")}
                new = msgspec.structs.replace(new, **counts)
        elif old is None:
            return
        else:
            new = credited(old, change.uses, change.wins, change.losses, seal.clock)
        values = row(new)
        self._connection.execute(f"INSERT OR REPLACE INTO items VALUES({'?,' * 12}?)", values)
        seal.count(values[-1], 1)
        seal.items += 1

    def _remove(self, at: str, seal: Seal, *, keep: bool) -> Item | None:
        """The item of this id, taken out of the seal and, unless another will replace it, out of the table."""
        found = self._connection.execute(_SELECT + " WHERE id=?", (at,)).fetchone()
        if found is None:
            return None
        item = whole(found)
        seal.count(found[-1], -1)
        seal.items -= 1
        if not keep:
            self._connection.execute("DELETE FROM items WHERE id=?", (at,))
        return item

    def _seal(self) -> Seal:
        rows = self._connection.execute("SELECT body, sum FROM seal").fetchall()
        if len(rows) != 1 or rows[0][1] != checksum((rows[0][0],)):
            raise Damaged("its seal is broken")
        return msgspec.json.decode(rows[0][0], type=Seal)

    @contextmanager
    def _transaction(self, begin: str) -> Generator[None]:
        self._connection.execute(begin)
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def credited(item: Item, uses: int, wins: int, losses: int, now: int) -> Item:
    """An item after a verdict at the change of number `now`: what memory and store both make of a `Credit`."""
    data = {**item.data, LAST_USE: now} if uses else item.data
    counts = {"uses": item.uses + uses, "wins": item.wins + wins, "losses": item.losses + losses}
    return msgspec.structs.replace(item, data=data, **counts)


def connected(path: Path) -> sqlite3.Connection:
    """A connection to a file that must be there; transactions are begun by hand."""
    address = f"{path.resolve().as_uri()}?mode=rw"
    return sqlite3.connect(address, _BUSY_SECONDS, isolation_level=None, check_same_thread=False, uri=True)


def create(path: Path, items: Iterable[Item], done: Iterable[bytes], clock: int = 0) -> None:
    """A new store, there whole or not at all; one that somebody else made in the meantime is left as it is.

    Raises:
        OSError, sqlite3.Error: it cannot be made.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        write(draft, items, done, clock)
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink(missing_ok=True)


def write(path: Path, items: Iterable[Item], done: Iterable[bytes], clock: int = 0, embedder: str = "") -> None:
    """Write a store to a file that is not there yet."""
    path.touch()
    rows, changes = [row(item) for item in items], list(done)
    seal = _sealed([values[-1] for values in rows], changes)
    seal.clock, seal.embedder = clock, embedder
    connection = connected(path)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("BEGIN")
        for statement in _TABLES:
            connection.execute(statement)
        connection.executemany(f"INSERT INTO items VALUES({'?,' * 12}?)", rows)
        connection.executemany("INSERT INTO done VALUES(?)", [(change,) for change in changes])
        connection.execute("INSERT INTO seal VALUES(?,?)", _seal_row(seal))
        connection.execute(f"PRAGMA user_version={VERSION}")
        connection.execute("COMMIT")
    finally:
        connection.close()


def row(item: Item) -> Row:
    """An item as a row, its checksum last."""
    data = msgspec.json.encode(item.data, order="deterministic").decode()
    counts = (item.born, item.uses, item.wins, item.losses)
    values = (item.id, item.scope, item.kind, item.text, item.key, item.author, data, *counts, item.vector)
    return (*values, checksum(values))


def whole(values: Row) -> Item:
    """The item in a row.

    Raises:
        Damaged: the row is not as it was written.
    """
    *columns, digest = values
    if checksum(columns) != digest:
        raise Damaged("the checksum of an item is wrong")
    at, scope, kind, text, key, author, data, born, uses, wins, losses, vector = columns
    return Item(at, scope, kind, text, key, author, msgspec.json.decode(data), born, uses, wins, losses, vector)


def checksum(values: Sequence[Any]) -> bytes:
    """Of a row's columns, 16 bytes."""
    return blake2b(msgspec.msgpack.encode(values), digest_size=16).digest()


def _sealed(sums: Sequence[bytes], done: Sequence[bytes]) -> Seal:
    total = sum(int.from_bytes(digest, "big") for digest in (*sums, *done)) % _MODULUS
    return Seal(len(sums), len(done), f"{total:x}")


def _seal_row(seal: Seal) -> tuple[str, bytes]:
    body = msgspec.json.encode(seal).decode()
    return body, checksum((body,))


@contextmanager
def _damage_is_told() -> Generator[None]:
    """What SQLite says of a file that is not what it should be is damage; that it is busy or full is not."""
    try:
        yield
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # a text that is no UTF-8 has none
        if code in (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_IOERR):
            raise Damaged(str(error)) from error  # a table or column is gone; a page is missing
        raise
    except sqlite3.DatabaseError as error:
        raise Damaged(str(error)) from error
