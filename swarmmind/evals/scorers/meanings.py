"""What answers in mathematics mean, and when two of them mean the same."""

from __future__ import annotations

import cmath
from collections.abc import Hashable, Sequence
from fractions import Fraction
from typing import NamedTuple, TypeAlias

TOLERANCE = 1e-9
"""By what share of their size numbers that are no fractions may differ."""

_SMALLEST = 1e-12
_DIGITS = 8
_FEWEST_POINTS = 3


class Number(NamedTuple):
    """A number; `percent` if it is written so."""

    value: Fraction | complex
    percent: bool = False


class Formula(NamedTuple):
    """A formula with letters, as its values at some points; `None` where it has none."""

    values: tuple[complex | None, ...]


class Group(NamedTuple):
    """Several; `kind` is `{}` where their order does not matter, `union`, or the brackets around them."""

    kind: str
    items: tuple[Meaning, ...]


class Words(NamedTuple):
    """Text."""

    text: str


Meaning: TypeAlias = "Number | Formula | Group | Words | str"


def same(found: Meaning, wanted: Meaning) -> bool:
    """Whether two answers mean the same."""
    if isinstance(found, Number) and isinstance(wanted, Number):
        return _equal(found.value, wanted.value) or (
            found.percent != wanted.percent and _equal(_whole(found), _whole(wanted))
        )
    if isinstance(found, Formula) and isinstance(wanted, Formula):
        pairs = list(zip(found.values, wanted.values, strict=True))
        known = [(a, b) for a, b in pairs if a is not None and b is not None]
        return len(known) >= _FEWEST_POINTS and all(_equal(a, b) for a, b in known)
    if isinstance(found, Group) and isinstance(wanted, Group):
        alike = found.kind == wanted.kind and len(found.items) == len(wanted.items)
        return alike and (_any_order if _unordered(found) else _in_order)(found.items, wanted.items)
    if isinstance(found, Formula) and isinstance(wanted, Number):  # x/x is 1
        return all(value is not None and _equal(value, wanted.value) for value in found.values)
    if isinstance(found, Number) and isinstance(wanted, Formula):
        return same(wanted, found)
    return type(found) is type(wanted) and found == wanted


def key(meaning: Meaning) -> Hashable:
    """The same for answers that mean the same, except where numbers differ by less than rounding shows."""
    if isinstance(meaning, Number):
        return _rounded(meaning.value)
    if isinstance(meaning, Formula):
        values = tuple(None if value is None else _rounded(value) for value in meaning.values)
        return values[0] if len(set(values)) == 1 else values
    if isinstance(meaning, Group):
        keys = [key(item) for item in meaning.items]
        return (meaning.kind, tuple(sorted(map(repr, keys)) if _unordered(meaning) else keys))
    return meaning


def _unordered(group: Group) -> bool:
    return group.kind in ("{}", "union")


def _in_order(found: Sequence[Meaning], wanted: Sequence[Meaning]) -> bool:
    return all(same(one, other) for one, other in zip(found, wanted, strict=True))


def _any_order(found: Sequence[Meaning], wanted: Sequence[Meaning]) -> bool:
    left = list(wanted)
    for one in found:
        match = next((at for at, other in enumerate(left) if same(one, other)), None)
        if match is None:
            return False
        left.pop(match)
    return True


def _whole(number: Number) -> Fraction | complex:
    return number.value / 100 if number.percent else number.value


def _equal(a: Fraction | complex, b: Fraction | complex) -> bool:
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a == b
    try:
        return cmath.isclose(complex(a), complex(b), rel_tol=TOLERANCE, abs_tol=_SMALLEST)
    except OverflowError:
        return False


def _rounded(value: Fraction | complex) -> str:
    try:
        number = complex(value)
    except OverflowError:
        return str(value)
    parts = [0.0 if abs(part) < _SMALLEST else part for part in (number.real, number.imag)]
    return "+".join(f"{part:.{_DIGITS}g}" for part in parts)
