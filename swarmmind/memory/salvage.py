"""Save what is whole of a damaged store: `python -m swarmmind.memory.salvage PATH`."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from swarmmind.errors import UserError
from swarmmind.memory.store import Damaged, Seal, checksum, connected, whole, write
from swarmmind.traces import Item


class Salvaged(NamedTuple):
    """What came of it.

    Attributes:
        kept: how many items the new store holds.
        lost: how many are missing in it; `None` if the damaged store no longer says how many there were.
        aside: where the damaged store lies now.
    """

    kept: int
    lost: int | None
    aside: Path


def salvage(path: Path) -> Salvaged:
    """Put a store in the place of a damaged one, with all rows whose checksum holds; the damaged one is kept aside.

    A run that is resumed afterwards may persist a second time what it persisted last, if the damage struck the list
    of transactions.

    Raises:
        UserError: there is no such file.
        OSError, sqlite3.Error: the new store cannot be written.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such store")
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    for suffix in ("-wal", ""):
        if (part := path.with_name(path.name + suffix)).exists():
            shutil.copy2(part, aside.with_name(aside.name + suffix))
    items, done, seal = _whole_rows(aside)
    clock = max([seal.clock if seal else 0, *(item.born for item in items)])
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    write(draft, items, done, clock, seal.embedder if seal else "")
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    os.replace(draft, path)
    return Salvaged(len(items), max(seal.items - len(items), 0) if seal else None, aside)


def _whole_rows(path: Path) -> tuple[list[Item], list[bytes], Seal | None]:
    items: dict[str, Item] = {}
    with closing(connected(path)) as connection:
        for values in _read(connection, "items"):
            try:
                item = whole(values)
            except Damaged:
                continue
            items.setdefault(item.id, item)
        done = {change for (change,) in _read(connection, "done") if isinstance(change, bytes) and len(change) == 16}
        seals = [body for body, digest in _read(connection, "seal") if checksum((body,)) == digest]
    seal = msgspec.json.decode(seals[0], type=Seal) if seals else None
    return list(items.values()), sorted(done), seal


def _read(connection: sqlite3.Connection, table: str) -> list[tuple[Any, ...]]:
    """The rows of a table up to the damage, from the front and from the back."""
    order = "change" if table == "done" else "rowid"
    rows: list[tuple[Any, ...]] = []
    for direction in ("ASC", "DESC"):
        try:
            for found in connection.execute(f"SELECT * FROM {table} ORDER BY {order} {direction}"):  # noqa: S608
                rows.append(found)  # noqa: PERF402  (what was read before the error counts)
        except sqlite3.Error:
            continue
        break
    return rows


def main(arguments: list[str]) -> int:
    """Salvage the store that is named, and say what came of it; returns the exit code."""
    try:
        [name] = arguments
        found = salvage(Path(name))
    except ValueError:
        print("usage: python -m swarmmind.memory.salvage PATH", file=sys.stderr)
        return 2
    except (UserError, OSError, sqlite3.Error) as error:
        print(error, file=sys.stderr)
        return 2
    lost = "nobody knows how many" if found.lost is None else found.lost
    print(f"{name}: {found.kept} items kept, {lost} lost; the damaged store is {found.aside}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
