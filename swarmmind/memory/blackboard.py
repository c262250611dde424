"""The blackboard: one list that everybody writes on and reads, the last entries of all, oldest first."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from swarmmind.agents.prompts import tokens as tokens_of
from swarmmind.errors import UserError
from swarmmind.ports import Memory
from swarmmind.traces import ANSWER, ANYTHING, PROMPT, Query, Trace, Vector

_MAX_SHOWN = 64  # kinds of queries


class Blackboard(Memory):
    """The last entries of a swarm; whoever writes more than his share pushes out his own oldest entry.

    Prompts are ignored, answers are of the kind `answer`; keys are cut to 200 characters, kinds to 40. Verdicts
    change nothing here, and nothing fades.

    Args:
        entries: how many there are at most.
        per_author: how many of one author there are at most.
        characters: an entry is cut to so many, and says so.
        tokens: shown are the newest entries of at most so many tokens, counted as characters / 4.

    Raises:
        UserError: a value is out of its range.
    """

    def __init__(self, entries: int = 50, per_author: int = 10, characters: int = 2000, tokens: int = 4000) -> None:
        for name, value in (("entries", entries), ("per_author", per_author), ("characters", characters)):
            if value < 1:
                raise UserError(f"blackboard: {name} must be at least 1, got {value}")
        if tokens < 0:
            raise UserError(f"blackboard: tokens must not be negative, got {tokens}")
        self.entries, self.per_author, self.characters, self.tokens = entries, per_author, characters, tokens
        self._now = 0
        self._board: list[tuple[int, Trace]] = []
        self._shown: dict[Query, tuple[Trace, ...]] = {}  # until it changes: a whole swarm looks at the same board

    def deposit(self, scope: str, trace: Trace, vector: Vector | None = None) -> None:
        """Write an entry on the board; the author's oldest, or else the oldest of all, makes room where needed."""
        if trace.kind == PROMPT:
            return
        self._shown.clear()
        kind = "answer" if trace.kind == ANSWER else trace.kind[:40]
        mine = [at for at, (_, entry) in enumerate(self._board) if entry.author == trace.author]
        if len(mine) >= self.per_author:
            del self._board[mine[0]]
        elif len(self._board) >= self.entries:
            del self._board[0]
        self._board.append(
            (self._now, Trace(self._cut(trace.text), trace.author, kind, trace.key[:200], trace.strength))
        )

    def sense(self, scope: str, query: Query = ANYTHING, rng: random.Random | None = None) -> tuple[Trace, ...]:
        """The newest entries that answer the query's filters and fit, oldest first."""
        kinds = tuple("answer" if kind == ANSWER else kind[:40] for kind in query.kinds)
        keys = tuple(key[:200] for key in query.keys)
        query = query._replace(text="", vector=None, kinds=kinds, keys=keys)  # as they are kept
        found = self._shown.get(query)
        if found is None:
            if len(self._shown) >= _MAX_SHOWN:
                self._shown.clear()
            found = self._shown[query] = self._read(query)
        return found

    def _read(self, query: Query) -> tuple[Trace, ...]:
        left, shown = self.tokens, list[Trace]()
        limit = self.entries if query.limit is None else query.limit
        for left_at, entry in reversed(self._board):
            age = self._now - left_at
            if not _wanted(entry, age, query):
                continue
            left -= tokens_of(entry.text)
            if left < 0 or len(shown) >= limit:
                break
            shown.append(msgspec.structs.replace(entry, age=age))
        return tuple(reversed(shown))

    def tick(self) -> None:
        """One round has passed: entries are a round older."""
        self._now += 1
        self._shown.clear()

    def snapshot(self) -> Any:
        """The tick, and all entries with the tick at which they were written, oldest first."""
        return {"tick": self._now, "entries": [[at, msgspec.to_builtins(entry)] for at, entry in self._board]}

    def fork(self) -> Blackboard:
        """An independent copy."""
        copy = Blackboard(self.entries, self.per_author, self.characters, self.tokens)
        copy._now, copy._board = self._now, self._board.copy()
        return copy

    def _cut(self, text: str) -> str:
        if len(text) <= self.characters:
            return text
        return f"{text[: self.characters]} [cut: {len(text)} characters]"


def _wanted(entry: Trace, age: int, query: Query) -> bool:
    return (
        (not query.kinds or entry.kind in query.kinds)
        and (not query.authors or entry.author in query.authors)
        and (not query.keys or entry.key in query.keys)
        and (query.max_age is None or age <= query.max_age)
    )
