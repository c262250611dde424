"""The pheromone memory: agents find what is strong now, not who said it when (stigmergy; arXiv 2512.10166, 2510.10047).

What is left under a key adds to the strength of that key; strengths fade; whoever looks is shown the strongest keys.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator
from typing import Any

from swarmmind.agents.prompts import tokens as tokens_of
from swarmmind.errors import UserError
from swarmmind.memory.field import Field, Reading
from swarmmind.ports import Memory
from swarmmind.traces import ANSWER, ANYTHING, PROMPT, Query, Trace, Vector

MAX_KEY_CHARACTERS = 200
MAX_KIND_CHARACTERS = 40
_MAX_LEVELS = 32
_MAX_READ_CHARACTERS = 4 * MAX_KEY_CHARACTERS  # of a long text, so much is looked at for its key
_ONE_FOR_ALL = ""


class Pheromone(Memory):
    """A field of keys (see `Field`, also for what its caps promise).

    A trace is deposited under its key, or else under its text in small letters with single spaces; both are cut to 200
    characters. Prompts are ignored, answers are of the kind `answer`. Shown is the key, by its author or by `N agents`,
    with its strength; nobody who is alone in depositing them fills more than half of what is shown while there is
    anything else.

    Args:
        half_life: rounds after which half of a strength is left, above 0.
        limit: how many keys are shown at most.
        tokens: how many tokens of keys are shown at most, counted as characters / 4.
        floor: what has faded below it is gone.
        ceiling: no key gets stronger.
        entries: how many keys are kept at most.
        per_author: how many keys may have one agent among their depositors.
        consensus: by how much each further depositor strengthens what is read; 0.1 is the paper's.
        sample: shown are keys drawn in proportion to their strength, where the reader brings chance; else the
            strongest.
        shared: one field for all; else each scope has its own.

    Raises:
        UserError: a value is out of its range.
    """

    def __init__(
        self,
        half_life: float = 10.0,
        *,
        limit: int = 10,
        tokens: int = 500,
        floor: float = 0.01,
        ceiling: float = 100.0,
        entries: int = 10_000,
        per_author: int = 20,
        consensus: float = 0.0,
        sample: bool = False,
        shared: bool = True,
    ) -> None:
        for name, value in (("limit", limit), ("tokens", tokens)):
            if value < 0:
                raise UserError(f"pheromone: {name} must not be negative, got {value}")
        self.limit, self.tokens, self.sample, self.shared = limit, tokens, sample, shared
        self._empty = Field(
            half_life, floor=floor, ceiling=ceiling, entries=entries, per_author=per_author, consensus=consensus
        )
        self._fields: dict[str, Field] = {}

    def deposit(self, scope: str, trace: Trace, vector: Vector | None = None) -> None:
        """Add a trace's strength to its key; a trace without words is ignored.

        Raises:
            UserError: the strength is negative or not finite.
        """
        if trace.kind == PROMPT:
            return
        key = trace.key[:MAX_KEY_CHARACTERS].strip() or normalized(trace.text)
        if key:
            kind = "answer" if trace.kind == ANSWER else trace.kind[:MAX_KIND_CHARACTERS]
            self._field(scope).deposit(key, trace.strength, trace.author, kind)

    def sense(self, scope: str, query: Query = ANYTHING, rng: random.Random | None = None) -> tuple[Trace, ...]:
        """The strongest keys that answer the query's filters, the strongest first, or a sample of them."""
        field = self._fields.get(self._name(scope))
        if field is None:
            return ()
        kinds = tuple("answer" if kind == ANSWER else kind[:MAX_KIND_CHARACTERS] for kind in query.kinds)
        keys = tuple(key[:MAX_KEY_CHARACTERS].strip() for key in query.keys)
        asked = query._replace(kinds=kinds, keys=keys)  # as they are kept
        found = (reading for reading in field.readings() if _wanted(reading, asked))
        if self.sample and rng is not None:
            found = drawn(found, rng)
        limit = self.limit if query.limit is None else min(query.limit, self.limit)
        left, shown = self.tokens, list[Trace]()
        for reading in mixed(found, limit):
            left -= tokens_of(reading.key)
            if left < 0:
                break
            shown.append(_shown(reading))
        return tuple(shown)

    def reinforce(self, scope: str, key: str, factor: float) -> None:
        """A verdict on all kinds of a key.

        Raises:
            UserError: the factor is negative or not finite.
        """
        field = self._fields.get(self._name(scope))
        if field is not None:
            field.reinforce(key[:MAX_KEY_CHARACTERS].strip(), factor)

    def tick(self) -> None:
        """One round has passed."""
        for field in self._fields.values():
            field.tick()

    def levels(self) -> dict[str, float]:
        """The strongest keys of all fields, each with the strongest of its kinds."""
        readings = [reading for field in self._fields.values() for reading in field.readings()]
        levels: dict[str, float] = {}
        for reading in sorted(readings, key=lambda reading: -reading.strength):
            if len(levels) == _MAX_LEVELS:
                break
            levels.setdefault(reading.key, reading.strength)
        return levels

    def snapshot(self) -> Any:
        """The snapshot of each field, by scope; a shared one has the scope ""."""
        return {scope: field.snapshot() for scope, field in sorted(self._fields.items())}

    def fork(self) -> Pheromone:
        """An independent copy."""
        copy = Pheromone(limit=self.limit, tokens=self.tokens, sample=self.sample, shared=self.shared)
        copy._empty = self._empty
        copy._fields = {scope: field.fork() for scope, field in self._fields.items()}
        return copy

    def _name(self, scope: str) -> str:
        return _ONE_FOR_ALL if self.shared else scope

    def _field(self, scope: str) -> Field:
        name = self._name(scope)
        field = self._fields.get(name)
        if field is None:
            field = self._fields[name] = self._empty.fork()
        return field


