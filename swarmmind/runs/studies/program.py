"""The root program of a study: the search, and then, once, the held-out test of start and winner."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from swarmmind.effects import Limits, Nested, Outcome, Program
from swarmmind.errors import Failed, Stop
from swarmmind.optimizers.conduct import Conclusion, conduct, measured
from swarmmind.optimizers.study import Evaluation, Evaluator
from swarmmind.ports import Context
from swarmmind.runs.studies.plan import StudyPlan


class Findings(NamedTuple):
    """What a study came to.

    Attributes:
        conclusion: of the search.
        start: the task's own values on the held-out examples; `None` if they were not tried.
        best: the winner on the same; `start` itself if nothing was better.
        untested: why the held-out test is missing although it was wanted.
    """

    conclusion: Conclusion
    start: Evaluation | None = None
    best: Evaluation | None = None
    untested: str = ""


def root(study: StudyPlan, evaluator: Evaluator, limits: Limits, aside: Limits) -> Callable[[Context], Program]:
    """The program of a study; it returns `Findings`.

    Args:
        study: the study.
        evaluator: scores its candidates.
        limits: of the search: the budget, less what is set aside for the held-out test.
        aside: that.
    """
    stops = study.stops._replace(limits=limits, tested=2 * len(study.examples.test.ids), aside=aside)

    def program(ctx: Context) -> Program:
        def search(at: Context) -> Program:
            return conduct(at, study.study, study.program, evaluator, stops)

        own = None if limits == Limits() else limits
        found = yield from _one(Nested(search, "search", limits=own))
        if found.failure is not None:
            raise Failed(found.failure.message, "memory" if found.failure.kind == "memory" else "program")
        conclusion: Conclusion = found.value
        if not study.examples.test.ids:
            return Findings(conclusion)
        return (yield from _held_out(study, evaluator, conclusion))

    return program


def _held_out(study: StudyPlan, evaluator: Evaluator, conclusion: Conclusion) -> Program:
    start, best, test = study.study.start[0], conclusion.best, study.examples.test
    who = [start] if best.id == start.id else [start, best]

    def compare(at: Context) -> Program:
        return measured(evaluator, who, test)

    tried = yield from _one(Nested(compare, "held-out"))
    if tried.failure is not None:
        if tried.failure.kind == "memory":
            raise Failed(tried.failure.message, "memory")
        return Findings(conclusion, untested=tried.failure.message)
    return Findings(conclusion, tried.value[0], tried.value[-1])


def _one(nested: Nested) -> Program:
    """The outcome of one program; a spent budget is part of it."""
    try:
        [outcome] = yield [nested]
    except Stop as stop:
        [outcome] = stop.results
    assert isinstance(outcome, Outcome)
    return outcome
