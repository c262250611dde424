"""Scorers: output and target to a score in [0, 1], by a function, or by a program that runs tests.

A scorer also says what agents are asked for (its `output`) and how an answer is found in prose (its `read`), so that
a vote counts what will be scored.
"""

from __future__ import annotations

from collections.abc import Callable

from swarmmind.evals.scorers.code import unit_tests
from swarmmind.evals.scorers.mathematics import mathematics
from swarmmind.evals.scorers.numbers import number
from swarmmind.evals.scorers.overlap import f1
from swarmmind.evals.scorers.texts import MAX_PATTERN_SECONDS, choice, contains, exact, mentions, pattern
from swarmmind.evals.scoring import Scoring

SCORERS: dict[str, Callable[..., Scoring]] = {
    "choice": choice,
    "contains": contains,
    "exact": exact,
    "f1": f1,
    "math": mathematics,
    "mentions": mentions,
    "number": number,
    "regex": pattern,
    "tests": unit_tests,
}
"""The names that a task's `score: {use: ...}` may give."""

__all__ = [
    "MAX_PATTERN_SECONDS",
    "SCORERS",
    "choice",
    "contains",
    "exact",
    "f1",
    "mathematics",
    "mentions",
    "number",
    "pattern",
    "unit_tests",
]