def normalized(text: str) -> str:
    """A text as a key: small letters, single spaces, cut."""
    return " ".join(text[:_MAX_READ_CHARACTERS].split()).casefold()[:MAX_KEY_CHARACTERS].strip()


def drawn(readings: Iterable[Reading], rng: random.Random) -> Iterator[Reading]:
    """All readings in random order: each next one is drawn in proportion to strength from those that are left.

    By exponential clocks (Efraimidis and Spirakis 2006): who rings first with rate `strength` comes first.
    """
    clocks = [(-math.log(1.0 - rng.random()) / reading.strength, reading) for reading in readings]
    clocks.sort(key=lambda pair: pair[0])
    return (reading for _, reading in clocks)


def mixed(readings: Iterable[Reading], limit: int) -> list[Reading]:
    """The first `limit` readings, of which at most half (rounded up) have one and the same sole author if it can be."""
    taken, spare = list[tuple[int, Reading]](), list[tuple[int, Reading]]()
    alone: dict[str, int] = {}
    for place, reading in enumerate(readings):
        if len(taken) == limit:
            break
        [author] = reading.authors if len(reading.authors) == 1 else [None]
        if author is not None:
            alone[author] = alone.get(author, 0) + 1
            if alone[author] > (limit + 1) // 2:
                spare.append((place, reading))
                continue
        taken.append((place, reading))
    return [reading for _, reading in sorted([*taken, *spare[: limit - len(taken)]], key=lambda pair: pair[0])]


def _wanted(reading: Reading, query: Query) -> bool:
    return (
        (not query.kinds or reading.kind in query.kinds)
        and (not query.keys or reading.key in query.keys)
        and (not query.authors or not set(query.authors).isdisjoint(reading.authors))
        and (query.max_age is None or reading.age <= query.max_age)
        and reading.strength > 0.0
    )


def _shown(reading: Reading) -> Trace:
    authors = reading.authors
    author = authors[0] if len(authors) == 1 else f"{len(authors)} agents"
    return Trace(reading.key, author, reading.kind, reading.key, reading.strength, reading.age)
