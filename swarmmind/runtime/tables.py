"""The journal's tables, and how they are opened and written to; what is in them stands on top of `journal`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from swarmmind.errors import RunError

VERSION = "1"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages(digest BLOB PRIMARY KEY, role TEXT NOT NULL, content TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS requests(
  digest BLOB PRIMARY KEY, messages BLOB NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS results(
  id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, agent TEXT NOT NULL, role TEXT NOT NULL,
  request BLOB NOT NULL, value TEXT NOT NULL, seconds REAL NOT NULL, queued_seconds REAL NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS attempts(
  key TEXT NOT NULL, number INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY(key, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deliveries(
  program TEXT NOT NULL, step INTEGER NOT NULL, keys TEXT NOT NULL, PRIMARY KEY(program, step)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS records(
  id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL, data TEXT NOT NULL);
"""
_INSERT = {
    "messages": ("INSERT OR IGNORE INTO messages VALUES", 3, ""),
    "requests": ("INSERT OR IGNORE INTO requests VALUES", 3, ""),
    "results": ("INSERT INTO results(key,kind,agent,role,request,value,seconds,queued_seconds,at) VALUES", 9, ""),
    "attempts": ("INSERT OR REPLACE INTO attempts VALUES", 3, ""),
    "deliveries": ("INSERT OR REPLACE INTO deliveries VALUES", 3, ""),
    "records": (
        "INSERT INTO records(key,name,data) VALUES",
        3,
        " ON CONFLICT(key) DO UPDATE SET name=excluded.name, data=excluded.data",
    ),
    "meta": ("INSERT OR REPLACE INTO meta VALUES", 2, ""),
}
"""By table: what stands before the values of a row, how many these are, and what stands after them."""
_ROWS_PER_STATEMENT = (32, 8, 1)
"""A statement lets the event loop have the interpreter and waits to get it back: few statements wait little."""
DETOUR = "detour"
"""Noted if a spent budget made programs record what a resume with a larger one may not come to."""
CHECKPOINT_PAGES = 8000  # 32 MB of log: a page that changed often meanwhile is copied once


