"""How an episode is played: a team on an instance, then its answer is judged."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from swarmmind.effects import Failure, Nested, Outcome, Program, Usage
from swarmmind.errors import Failed, UserError
from swarmmind.evals.datasets import Item
from swarmmind.evals.record import Episode, Played
from swarmmind.evals.scoring import Answer, Mark, finite
from swarmmind.optimizers.tracing import Exchange, spent, watched
from swarmmind.ports import Context, Environment
from swarmmind.rng import Streams
from swarmmind.runs.evals.plan import Crew, EvalPlan
from swarmmind.runs.plan import Plan, make_environment
from swarmmind.runs.problems import begun, judged, school
from swarmmind.runs.teams import Team, make_team
from swarmmind.runtime.frame import Flight
from swarmmind.runtime.handler import Handler, is_refused
from swarmmind.runtime.journal import characters
from swarmmind.runtime.meter import Meter
from swarmmind.spec.values import Distribution
from swarmmind.topologies.controls import control

_OUTPUT = 4000  # characters of an answer that are kept with its score; all of it is in the journal
NOBODYS_FAULT = ("timeout", "connection", "busy", "server", "refused", "program", "memory", "budget", "cancelled")
"""Kinds of failures that are no answer of an agent's."""


class Found(NamedTuple):
    """What a program of an episode came to.

    Attributes:
        value: the output.
        mark: its score; `None` if there is no output.
        world: the world that was played, if it was one.
        wrong: why there is no output.
        judging: what judging it took.
    """

    value: Any
    mark: Mark | None
    world: Environment | None = None
    wrong: str = ""
    judging: Usage = Usage()


class Player:
    """The runtime's handler of `Episode`.

    Args:
        plan: the eval.
        allow_code: whether the user allowed the task to name Python code.

    Attributes:
        at_once: how many may be under way.
        played: how many are over, and how many there are: for people.
    """

    def __init__(self, plan: EvalPlan, *, allow_code: bool = False) -> None:
        self._plan, self._allow_code = plan, allow_code
        self.at_once = plan.at_once
        self.played = 0
        self._teams: dict[tuple[str, int], Team] = {}

    def __call__(self, episode: Episode, flight: Flight) -> Nested:
        """The program that plays it; all arms share its chance."""
        return Nested(self._program(episode), "episode", chance=f"eval/{episode.instance}.{episode.seed}")

    def replayed(self, episode: Episode, flight: Flight, result: Played) -> None:
        """It was played in an earlier session."""
        self.played += 1

    def read(self, episode: Episode, outcome: Outcome, meter: Meter | None) -> Played:
        """What is kept of it; an episode that a budget ended half-way is none."""
        if is_refused(outcome):
            return Played(failure=Failure("budget", "not played to its end"))
        self.played += 1
        assert meter is not None
        total, fault = meter.total(), _fault(meter)
        found = outcome.value if outcome.value is not None else Found(None, None, wrong=str(outcome.failure))
        mark = _held(_marked(found, fault, spoke=total.finished > 0 or total.planned == 0))
        error = found.wrong if mark.score is not None else found.wrong or mark.reason or fault
        return Played(
            score=mark.score,
            output=_text(found.value),
            reason=characters(mark.reason),
            usage=meter.usage,
            judging=found.judging,
            planned=total.planned,
            finished=total.finished,
            failed=total.failed,
            cancelled=total.cancelled,
            error=characters(error),
            metrics=_metrics(found, meter),
        )

    def _program(self, episode: Episode) -> Callable[[Context], Program]:
        crew, item = self._plan.crews[episode.play], self._plan.items[episode.instance]
        plan, team = crew.plan, self._team(episode.play, crew.plan, episode.seed)
        if plan.society.environment is not None:
            return lambda ctx: _world(ctx, plan, team, self._world(plan), episode.seed)
        if team.whole:
            return lambda ctx: _whole(ctx, plan, team, episode.seed)
        assert item is not None
        if crew.control is None:
            return lambda ctx: _question(ctx, plan, team, item, episode.seed)
        return lambda ctx: _controlled(ctx, crew, team, item, episode)

    def _team(self, play: str, plan: Plan, seed: int) -> Team:
        """The team of a play; where agents draw parameters, another one for each seed."""
        if not _draws(plan):
            return plan.team
        known = self._teams.get((play, seed))
        if known is None:
            loaded = plan.loaded
            known = make_team(loaded, loaded.swarm, Streams(seed), allow_code=self._allow_code)
            self._teams[play, seed] = known
        return known

    def _world(self, plan: Plan) -> Environment:
        made = make_environment(plan.loaded, len(plan.team.agents), self._allow_code)
        assert made is not None
        return made


class ByPlay:
    """Effects of one kind, executed by the arm they belong to.

    Args:
        handlers: by play.
    """

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers
        self._any = next(iter(handlers.values()))

    def __call__(self, effect: Any, flight: Flight) -> Any:
        """See `Handler`."""
        return self._of(flight)(effect, flight)

    def replayed(self, effect: Any, flight: Flight, result: Any) -> None:
        """See `Handler`."""
        self._of(flight).replayed(effect, flight, result)

    def read(self, effect: Any, outcome: Outcome, meter: Meter | None) -> Any:
        """See `Handler`."""
        return self._any.read(effect, outcome, meter)

    def _of(self, flight: Flight) -> Handler:
        label = flight.key.split("/", 3)[2]  # run/<step>/<play>.<instance>.<seed>/...
        return self._handlers[label.partition(".")[0]]


