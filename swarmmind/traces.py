"""The nouns of memory: what is left, how it is looked for, and the effects that memory needs of the world.

Memory itself is state of a program: plain objects, no I/O, rebuilt by replay like everything else a program holds. Two
things it cannot do alone are effects: turning texts into vectors (`Embed`), and reading and writing a store that
outlives the run (`Load`, `Persist`). Failures of these are not journaled, so that a resumed run tries again. An effect
that is `free` is executed though the budget is spent: what was paid for is still to be persisted.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from swarmmind.effects import Failure, Usage

Vector: TypeAlias = NDArray[np.float32]
"""A text's place in meaning: one dimension, unit length."""

PROMPT, ANSWER = "user", "assistant"
"""The kinds of a turn: what an agent was told, and what it said. All other kinds are free."""


class Trace(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Something left to be found, by its author or by others; its strength may fade.

    Attributes:
        text: what it says.
        author: the id of the agent that left it.
        kind: `user` and `assistant` are turns of a conversation; other words are free (`note`, `food`, `advice`).
        key: what it is about or where it lies (an answer, an event, a cell); equal keys reinforce each other.
        strength: how much is left; read from a memory: what there is of it now.
        age: ticks since it was left; only set by reading.
    """

    text: str
    author: str = ""
    kind: str = "note"
    key: str = ""
    strength: float = 1.0
    age: int = 0


class Query(NamedTuple):
    """What is looked for; an empty one asks for whatever the memory would show.

    Attributes:
        text: in words.
        vector: the same as a vector, for memories that embed.
        limit: at most so many traces; `None` leaves it to the memory.
        kinds: only these; empty is any.
        authors: only by these; empty is anybody.
        keys: only about these; empty is anything.
        max_age: only if left at most so many ticks ago.
    """

    text: str = ""
    vector: Vector | None = None
    limit: int | None = None
    kinds: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    max_age: int | None = None


ANYTHING = Query()


# --- vectors ----------------------------------------------------------------------------------------------------------


class Embedding(msgspec.Struct, frozen=True, omit_defaults=True):
    """Texts as vectors, or why there are none.

    Attributes:
        dimensions: of each vector.
        data: the vectors one after the other, float32, little endian; each has unit length.
        failure: why there are none; `None` if there are.
        usage: what it cost; texts that were known already cost nothing.
    """

    dimensions: int = 0
    data: bytes = b""
    failure: Failure | None = None
    usage: Usage = Usage()

    def vectors(self) -> NDArray[np.float32]:
        """The vectors, shape (texts, dimensions), in the order of the texts; read-only."""
        return np.frombuffer(self.data, "<f4").reshape(-1, max(self.dimensions, 1))


class Embed(msgspec.Struct, frozen=True):
    """Turn texts into vectors with the task's embedder; the result is an `Embedding`, in the order of the texts."""

    result: ClassVar[Any] = Embedding

    texts: tuple[str, ...]

    def label(self) -> str:
        """The last element of its key."""
        return "embed"


# --- what outlives the run --------------------------------------------------------------------------------------------


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """A row of a long-term store.

    Attributes:
        id: unique in its store, and equal for the same thing left twice.
        scope: whose it is; empty is everybody's.
        kind: `episode`, `fact` or `pattern`.
        text: what is shown to whom it concerns.
        key: what it is about; the episodes and the pattern of one kind of situation share it.
        author: the id of the agent it came from.
        data: the parts of which `text` was made.
        born: the number of the change that made it, over all runs.
        uses, wins, losses: how often it was shown, and what came of it.
        vector: of what it is found by, float32, little endian.
    """

    id: str
    scope: str = ""
    kind: str = "episode"
    text: str = ""
    key: str = ""
    author: str = ""
    data: dict[str, Any] = {}
    born: int = 0
    uses: int = 0
    wins: int = 0
    losses: int = 0
    vector: bytes = b""


class Put(msgspec.Struct, frozen=True, tag="put"):
    """Add an item, or replace the one of the same id."""

    item: Item


class Credit(msgspec.Struct, frozen=True, tag="credit", omit_defaults=True):
    """Add to an item's counts; nothing happens if it is gone."""

    id: str
    uses: int = 0
    wins: int = 0
    losses: int = 0


class Drop(msgspec.Struct, frozen=True, tag="drop"):
    """Forget an item."""

    id: str


Change: TypeAlias = Put | Credit | Drop


class Loaded(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a store held, oldest first, or why it could not be read."""

    items: tuple[Item, ...] = ()
    failure: Failure | None = None


class Load(msgspec.Struct, frozen=True):
    """Read a store whole; the result is a `Loaded`. What is journaled is what the run began with."""

    result: ClassVar[Any] = Loaded
    free: ClassVar[bool] = True

    store: str

    def label(self) -> str:
        """The last element of its key."""
        return "load"


class Persisted(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many changes are durable now, or why they are not."""

    changes: int = 0
    failure: Failure | None = None


class Persist(msgspec.Struct, frozen=True):
    """Write changes to a store, all or none, once even if it is executed twice; the result is a `Persisted`."""

    result: ClassVar[Any] = Persisted
    free: ClassVar[bool] = True

    store: str
    changes: tuple[Change, ...]

    def label(self) -> str:
        """The last element of its key."""
        return "persist"


__all__ = [
    "ANSWER",
    "ANYTHING",
    "PROMPT",
    "Change",
    "Credit",
    "Drop",
    "Embed",
    "Embedding",
    "Item",
    "Load",
    "Loaded",
    "Persist",
    "Persisted",
    "Put",
    "Query",
    "Trace",
    "Vector",
]
