"""Lets a candidate's team work on an example, and scores what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import msgspec

from swarmmind.effects import Program
from swarmmind.errors import Failed, Stop, UserError
from swarmmind.evals.datasets import Item
from swarmmind.evals.scoring import Answer, Mark
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.study import Scored
from swarmmind.optimizers.tracing import Exchange, measures, spent, steps, watched
from swarmmind.ports import Context
from swarmmind.runs.plan import Plan
from swarmmind.runs.problems import begun, judged
from swarmmind.runs.studies.teams import Crew, Teams, plain
from swarmmind.topologies import Society

_NOBODYS_FAULT = ("timeout", "connection", "busy", "server", "refused", "program", "memory", "budget", "cancelled")


class Example(NamedTuple):
    """What a candidate is tried on.

    Attributes:
        item: a problem; `None` is a world, another one for each example.
        quotable: whether what happened may be shown.
    """

    item: Item | None
    quotable: bool


class TeamEvaluator:
    """Scores candidates (see `optimizers.study.Evaluator`).

    An example whose team came to nothing scores 0 if agents spoke and could not be understood, and is missing if their
    servers failed. A candidate that makes no team (its values do not fit together) scores 0, with the reason as
    feedback; in a world, whose scores have no bottom, it is missing.

    Args:
        plan: the task's own.
        teams: makes teams of candidates.
        examples: by id.
        start: the id of the task's own values; what its team cannot do is the user's mistake.
    """

    def __init__(self, plan: Plan, teams: Teams, examples: Mapping[str, Example], start: str) -> None:
        self._plan, self._teams, self._examples, self._start = plan, teams, examples, start

    def __call__(self, candidate: Candidate, example: str, rep: int, /) -> Scored | Callable[[Context], Program]:
        """The run of one example."""
        crew = self._teams(candidate)
        if isinstance(crew, str):
            return self._unable(crew)
        return partial(self._run, candidate.id == self._start, crew, self._examples[example])

    def calls(self, candidate: Candidate, /) -> int | None:
        """Calls of one example without failures."""
        crew = self._teams(candidate)
        return 0 if isinstance(crew, str) else crew.calls

    def _unable(self, reason: str) -> Scored:
        world = self._plan.society.environment is not None
        return Scored(None if world else 0.0, feedback=f"These values make no team: {reason}", error=reason)

    def _run(self, is_start: bool, crew: Crew, example: Example, ctx: Context) -> Program:
        item = example.item
        text = item.text if item else ""
        world = self._teams.environment(crew.loaded, len(crew.team.agents))
        society = self._teams.society(crew, text, world, ctx.rng("world").getrandbits(31))
        seen: list[Exchange] = []
        value, wrong = None, ""
        try:
            value = yield from _heeding(watched(begun(crew.team.run, society, ctx), seen))
        except Failed as failed:
            if failed.kind == "memory":  # it is tried again by a resumed run, so nothing may be made of it now
                raise
            wrong = str(failed)
        except UserError as error:  # some topologies find out only now that they cannot work with a swarm
            if is_start:
                raise
            return msgspec.structs.replace(self._unable(plain(error)), usage=spent(seen))
        judging: list[Exchange] = []
        mark = yield from _heeding(watched(self._marked(ctx, value, item, society, seen), judging))
        made, usage = steps(seen), spent(seen)
        found = measures(made, usage) | (world.metrics() if world else {})
        return Scored(
            mark.score,
            value,
            feedback=f"No answer came of it: {wrong}" if wrong and mark.score is not None else _said(mark, example),
            steps=made if example.quotable else (),
            measures=found,
            usage=usage + spent(judging),
            question=text,
            target=item.target if item else None,
            error=_missing(mark, wrong, seen),
        )

    def _marked(self, ctx: Context, value: Any, item: Item | None, society: Society, seen: list[Exchange]) -> Program:
        if society.environment is not None:
            spoke = not seen or any(one.reply.ok for one in seen)
            return Mark(society.environment.score if spoke or not _first_fault(seen) else None)
        assert item is not None
        assert self._plan.scoring is not None
        if value is None:
            return Mark(None if _first_fault(seen) else 0.0)
        return (yield from judged(ctx, self._plan.scoring, Answer(item.text, value, item.target)))


def _said(mark: Mark, example: Example) -> str:
    """What the scorer says, for critics; nothing of an example that may not be shown."""
    return mark.reason if mark.score is not None and example.quotable else ""


def _missing(mark: Mark, wrong: str, seen: list[Exchange]) -> str:
    """Why there is no score; empty if there is one."""
    if mark.score is not None:
        return ""
    return wrong or _first_fault(seen) or mark.reason or "its scorer gave no score"


def _first_fault(seen: list[Exchange]) -> str:
    """What a server, and no agent, is to blame for; empty if there is nothing."""
    for one in seen:
        failure = one.reply.failure
        if failure is not None and failure.kind in _NOBODYS_FAULT:
            return f"{failure.kind}: {failure.message}"
    return ""


def _heeding(program: Program) -> Program:
    """The same program, whose result is a `Stop` if it was told to stop: half an answer is none."""
    results: Any = None
    stop: Stop | None = None
    pending: Stop | None = None
    while True:
        try:
            wanted = program.send(results) if pending is None else program.throw(pending)
        except StopIteration as end:
            if stop is not None:
                raise stop from None
            return end.value
        try:
            results, pending = (yield wanted), None
        except Stop as caught:
            stop = pending = caught
        except GeneratorExit:
            program.close()
            raise
