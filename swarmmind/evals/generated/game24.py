"""The game of 24 (as in Tree of Thoughts, Yao et al. 2023, arXiv 2305.10601): make 24 of four numbers, each used once.

All 1,362 puzzles of numbers from 1 to 13 that have a solution, found by exhaustive search.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations, combinations_with_replacement
from typing import Any, NamedTuple

from swarmmind.agents.answers import marked
from swarmmind.errors import UserError
from swarmmind.evals.datasets import Dataset, Item
from swarmmind.evals.generated.sizes import drawing
from swarmmind.evals.scoring import Scoring

GOAL = 24
LARGEST = 13
SOLVABLE = 1362
MAX_CHARS = 200
_SIGNS = {
    "\u00d7": "*",
    "\u00f7": "/",
    "\u2212": "-",
    r"\times": "*",
    r"\cdot": "*",
    r"\div": "/",
    **dict.fromkeys((r"\left", r"\right", r"\(", r"\)", r"\[", r"\]"), ""),  # what mathematics is set in
}
_ASK = (
    "Use each of the numbers {numbers} exactly once, with + - * / and parentheses, to make 24. Answer with the formula."
)


def game_of_24(size: int = 100, seed: int = 0) -> Dataset:
    """Puzzles of the game of 24 that can be solved; a formula is checked exactly.

    Tree of Thoughts used 100 of 1,362 and came to 74 % with GPT-4.

    Args:
        size: how many, at most all 1,362.
        seed: which, and in what order; a larger `size` begins with the same.

    Raises:
        UserError: there are not so many.
    """
    rng = drawing("game-of-24", size, seed)
    if size > SOLVABLE:
        raise UserError(f"size must be at most {SOLVABLE:,}, which is all puzzles that can be solved, got {size:,}")
    puzzles = list(combinations_with_replacement(range(1, LARGEST + 1), 4))
    rng.shuffle(puzzles)
    items: list[Item] = []
    hopeless: set[tuple[Fraction, ...]] = set()
    for numbers in puzzles:
        found = solved(numbers, hopeless) if len(items) < size else None
        if found is not None:
            items.append(Item(_ASK.format(numbers=" ".join(map(str, numbers))), found))
    return Dataset(items, Scoring(_score, _read))


def solved(numbers: Sequence[int], hopeless: set[tuple[Fraction, ...]] | None = None) -> str | None:
    """A formula of these numbers that makes 24, or `None` if there is none.

    Args:
        numbers: each is used once.
        hopeless: values of which none makes 24; what is found is added, and helps with other numbers.
    """
    return _search(
        [_Part(Fraction(number), str(number)) for number in numbers], set() if hopeless is None else hopeless
    )


class _Part(NamedTuple):
    value: Fraction
    text: str


def _search(parts: Sequence[_Part], hopeless: set[tuple[Fraction, ...]]) -> str | None:
    if len(parts) == 1:
        return parts[0].text.removeprefix("(").removesuffix(")") if parts[0].value == GOAL else None
    values = tuple(sorted(part.value for part in parts))
    if values in hopeless:
        return None
    for one, other in combinations(range(len(parts)), 2):
        rest = [part for at, part in enumerate(parts) if at not in (one, other)]
        for joined in _joined(parts[one], parts[other]):
            found = _search([joined, *rest], hopeless)
            if found is not None:
                return found
    hopeless.add(values)
    return None


def _joined(a: _Part, b: _Part) -> Iterator[_Part]:
    yield _Part(a.value + b.value, f"({a.text}+{b.text})")
    yield _Part(a.value * b.value, f"({a.text}*{b.text})")
    for left, right in ((a, b), (b, a)):
        yield _Part(left.value - right.value, f"({left.text}-{right.text})")
        if right.value:
            yield _Part(left.value / right.value, f"({left.text}/{right.text})")


def _score(output: Any, target: Any) -> float:
    formula, wanted = _formula(output), _evaluated(str(target))
    if formula is None or wanted is None:
        return 0.0
    found = _evaluated(formula)
    return float(found is not None and found[0] == GOAL and sorted(found[1]) == sorted(wanted[1]))


def _read(output: Any) -> str | None:
    """The formula without blanks, which is what equal answers share."""
    formula = _formula(output)
    return None if formula is None or _evaluated(formula) is None else "".join(formula.split())


def _formula(output: Any) -> str | None:
    """What stands after the last mark, or else on the last line, up to an equals sign."""
    line = marked(str(output)) or next(reversed(str(output).strip().splitlines()), "")
    for said, meant in _SIGNS.items():
        line = line.replace(said, meant)
    return line.partition("=")[0].strip(" .`*$") or None


def _evaluated(formula: str) -> tuple[Fraction, list[int]] | None:
    """The formula's value and the numbers in it; `None` if it is none. Nothing is run: its tree is walked."""
    if len(formula) > MAX_CHARS:
        return None
    try:
        numbers: list[int] = []
        return _value(ast.parse(formula, mode="eval").body, numbers), numbers
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError):
        return None


def _value(node: ast.expr, numbers: list[int]) -> Fraction:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        numbers.append(node.value)
        return Fraction(node.value)
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left, numbers), _value(node.right, numbers)
        match node.op:
            case ast.Add():
                return left + right
            case ast.Sub():
                return left - right
            case ast.Mult():
                return left * right
            case ast.Div():
                return left / right
            case _:
                pass
    raise ValueError("holds something else than whole numbers and + - * /")
