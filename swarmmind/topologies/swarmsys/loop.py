"""SwarmSys (arXiv 2510.10047): explorers find events, workers are drawn for them, validators judge, the draw learns.

1. explorers propose events, or revise open ones
2. a team is drawn for every event whose dependencies are closed (see `profiles`)
3. its workers answer independently, debate, and settle on one contribution
4. validators accept it, or have the event reopened with their reasons attached
5. profiles follow the verdicts; go to 1, until nothing is open, nothing is proposed, and validators end it
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from swarmmind.effects import Program
from swarmmind.errors import Failed, Stop, UserError
from swarmmind.ports import Context
from swarmmind.spec.values import Strict
from swarmmind.topologies.recall import Steps, embedded
from swarmmind.topologies.society import Society
from swarmmind.topologies.swarmsys.conclude import assembled, built
from swarmmind.topologies.swarmsys.events import Board
from swarmmind.topologies.swarmsys.explore import add, ended, explore
from swarmmind.topologies.swarmsys.judge import Case, judged
from swarmmind.topologies.swarmsys.profiles import Learning, Profiles
from swarmmind.topologies.swarmsys.state import Pace, State, ability, cast
from swarmmind.topologies.swarmsys.work import drawn, settled, worked


class Given(Strict):
    """An event that the task file brings."""

    id: str = Field(min_length=1, description="Unique; letters, digits, dots and dashes.")
    task: str = Field(min_length=1, description="What is to be done.")
    requires: str = Field(default="anything", description="The kind of competence that it takes.")
    depends_on: list[str] = Field(default=[], description="Ids of events whose results it needs.")
    priority: int = Field(default=0, description="Higher is sooner.")


def swarmsys(
    ctx: Context,
    society: Society,
    team: Annotated[int, Field(ge=1)] = 2,
    debate_rounds: Annotated[int, Field(ge=0)] = 1,
    quorum: Annotated[int, Field(ge=1)] | None = None,
    attempts: Annotated[int, Field(ge=1)] = 3,
    batch: Annotated[int, Field(ge=1)] | None = None,
    explore_every: Annotated[int, Field(ge=0)] = 1,
    max_events: Annotated[int, Field(ge=1, le=100_000)] = 64,
    events: list[Given] | None = None,
    learning: Learning | None = None,
) -> Program:
    """Solve a task as explorers, workers and validators, and learn on the way who is good at what.

    The texts by which workers are found first are their parameter `ability`, or else their instructions.

    Args:
        ctx: the program's place.
        society: its agents take part by role card: `explorer`, `worker` and `validator`, at least one of each.
        team: workers drawn for an event; all of them if there are fewer.
        debate_rounds: how often the members of a team answer again after reading each other.
        quorum: validators that must accept; more than half of them unless given.
        attempts: how often an event is worked on before it is given up.
        batch: events worked on at once; all that can be unless given.
        explore_every: explorers are asked every so many rounds, and when nothing is open; 0 is only then.
        max_events: there are never more events than this.
        events: to begin with, before any explorer is asked.
        learning: the constants of allocation.

    Returns:
        The answer to the task, put together by a validator, or an explorer; or, if neither can, in code from what was
        validated last. A budget that ends the run early keeps what was validated.

    Raises:
        UserError: a role is missing, the quorum is larger than there are validators, or given events are impossible.
        Failed: too few agents answered (see `Policy`), the embedder failed, or nothing came of it at all.
    """
    pace = Pace(team, debate_rounds, _quorum(society, quorum), attempts, batch, explore_every)
    abilities = yield from embedded([ability(worker) for worker in cast(society, "worker")])
    state = State(ctx, society, pace, Board(max_events), Profiles(abilities, learning or Learning()))
    try:
        yield from _begin(state, events or [])
        while (yield from _round(state)):
            pass
        value = (yield from assembled(state)) if state.board.events else None
    except Stop:
        value = built(state)
    state.record("metrics", state.metrics())
    yield from state.asked()
    if value is None:
        raise Failed(f"nobody gave an answer, and none of {len(state.board.events)} events was validated")
    return value


def _quorum(society: Society, wanted: int | None) -> int:
    """How many validators must accept; every role is there."""
    for role in ("explorer", "worker", "validator"):
        if not cast(society, role):
            raise UserError(f"swarm.agents: 'swarmsys' needs at least one {role!r}, got none")
    judges = len(cast(society, "validator"))
    if wanted is not None and wanted > judges:
        raise UserError(f"quorum: must be at most the number of validators, {judges}, got {wanted}")
    return wanted or judges // 2 + 1


def _begin(state: State, given: Sequence[Given]) -> Steps[None]:
    refused = (yield from add(state, [("task", event.model_dump()) for event in given])) if given else []
    if refused:
        raise UserError(f"events: {refused[0].event!r}: {refused[0].reason}")


def _round(state: State) -> Steps[bool]:
    """One round; whether there is another."""
    state.number += 1
    every = state.pace.explore_every
    if state.board.idle() or (every and (state.number - 1) % every == 0):
        yield from explore(state)
    teams = drawn(state)
    if not teams:
        return not (yield from ended(state))
    state.endings = 0
    answers = yield from worked(state, teams)
    yield from judged(state, [Case(team, settled(team, said), said) for team, said in zip(teams, answers, strict=True)])
    state.society.memory.tick()
    levels = state.profiles.levels(state.names, state.history.kinds)
    if levels:
        state.record("pheromone", {"round": state.number, "levels": levels})
    return True
