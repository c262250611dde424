"""Vertex cover: those outside of a maximal independent set are a minimal cover, so the agents find such a set."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from swarmmind.evals.agentsnet.policies.order import Order
from swarmmind.evals.agentsnet.policies.player import to_all
from swarmmind.evals.agentsnet.prompt import Observation


class Greedy:
    """Joins the set when all neighbors before it in the order are known to be out, and is out when one is in.

    A message says whether its author is in; nobody says it twice.
    """

    message: Any = bool

    def __init__(self, seen: Observation, order: Order) -> None:
        own = order(seen.name)
        self._waiting = {name for name in seen.neighbors if order(name) < own}
        self._joined: bool | None = None

    def say(self, seen: Observation, heard: Mapping[str, bool], rng: random.Random) -> Mapping[str, bool]:
        """Whether it is in, once it knows."""
        if self._joined is not None:
            return {}
        self._hear(heard)
        return {} if self._joined is None else to_all(seen, self._joined)

    def answer(self, seen: Observation, heard: Mapping[str, bool], rng: random.Random) -> str:
        """No if it is in the set; who does not know yet covers."""
        if self._joined is None:
            self._hear(heard)
        return "No" if self._joined else "Yes"

    def _hear(self, heard: Mapping[str, bool]) -> None:
        self._waiting -= heard.keys()
        if any(heard.values()):
            self._joined = False
        elif not self._waiting:
            self._joined = True


class Luby:
    """In phases of two rounds, all undecided draw a number; who has the highest around joins, its neighbors are out.

    O(log n) phases with high probability. A message is a number that was drawn, or true from who has joined.
    """

    message: Any = bool | float

    def __init__(self, seen: Observation) -> None:
        self._drawn = 0.0
        self._joined: bool | None = None

    def say(self, seen: Observation, heard: Mapping[str, bool | float], rng: random.Random) -> Mapping[str, Any]:
        """Its number, or that it has joined."""
        if self._knows:
            return {}
        self._hear(seen, heard)
        if self._joined:
            return to_all(seen, True)
        if seen.round % 2 or self._knows:
            return {}
        self._drawn = rng.random()
        return to_all(seen, self._drawn)

    @property
    def _knows(self) -> bool:
        return self._joined is not None

    def answer(self, seen: Observation, heard: Mapping[str, bool | float], rng: random.Random) -> str:
        """No if it is in the set; who does not know yet covers."""
        if self._joined is None:
            self._hear(seen, heard)
        return "No" if self._joined else "Yes"

    def _hear(self, seen: Observation, heard: Mapping[str, bool | float]) -> None:
        if any(said is True for said in heard.values()):
            self._joined = False
        elif seen.round % 2 and all((self._drawn, seen.name) > (said, name) for name, said in heard.items()):
            self._joined = True
