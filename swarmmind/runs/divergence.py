"""Where two runs part: the first thing that was asked, or answered, in one of them and not in the other."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import zip_longest
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from swarmmind.effects import Reply
from swarmmind.errors import RunError
from swarmmind.runtime.journal import read_message

_AROUND = 80  # characters of context
_MOST = 400  # of a text that is shown whole


class Divergence(msgspec.Struct, frozen=True):
    """The first difference of two runs, in the order in which the first one's answers came.

    Attributes:
        key: the place in the program.
        agent: whose turn it is.
        what: `asked`: what it is told differs; `answered`: it is told the same and says something else; `missing`: one
            of the two runs has no such turn.
        first: the text in the first run, around where the two part.
        second: the same in the second.
        alike: how many answers before it are the same.
    """

    key: str
    agent: str
    what: Literal["asked", "answered", "missing"]
    first: str
    second: str
    alike: int


class Stretch(NamedTuple):
    """A part of a run: everything below a key; an empty one is the whole run."""

    folder: Path
    below: str = ""


class _Turn(NamedTuple):
    agent: str
    request: bytes
    value: str


def divergence(first: Stretch, second: Stretch) -> Divergence | None:
    """The first difference; `None` if all agents were told and said the same.

    Raises:
        RunError: a journal cannot be read.
    """
    with closing(_opened(first.folder)) as one, closing(_opened(second.folder)) as other:
        alike = 0
        for key, turn in _turns(one, first.below):
            there = _turn(other, second.below + key)
            if there is None:
                return Divergence(key, turn.agent, "missing", _said(turn.value), "", alike)
            if turn.request != there.request:
                texts = _first_apart(_prompt(one, turn.request), _prompt(other, there.request))
                if texts is not None:
                    return Divergence(key, turn.agent, "asked", *texts, alike)
            if _said(turn.value) != _said(there.value):
                texts = _window(_said(turn.value), _said(there.value))
                return Divergence(key, turn.agent, "answered", *texts, alike)
            alike += 1
        for key, turn in _turns(other, second.below):
            if _turn(one, first.below + key) is None:
                return Divergence(key, turn.agent, "missing", "", _said(turn.value), alike)
    return None


def _opened(folder: Path) -> sqlite3.Connection:
    path = folder / "journal.sqlite"
    try:
        return sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    except sqlite3.Error as error:
        raise RunError(f"{path}: cannot be read ({error})") from error


def _turns(db: sqlite3.Connection, below: str) -> Iterator[tuple[str, _Turn]]:
    query = "SELECT key, agent, request, value FROM results WHERE kind='Ask'"
    rows = (
        db.execute(f"{query} AND key>? AND key<? ORDER BY id", (below, f"{below[:-1]}0"))  # 0 comes after /
        if below
        else db.execute(f"{query} ORDER BY id")
    )
    for key, agent, request, value in rows:
        yield key.removeprefix(below), _Turn(agent, request, value)


def _turn(db: sqlite3.Connection, key: str) -> _Turn | None:
    row = db.execute("SELECT agent, request, value FROM results WHERE key=?", (key,)).fetchone()
    return None if row is None else _Turn(*row)


def _said(value: str) -> str:
    reply = msgspec.json.decode(value, type=Reply)
    return reply.text or "" if reply.failure is None else f"({reply.failure.kind}: {reply.failure.message})"


def _prompt(db: sqlite3.Connection, digest: bytes) -> list[str]:
    """The messages of a request, each with its role, and last who is asked and how."""
    digests, body = db.execute("SELECT messages, body FROM requests WHERE digest=?", (digest,)).fetchone()
    messages = [read_message(db, digests[at : at + 16]) for at in range(0, len(digests), 16)]
    return [*(f"{message.role}: {message.content}" for message in messages), f"request: {body}"]


def _first_apart(first: list[str], second: list[str]) -> tuple[str, str] | None:
    """The first message that differs, around where it does; who answers, and how it samples, is no part of that."""
    pairs = zip_longest(first[:-1], second[:-1], fillvalue="")
    return next((_window(one, other) for one, other in pairs if one != other), None)


def _window(first: str, second: str) -> tuple[str, str]:
    if max(len(first), len(second)) <= _MOST:
        return first, second
    at = next(
        (at for at, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
    )
    start = max(0, at - _AROUND)
    head = "..." if start else ""
    return tuple(f"{head}{text[start : at + _AROUND]}" for text in (first, second))  # type: ignore[return-value]
