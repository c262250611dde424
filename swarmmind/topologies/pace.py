"""What is done for each of many agents, without keeping everybody else waiting."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import Any, TypeVar

from swarmmind.effects import PAUSE

_PIECE = 8

T = TypeVar("T")


def each(make: Callable[..., T], *columns: Iterable[Any]) -> Generator[Any, Any, list[T]]:
    """`[make(*row) for row in zip(*columns)]`, for `yield from`: every few rows others have their turn (see `PAUSE`).

    Args:
        make: of each row, in order.
        columns: as in `map`, but equally long.

    Raises:
        ValueError: they are not.
    """
    made: list[T] = []
    for number, row in enumerate(zip(*columns, strict=True), 1):
        made.append(make(*row))
        if not number % _PIECE:
            yield PAUSE
    return made
