"""Which texts may be given to a verifier that evaluates what it is given, as some of reasoning-gym's do.

Such a verifier is meant for numbers, lists and formulas. What is let through here can compute nothing but those: no
name is called except functions of mathematics, nothing has attributes, and no power grows without bounds.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TypeAlias

Guard: TypeAlias = Callable[[str], bool]

MAX_FORMULA_CHARS = 400
MAX_EXPONENT = 32
_CIRCULAR = ("sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan")
FUNCTIONS = frozenset(
    [*_CIRCULAR, "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "exp", "log", "ln", "sqrt", "Abs"]
)
_VALUES = (ast.Expression, ast.Constant, ast.Load, ast.UnaryOp, ast.USub, ast.UAdd)
_LISTS = (*_VALUES, ast.List, ast.Tuple, ast.Set, ast.Dict)  # no names: `oracle_answer` would be the verifier's own
_SUMS = (*_VALUES, ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)


def harmless_literal(text: str) -> bool:
    """Whether `eval` does nothing with it but make numbers, texts and lists, or fail."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError):  # it is no Python: evaluating it fails
        return True
    except (RecursionError, MemoryError):
        return False
    return all(isinstance(node, _LISTS) for node in ast.walk(tree))


def harmless_formula(text: str) -> bool:
    """Whether sympy's `parse_expr`, which evaluates what it makes of a text, does nothing with it but mathematics."""
    if len(text) > MAX_FORMULA_CHARS or not text.isascii():
        return False
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return all(_in_formula(node) for node in ast.walk(tree))


def _in_formula(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return type(node.value) in (int, float)
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS and not node.keywords
    if isinstance(node, ast.Name):
        return not node.id.startswith("_")
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return _bounded(node)
    return isinstance(node, _SUMS)


def _bounded(power: ast.BinOp) -> bool:
    """Whether a power is symbolic, or one of a small number to a small exponent."""
    if _holds(power.right, ast.Name):
        return True
    if _holds(power.left, ast.Pow) and not _holds(power.left, ast.Name):
        return False
    if isinstance(power.right, ast.BinOp) and isinstance(power.right.op, ast.Div):  # x**(-1/3)
        return _small(power.right.left) and _small(power.right.right)
    return _small(power.right)


def _holds(tree: ast.AST, kind: type[ast.AST]) -> bool:
    return any(isinstance(node, kind) for node in ast.walk(tree))


def _small(node: ast.AST) -> bool:
    node = node.operand if isinstance(node, ast.UnaryOp) else node
    value = node.value if isinstance(node, ast.Constant) else None
    return isinstance(value, (int, float)) and abs(value) <= MAX_EXPONENT