def opened(path: Path) -> sqlite3.Connection:
    """A connection to the journal at a path, made if it does not exist.

    Raises:
        RunError: it has another version.
        sqlite3.Error: it is no database, or damaged.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    if connection.execute("SELECT 1 FROM sqlite_master").fetchone() is None:  # also if killed while it was made
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} INSERT INTO meta VALUES('version', '{VERSION}'); COMMIT;")
    else:
        row = connection.execute("SELECT value FROM meta WHERE name='version'").fetchone()
        if row is None or row[0] != VERSION:
            raise RunError(f"schema version {row and row[0]!r}, this program reads {VERSION!r}")
    connection.execute("PRAGMA synchronous=NORMAL")
    if connection.execute("SELECT 1 FROM meta WHERE name=?", (DETOUR,)).fetchone():  # a replay records all it passes
        kept = {key for (key,) in connection.execute("SELECT key FROM results WHERE agent=''")}
        found = [key for (key,) in connection.execute("SELECT key FROM records") if not _is_within(key, kept)]
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("DELETE FROM records WHERE key=?", [(key,) for key in found])
        connection.execute("DELETE FROM meta WHERE name=?", (DETOUR,))
        connection.execute("COMMIT")


def _is_within(key: str, kept: set[str]) -> bool:
    """Whether a key is below one of these: of programs whose results are kept, and which are not replayed."""
    while key := key.rpartition("/")[0]:
        if key in kept:
            return True
    return False


def reopen(connection: sqlite3.Connection, key: str, kinds: Sequence[str]) -> None:
    """Forget the result of a kept effect, what failed on the way to it, and what may have followed from that.

    Args:
        connection: to the journal.
        key: of the effect.
        kinds: of failures that may pass; other replies stay if they came before the first of these, or were asked for
            together with it.
    """
    below, programs = (f"{key}/", f"{key}0"), (key, f"{key}0")  # 0 comes after /
    connection.execute("BEGIN IMMEDIATE")
    if gone := _outdated(connection, key, kinds):
        connection.executemany("DELETE FROM attempts WHERE key=?", gone)
        connection.executemany("DELETE FROM results WHERE key=?", gone)
        connection.execute("DELETE FROM deliveries WHERE program>=? AND program<?", programs)
    connection.execute("DELETE FROM records WHERE key>? AND key<?", below)  # it is recorded anew
    connection.execute("DELETE FROM results WHERE key=?", (key,))
    connection.execute("COMMIT")


def _outdated(connection: sqlite3.Connection, key: str, kinds: Sequence[str]) -> list[tuple[str]]:
    """The keys of results below `key` that failed, or came of a failure."""
    failed = "coalesce(json_extract(value, '$.failure.kind') IN (SELECT value FROM json_each(?)), 0)"
    query = f"SELECT key, kind='Ask' AND {failed} FROM results WHERE key>? AND key<? ORDER BY id"  # noqa: S608 - constant
    rows = connection.execute(query, (json.dumps(kinds), f"{key}/", f"{key}0")).fetchall()
    first = next((at for at, (_, failure) in enumerate(rows) if failure), None)
    if first is None:
        return []
    ordered = "SELECT 1 FROM deliveries WHERE program>=? AND program<?"
    if connection.execute(ordered, (key, f"{key}0")).fetchone():  # what was delivered when is of use as a whole only
        return [(each,) for each, _ in rows]
    step = rows[first][0].rpartition("/")[0]
    return [(each,) for each, failure in rows[first:] if failure or not each.startswith(f"{step}/")]


class Below(NamedTuple):
    """What a journal holds below a key: rows, JSON as text.

    Attributes:
        results: key, request, value, seconds.
        attempts: key and value, in order; those at the key itself, too.
        deliveries: program, step, keys.
        notes: name and value: what purses have spent.
    """

    results: list[tuple[str, bytes, str, float]]
    attempts: list[tuple[str, str]]
    deliveries: list[tuple[str, int, str]]
    notes: list[tuple[str, str]]


def below(connection: sqlite3.Connection, key: str) -> Below:
    """What is held below a key."""
    low, high = f"{key}/", f"{key}0"  # 0 comes after /
    results = "SELECT key, request, value, seconds FROM results WHERE key>? AND key<?"
    attempts = "SELECT key, value FROM attempts WHERE key=? OR (key>? AND key<?) ORDER BY key, number"
    deliveries = "SELECT program, step, keys FROM deliveries WHERE program>=? AND program<?"
    notes = "SELECT name, value FROM meta WHERE name>? AND name<?"
    return Below(
        connection.execute(results, (low, high)).fetchall(),
        connection.execute(attempts, (key, low, high)).fetchall(),
        [row for row in connection.execute(deliveries, (key, high)) if row[0] == key or row[0] > low],
        connection.execute(notes, (f"spent {low}", f"spent {high}")).fetchall(),
    )


def commit(connection: sqlite3.Connection, batches: Sequence[Mapping[str, Sequence[Sequence[Any]]]]) -> None:
    """Write batches of rows, by table, in one transaction."""
    together: dict[str, list[Sequence[Any]]] = {}
    for rows in batches:
        for table, values in rows.items():
            together.setdefault(table, []).extend(values)
    connection.execute("BEGIN IMMEDIATE")
    for table, values in together.items():
        _insert(connection, table, values)
    connection.execute("COMMIT")


def _insert(connection: sqlite3.Connection, table: str, rows: list[Sequence[Any]]) -> None:
    head, width, tail = _INSERT[table]
    one = f"({','.join('?' * width)})"
    at = 0
    for size in _ROWS_PER_STATEMENT:
        statement = f"{head}{','.join([one] * size)}{tail}"
        while len(rows) - at >= size:
            connection.execute(statement, [value for row in rows[at : at + size] for value in row])
            at += size
