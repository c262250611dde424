"""Which candidates are merged, and how often: the worse half of many may go, by a score that executes nothing."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Sequence
from typing import Literal, TypeAlias

Prune: TypeAlias = Literal["none", "code"]
"""By which score the worse half of many candidates is dropped."""

MOST_UNPRUNED = 4
"""Of more candidates than these, the worse half may be dropped."""

MAX_SCORED_CHARACTERS = 100_000
"""A longer text is not parsed and counts as one that cannot be."""

_FENCED = re.compile(r"^```[^\n`]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def survivors(candidates: Sequence[str], prune: Prune) -> list[int]:
    """The places of the candidates that stay, in order: all, or of many the better half, the first ones of equals."""
    places = range(len(candidates))
    if prune == "none" or len(candidates) <= MOST_UNPRUNED:
        return list(places)
    ranked = sorted(places, key=lambda at: -code_score(candidates[at]))
    return sorted(ranked[: _half(len(candidates))])


def merges(inputs: int, unit: int, prune: Prune) -> int:
    """How often a node with so many inputs asks for a merge: `inputs - 1` with units of 2 and all candidates."""
    left = inputs if prune == "none" or inputs <= MOST_UNPRUNED else _half(inputs)
    calls = 0
    while left > 1:
        groups, rest = divmod(left, unit)
        calls += groups + (rest > 1)
        left = groups + (rest > 0)
    return calls


def _half(count: int) -> int:
    return count - count // 2


def code_score(text: str) -> int:
    """How good the Python in a text looks; higher is better.

    MacNet's score (its released code) is (executable * 10 + completeness) * 10,000 - unfinished functions. Nothing is
    executed here: code that parses stands for code that runs; it is complete if it defines something and nothing of
    that is unfinished. Code is what stands in fences, or else the whole text.
    """
    tree = _parsed("\n".join(_FENCED.findall(text)) or text)
    if tree is None:
        return 0
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    unfinished = sum(_is_unfinished(function) for function in functions)
    return (10 + (bool(functions) and not unfinished)) * 10_000 - unfinished


def _parsed(code: str) -> ast.Module | None:
    if len(code) > MAX_SCORED_CHARACTERS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it is somebody else's code: its escapes are not our concern
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # no code, no text, or too deep for the parser
        return None


def _is_unfinished(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether nothing is in its body but a docstring, `pass`, `...` or `raise NotImplementedError`."""
    return all(_does_nothing(statement) for statement in function.body)


def _does_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Raise):
        raised = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
        return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )
