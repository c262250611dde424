"""The value of a formula's tree: a fraction where that is exact, else a complex number; with letters, at points."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, TypeAlias

from swarmmind.evals.scorers.meanings import Formula, Number
from swarmmind.rng import Stream

Value: TypeAlias = Fraction | complex

_MAX_BITS = 4096  # of exact numbers
_MAX_FACTORIAL = 170
_POINTS = 6

FUNCTIONS: dict[str, Callable[[complex], complex]] = {
    "sin": cmath.sin,
    "cos": cmath.cos,
    "tan": cmath.tan,
    "cot": lambda value: 1 / cmath.tan(value),
    "sec": lambda value: 1 / cmath.cos(value),
    "csc": lambda value: 1 / cmath.sin(value),
    "arcsin": cmath.asin,
    "arccos": cmath.acos,
    "arctan": cmath.atan,
    "sinh": cmath.sinh,
    "cosh": cmath.cosh,
    "tanh": cmath.tanh,
    "exp": cmath.exp,
    "ln": cmath.log,
    "log": cmath.log10,
    "abs": lambda value: complex(abs(value)),
}
"""What may be called by name in a formula."""

_CONSTANTS: dict[str, complex] = {"pi": math.pi, "e": math.e, "i": 1j, "infinity": math.inf}


class Unreadable(Exception):
    """A text is no answer that is known here."""


def computed(tree: tuple[Any, ...]) -> Number | Formula:
    """The value of a tree, or its values at points that depend on the letters alone.

    Raises:
        Unreadable: it has none, or one that is too large.
    """
    letters = sorted(_letters(tree))
    if not letters:
        return Number(_value(tree, {}))
    points = [{name: _point(name, at) for name in letters} for at in range(_POINTS)]
    return Formula(tuple(_tried(tree, point) for point in points))


def _letters(tree: tuple[Any, ...]) -> set[str]:
    if tree[0] == "letter":
        return {tree[1]}
    return {name for part in tree[1:] if isinstance(part, tuple) for name in _letters(part)}


def _point(name: str, at: int) -> complex:
    """Where a letter stands: positive, so that roots and logarithms agree."""
    return complex(Stream(int.from_bytes(f"{at}/{name}".encode(), "big")).uniform(0.3, 2.7))


def _tried(tree: tuple[Any, ...], point: Mapping[str, complex]) -> complex | None:
    try:
        return complex(_value(tree, point))
    except (Unreadable, OverflowError):
        return None


def _value(tree: tuple[Any, ...], letters: Mapping[str, complex]) -> Value:
    try:
        value = _computed(tree, letters)
    except (ArithmeticError, ValueError):
        raise Unreadable from None
    if isinstance(value, Fraction) and max(value.numerator.bit_length(), value.denominator.bit_length()) > _MAX_BITS:
        raise Unreadable
    return value


def _computed(tree: tuple[Any, ...], letters: Mapping[str, complex]) -> Value:
    kind = tree[0]
    if kind == "number":
        return Fraction(tree[1])
    if kind == "letter":
        return letters[tree[1]]
    if kind == "constant":
        return _CONSTANTS[tree[1]]
    if kind == "function":
        return FUNCTIONS[tree[1]](complex(_value(tree[2], letters)))
    operands = [_value(part, letters) for part in tree[1:]]
    return _OPERATIONS[kind](*operands)


def _plus(a: Value, b: Value) -> Value:
    return a + b if _exact(a, b) else complex(a) + complex(b)


def _minus(a: Value, b: Value) -> Value:
    return a - b if _exact(a, b) else complex(a) - complex(b)


def _times(a: Value, b: Value) -> Value:
    return a * b if _exact(a, b) else complex(a) * complex(b)


def _over(a: Value, b: Value) -> Value:
    return a / b if _exact(a, b) else complex(a) / complex(b)


def _power(a: Value, b: Value) -> Value:
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        if b.denominator == 1:
            size = max(a.numerator.bit_length(), a.denominator.bit_length())
            if size * abs(b.numerator) <= _MAX_BITS:
                return a**b.numerator
        elif a >= 0 and abs(b.numerator) == 1:
            return _root(a, Fraction(b.denominator)) if b > 0 else 1 / _root(a, Fraction(b.denominator))
    return complex(a) ** complex(b)


def _root(a: Value, degree: Value) -> Value:
    if not isinstance(degree, Fraction) or degree.denominator != 1 or not 2 <= degree.numerator <= _MAX_FACTORIAL:
        raise Unreadable
    order = degree.numerator
    if isinstance(a, Fraction):
        if a < 0 and order % 2:
            return -_root(-a, degree)
        above, below = (_exact_root(abs(part), order) for part in (a.numerator, a.denominator))
        if a >= 0 and above is not None and below is not None:
            return Fraction(above, below)
    return cmath.sqrt(complex(a)) if order == 2 else complex(a) ** (1 / order)


def _exact_root(number: int, order: int) -> int | None:
    if number.bit_length() > 512:
        return None
    near = math.isqrt(number) if order == 2 else round(number ** (1 / order))
    return next((guess for guess in (near - 1, near, near + 1) if guess >= 0 and guess**order == number), None)


def _factorial(a: Value) -> Value:
    if not isinstance(a, Fraction) or a.denominator != 1 or not 0 <= a.numerator <= _MAX_FACTORIAL:
        raise Unreadable
    return Fraction(math.factorial(a.numerator))


def _exact(a: Value, b: Value) -> bool:
    return isinstance(a, Fraction) and isinstance(b, Fraction)


def _negative(a: Value) -> Value:
    return -a


_OPERATIONS: dict[str, Callable[..., Value]] = {
    "+": _plus,
    "-": _minus,
    "*": _times,
    "/": _over,
    "^": _power,
    "root": _root,
    "factorial": _factorial,
    "negative": _negative,
}
