"""How one task's outputs are judged: by a function, or by a program that asks a judge or runs tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from swarmmind.agents.answers import Reader, final_text
from swarmmind.effects import TEXT, Output, Program
from swarmmind.ports import Context


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
        return Mark(scoring.score(answer.output, answer.target))
    return (yield from scoring.grade(ctx, answer))
