"""Validators: they judge contributions, never their own, and what they say is what the swarm learns from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from swarmmind.effects import Agent, Ask, Reply
from swarmmind.errors import Stop
from swarmmind.topologies.recall import Steps, remember
from swarmmind.topologies.swarmsys import prompts
from swarmmind.topologies.swarmsys.events import Result
from swarmmind.topologies.swarmsys.prompts import Answer
from swarmmind.topologies.swarmsys.state import LATEST, State
from swarmmind.topologies.swarmsys.work import Team
from swarmmind.traces import Trace

PRAISE, BLAME = 1.25, 0.8
"""What a verdict does to what memory holds about a kind of event."""


class Case(NamedTuple):
    """A contribution before the validators.

    Attributes:
        team: whose it is.
        result: the contribution; `None` if nobody on the team answered.
        answers: the last answers of all of the team.
    """

    team: Team
    result: Result | None
    answers: Sequence[Answer]


class Verdict(NamedTuple):
    """What validators said of a contribution.

    Attributes:
        accepted: whether enough of them accept it.
        votes: of each who answered.
        reasons: of those on whose side it came out: who, and why.
    """

    accepted: bool
    votes: Mapping[str, bool]
    reasons: Sequence[tuple[str, str]]


def judged(state: State, cases: Sequence[Case]) -> Steps[None]:
    """Have all contributions of a round judged at once; then events are closed or reopened, and profiles follow.

    Raises:
        Failed: too few validators answered (see `Policy`), or a memory failed.
        Stop: the budget is spent; what has the quorum already is validated.
    """
    places = [
        (at, judge)
        for at, case in enumerate(cases)
        if case.result is not None
        for judge in impartial(state.validators, case.team.members)
    ]
    try:
        replies = yield from state.asked([_ask(state, cases[at], judge) for at, judge in places])
    except Stop as stop:
        told = _verdicts(state, cases, places, stop.results)
        _concluded(state, [(case, said) for case, said in zip(cases, told, strict=True) if said.accepted])
        raise
    pairs = list(zip(cases, _verdicts(state, cases, places, replies), strict=True))
    _concluded(state, pairs)
    yield from _remembered(state, pairs)


def impartial(validators: Sequence[Agent], team: Sequence[Agent]) -> list[Agent]:
    """Those of the validators who were not on the team."""
    members = {member.id for member in team}
    return [validator for validator in validators if validator.id not in members]


def _ask(state: State, case: Case, judge: Agent) -> Ask:
    event, result = case.team.event, case.result
    assert result is not None
    needed = state.needed(event)
    others = [answer for answer in case.answers if answer.by != result.lead]
    text = prompts.judge(event, needed, result, others)
    observation = {**prompts.observed("judge", event, needed), "answer": result.answer}
    return state.ask(judge, text, prompts.VERDICT, observation)


def _verdicts(
    state: State, cases: Sequence[Case], places: Sequence[tuple[int, Agent]], replies: Sequence[Reply]
) -> list[Verdict]:
    said: list[dict[str, tuple[bool, str]]] = [{} for _ in cases]
    for (at, judge), reply in zip(places, replies, strict=True):
        if reply.ok:
            said[at][judge.id] = (reply.value["accept"], prompts.cut(reply.value["reason"], prompts.MAX_REASON))
    verdicts: list[Verdict] = []
    for case, votes in zip(cases, said, strict=True):
        accepted = sum(vote for vote, _ in votes.values()) >= state.pace.quorum
        reasons = [(by, why) for by, (vote, why) in votes.items() if vote == accepted]
        if not votes:
            reasons = [("nobody", "no worker answered" if case.result is None else "no validator answered")]
        verdicts.append(Verdict(accepted, {by: vote for by, (vote, _) in votes.items()}, reasons))
    return verdicts


def _concluded(state: State, pairs: Sequence[tuple[Case, Verdict]]) -> None:
    """Draw the consequences of verdicts, one after the other; an attempt that nobody judged teaches nothing."""
    for case, verdict in pairs:
        event, result = case.team.event, case.result
        authors = result.authors if result else ()
        if verdict.votes:
            credited = [state.place[author] for author in authors] if verdict.accepted else []
            state.profiles.judged(event.vector, credited)
            state.history.judged(event, case.team.chances, authors, verdict.accepted)
        given_up = not verdict.accepted and event.attempts >= state.pace.attempts
        if given_up:
            event.reasons = list(verdict.reasons)
        if verdict.accepted or given_up:
            state.board.close(event, "failed" if given_up else "validated", result)
            state.closed = [*state.closed[1 - LATEST :], event]
        else:
            state.board.reopen(event, verdict.reasons)
            state.history.reopened += 1
        state.record("verdict", _record(state, case, verdict))


def _record(state: State, case: Case, verdict: Verdict) -> dict[str, Any]:
    event = case.team.event
    return {
        "round": state.number,
        "event": event.id,
        "attempt": event.attempts,
        "accepted": verdict.accepted,
        "status": event.status,
        "votes": verdict.votes,
        "reasons": [why for _, why in verdict.reasons],
        "authors": list(case.result.authors) if case.result else [],
        "requires": event.requires,
    }


def _remembered(state: State, pairs: Sequence[tuple[Case, Verdict]]) -> Steps[None]:
    """What was validated is left in its lead's memory; what is there about that kind is praised or blamed."""
    left: list[tuple[str, Trace]] = []
    for case, verdict in pairs:
        event, result = case.team.event, case.result
        if result is None or not verdict.votes:
            continue
        state.society.memory.reinforce(result.lead, event.requires, PRAISE if verdict.accepted else BLAME)
        if verdict.accepted:
            texts = (event.task, event.by, "event"), (result.answer, result.lead, "result")  # each under its author
            for text, author, kind in texts:
                left.append((result.lead, Trace(prompts.cut(text, prompts.MAX_REASON), author, kind, event.requires)))
    yield from remember(state.society, left)
