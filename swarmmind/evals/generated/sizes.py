"""What all generated data sets share: a size, and chance of their own."""

from __future__ import annotations

import random

from swarmmind.errors import UserError
from swarmmind.rng import Streams

MAX_SIZE = 1_000_000


def drawing(name: str, size: int, seed: int) -> random.Random:
    """The chance of a data set: of its name and its seed.

    Raises:
        UserError: the size is not between 1 and a million.
    """
    if not 1 <= size <= MAX_SIZE:
        raise UserError(f"size must be between 1 and {MAX_SIZE:,}, got {size:,}")
    return Streams(seed).rng(f"dataset/{name}")
