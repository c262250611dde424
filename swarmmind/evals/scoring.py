"""How one task's outputs are judged: by a function, or by a program that asks a judge or runs tests."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real
from typing import Any, NamedTuple, TypeAlias

from swarmmind.agents.answers import Reader, final_text
from swarmmind.effects import TEXT, Output, Program
from swarmmind.ports import Context

LARGEST = 1e100
"""A score beyond is none: nothing could be computed of it."""


class Answer(NamedTuple):
    """What is to be judged.

    Attributes:
        question: the problem's text.
        output: what came of it; never `None`.
        target: what is right, if that is known.
    """

    question: str
    output: Any
    target: Any = None


class Mark(NamedTuple):
    """A judgment.

    Attributes:
        score: in [0, 1]; `None` if nobody could judge (a judge's server failed): that is missing, not 0.
        reason: why, for people; empty if there is nothing to say.
    """

    score: float | None
    reason: str = ""


Grade: TypeAlias = Callable[[Context, Answer], Program]
"""A program that judges: it yields effects and returns a `Mark`."""


class Scoring(NamedTuple):
    """How one task's outputs are judged.

    Attributes:
        score: output and target to a number in [0, 1]; an output without an answer scores 0.
        read: the answer in an output, in a form that equal answers share.
        output: what agents are asked for.
        marked: whether prose should end with a marked answer; not where the whole of it is scored.
        grade: judges in the place of `score`, for what takes time or asks a model; `None` if `score` does.
        targeted: whether a target is needed.
        asks: how many model calls a judgment takes.
    """

    score: Callable[[Any, Any], float]
    read: Reader = final_text
    output: Output = TEXT
    marked: bool = True
    grade: Grade | None = None
    targeted: bool = True
    asks: int = 0

    @property
    def judge(self) -> Callable[[Any, Any], float] | None:
        """What a topology that learns from scores may ask at any time; `None` if judging is a program."""
        return self.score if self.grade is None else None


def graded(ctx: Context, scoring: Scoring, answer: Answer) -> Program:
    """Judge an answer, whichever way the scorer does it; returns a `Mark`."""
    if scoring.grade is None:
        found = finite(scoring.score(answer.output, answer.target))
        return Mark(found, "" if found is not None else "the scorer gave no number")
    return (yield from scoring.grade(ctx, answer))


def held(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A scorer that somebody wrote, held to numbers: `True` is 1.0, and what is not finite is `None`, no score.

    Raises (from the scorer):
        TypeError: it gave something that is no number.
    """
    return lambda output, target: finite(function(output, target))


def finite(found: Any) -> float | None:
    """A number as a score; `None` if it is none, not finite, or too large.

    Raises:
        TypeError: it is no number.
    """
    if found is None:
        return None
    if not isinstance(found, Real) and type(found).__name__ not in ("bool", "bool_"):  # numpy's
        raise TypeError(f"a score must be a number, got {type(found).__name__}")
    number = float(found)
    return number if math.isfinite(number) and abs(number) <= LARGEST else None
