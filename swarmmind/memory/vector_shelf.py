"""The traces of one scope: what they say, how strong they are, whose they are, and who makes room for whom.

Strength is kept with the tick it was true at and fades when it is read: `strength * 0.5 ** (ticks since / half_life)`.
Nothing is swept as time passes; what has faded below the floor is gone for every reader and dropped, all at once, when
its place is needed.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from swarmmind.memory.index import Index, Slots
from swarmmind.memory.vector_columns import Columns, Labels
from swarmmind.traces import Query, Trace, Vector

_SMALLEST = 16
_STALE = 64
_ROUNDING = 1e-6  # of a logarithm: who might be gone is looked at

Entry: TypeAlias = tuple[float, int, int]
"""Order of leaving (weakest first, then oldest), sequence number, slot."""


class Rules(NamedTuple):
    """The bounds of a shelf; `fading` is 1 / half-life in ticks, 0 if nothing fades."""

    capacity: int
    share: int
    fading: float
    floor: float
    ceiling: float
    exact: int


class Holdings:
    """Who holds how many, and who holds most; O(1) per change."""

    def __init__(self) -> None:
        self.heaps: dict[str, list[Entry]] = {}
        self.most = 0
        self._counts: dict[str, int] = {}
        self._holders: dict[int, dict[str, None]] = {}

    def count(self, author: str) -> int:
        """How many an author holds."""
        return self._counts.get(author, 0)

    def largest(self) -> str:
        """Who holds most; of several, whoever came to it first."""
        return next(iter(self._holders[self.most]))

    def change(self, author: str, by: int) -> None:
        """One more (`by` = 1) or one less (-1)."""
        before = self._counts.get(author, 0)
        after = before + by
        if before:
            same = self._holders[before]
            del same[author]
            if not same:
                del self._holders[before]
        if after:
            self._counts[author] = after
            self._holders.setdefault(after, {})[author] = None
            self.most = max(self.most, after)
        else:
            del self._counts[author]
            del self.heaps[author]
        while self.most and self.most not in self._holders:
            self.most -= 1

    def order(self) -> list[str]:
        """All authors, in an order from which `reorder` restores who comes first among equals."""
        return [author for count in sorted(self._holders) for author in self._holders[count]]

    def reorder(self, authors: Iterable[str]) -> None:
        """Restore who comes first among equals."""
        self._holders = {}
        for author in authors:
            if author in self._counts:
                self._holders.setdefault(self._counts[author], {})[author] = None

    def fork(self) -> Holdings:
        """An independent copy."""
        other = Holdings()
        other.heaps = {author: heap.copy() for author, heap in self.heaps.items()}
        other.most, other._counts = self.most, self._counts.copy()
        other._holders = {count: names.copy() for count, names in self._holders.items()}
        return other


class Shelf:
    """The traces of one scope; whoever calls says what time it is, in ticks.

    When there is no room: an author at its share gives up its own weakest trace; otherwise the author who holds most
    does (the newcomer itself, if nobody holds more). So nobody loses anything to others while holding no more than
    capacity / authors. Of equally weak traces the oldest goes.
    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.index: Index | None = None
        self.traces: list[Trace | None] = []
        self.columns = Columns(_SMALLEST)
        self.count = 0
        self._sequence = 0
        self._swept = -1
        self._lowest = math.inf  # no trace is weaker, as of tick 0
        self._gone = math.log2(rules.floor) + _ROUNDING
        self._free: list[int] = []
        self._where: dict[tuple[str, str, str], int] = {}
        self._entries: list[Entry | None] = []
        self._authors, self._kinds, self._keys = Labels(), Labels(), Labels()
        self._holdings = Holdings()

    # --- reading ------------------------------------------------------------------------------------------------------

    def strengths(self, now: int, slots: Slots | slice) -> NDArray[np.float64]:
        """How strong these are now; below the floor is gone: 0."""
        columns, rules = self.columns, self.rules
        if not rules.fading:
            return columns.strength[slots] * (columns.strength[slots] >= rules.floor)
        strength = columns.since[slots] - now
        strength *= rules.fading
        np.exp2(strength, out=strength)
        strength *= columns.strength[slots]
        strength *= strength >= rules.floor
        return strength

    def weights(self, now: int, query: Query) -> NDArray[np.float64]:
        """Strength now * recency, by slot; 0 if it is free, gone, or a filter of the query does not let it through.

        Recency is 1 / (1 + age / half-life), in (0, 1]; 1 if nothing fades.
        """
        everything = slice(0, len(self.traces))
        weights = self.strengths(now, everything)
        if self.rules.fading:
            ages = now - self.columns.born[everything]
            ages *= self.rules.fading
            ages += 1.0
            weights /= ages
        passing = self._passing(now, query)
        return weights if passing is None else weights * passing

    def _passing(self, now: int, query: Query) -> NDArray[np.bool_] | None:
        """Which slots the filters let through, free and faded ones included; `None` if there are no filters."""
        size, found = len(self.traces), None
        for labels, words, column in (
            (self._authors, query.authors, self.columns.author),
            (self._kinds, query.kinds, self.columns.kind),
            (self._keys, query.keys, self.columns.key),
        ):
            if words:
                mask = labels.among(words, column[:size])
                found = mask if found is None else found & mask
        if query.max_age is not None:
            mask = self.columns.born[:size] >= now - query.max_age
            found = mask if found is None else found & mask
        return found

    def alive(self, now: int) -> Slots:
        """The slots of all live traces, oldest first."""
        slots = np.flatnonzero(self.strengths(now, slice(0, len(self.traces))))
        return slots[np.argsort(self.columns.order[slots])]

    def kept(self) -> Slots:
        """The slots of all traces, oldest first, with those that have faded away but not made room yet."""
        slots = np.array([slot for slot, trace in enumerate(self.traces) if trace is not None], np.int64)
        return slots[np.argsort(self.columns.order[slots])]

    def shown(self, slot: int, now: int) -> Trace:
        """A trace as it is now."""
        trace = self.traces[slot]
        assert trace is not None
        strength = float(self.strengths(now, np.array([slot]))[0])
        return Trace(trace.text, trace.author, trace.kind, trace.key, strength, now - int(self.columns.born[slot]))

    # --- writing ------------------------------------------------------------------------------------------------------

    def put(self, now: int, trace: Trace, vector: Vector | None) -> None:
        """Leave a trace, or strengthen and renew the equal one of its author; below the floor nothing is left."""
        identity = (trace.author, trace.key, trace.text)
        slot = self._where.get(identity)
        if slot is None:
            if trace.strength < self.rules.floor:
                return
            slot = self._where[identity] = self._place(now, trace)
            strength = trace.strength
        else:
            strength = trace.strength + self._strength(slot, now)
            if strength < self.rules.floor:
                return
            self._rename(slot, trace)
        cells = self.columns.cells
        cells.born[slot] = now
        cells.order[slot] = self._sequence
        self._sequence += 1
        self._set(slot, strength, now)
        if vector is not None:
            if self.index is None:
                self.index = Index(len(vector), self.rules.exact)
            self.index.put(slot, vector)

    def reinforce(self, now: int, key: str, factor: float) -> None:
        """Multiply the strength of everything about `key`, within floor and ceiling; what is gone stays gone."""
        size = len(self.traces)
        about = np.flatnonzero(self._keys.among([key], self.columns.key[:size]))
        for slot, strength in zip(about.tolist(), self.strengths(now, about).tolist(), strict=True):
            if strength:
                self._set(slot, max(strength * factor, self.rules.floor), now)

    def remove(self, slots: Iterable[int]) -> None:
        """Forget these traces."""
        for slot in slots:
            trace = self.traces[slot]
            assert trace is not None
            del self._where[trace.author, trace.key, trace.text]
            cells = self.columns.cells
            self._authors.release(cells.author[slot])
            self._kinds.release(cells.kind[slot])
            self._keys.release(cells.key[slot])
            cells.strength[slot] = 0.0
            self.traces[slot] = self._entries[slot] = None
            self._holdings.change(trace.author, -1)
            self.count -= 1
            heapq.heappush(self._free, slot)
            if self.index is not None:
                self.index.remove(slot)

    def fork(self) -> Shelf:
        """An independent copy; vectors are copied when one of the two next writes."""
        other = Shelf(self.rules)
        other.index = self.index and self.index.fork()
        other.traces, other.columns = self.traces.copy(), self.columns.resized(len(self.columns.strength))
        other.count, other._sequence, other._swept = self.count, self._sequence, self._swept
        other._lowest = self._lowest
        other._free, other._where, other._entries = self._free.copy(), self._where.copy(), self._entries.copy()
        other._authors, other._kinds, other._keys = self._authors.fork(), self._kinds.fork(), self._keys.fork()
        other._holdings = self._holdings.fork()
        return other

    # --- as data ------------------------------------------------------------------------------------------------------

    def row(self, slot: int) -> list[Any]:
        """A trace as JSON data: text, author, kind, key, strength, the tick that was true at, the tick it was left."""
        trace, columns = self.traces[slot], self.columns
        assert trace is not None
        times = [float(columns.strength[slot]), int(columns.since[slot]), int(columns.born[slot])]
        return [trace.text, trace.author, trace.kind, trace.key, *times]

    def state(self, slots: Slots) -> dict[str, Any]:
        """What, beside the rows of these slots, decides about what comes later; as JSON data."""
        index = self.index.state(slots) if self.index else None
        return {"slots": slots.tolist(), "holders": self._holdings.order(), "index": index}

    def restore(self, slot: int, row: Sequence[Any], vector: Vector | None) -> None:
        """Add a `row` as it was, where it was; rows come in the order in which they were left.

        Raises:
            ValueError: the slot is none, or is taken.
        """
        text, author, kind, key, strength, since, born = row
        if not 0 <= slot < self.rules.capacity or (slot < len(self.traces) and self.traces[slot] is not None):
            raise ValueError(f"slot {slot} twice, or out of range")
        while len(self.traces) <= slot:
            self._append()
        self._free = [slot]
        if vector is not None and self.index is None:
            self.index = Index(len(vector), self.rules.capacity)  # no cells before `settle`
        self.put(since, Trace(text, author, kind, key, strength), vector)
        self.columns.born[self._where[author, key, text]] = born

    def settle(self, state: dict[str, Any], codebook: NDArray[np.float32] | None) -> None:
        """All rows are restored: restore the rest."""
        self._free = [slot for slot, trace in enumerate(self.traces) if trace is None]  # ascending, so a heap
        self._holdings.reorder(state["holders"])
        if self.index is not None:
            self.index.exact = self.rules.exact
            self.index.restore(state["index"], codebook)

    # --- inside -------------------------------------------------------------------------------------------------------

    def _strength(self, slot: int, now: int) -> float:
        return float(self.strengths(now, slice(slot, slot + 1))[0])

    def _set(self, slot: int, strength: float, now: int) -> None:
        cells, rules = self.columns.cells, self.rules
        strength = min(strength, rules.ceiling)
        cells.strength[slot] = strength
        cells.since[slot] = now
        # all fade at one rate, so who is weaker than whom does not change with time: log2 of the strength at tick 0
        entry = (math.log2(strength) + now * rules.fading, cells.order[slot], slot)
        self._entries[slot] = entry
        self._lowest = min(self._lowest, entry[0])
        trace = self.traces[slot]
        assert trace is not None
        heap = self._holdings.heaps.setdefault(trace.author, [])
        heapq.heappush(heap, entry)
        if len(heap) > 2 * self._holdings.count(trace.author) + _STALE:
            heap[:] = [entry for entry in heap if self._entries[entry[2]] is entry]
            heapq.heapify(heap)

    def _place(self, now: int, trace: Trace) -> int:
        """A slot for a new trace: a free one, or the one of whoever must make room for it."""
        if not self._crowded(trace.author):
            return self._occupy(trace)
        if self._swept != now and self._lowest - now * self.rules.fading < self._gone:
            self._sweep(now)
            if not self._crowded(trace.author):
                return self._occupy(trace)
        held = self._holdings.count(trace.author)
        own = held >= min(self.rules.share, self._holdings.most)
        slot = self._weakest(trace.author if own else self._holdings.largest())
        self._replace(slot, trace)
        return slot

    def _sweep(self, now: int) -> None:
        """What is gone goes before anything else does; nothing more is gone until time passes."""
        strengths = self.strengths(now, slice(0, len(self.traces)))
        self.remove(slot for slot in np.flatnonzero(strengths == 0.0).tolist() if self.traces[slot] is not None)
        live = strengths[strengths > 0.0]
        self._swept = now
        self._lowest = float(np.log2(live.min())) + now * self.rules.fading if len(live) else math.inf

    def _replace(self, slot: int, trace: Trace) -> None:
        """A new trace in the place of another: what `remove` and `_occupy` do, without what cancels out."""
        old, cells = self.traces[slot], self.columns.cells
        assert old is not None
        del self._where[old.author, old.key, old.text]
        self.traces[slot] = trace
        if trace.author != old.author:
            cells.author[slot] = self._authors.swap(cells.author[slot], trace.author)
            self._holdings.change(old.author, -1)
            self._holdings.change(trace.author, 1)
        if trace.kind != old.kind:
            cells.kind[slot] = self._kinds.swap(cells.kind[slot], trace.kind)
        if trace.key != old.key:
            cells.key[slot] = self._keys.swap(cells.key[slot], trace.key)
        if self.index is not None:
            self.index.remove(slot)

    def _occupy(self, trace: Trace) -> int:
        if self._free:
            slot = heapq.heappop(self._free)
        else:
            slot = len(self.traces)
            self._append()
        self.traces[slot] = trace
        cells = self.columns.cells
        cells.author[slot] = self._authors.take(trace.author)
        cells.kind[slot] = self._kinds.take(trace.kind)
        cells.key[slot] = self._keys.take(trace.key)
        self._holdings.change(trace.author, 1)
        self.count += 1
        return slot

    def _append(self) -> None:
        """One slot more."""
        size = len(self.traces)
        self.traces.append(None)
        self._entries.append(None)
        if size >= len(self.columns.strength):
            self.columns = self.columns.resized(2 * size)

    def _rename(self, slot: int, trace: Trace) -> None:
        """An equal text is left again: its kind may be another now."""
        cells = self.columns.cells
        cells.kind[slot] = self._kinds.swap(cells.kind[slot], trace.kind)
        self.traces[slot] = trace

    def _crowded(self, author: str) -> bool:
        return self.count >= self.rules.capacity or self._holdings.count(author) >= self.rules.share

    def _weakest(self, author: str) -> int:
        heap = self._holdings.heaps[author]
        while self._entries[heap[0][2]] is not heap[0]:
            heapq.heappop(heap)
        return heap[0][2]


__all__ = ["Rules", "Shelf"]
