"""Maximal matching: locally best ties in a shared order, and proposals by lot."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Literal

from swarmmind.evals.agentsnet.policies.order import pair_by_hash
from swarmmind.evals.agentsnet.policies.player import to_all
from swarmmind.evals.agentsnet.prompt import Observation
from swarmmind.evals.agentsnet.scoring import NOBODY


class Pointing:
    """Points at the free neighbor at its best tie, and is paired with it once that one points back.

    Ties are ordered by a hash of both names, so the best of all free ties is always pointed at from both ends.
    Everybody tells all neighbors where it points when that changes: who sees two neighbors point at each other knows
    that they are taken without being told. A message is the name that is pointed at, or empty from who is paired.
    """

    message: Any = str

    def __init__(self, seen: Observation, salt: int) -> None:
        self._free = sorted(seen.neighbors, key=lambda name: pair_by_hash(salt, seen.name, name))
        self._points: dict[str, str] = {}
        self._target = self._partner = ""

    def say(self, seen: Observation, heard: Mapping[str, str], rng: random.Random) -> Mapping[str, str]:
        """Where it points now, or that it is paired; nothing if that is not new."""
        if self._partner:
            return {}
        self._hear(seen, heard)
        if self._partner:
            return to_all(seen, "")
        before, self._target = self._target, self._free[0] if self._free else ""
        return to_all(seen, self._target) if self._target not in ("", before) else {}

    def answer(self, seen: Observation, heard: Mapping[str, str], rng: random.Random) -> str:
        """Its partner."""
        if not self._partner:
            self._hear(seen, heard)
        return self._partner or NOBODY

    def _hear(self, seen: Observation, heard: Mapping[str, str]) -> None:
        points = self._points
        points.update(heard)
        if self._target and points.get(self._target) == seen.name:
            self._partner = self._target
        taken = {name for name, at in points.items() if not at or points.get(at) == name}
        self._free = [name for name in self._free if name not in taken]


class Proposals:
    """In phases of two rounds: half of the free, by lot, propose to a free neighbor; the others accept one proposal.

    After Israeli and Itai (1986). O(log n) phases are enough in expectation, but many more than `Pointing` needs.
    """

    message: Any = Literal["propose", "accept", "taken"]

    def __init__(self, seen: Observation) -> None:
        self._free = list(seen.neighbors)
        self._partner = self._proposed = ""

    def say(self, seen: Observation, heard: Mapping[str, str], rng: random.Random) -> Mapping[str, str]:
        """A proposal, an acceptance, or that it is taken."""
        if self._partner:
            return {}
        self._free = [name for name in self._free if heard.get(name) != "taken"]
        if seen.round % 2:
            return self._accept(seen, heard, rng)
        self._listen(heard)
        if self._partner:
            return self._farewell(seen)
        self._proposed = rng.choice(self._free) if self._free and rng.random() < 0.5 else ""
        return {self._proposed: "propose"} if self._proposed else {}

    def answer(self, seen: Observation, heard: Mapping[str, str], rng: random.Random) -> str:
        """Its partner; nobody can be accepted any more."""
        if not self._partner:
            self._listen(heard)
        return self._partner or NOBODY

    def _accept(self, seen: Observation, heard: Mapping[str, str], rng: random.Random) -> Mapping[str, str]:
        suitors = [name for name, said in heard.items() if said == "propose"]
        if self._proposed or not suitors:
            return {}
        self._partner = rng.choice(suitors)
        return {**self._farewell(seen), self._partner: "accept"}

    def _listen(self, heard: Mapping[str, str]) -> None:
        if self._proposed and heard.get(self._proposed) == "accept":
            self._partner = self._proposed

    def _farewell(self, seen: Observation) -> dict[str, str]:
        return {name: "taken" for name in seen.neighbors if name != self._partner}
