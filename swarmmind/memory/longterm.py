"""Long-term memory in three tiers that outlives the run (OMNE, arXiv 2410.15665; the tiers are this project's reading).

    episode {task, steps, outcome}          what was tried, and what came of it
    fact {subject, relation, object, source}
    pattern {situation, advice}             what many episodes come to, with wins, losses and last use

What is found is ranked by similarity x recency x success:
    similarity = the inner product of the vectors to the fourth power, so that a good record does not make up for
                 being about something else; nothing at or below 0 is shown (1 for all if nothing is looked for);
    recency    = 2 ** -(changes since the last use, or since it was left / half-life);
    success    = (wins + 1) / (wins + losses + 2).
Only evaluated outcomes count: what was left without a verdict stands at one half.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from copy import copy as shallow
from hashlib import blake2b
from typing import Annotated, Any

import msgspec
from pydantic import Field

from swarmmind.agents.prompts import tokens as tokens_of
from swarmmind.errors import Failed, UserError
from swarmmind.memory.shelf import Shelf, last_use, success
from swarmmind.memory.store import credited
from swarmmind.ports import Durable, Memory
from swarmmind.runtime.journal import characters as sound
from swarmmind.spec import paths
from swarmmind.traces import ANSWER, ANYTHING, PROMPT, Change, Credit, Drop, Item, Put, Query, Trace, Vector

EPISODE, FACT, PATTERN = TIERS = ("episode", "fact", "pattern")
EVERYBODY = ""
"""The scope that all share; an agent's id is its private one."""

_OUTCOMES = {"success": "right", "failure": "wrong", ANSWER: "", "answer": "", EPISODE: ""}
_SPLIT = "\n=> "
_SHARPNESS = 4
_MAX_NAME = 200

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(gt=0)]


