"""Orders that all agents know without a word: names are unique, and everybody hashes them alike."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, TypeAlias

Order: TypeAlias = Callable[[str], Any]
"""From a name to what is compared; the lowest comes first."""


def by_name(name: str) -> str:
    """The alphabet's."""
    return name


def by_hash(salt: int) -> Order:
    """As if drawn by lot, with ties broken by name."""
    return lambda name: (_hash(f"{salt}/{name}"), name)


def pair_by_hash(salt: int, one: str, other: str) -> tuple[int, str, str]:
    """The place of a tie in an order of all ties, the same from both its ends."""
    low, high = sorted((one, other))
    return _hash(f"{salt}/{low}/{high}"), low, high


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
