"""The journal's tables, and how they are opened and written to; what is in them stands on top of `journal`."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from swarmmind.errors import RunError

VERSION = "1"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages(digest BLOB PRIMARY KEY, role TEXT NOT NULL, content TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS requests(digest BLOB PRIMARY KEY, messages BLOB NOT NULL, body TEXT NOT NULL);
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
    "messages": "INSERT OR IGNORE INTO messages VALUES(?,?,?)",
    "requests": "INSERT OR IGNORE INTO requests VALUES(?,?,?)",
    "results": "INSERT INTO results(key,kind,agent,role,request,value,seconds,queued_seconds,at)"
    " VALUES(?,?,?,?,?,?,?,?,?)",
    "attempts": "INSERT OR REPLACE INTO attempts VALUES(?,?,?)",
    "deliveries": "INSERT OR REPLACE INTO deliveries VALUES(?,?,?)",
    "records": "INSERT INTO records(key,name,data) VALUES(?,?,?)"
    " ON CONFLICT(key) DO UPDATE SET name=excluded.name, data=excluded.data",
    "meta": "INSERT OR REPLACE INTO meta VALUES(?,?)",
}
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
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM records")
        connection.execute("DELETE FROM meta WHERE name=?", (DETOUR,))
        connection.execute("COMMIT")


def commit(connection: sqlite3.Connection, batches: list[dict[str, list[tuple[Any, ...]]]]) -> None:
    """Write batches of rows, by table, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    for rows in batches:
        for table, values in rows.items():
            connection.executemany(_INSERT[table], values)
    connection.execute("COMMIT")
