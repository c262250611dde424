"""Candidates that are tried in another process: the effect says whom and on what, a handler there has the team."""

from __future__ import annotations

from functools import partial

from swarmmind.effects import Nested, Outcome, Program
from swarmmind.memory.store import Stores
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.study import Evaluator, Scored, Trial
from swarmmind.ports import Context
from swarmmind.runs.execute import handlers
from swarmmind.runs.models import Models
from swarmmind.runs.plan import Plan
from swarmmind.runtime.frame import Flight
from swarmmind.runtime.handler import Handler
from swarmmind.runtime.meter import Meter


class Elsewhere:
    """An evaluator that has its candidates tried by whoever handles `Trial` (satisfies `optimizers.study.Evaluator`).

    Args:
        evaluator: what would try them here; it prices them.
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator

    def __call__(self, candidate: Candidate, example: str, rep: int, /) -> Trial:
        """The effect."""
        return Trial(candidate.id, dict(candidate.values), example, rep)

    def calls(self, candidate: Candidate, /) -> int | None:
        """See `Evaluator.calls`."""
        return self._evaluator.calls(candidate)


class Trials:
    """Executes `Trial` (`runtime.handler.Handler`): the same program below the same key, with the same chance, as the
    conductor would have nested.

    Args:
        evaluator: makes the teams.
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator

    def __call__(self, trial: Trial, flight: Flight, /) -> Nested:
        """The program."""
        run = self._evaluator(Candidate(trial.candidate, trial.values), trial.example, trial.rep)
        if isinstance(run, Trial):
            raise TypeError("who executes trials must have teams of its own")
        program = partial(_known, run) if isinstance(run, Scored) else run
        return Nested(program, trial.label(), chance=trial.chance)

    def replayed(self, trial: Trial, flight: Flight, result: Outcome, /) -> None:
        """Never: it is not journaled, what it asks is."""

    def read(self, trial: Trial, outcome: Outcome, meter: Meter | None, /) -> Outcome:
        """What the program came to."""
        return outcome


def trying(evaluator: Evaluator, models: Models, plan: Plan, stores: Stores) -> dict[type, Handler]:
    """Who executes which effects of a study.

    Args:
        evaluator: makes teams of candidates.
        models: what answers all of them, critic and editor included.
        plan: the study as a run.
        stores: what executes `Load` and `Persist`.
    """
    return {**handlers(plan, models, stores), Trial: Trials(evaluator)}


def _known(scored: Scored, ctx: Context) -> Program:
    """A score that nobody has to be asked for."""
    yield []
    return scored
