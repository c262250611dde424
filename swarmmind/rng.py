"""Chance has one owner: a run's master seed, from which every draw comes by name.

`Streams(7).rng("macnet/graph")` is the same sequence in every run with seed 7, whatever else was drawn before, in
whatever order: a stream is keyed by its name, not by its turn. Arms of a comparison that use the same names share
their random numbers.
"""

from __future__ import annotations

import random
from hashlib import blake2b

_seed = random.Random.__mro__[1].seed  # what `Random.seed` comes to for an integer, without its checks of other types


class Stream(random.Random):
    """`random.Random(seed)` for an integer seed, the same sequence, made in two thirds of the time."""

    gauss_next = None  # of the class until one is drawn: a dictionary for each stream takes 300 bytes

    def __init__(self, seed: int = 0) -> None:
        _seed(self, seed)


class Stage:
    """What names of chance are relative to: a run, or a nested program that shares its chance with others of its kind.

    Agents' memories in models that remember belong to a stage, too.

    Args:
        path: the key of the program that opens it; empty for a run.
        chance: what stands for that key in the names of its streams.

    Attributes:
        chance: the same.
        cut: how many letters of a key it stands for.
    """

    __slots__ = ("__weakref__", "chance", "cut")

    def __init__(self, path: str = "", chance: str = "") -> None:
        self.chance, self.cut = chance, len(path)

    def name(self, key: str) -> str:
        """The stream that belongs to a key within the stage."""
        return self.chance + key[self.cut :] if self.cut else key


class Streams:
    """Named random streams derived from one seed (any integer)."""

    __slots__ = ("_head", "seed")

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._head = blake2b(str(seed).encode(), digest_size=8)

    def derive(self, name: str) -> int:
        """A seed in [0, 2**63) that depends on the master seed and the name alone (what servers get as `seed`)."""
        digest = self._head.copy()
        digest.update(b"/" + name.encode())
        return int.from_bytes(digest.digest(), "big") >> 1

    def rng(self, name: str) -> random.Random:
        """A fresh generator at the start of the named stream; two calls with one name give equal sequences."""
        return Stream(self.derive(name))

    def child(self, name: str) -> Streams:
        """All streams below a name, for a part that should not know where it stands."""
        return Streams(self.derive(name))
