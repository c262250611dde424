"""Coloring with one color more than the highest degree: first-fit in an order, and random trials."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from typing import Any

from swarmmind.evals.agentsnet.policies.order import Order
from swarmmind.evals.agentsnet.policies.player import to_all
from swarmmind.evals.agentsnet.prompt import Observation


class FirstFit:
    """Waits for all neighbors before it in the order, takes the first color that none of them has, and says so.

    As many rounds as the longest chain of neighbors in descending order.
    """

    message: Any = int

    def __init__(self, seen: Observation, order: Order) -> None:
        own = order(seen.name)
        self._waiting = {name for name in seen.neighbors if order(name) < own}
        self._taken: set[int] = set()
        self._said = False

    def say(self, seen: Observation, heard: Mapping[str, int], rng: random.Random) -> Mapping[str, int]:
        """Its color, once."""
        self._hear(heard)
        if self._waiting or self._said:
            return {}
        self._said = True
        return to_all(seen, _first(seen, self._taken) + 1)

    def answer(self, seen: Observation, heard: Mapping[str, int], rng: random.Random) -> str:
        """Its color; the first that is free as far as it knows, if it still has to wait."""
        self._hear(heard)
        return seen.answers[_first(seen, self._taken)]

    def _hear(self, heard: Mapping[str, int]) -> None:
        for name, color in heard.items():
            if name in self._waiting:
                self._waiting.discard(name)
                self._taken.add(color - 1)


class Trial:
    """Tries a random color that no neighbor has, and keeps it if no neighbor tried or has it in the same round.

    What neighbors tried besides, it leaves to them if it can. All are done after O(log n) rounds with high probability.
    A message is the color, negative once it is kept.
    """

    message: Any = int

    def __init__(self, seen: Observation) -> None:
        self._tried = -1
        self._kept = False
        self._taken: set[int] = set()
        self._others: set[int] = set()

    def say(self, seen: Observation, heard: Mapping[str, int], rng: random.Random) -> Mapping[str, int]:
        """What it tries, or keeps."""
        if self._kept:
            return {}
        self._hear(heard)
        if self._kept:
            return to_all(seen, -1 - self._tried)
        free = [color for color in range(len(seen.answers)) if color not in self._taken]
        likely = [color for color in free if color not in self._others] or free or range(len(seen.answers))
        self._tried = rng.choice(likely)
        return to_all(seen, self._tried + 1)

    def answer(self, seen: Observation, heard: Mapping[str, int], rng: random.Random) -> str:
        """What it keeps; the first that is free as far as it knows, if its last trial failed."""
        if not self._kept:
            self._hear(heard)
        return seen.answers[self._tried if self._kept else _first(seen, self._taken)]

    def _hear(self, heard: Mapping[str, int]) -> None:
        self._taken.update(-color - 1 for color in heard.values() if color < 0)
        others = {abs(color) - 1 for color in heard.values()}
        self._kept = self._tried >= 0 and self._tried not in others
        self._others = others - {self._tried}


def _first(seen: Observation, taken: Collection[int]) -> int:
    """The first color that is not taken; the first of all if none is left, as where somebody broke the rules."""
    return next((color for color in range(len(seen.answers)) if color not in taken), 0)
