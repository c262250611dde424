"""A pheromone field over names: what is deposited adds up, fades by half-lives, and is found by its strength.

    field = Field(half_life=10)
    field.deposit("north", 1.0, author="ant-3", kind="food")
    field.tick()
    field.read("north", "food")

Decay is lazy: a strength is kept with the tick it was last touched at, so a deposit costs the same however large the
field is, and no tick sweeps it (unless it diffuses: then a tick costs the borders of what is live). What fades below
the floor is filed under the tick at which that may happen, and looked at only then.

Half-life h and retention d are two words for one thing: d = 2 ** (-1 / h), h = -1 / log2(d). Half-life is what a field
is made with. An entry that gets the amount a just before each tick tends to a / (1 - d) just before it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol, TypeAlias

from swarmmind.errors import UserError
from swarmmind.memory.grid import consensus_factor

Slot: TypeAlias = tuple[str, str]
"""A key and a kind."""
_NOTHING = 1e-30
"""What is less does not spread."""
_NOBODY = None
"""Holds what only diffusion made."""


def half_life_of(retention: float) -> float:
    """The half-life in ticks under which so much is left after one tick, in (0, 1]."""
    return math.inf if retention == 1.0 else -1.0 / math.log2(retention)


class Neighbors(Protocol):
    """Who is next to whom: a mapping from keys to keys, or a networkx graph."""

    def __contains__(self, key: Any, /) -> bool:
        """Whether the key is a node."""
        ...

    def __getitem__(self, key: Any, /) -> Iterable[Any]:
        """The nodes next to it."""
        ...


class Reading(NamedTuple):
    """What there is now of one entry.

    Attributes:
        key: where, or about what.
        kind: which cue.
        strength: agreement included.
        authors: who deposited, in the order of their first deposits.
        age: ticks since the last deposit.
    """

    key: str
    kind: str
    strength: float
    authors: tuple[str, ...]
    age: int


class _Entry:
    """Strength as of tick `at`; `left`: tick of the last deposit; `due`: the tick at which it may be gone."""

    __slots__ = ("at", "authors", "due", "left", "strength")

    def __init__(self, now: int) -> None:
        self.strength, self.at, self.left, self.due = 0.0, now, now, 0
        self.authors: dict[str, None] = {}

    def copy(self) -> _Entry:
        copy = _Entry(self.left)
        copy.strength, copy.at, copy.due, copy.authors = self.strength, self.at, self.due, self.authors.copy()
        return copy


class Field:
    """Strengths over (key, kind), bounded in all directions.

    Nobody can crowd others out: who deposits on more than `per_author` entries withdraws from his weakest, and where
    the field is full whoever holds the most, with what he asks for, withdraws from his weakest. An entry from which
    everybody has withdrawn is gone. Below these two caps no deposit is ever lost. A deposit that must make room looks
    through the entries of its author, or of those who hold the most; no other one looks at more than its own entry.

    Args:
        half_life: ticks after which half of a strength is left, above 0; `inf` never fades.
        floor: what has faded below it is gone.
        ceiling: no entry holds more; what is deposited beyond it is lost.
        entries: at most so many in all.
        per_author: at most so many with one author among their depositors.
        consensus: alpha of C = min(2, 1 + alpha (N - 1)), by which N distinct depositors strengthen what is read
            (arXiv 2512.10166); 0 is no such factor.
        neighbors: who is next to whom, for diffusion.
        diffusion: the share of an entry that leaves it in a tick, in equal parts to its neighbors, in [0, 1]. No
            strength is lost by it below the ceiling: a part that would be below the floor where nothing is, or for
            which the field has no entry left, stays where it is.

    Raises:
        UserError: a value is out of its range.
    """

    def __init__(
        self,
        half_life: float = math.inf,
        *,
        floor: float = 0.0,
        ceiling: float = math.inf,
        entries: int = 10_000,
        per_author: int = 1_000,
        consensus: float = 0.0,
        neighbors: Neighbors | None = None,
        diffusion: float = 0.0,
    ) -> None:
        if not half_life > 0:
            raise UserError(f"half_life must be above 0, got {half_life}")
        if not (0 <= floor < math.inf and floor <= ceiling and ceiling > 0):
            raise UserError(f"floor must be from 0 to the ceiling, got {floor} and {ceiling}")
        for name, value in (("entries", entries), ("per_author", per_author)):
            if value < 1:
                raise UserError(f"{name} must be at least 1, got {value}")
        if not 0 <= consensus < math.inf:
            raise UserError(f"consensus must be at least 0, got {consensus}")
        if not 0 <= diffusion <= 1:
            raise UserError(f"diffusion must be from 0 to 1, got {diffusion}")
        self.half_life, self.floor, self.ceiling = half_life, floor, ceiling
        self.entries, self.per_author, self.consensus = entries, per_author, consensus
        self.neighbors, self.diffusion = neighbors, diffusion if neighbors is not None else 0.0
        self._now = 0
        self._entries: dict[Slot, _Entry] = {}
        self._kinds: dict[str, dict[str, None]] = {}
        self._held: dict[str | None, dict[Slot, None]] = {}
        self._due: dict[int, dict[Slot, None]] = {}
        self._ranked: list[Slot] | None = None

    def __len__(self) -> int:
        """How many entries are live."""
        return len(self._entries)

    # --- writing ----------------------------------------------------------------------------------------------------

    def deposit(self, key: str, amount: float = 1.0, author: str = "", kind: str = "note") -> None:
        """Add to an entry; 0 adds nothing.

        Raises:
            UserError: the amount is negative or not finite.
        """
        if not 0 <= amount < math.inf:
            raise UserError(f"a deposit must be at least 0 and finite, got {amount}")
        if amount == 0.0:
            return
        slot = (key, kind)
        entry = self._entries.get(slot)
        if entry is None or author not in entry.authors:
            entry = self._joined(slot, author)
        entry.strength = min(self._faded(entry) + amount, self.ceiling)
        entry.at = entry.left = self._now
        self._touched(slot, entry)

    def reinforce(self, key: str, factor: float, kind: str | None = None) -> None:
        """A verdict on what is about `key`: above 1 strengthens it, below 1 weakens it, 0 clears it.

        Raises:
            UserError: the factor is negative or not finite.
        """
        if not 0 <= factor < math.inf:
            raise UserError(f"a factor must be at least 0 and finite, got {factor}")
        for known in list(self._kinds.get(key, ())):
            if kind in (None, known):
                slot = (key, known)
                entry = self._entries[slot]
                entry.strength = min(self._faded(entry) * factor, self.ceiling)
                entry.at = self._now
                self._unfile(slot, entry)
                if entry.strength > 0.0:
                    self._touched(slot, entry)
                else:
                    self._drop(slot)

    def tick(self) -> None:
        """One round has passed: every strength fades, then diffuses; what is below the floor is gone."""
        self._now += 1
        if self.diffusion:
            self._spread()
            return
        for slot in list(self._due.get(self._now, ())):
            entry = self._entries[slot]
            self._unfile(slot, entry)
            if self._faded(entry) < self.floor:
                self._drop(slot)
            else:
                self._file(slot, entry)

    # --- reading ----------------------------------------------------------------------------------------------------

    def read(self, key: str, kind: str = "note") -> float:
        """The strength of an entry now, agreement included; 0 if there is none."""
        entry = self._entries.get((key, kind))
        return 0.0 if entry is None else self._strength(entry)

    def readings(self) -> Iterator[Reading]:
        """All live entries, the strongest first."""
        if self._ranked is None:
            ranks = {slot: -self._rank(entry) for slot, entry in self._entries.items()}
            self._ranked = sorted(ranks, key=lambda slot: (ranks[slot], slot))
        for slot in self._ranked:
            entry = self._entries[slot]
            yield Reading(*slot, self._strength(entry), tuple(entry.authors), self._now - entry.left)

    def snapshot(self) -> Any:
        """The state as JSON data: the tick, and each entry's key, kind, strength at its last touch, ticks, authors."""
        rows = [
            [*slot, entry.strength, entry.at, entry.left, list(entry.authors)]
            for slot, entry in sorted(self._entries.items())
        ]
        return {"tick": self._now, "entries": rows}

    def fork(self) -> Field:
        """An independent copy; the graph is shared."""
        copy = Field(
            self.half_life, floor=self.floor, ceiling=self.ceiling, entries=self.entries, per_author=self.per_author,
            consensus=self.consensus, neighbors=self.neighbors, diffusion=self.diffusion,
        )  # fmt: skip
        copy._now = self._now
        copy._entries = {slot: entry.copy() for slot, entry in self._entries.items()}
        copy._kinds = {key: kinds.copy() for key, kinds in self._kinds.items()}
        copy._held = {author: slots.copy() for author, slots in self._held.items()}
        copy._due = {tick: slots.copy() for tick, slots in self._due.items()}
        return copy

    # --- time -------------------------------------------------------------------------------------------------------

    def _faded(self, entry: _Entry) -> float:
        ago = self._now - entry.at
        return entry.strength * 2.0 ** (-ago / self.half_life) if ago else entry.strength

    def _strength(self, entry: _Entry) -> float:
        return self._faded(entry) * consensus_factor(len(entry.authors), self.consensus)

    def _rank(self, entry: _Entry) -> float:
        """Grows with the strength, and does not change with time: all entries fade alike."""
        agreed = entry.strength * consensus_factor(len(entry.authors), self.consensus)
        return math.log2(agreed) + entry.at / self.half_life

    def _touched(self, slot: Slot, entry: _Entry) -> None:
        self._ranked = None
        if not entry.due and self.floor and not self.diffusion:  # a deposit only makes it live longer: see when due
            self._file(slot, entry)

    def _file(self, slot: Slot, entry: _Entry) -> None:
        """Under a tick at which it is still live, or gone for the first time; never under a later one."""
        ticks = math.log2(entry.strength / self.floor) * self.half_life if entry.strength >= self.floor else 0.0
        if ticks < math.inf:
            entry.due = max(self._now + 1, entry.at + int(ticks))
            self._due.setdefault(entry.due, {})[slot] = None

    def _unfile(self, slot: Slot, entry: _Entry) -> None:
        if entry.due:
            slots = self._due[entry.due]
            del slots[slot]
            if not slots:
                del self._due[entry.due]
            entry.due = 0

    # --- diffusion --------------------------------------------------------------------------------------------------

    def _spread(self) -> None:
        assert self.neighbors is not None
        flows: dict[Slot, float] = {}
        room = self.entries - len(self._entries)
        least = max(self.floor, _NOTHING)
        for (key, kind), entry in self._entries.items():
            entry.strength, entry.at = self._faded(entry), self._now
            around = list(self.neighbors[key]) if key in self.neighbors else []
            part = self.diffusion * entry.strength / len(around) if around else 0.0
            for other in around:
                target = (other, kind)
                if target not in self._entries and target not in flows:
                    if part < least or not room:
                        continue
                    room -= 1
                flows[key, kind] = flows.get((key, kind), 0.0) - part
                flows[target] = flows.get(target, 0.0) + part
        for slot, flow in flows.items():
            entry = self._entries.get(slot) or self._made(slot)
            entry.strength = min(max(entry.strength + flow, 0.0), self.ceiling)
        for slot in [slot for slot, entry in self._entries.items() if entry.strength < least]:
            self._drop(slot)
        self._ranked = None

    # --- who holds what ---------------------------------------------------------------------------------------------

    def _made(self, slot: Slot) -> _Entry:
        entry = self._entries[slot] = _Entry(self._now)
        self._kinds.setdefault(slot[0], {})[slot[1]] = None
        self._held.setdefault(_NOBODY, {})[slot] = None
        return entry

    def _joined(self, slot: Slot, author: str) -> _Entry:
        """The entry, with this author among its depositors; room is made for it where there is none."""
        if len(self._held.get(author, ())) >= self.per_author:
            self._withdraw(author, self._weakest(self._held[author]))
        while slot not in self._entries and len(self._entries) >= self.entries:
            self._make_room(author)
        entry = self._entries.get(slot) or self._made(slot)
        if not entry.authors:
            self._release(_NOBODY, slot)
        entry.authors[author] = None
        self._held.setdefault(author, {})[slot] = None
        return entry

    def _make_room(self, asking: str) -> None:
        """One step towards it: what nobody made goes first, then the weakest of what those with the most hold.

        Who asks for room counts as if he had it already: nobody's equal share ever goes to one who has his own.
        """
        if _NOBODY in self._held:
            self._drop(self._weakest(self._held[_NOBODY]))
            return
        counts = {author: len(slots) + (author == asking) for author, slots in self._held.items()}
        most = max(counts.values())
        crowd = {author: self._weakest(self._held[author]) for author, count in counts.items() if count == most}
        loser = min(crowd, key=lambda author: self._rank(self._entries[crowd[author]]))
        assert loser is not None
        self._withdraw(loser, crowd[loser])

    def _weakest(self, slots: Iterable[Slot]) -> Slot:
        return min(slots, key=lambda slot: self._rank(self._entries[slot]))

    def _withdraw(self, author: str, slot: Slot) -> None:
        entry = self._entries[slot]
        if len(entry.authors) == 1:
            self._drop(slot)
            return
        del entry.authors[author]
        self._release(author, slot)
        self._ranked = None

    def _drop(self, slot: Slot) -> None:
        entry = self._entries.pop(slot)
        self._unfile(slot, entry)
        for author in entry.authors or (_NOBODY,):
            self._release(author, slot)
        kinds = self._kinds[slot[0]]
        del kinds[slot[1]]
        if not kinds:
            del self._kinds[slot[0]]
        self._ranked = None

    def _release(self, author: str | None, slot: Slot) -> None:
        slots = self._held[author]
        del slots[slot]
        if not slots:
            del self._held[author]