class LongTerm(Memory):
    """Episodes, facts and patterns, everybody's and each agent's own.

    As the memory of any topology it keeps what is left in a scope by its kind: `assistant`, `answer` and `episode` are
    episodes nobody judged, `success` and `failure` are judged ones, `pattern` is a pattern, `user` (a prompt) is
    ignored, and any other kind is a fact. A text `X <newline>=> Y` is read as task and steps, or situation and advice;
    a fact `X | Y | Z` as subject, relation and object. An author's pattern about a key takes the place of its earlier
    one. The same thing left twice is one item.

    A scope shows what is everybody's, and what is its own. A verdict (`reinforce`) is a win for a factor above 1 and a
    loss below; an episode takes one verdict, facts and patterns take all.

    Args:
        store: its file, in the task's folder.
        episodes, facts, patterns: how many are kept in each scope; a store that holds more is cut to it.
        limit: how many are shown unless the query says otherwise.
        tokens: of all that is shown, at characters / 4.
        characters: what is longer is cut to so many.
        half_life: changes after which an unused item is worth half.
        shared: what anybody leaves is everybody's.

    Raises:
        UserError: the store lies outside of the task's folder.
    """

    def __init__(
        self,
        store: str = ".swarmmind/longterm.sqlite",
        episodes: Count = 500,
        facts: Count = 500,
        patterns: Count = 200,
        limit: Positive = 6,
        tokens: Positive = 2000,
        characters: Positive = 2000,
        half_life: Annotated[float, Field(gt=0)] = 1000,
        shared: bool = False,
    ) -> None:
        try:
            if not store.strip():
                raise ValueError("must be a file in the task's folder")
            paths.inside(paths.Path("/"), store)
        except ValueError as error:
            raise UserError(f"the store {error}, got {store!r:.80}") from None
        self.store = store
        self._capacities: dict[str, int] = {EPISODE: episodes, FACT: facts, PATTERN: patterns}
        self._limit, self._tokens, self._characters = limit, tokens, characters
        self._half_life, self._shared = half_life, shared
        self._shelves: dict[tuple[str, str], Shelf] = {}
        self._changes: list[Change] = []
        self._loaded = False
        self._clock = self._ticks = self._dimensions = 0
        self._left: dict[str, int] = {}

    @property
    def embeds(self) -> bool:
        """It finds by likeness."""
        return True

    # --- leaving -----------------------------------------------------------------------------------------------------

    def deposit(self, scope: str, trace: Trace, vector: Vector | None = None) -> None:
        """Keep a trace in its tier; texts without a word, and prompts, are ignored.

        Raises:
            Failed: the vector is not of the store's dimensions.
        """
        if trace.kind == PROMPT or not trace.text.strip():
            return
        item = self._item(EVERYBODY if self._shared else _name(scope), trace, vector)
        shelf = self._shelf(item.scope, item.kind)
        if item.id in shelf.items:
            self._verdict(shelf, shelf.items[item.id], item.wins, item.losses)
            return
        self._clock += 1
        item = msgspec.structs.replace(item, born=self._clock)
        if item.kind == PATTERN and item.key:
            self._forget(shelf, [old for old in _about(shelf, item.key) if old.author == item.author])
        self._changes.append(Put(item))
        self._left[item.id] = self._ticks
        self._forget(shelf, shelf.put(item))

    def _item(self, scope: str, trace: Trace, vector: Vector | None) -> Item:
        kind = EPISODE if trace.kind in _OUTCOMES else PATTERN if trace.kind == PATTERN else FACT
        text, key, author = sound(trace.text[: self._characters]), _name(trace.key), _name(trace.author)
        outcome = _OUTCOMES.get(trace.kind, "")
        digest = blake2b(msgspec.msgpack.encode((scope, kind, key, text)), digest_size=16).hexdigest()
        data = _parts(kind, text, key, outcome or "unknown", _name(trace.kind), author)
        counts = {"wins": int(outcome == "right"), "losses": int(outcome == "wrong")}
        raw = b"" if vector is None else self._checked(vector).astype("<f4").tobytes()
        return Item(digest, scope, kind, text, key, author, data, vector=raw, **counts)

    def _checked(self, vector: Vector) -> Vector:
        self._dimensions = self._dimensions or vector.size
        if vector.size != self._dimensions:
            raise Failed(
                f"{self.store}: holds vectors of {self._dimensions} dimensions and the task's embedder gives "
                f"{vector.size}; use the embedder that the store was made with, or another store"
            )
        return vector

    def _forget(self, shelf: Shelf, items: Iterable[Item]) -> None:
        for item in items:
            shelf.drop(item.id)
            self._left.pop(item.id, None)
            self._changes.append(Drop(item.id))

    def reinforce(self, scope: str, key: str, factor: float) -> None:
        """A verdict on what the scope sees about `key` (a key, or an item's id); on an episode only the first."""
        if not key:
            return
        for shelf in self._seen(_name(scope), TIERS):
            for item in _about(shelf, _name(key)):
                if item.kind != EPISODE or not item.wins + item.losses:
                    self._verdict(shelf, item, int(factor > 1), int(factor < 1), uses=1)

    def _verdict(self, shelf: Shelf, item: Item, wins: int, losses: int, uses: int = 0) -> None:
        if not (uses or wins or losses):
            return
        self._clock += 1
        self._changes.append(Credit(item.id, uses, wins, losses))
        shelf.replace(credited(item, uses, wins, losses, self._clock))

    # --- reading -----------------------------------------------------------------------------------------------------

    def sense(self, scope: str, query: Query = ANYTHING, rng: random.Random | None = None) -> tuple[Trace, ...]:
        """What the scope may see and the query asks for, the highest rank first.

        A text ends with what is known about it. The strength is recency x success. Kinds are tiers or the kinds that
        were left; the age of what an earlier run left is one tick more than this run has lived.

        Raises:
            Failed: the query's vector is not of the store's dimensions.
        """
        ranked: list[tuple[float, float, Item]] = []
        for shelf in self._seen(_name(scope), TIERS):
            near = None if query.vector is None else shelf.similarities(self._checked(query.vector))
            for item in shelf.items.values():
                similarity = 1.0 if near is None else max(near.get(item.id, 0.0), 0.0) ** _SHARPNESS
                if similarity > 0 and self._wanted(item, query):
                    strength = self._strength(item)
                    ranked.append((similarity * strength, strength, item))
        ranked.sort(key=lambda entry: (-entry[0], -entry[2].born, entry[2].id))
        shown: list[Trace] = []
        left = self._tokens
        for _, strength, item in ranked:
            if len(shown) == (self._limit if query.limit is None else query.limit):
                break
            trace = Trace(
                item.text + _record(item), item.author, item.kind, item.key, round(strength, 6), self._age(item)
            )
            if tokens_of(trace.text) <= left:
                left -= tokens_of(trace.text)
                shown.append(trace)
        return tuple(shown)

    def _strength(self, item: Item) -> float:
        return success(item) * 2.0 ** -((self._clock - last_use(item)) / self._half_life)

    def _age(self, item: Item) -> int:
        return self._ticks - self._left.get(item.id, -1)

    def _wanted(self, item: Item, query: Query) -> bool:
        kinds = {item.kind, item.data.get("relation") if item.kind == FACT else item.kind}
        return (
            (not query.kinds or not kinds.isdisjoint(query.kinds) or (item.kind == EPISODE and ANSWER in query.kinds))
            and (not query.authors or item.author in map(_name, query.authors))
            and (not query.keys or item.key in map(_name, query.keys))
            and (query.max_age is None or self._age(item) <= query.max_age)
        )

    def _seen(self, scope: str, kinds: Sequence[str]) -> list[Shelf]:
        scopes = dict.fromkeys((scope, EVERYBODY))
        return [self._shelves[at, kind] for at in scopes for kind in kinds if (at, kind) in self._shelves]

    def _shelf(self, scope: str, kind: str) -> Shelf:
        shelf = self._shelves.get((scope, kind))
        if shelf is None:
            shelf = self._shelves[scope, kind] = Shelf(self._capacities[kind], self._half_life)
        return shelf

    # --- time, copies, and what outlives the run ----------------------------------------------------------------------

    def tick(self) -> None:
        """One round has passed; nothing fades by rounds here, but ages are told in them."""
        self._ticks += 1

    def snapshot(self) -> Any:
        """All items without their vectors, by scope and tier, and the clocks."""
        shelves = {
            f"{kind}/{scope}": [msgspec.to_builtins(_bare(item)) for item in shelf.items.values()]
            for (scope, kind), shelf in sorted(self._shelves.items())
        }
        return {"clock": self._clock, "ticks": self._ticks, "left": dict(sorted(self._left.items())), "items": shelves}

    def stores(self) -> Sequence[Durable]:
        """Itself."""
        return (self,)

    @property
    def loaded(self) -> bool:
        """Whether it was given what its store held."""
        return self._loaded

    def load(self, items: Sequence[Item]) -> None:
        """Begin with these; what is too much for the capacities is forgotten, here and in the store."""
        self._shelves, self._changes, self._left = {}, [], {}
        self._loaded = True
        self._dimensions = next((len(item.vector) // 4 for item in items if item.vector), 0)
        self._clock = max((last_use(item) for item in items), default=0)
        for item in items:
            if item.kind in TIERS and len(item.vector) in (0, 4 * self._dimensions):
                shelf = self._shelf(item.scope, item.kind)
                self._forget(shelf, shelf.put(item))

    def changes(self) -> tuple[Change, ...]:
        """What changed since this was last asked."""
        changes, self._changes = tuple(self._changes), []
        return changes

    def fork(self) -> LongTerm:
        """An independent copy; what this one has yet to persist stays with this one."""
        copy = shallow(self)
        copy._shelves = {at: shelf.copy() for at, shelf in self._shelves.items()}
        copy._changes, copy._left = [], dict(self._left)
        return copy


def _bare(item: Item) -> Item:
    return msgspec.structs.replace(item, vector=b"")


def _about(shelf: Shelf, key: str) -> list[Item]:
    return [item for item in shelf.items.values() if key in (item.key, item.id)]


def _name(text: str) -> str:
    """A key, scope or author as it is kept: short, and still itself."""
    if len(text) <= _MAX_NAME:
        return sound(text)
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{sound(text[: _MAX_NAME - 20])}#{digest}"


def _parts(kind: str, text: str, key: str, outcome: str, relation: str, author: str) -> dict[str, Any]:
    """The parts of a text, by the tier it belongs to."""
    if kind == FACT:
        named = [part.strip() for part in text.split("|", 2)]
        if len(named) < 3:
            named = [key, relation, text]
        subject, relation, what = named
        return {"subject": subject, "relation": relation, "object": what, "source": author}
    head, found, tail = text.partition(_SPLIT)
    about, rest = (head, tail) if found else (key, text)
    if kind == EPISODE:
        return {"task": about, "steps": rest, "outcome": outcome}
    return {"situation": about, "advice": rest}


def _record(item: Item) -> str:
    """What is known about an item, for its reader."""
    if not item.wins + item.losses:
        return ""
    if item.kind == EPISODE:
        return f"\n(was judged {'right' if item.wins else 'wrong'})"
    return f"\n(shown before: {item.wins} times right, {item.losses} times wrong)"


__all__ = ["EPISODE", "EVERYBODY", "FACT", "PATTERN", "LongTerm"]
