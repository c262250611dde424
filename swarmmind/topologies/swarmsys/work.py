"""Workers: teams are drawn, answer independently, debate, and settle on one contribution each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from swarmmind.agents.answers import final_text, plurality
from swarmmind.effects import Agent, Ask, Reply
from swarmmind.topologies.recall import Steps, recall
from swarmmind.topologies.swarmsys import prompts
from swarmmind.topologies.swarmsys.events import Event, Result
from swarmmind.topologies.swarmsys.profiles import Draw
from swarmmind.topologies.swarmsys.prompts import Answer
from swarmmind.topologies.swarmsys.state import State
from swarmmind.traces import Trace

_MAX_TOLD = 256  # workers whose chances are recorded


class Team(NamedTuple):
    """Who works on an event in this round.

    Attributes:
        event: the work.
        draw: how they were drawn.
        members: the workers, in the order drawn.
        chances: of each member, to be drawn first.
    """

    event: Event
    draw: Draw
    members: Sequence[Agent]
    chances: Mapping[str, float]

    def record(self, number: int, names: Sequence[str]) -> dict[str, Any]:
        """The draw as JSON data; of a large population the chances of the likeliest workers, and of those drawn."""
        chances = self.draw.probabilities
        told = range(len(names)) if len(names) <= _MAX_TOLD else (-chances).argsort(kind="stable")[:_MAX_TOLD].tolist()
        return {
            "round": number,
            "event": self.event.id,
            "attempt": self.event.attempts,
            "explored": self.draw.explored,
            "drawn": [member.id for member in self.members],
            "probabilities": {**{names[at]: float(chances[at]) for at in told}, **self.chances},
        }


def drawn(state: State) -> list[Team]:
    """A team for each event that can be worked on now."""
    events = state.board.take(state.pace.batch)
    if not events:
        return []
    teams: list[Team] = []
    for event, row in zip(events, state.profiles.nearness([event.vector for event in events]), strict=True):
        event.attempts += 1
        draw = state.profiles.draw(row, state.pace.team, state.ctx.rng(f"draw/{event.id}/{event.attempts}"))
        members = [state.workers[at] for at in draw.drawn]
        chances = {state.names[at]: float(draw.probabilities[at]) for at in draw.drawn}
        teams.append(Team(event, draw, members, chances))
        state.record("draw", teams[-1].record(state.number, state.names))
    return teams


def worked(state: State, teams: Sequence[Team]) -> Steps[list[list[Answer]]]:
    """The last answers of each team, all teams at once; without those who never answered.

    What a worker reads in a round of the debate are its co-workers' answers of the round before.

    Raises:
        Failed: too few agents answered (see `Policy`).
    """
    places = [(at, member) for at, team in enumerate(teams) for member in team.members]
    shown = yield from recall(state.society, [m for _, m in places], [teams[at].event.text for at, _ in places])
    latest: list[dict[str, Answer]] = [{} for _ in teams]
    for number in range(1 + state.pace.debate_rounds):
        asked = [
            (at, member, traces)
            for (at, member), traces in zip(places, shown, strict=True)
            if not number or any(other != member.id for other in latest[at])
        ]
        if not asked:
            break
        replies = yield from state.asked(
            [_ask(state, teams[at].event, member, latest[at], traces) for at, member, traces in asked]
        )
        for (at, member, _), reply in zip(asked, replies, strict=True):
            if reply.ok:
                latest[at][member.id] = _answer(member, reply)
    return [list(answers.values()) for answers in latest]


def settled(team: Team, answers: Sequence[Answer]) -> Result | None:
    """The team's contribution: what more than half of it agree on, else what its likeliest member says.

    Its lead is the likeliest of those who say it, and its authors are all of them; `None` if nobody answered.
    """
    if not answers:
        return None
    forms = {answer.by: final_text(answer.text) for answer in answers}
    agreed = plurality(forms.values())
    likeliest = sorted(answers, key=lambda answer: -team.chances[answer.by])
    if agreed is None or 2 * list(forms.values()).count(str(agreed)) <= len(answers):
        agreed = forms[likeliest[0].by]
    same = [answer for answer in likeliest if forms[answer.by] == agreed]
    return Result(same[0].text, same[0].justification, same[0].by, tuple(answer.by for answer in same))


def _ask(state: State, event: Event, worker: Agent, answers: Mapping[str, Answer], shown: tuple[Trace, ...]) -> Ask:
    own = answers.get(worker.id)
    others = [answer for by, answer in answers.items() if by != worker.id]
    needed = state.needed(event)
    text = prompts.work(event, needed, state.history.profile(worker.id), own, others)
    observation = {
        **prompts.observed("work", event, needed),
        "own": own and own.text,
        "others": [answer.text for answer in others],
    }
    return state.ask(worker, text, prompts.WORK, observation, shown)


def _answer(worker: Agent, reply: Reply) -> Answer:
    said = reply.value
    return Answer(
        worker.id,
        prompts.cut(said["answer"], prompts.MAX_ANSWER),
        prompts.cut(said["justification"], prompts.MAX_JUSTIFICATION),
    )
