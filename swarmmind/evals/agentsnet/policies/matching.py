"""Maximal matching: locally best ties in a shared order, and proposals by lot."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Literal

from swarmmind.evals.agentsnet.policies.order import pair_by_hash
from swarmmind.evals.agentsnet.prompt import Observation
from swarmmind.evals.agentsnet.scoring import NOBODY


class _Pairing:
    """Who is taken: the agent itself, and its neighbors as far as it knows."""

    message: Any = Literal["want", "accept", "taken"]

    def __init__(self, seen: Observation) -> None:
        self._free = list(seen.neighbors)
        self._partner = ""

    def _notice(self, heard: Mapping[str, str]) -> None:
        self._free = [name for name in self._free if heard.get(name) != "taken"]

    def _farewell(self, seen: Observation) -> dict[str, str]:
        return {name: "taken" for name in seen.neighbors if name != self._partner}


class Pointing(_Pairing):
    """In phases of two rounds: wants the free neighbor at its best tie, and is paired if that one wants it, too.

    Ties are ordered by a hash of both names, so the best of all free ties is wanted from both ends in every phase.
    """

    def __init__(self, seen: Observation, salt: int) -> None:
        super().__init__(seen)
        self._free.sort(key=lambda name: pair_by_hash(salt, seen.name, name))

    def say(self, seen: Observation, heard: Mapping[str, str], rng: random.Random) -> Mapping[str, str]:
        """Whom it wants, or that it is taken."""
        if self._partner:
            return {}
        if seen.round % 2:
            self._pair(heard)
            return self._farewell(seen) if self._partner else {}
        self._notice(heard)
        return {self._free[0]: "want"} if self._free else {}

    def answer(self, seen: Observation, heard: Mapping[str, str], rng: random.Random) -> str:
        """Its partner."""
        if not self._partner and seen.round % 2:
            self._pair(heard)
        return self._partner or NOBODY

    def _pair(self, heard: Mapping[str, str]) -> None:
        if self._free and heard.get(self._free[0]) == "want":
            self._partner = self._free[0]


class Proposals(_Pairing):
    """In phases of two rounds: half of the free, by lot, propose to a free neighbor; the others accept one proposal.

    After Israeli and Itai (1986). O(log n) phases are enough in expectation, but many more than `Pointing` needs.
    """

    def __init__(self, seen: Observation) -> None:
        super().__init__(seen)
        self._proposed = ""

    def say(self, seen: Observation, heard: Mapping[str, str], rng: random.Random) -> Mapping[str, str]:
        """A proposal, an acceptance, or that it is taken."""
        if self._partner:
            return {}
        self._notice(heard)
        if seen.round % 2:
            return self._accept(seen, heard, rng)
        self._listen(heard)
        if self._partner:
            return self._farewell(seen)
        self._proposed = rng.choice(self._free) if self._free and rng.random() < 0.5 else ""
        return {self._proposed: "want"} if self._proposed else {}

    def answer(self, seen: Observation, heard: Mapping[str, str], rng: random.Random) -> str:
        """Its partner; nobody can be accepted any more."""
        if not self._partner:
            self._listen(heard)
        return self._partner or NOBODY

    def _accept(self, seen: Observation, heard: Mapping[str, str], rng: random.Random) -> Mapping[str, str]:
        suitors = [name for name, said in heard.items() if said == "want"]
        if self._proposed or not suitors:
            return {}
        self._partner = rng.choice(suitors)
        return {**self._farewell(seen), self._partner: "accept"}

    def _listen(self, heard: Mapping[str, str]) -> None:
        if self._proposed and heard.get(self._proposed) == "accept":
            self._partner = self._proposed
