"""Traces that are found by meaning: what is similar, strong and recent, of everything that was left.

    score = max(similarity, 0) * strength now * recency

`similarity` is the inner product of unit vectors; `strength` halves every `half_life` ticks and is renewed by equal
deposits and by verdicts; `recency` is 1 / (1 + age / half_life), or 1 if nothing fades. Ties: the newest first. What
scores 0 (nothing in common, or left without a vector) comes after all that scores, by strength * recency; that is also
the order of everything if the query has no vector. (The score is a product as in Generative Agents, arXiv 2304.03442,
section 4.1, is a sum: here nothing irrelevant is shown for being strong while anything relevant is there.)
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmmind.agents.prompts import tokens as count_tokens
from swarmmind.errors import RunError, UserError
from swarmmind.memory.index import EXACT, Slots
from swarmmind.memory.vector_file import Record, read, write
from swarmmind.memory.vector_shelf import Rules, Shelf
from swarmmind.ports import Memory
from swarmmind.traces import ANSWER, ANYTHING, PROMPT, Query, Trace, Vector

MAX_KIND_CHARACTERS = 40
_LEVELS = 32
_LABEL_CHARACTERS = 40


class Vectors(Memory):
    """Texts by meaning; with a half-life they are traces, which fade unless they are left again.

    Up to `exact` traces that pass a query's filters, ranking is exact. Beyond, it is approximate: candidates are about
    `exact / 3` traces (or a 18th of all that pass, if that is more) for which the similarity of their cell's center,
    times strength and recency, is greatest, and these are ranked exactly; filters hold all the same. What is found of
    the true ten is measured by `benchmarks/memory_vectors.py`: nearly all if texts have topics, as texts do; few if
    vectors are mere noise, which no index helps.

    The same text by the same author about the same key is one trace: left again, its strength is added, its age is 0.
    Prompts are ignored; what an assistant said is kept under the kind `answer`.

    Args:
        shared: one scope for all; else one for each owner.
        half_life: in ticks; `None`: nothing fades.
        limit: at most so many traces are shown, unless the query says otherwise.
        tokens: at most so many are shown in all (characters / 4); what does not fit is left out for what does.
        capacity: at most so many traces are kept in a scope (see `vector_shelf.Shelf` for who makes room).
        per_author: what one author may hold of a shared scope, as a share of `capacity`, but at least one trace.
        characters: of a text; what is longer is cut and says how much is missing. Of a key, too; kinds are cut to 40.
        floor: what is weaker is gone.
        ceiling: nothing is stronger.
        exact: up to so many traces are compared one by one.

    Raises:
        UserError: a value is out of its range.
    """

    def __init__(
        self,
        shared: bool = True,
        half_life: float | None = None,
        limit: int = 10,
        tokens: int = 1500,
        capacity: int = 10_000,
        per_author: float = 0.25,
        characters: int = 4000,
        floor: float = 0.01,
        ceiling: float = 10.0,
        exact: int = EXACT,
    ) -> None:
        self._parameters = {name: value for name, value in locals().items() if name not in ("self", "__class__")}
        _check_ranges(self._parameters)
        self.shared, self.half_life = shared, half_life
        self.limit, self.tokens, self.characters = limit, tokens, characters
        share = max(1, int(capacity * per_author)) if shared else capacity
        fading = 0.0 if half_life is None else 1.0 / half_life
        self._rules = Rules(capacity, share, fading, floor, ceiling, exact)
        self._now = 0
        self._dimensions: int | None = None
        self._shelves: dict[str, Shelf] = {}

    @property
    def embeds(self) -> bool:
        """Deposits and queries should come with vectors."""
        return True

    def deposit(self, scope: str, trace: Trace, vector: Vector | None = None) -> None:
        """Leave a trace; prompts leave none.

        Raises:
            UserError: the vector has another number of dimensions than the first one, or is not finite; or the
                strength is not finite.
        """
        if trace.kind == PROMPT:
            return
        if not math.isfinite(trace.strength):
            raise UserError(f"vectors: strength: must be finite, got {trace.strength}")
        if vector is not None:
            vector = self._checked(vector)
            self._dimensions = len(vector)
        kind = "answer" if trace.kind == ANSWER else trace.kind[:MAX_KIND_CHARACTERS]
        if kind != trace.kind or len(trace.text) > self.characters or len(trace.key) > self.characters:
            trace = Trace(self._cut(trace.text), trace.author, kind, trace.key[: self.characters], trace.strength)
        name = "" if self.shared else scope
        shelf = self._shelves.get(name)
        if shelf is None:
            shelf = self._shelves[name] = Shelf(self._rules)
        shelf.put(self._now, trace, vector)

    def sense(self, scope: str, query: Query = ANYTHING, rng: random.Random | None = None) -> tuple[Trace, ...]:
        """The best that passes the query's filters, best first, bounded in number and tokens; exact (no noise).

        Raises:
            UserError: the query's vector has another number of dimensions than the first one, or is not finite.
        """
        vector = None if query.vector is None else self._checked(query.vector)
        shelf = self._shelves.get("" if self.shared else scope)
        limit = self.limit if query.limit is None else query.limit
        if shelf is None or limit <= 0:
            return ()
        found: list[Trace] = []
        left = self.tokens
        for slot in _ranked(shelf, self._now, self._known(query), vector, limit).tolist():
            trace = shelf.shown(slot, self._now)
            if count_tokens(trace.text) <= left:
                left -= count_tokens(trace.text)
                found.append(trace)
        return tuple(found)

    def delete(self, scope: str, query: Query = ANYTHING) -> int:
        """Forget what passes the query's filters (its words, vector and limit do not matter); how many that were."""
        shelf = self._shelves.get("" if self.shared else scope)
        if shelf is None:
            return 0
        slots = np.flatnonzero(shelf.weights(self._now, self._known(query))).tolist()
        shelf.remove(slots)
        return len(slots)

    def reinforce(self, scope: str, key: str, factor: float) -> None:
        """Multiply the strength of everything about `key` (not empty), within floor and ceiling; ages stay.

        Raises:
            UserError: the factor is negative or not finite.
        """
        if not 0.0 <= factor < math.inf:
            raise UserError(f"vectors: factor: must be at least 0 and finite, got {factor}")
        shelf = self._shelves.get("" if self.shared else scope)
        if shelf is not None and key:
            shelf.reinforce(self._now, key[: self.characters], factor)

    def tick(self) -> None:
        """One round has passed; nothing is touched."""
        self._now += 1

    def levels(self) -> dict[str, float]:
        """The strongest, by key or by the first 40 characters of the text; empty if nothing fades."""
        found: dict[str, float] = {}
        for shelf in self._shelves.values() if self.half_life is not None else ():
            for label, strength in _strongest(shelf, self._now).items():
                found[label] = max(strength, found.get(label, 0.0))
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0]))[:_LEVELS])

    def snapshot(self) -> Any:
        """The tick, and the rows (see `vector_shelf.Shelf.row`) of every scope that holds any, oldest first."""
        rows = {name: [shelf.row(slot) for slot in shelf.alive(self._now)] for name, shelf in self._scopes()}
        return {"tick": self._now, "scopes": {name: found for name, found in rows.items() if found}}

    def fork(self) -> Vectors:
        """An independent copy; vectors are copied when one of the two next writes."""
        other = Vectors(**self._parameters)
        other._now, other._dimensions = self._now, self._dimensions
        other._shelves = {name: shelf.fork() for name, shelf in self._shelves.items()}
        return other

    def save(self, path: Path) -> None:
        """Write everything to one SQLite file, vectors included, in one step.

        Raises:
            RunError: it cannot be written; what was there before is untouched.
        """
        write(path, self._records())

    @classmethod
    def load(cls, path: Path) -> Vectors:
        """What was saved, with its parameters: it shows what the saved one showed, and goes on likewise.

        Raises:
            RunError: there is no such file, or it is damaged; nothing is loaded from a damaged one.
        """
        records = iter(read(path))
        try:
            header = json.loads(next(records).body)
            memory = cls(**header["parameters"])
            memory._now, memory._dimensions = header["tick"], header["dimensions"]
            for name in header["scopes"]:
                shelf = memory._shelves[name] = Shelf(memory._rules)
                settled = next(records)
                state = json.loads(settled.body)
                for slot in state["slots"]:
                    body, data = next(records)
                    shelf.restore(slot, json.loads(body), np.frombuffer(data, "<f4") if data else None)
                codebook = np.frombuffer(settled.vector, "<f4").reshape(-1, memory._dimensions or 1)
                shelf.settle(state, codebook if len(codebook) else None)
        except (KeyError, IndexError, TypeError, ValueError, StopIteration, UserError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise RunError(f"{path}: saved by another version of swarmmind ({reason})") from error
        return memory

    def _records(self) -> Iterable[Record]:
        scopes = self._scopes()
        yield _record(
            {
                "parameters": self._parameters,
                "tick": self._now,
                "dimensions": self._dimensions,
                "scopes": [name for name, _ in scopes],
            }
        )
        for _, shelf in scopes:
            slots, index = shelf.kept(), shelf.index
            yield _record(shelf.state(slots), None if index is None else index.codebook)
            for slot in slots.tolist():
                yield _record(shelf.row(slot), None if index is None else index.vector(slot))

    def _scopes(self) -> list[tuple[str, Shelf]]:
        return sorted(self._shelves.items())

    def _known(self, query: Query) -> Query:
        """A query's filters in the words of what is kept."""
        kinds = tuple("answer" if kind == ANSWER else kind[:MAX_KIND_CHARACTERS] for kind in query.kinds)
        return query._replace(kinds=kinds, keys=tuple(key[: self.characters] for key in query.keys))

    def _cut(self, text: str) -> str:
        missing = len(text) - self.characters
        return text if missing <= 0 else f"{text[: self.characters]}… [{missing:,} more characters]"

    def _checked(self, vector: Vector) -> Vector:
        """A vector of unit length (or zero) and of as many dimensions as all others."""
        vector = np.ascontiguousarray(vector, np.float32)
        if vector.shape != (self._dimensions or max(vector.size, 1),):
            expected = "a row of numbers" if self._dimensions is None else f"{self._dimensions} dimensions as before"
            raise UserError(f"vectors: expected {expected}, got the shape {vector.shape}")
        length = float(vector.dot(vector))
        if 0.999 < length < 1.001:
            return vector
        wide = vector.astype(np.float64)
        exactly = float(np.sqrt((wide * wide).sum()))
        if not math.isfinite(exactly):
            raise UserError("vectors: expected finite numbers in a vector, got infinity or none at all")
        return vector if exactly == 0.0 else (wide / exactly).astype(np.float32)


def _check_ranges(given: dict[str, Any]) -> None:
    for name in ("capacity", "characters", "exact"):
        if given[name] < 1:
            raise UserError(f"vectors: {name}: must be at least 1, got {given[name]}")
    for name in ("limit", "tokens"):
        if given[name] < 0:
            raise UserError(f"vectors: {name}: must not be negative, got {given[name]}")
    half_life, floor, ceiling, share = given["half_life"], given["floor"], given["ceiling"], given["per_author"]
    if half_life is not None and not 1e-3 <= half_life < math.inf:
        raise UserError(f"vectors: half_life: must be at least 0.001 ticks, or null for never, got {half_life}")
    if not 0.0 < floor < math.inf:
        raise UserError(f"vectors: floor: must be above 0, got {floor}")
    if not floor <= ceiling < math.inf:
        raise UserError(f"vectors: ceiling: must be finite and at least the floor ({floor}), got {ceiling}")
    if not 0.0 < share <= 1.0:
        raise UserError(f"vectors: per_author: must be above 0 and at most 1, got {share}")


# --- ranking ----------------------------------------------------------------------------------------------------------


def _ranked(shelf: Shelf, now: int, query: Query, vector: Vector | None, limit: int) -> Slots:
    weights = shelf.weights(now, query)
    there = weights > 0.0
    index, order = shelf.index, shelf.columns.order
    if vector is None or index is None:
        return _heaviest(np.flatnonzero(there), weights, order, limit)
    count = int(np.count_nonzero(there))
    if count > index.exact:
        outlook = index.outlook(vector, len(weights))
        if outlook is not None:
            most = index.loose + -(-max(index.exact, count // 6) // 3)
            best = _best(shelf, _promising(outlook, weights, most), weights, vector, limit)
            if len(best) == limit:
                return best
    slots = np.flatnonzero(there)
    best = _best(shelf, slots, weights, vector, limit)
    rest = slots[~np.isin(slots, best)] if len(best) < limit else slots[:0]
    return np.concatenate([best, _heaviest(rest, weights, order, limit - len(best))])


def _promising(outlook: NDArray[np.float32], weights: NDArray[np.float64], most: int) -> Slots:
    """About `most` slots for which outlook * weight is greatest: all that are as good as the last of them."""
    np.multiply(outlook, weights, out=outlook, casting="same_kind")
    bar = np.partition(outlook, -most)[-most] if most < len(outlook) else 0.0
    return np.flatnonzero(outlook >= bar if bar > 0.0 else outlook > 0.0)


def _best(shelf: Shelf, slots: Slots, weights: NDArray[np.float64], vector: Vector, limit: int) -> Slots:
    """Those of the slots that score above 0, best first; a fast pass leaves few to be computed exactly."""
    index = shelf.index
    assert index is not None
    near, weight = index.similarities(vector, slots), weights[slots]
    low, high = (near - index.tolerance) * weight, (near + index.tolerance) * weight
    bar = max(float(np.partition(low, -limit)[-limit]), 0.0) if len(slots) > limit else 0.0
    slots = slots[(high >= bar) & (high > 0.0)]
    weight = weights[slots]
    score = index.exact_similarities(vector, slots) * weight
    best = np.lexsort((shelf.columns.order[slots], weight, score))[::-1][:limit]
    return slots[best[score[best] > 0.0]]


def _heaviest(slots: Slots, weights: NDArray[np.float64], order: NDArray[np.int64], limit: int) -> Slots:
    """By weight, then by newness."""
    weight = weights[slots]
    if 0 < limit < len(slots):
        bar = np.partition(weight, -limit)[-limit]
        slots = slots[weight >= bar]
        weight = weights[slots]
        if len(slots) > limit:  # many are as heavy as the last one: the newest of these
            tied = slots[weight == bar]
            newest = tied[np.argsort(order[tied])[::-1][:limit]]
            slots = np.concatenate([slots[weight > bar], newest])
            weight = weights[slots]
    return slots[np.lexsort((order[slots], weight))[::-1][:limit]]


def _strongest(shelf: Shelf, now: int) -> dict[str, float]:
    """The strongest trace of each of at most 32 labels."""
    strengths = shelf.strengths(now, slice(0, len(shelf.traces)))
    found: dict[str, float] = {}
    for slot in np.lexsort((shelf.columns.order[: len(strengths)], strengths))[::-1].tolist():
        trace = shelf.traces[slot]
        if trace is None or not strengths[slot] or len(found) == _LEVELS:
            break
        label = trace.key or trace.text
        found.setdefault(" ".join(label[:_LABEL_CHARACTERS].split()), float(strengths[slot]))
    return found


def _record(data: Any, vector: NDArray[np.float32] | None = None) -> Record:
    """As ASCII, so that a lone surrogate in a text comes back as it was."""
    return Record(json.dumps(data).encode(), b"" if vector is None else vector.astype("<f4").tobytes())


__all__ = ["Vectors"]
