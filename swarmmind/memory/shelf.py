"""A bounded number of long-term items of one kind and scope: found by likeness, forgotten by worth."""

from __future__ import annotations

from collections.abc import Iterable
from math import log2
from typing import Any

import faiss
import numpy as np

from swarmmind.memory.store import LAST_USE
from swarmmind.traces import Item, Vector

_DIGITS = 6  # of a similarity: the last bits of a float32 sum differ between processors


def success(item: Item) -> float:
    """How often it went well after this was shown: (wins + 1) / (wins + losses + 2), one half if nobody knows yet."""
    return (item.wins + 1) / (item.wins + item.losses + 2)


def last_use(item: Item) -> int:
    """The number of the change in which it was last used, or was made."""
    used = item.data.get(LAST_USE, 0)
    return max(item.born, used) if isinstance(used, int) else item.born


class Shelf:
    """Items with an index over their vectors; the index is built from the items and never kept anywhere else.

    Too many: the least worth goes, of an author who holds more than an equal share. So whatever others leave, an
    author keeps `capacity // authors` items, and who is alone may fill it all. Worth is success x recency, as a
    logarithm log2(success) + last use / half-life, whose order does not change while time passes. What nobody has
    judged yet is not turned away at the door.

    Args:
        capacity: how many items it holds.
        half_life: changes after which an unused item is worth half.
    """

    def __init__(self, capacity: int, half_life: float) -> None:
        self.capacity, self.half_life = capacity, half_life
        self.items: dict[str, Item] = {}
        self._authors: dict[str, dict[str, None]] = {}
        self._index: Any = None
        self._indexed: list[str] = []

    def put(self, item: Item) -> list[Item]:
        """Add an item, or replace the one of the same id; returns those that are forgotten, it may be one of them."""
        self.drop(item.id)
        self.items[item.id], self._index = item, None
        self._authors.setdefault(item.author, {})[item.id] = None
        forgotten: list[Item] = []
        while len(self.items) > self.capacity:
            victim = self._least_worth(item)
            self.drop(victim.id)
            forgotten.append(victim)
        return forgotten

    def replace(self, item: Item) -> None:
        """Change the counts or data of an item that is here."""
        self.items[item.id] = item

    def drop(self, at: str) -> None:
        """Forget an item, if it is here."""
        item = self.items.pop(at, None)
        if item is None:
            return
        of_author = self._authors[item.author]
        del of_author[at]
        if not of_author:
            del self._authors[item.author]
        self._index = None

    def similarities(self, vector: Vector) -> dict[str, float]:
        """The inner product of each item that has a vector with this one, by id."""
        index = self._index or self._build(vector.size)
        if not self._indexed:
            return {}
        scores, rows = index.search(np.ascontiguousarray(vector, np.float32).reshape(1, -1), len(self._indexed))
        found = zip(scores[0].tolist(), rows[0].tolist(), strict=True)
        return {self._indexed[row]: round(score, _DIGITS) for score, row in found if row >= 0}

    def copy(self) -> Shelf:
        """An independent one with the same items."""
        other = Shelf(self.capacity, self.half_life)
        other.items = dict(self.items)
        other._authors = {author: dict(ids) for author, ids in self._authors.items()}
        return other

    def _build(self, dimensions: int) -> Any:
        self._indexed = [at for at, item in self.items.items() if item.vector]
        vectors = np.frombuffer(b"".join(self.items[at].vector for at in self._indexed), "<f4")
        self._index = faiss.IndexFlatIP(dimensions)
        self._index.add(np.ascontiguousarray(vectors.reshape(-1, dimensions), np.float32))
        return self._index

    def _least_worth(self, newest: Item) -> Item:
        fair = self.capacity // len(self._authors)
        crowding = [at for ids in self._authors.values() if len(ids) > fair for at in ids]
        unjudged = not newest.wins + newest.losses
        found = [at for at in crowding if at != newest.id or not unjudged]
        return min(self._of(found or crowding), key=self._worth)

    def _of(self, ids: Iterable[str]) -> Iterable[Item]:
        return (self.items[at] for at in ids)

    def _worth(self, item: Item) -> tuple[float, int, str]:
        return log2(success(item)) + last_use(item) / self.half_life, item.born, item.id
