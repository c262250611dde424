"""Vectors and what they say in one SQLite file: written whole or not at all, read whole or refused.

Every record carries a checksum of its number and content, and the last one seals the number and the checksums of all
others: an exchanged, missing or altered byte of the content is never read as something else.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from swarmmind.errors import RunError

_MAGIC = b"swarmmind vectors 1"
_SCHEMA = "CREATE TABLE records(number INTEGER PRIMARY KEY, body BLOB, vector BLOB, checksum BLOB)"


class Record(NamedTuple):
    """JSON, and a vector's or a codebook's bytes (float32, little endian; empty if there is none)."""

    body: bytes
    vector: bytes


def write(path: Path, records: Iterable[Record]) -> None:
    """Replace a file by these records, in one step and durably.

    Raises:
        RunError: it cannot be written; what was there before is untouched.
    """
    part = ""
    try:
        handle, part = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        os.close(handle)
        _fill(part, records)
        _durable(part)
        os.replace(part, path)
        _durable(path.parent)
    except (sqlite3.Error, OSError) as error:
        raise RunError(f"{path}: the vectors could not be saved ({_line(error)})") from error
    finally:
        if part:
            Path(part).unlink(missing_ok=True)


def _fill(part: str, records: Iterable[Record]) -> None:
    with closing(sqlite3.connect(part, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=OFF")
        db.execute("PRAGMA synchronous=OFF")  # the file is made durable at once, under another name
        db.execute("BEGIN")
        db.execute(_SCHEMA)
        seal, number = blake2b(digest_size=16), 0
        for number, record in enumerate(records, 1):
            checksum = _checksum(number, record)
            seal.update(checksum)
            db.execute("INSERT INTO records VALUES(?, ?, ?, ?)", (number, *record, checksum))
        last = Record(_MAGIC, seal.digest())
        db.execute("INSERT INTO records VALUES(?, ?, ?, ?)", (number + 1, *last, _checksum(number + 1, last)))
        db.execute("COMMIT")


def _durable(path: str | Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read(path: Path) -> Sequence[Record]:
    """All records that were written.

    Raises:
        RunError: the file does not exist, is no such file, or is damaged.
    """
    if not path.is_file():
        raise RunError(f"{path}: expected a file of saved vectors, found none")
    records: list[Record] = []
    seal = blake2b(digest_size=16)
    previous = b""
    try:
        # immutable: no journal beside the file is believed, and none is made
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)) as db:
            for number, *content, checksum in db.execute("SELECT * FROM records ORDER BY number"):
                if not all(isinstance(value, bytes) for value in content) or len(content) != 2:
                    raise _damaged(path, f"record {len(records) + 1} is not one")
                record = Record(*content)
                if number != len(records) + 1 or checksum != _checksum(number, record):
                    raise _damaged(path, f"record {len(records) + 1} is not what was written")
                seal.update(previous)
                previous = checksum
                records.append(record)
    except (sqlite3.Error, OSError, ValueError) as error:
        raise _damaged(path, _line(error)) from error
    if not records or records.pop() != Record(_MAGIC, seal.digest()):
        raise _damaged(path, "its end is missing")
    return records


def _checksum(number: int, record: Record) -> bytes:
    digest = blake2b(b"%d %d " % (number, len(record.body)), digest_size=16)
    digest.update(record.body)
    digest.update(record.vector)
    return digest.digest()


def _damaged(path: Path, why: str) -> RunError:
    return RunError(f"{path}: damaged, or not a file of saved vectors ({why}); nothing was loaded from it")


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


__all__ = ["Record", "read", "write"]