def _world(ctx: Context, plan: Plan, team: Team, world: Environment, seed: int) -> Program:
    society = team.society(plan.society.question, world, seed)
    value, wrong = yield from _output(begun(team.run, society, ctx))
    return Found(None if wrong else value, None, world, wrong)


def _question(ctx: Context, plan: Plan, team: Team, item: Item, seed: int) -> Program:
    society = team.society(plan.society.question._replace(text=item.text), None, seed)
    value, wrong = yield from _output(begun(team.run, society, ctx))
    return (yield from _judged(ctx, plan, item, value, wrong))


def _controlled(ctx: Context, crew: Crew, team: Team, item: Item, episode: Episode) -> Program:
    assert crew.control is not None
    society = team.society(crew.plan.society.question._replace(text=item.text), None, episode.seed)
    spent = control(ctx, society, crew.control, episode.tokens, episode.calls, episode.dither)
    value, wrong = yield from _output(spent)
    return (yield from _judged(ctx, crew.plan, item, value, wrong))


def _whole(ctx: Context, plan: Plan, team: Team, seed: int) -> Program:
    """A topology that takes the data set whole: its score is the mean of its answers'."""
    scoring = plan.scoring
    assert scoring is not None
    society = school(team.society(plan.society.question, None, seed), plan.items, scoring.judge)
    outputs, wrong = yield from _output(begun(team.run, society, ctx))
    if outputs is None:
        return Found(None, None, wrong=wrong)
    given = [(item, output) for item, output in zip(plan.items, outputs, strict=True) if output is not None]
    nested = [Nested(_marking(plan, *one), f"score-{at}") for at, one in enumerate(given)]

    def marking() -> Program:
        return (yield nested)

    seen: list[Exchange] = []
    outcomes = yield from watched(marking(), seen)
    scores = [outcome.value.score for outcome in outcomes if outcome.value and outcome.value.score is not None]
    return Found(outputs, Mark(sum(scores) / len(scores) if scores else None), judging=spent(seen))


def _judged(ctx: Context, plan: Plan, item: Item, value: Any, wrong: str) -> Program:
    if value is None:
        return Found(None, None, wrong=wrong)
    seen: list[Exchange] = []
    mark = yield from watched(_marking(plan, item, value)(ctx), seen)
    return Found(value, mark, judging=spent(seen))


def _marking(plan: Plan, item: Item, value: Any) -> Callable[[Context], Program]:
    """The judgment of an output; what a user's own scorer raises costs this episode's score, and no other's."""
    scoring = plan.scoring
    assert scoring is not None

    def program(ctx: Context) -> Program:
        try:
            return (yield from judged(ctx, scoring, Answer(item.text, value, item.target)))
        except (UserError, Failed):
            raise
        except Exception as bug:
            return Mark(None, f"its scorer failed: {type(bug).__name__}: {bug}"[:400])

    return program


def _output(program: Program) -> Program:
    """What a program returns, and why not."""
    try:
        value = yield from program
    except Failed as failed:
        return None, str(failed)
    return value, ""


def _marked(found: Found, fault: str, *, spoke: bool) -> Mark:
    """No answer is a wrong one where agents spoke; where their servers failed it is none."""
    if found.world is not None:
        return Mark(found.world.score if spoke or not fault else None)
    if found.mark is not None:
        return found.mark
    return Mark(None if fault else 0.0, "no answer came of it")


def _held(mark: Mark) -> Mark:
    """A mark whose score a file can hold, whoever gave it."""
    try:
        score = finite(mark.score)
    except TypeError as error:
        return Mark(None, str(error))
    return Mark(score, mark.reason) if score == mark.score else Mark(score, f"no score: {mark.score}")


def _fault(meter: Meter) -> str:
    """What a server, and no agent, is to blame for; empty if there is nothing."""
    for failure in meter.failures.values():
        if failure.kind in NOBODYS_FAULT:
            return f"{failure.count} x {failure.kind}: {failure.example}"
    return ""


def _metrics(found: Found, meter: Meter) -> dict[str, float]:
    recorded = meter.latest.get("metrics")
    numbers = recorded.items() if isinstance(recorded, dict) else ()
    told = {str(name): float(value) for name, value in numbers if isinstance(value, (int, float))}
    told |= {name: float(value) for name, value in found.world.metrics().items()} if found.world is not None else {}
    return {characters(name): value for name, value in told.items() if math.isfinite(value)}


def _text(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, default=str)
    return characters(text if len(text) <= _OUTPUT else f"{text[:_OUTPUT]}...")


def _draws(plan: Plan) -> bool:
    """Whether agents' parameters are drawn."""
    groups = plan.task.swarm.groups
    given = [value for group in groups for value in group.parameters.values()]
    carded = [value for card in plan.loaded.cards.values() for value in card.parameters.values()]
    return any(isinstance(value, Distribution) for value in (*given, *carded))
