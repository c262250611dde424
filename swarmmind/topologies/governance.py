"""How a group comes to one answer, in code: who decides, who agrees, whose votes weigh how much, whose words win."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from math import isfinite
from typing import Literal, NamedTuple, TypeAlias

from swarmmind.effects import Agent
from swarmmind.errors import UserError
from swarmmind.topologies.society import Society
from swarmmind.topologies.statements import Statement

Rule: TypeAlias = Literal["monarchy", "advised-monarchy", "democracy", "weighted"]


class Cast(NamedTuple):
    """Who does what: organizers ask, members answer and have opinions, the leader decides where one person does."""

    organizers: list[Agent]
    members: list[Agent]
    leader: Agent


def cast(society: Society, rule: Rule) -> Cast:
    """Parts by role: `organizer` and `leader`; without them the first agent organizes, beside its own part, and leads.

    Raises:
        UserError: nobody is left to be a member, there are several leaders, or a vote's weight is no number.
    """
    organizers, leaders = society.members("organizer") or [society.agents[0]], society.members("leader")
    members = [agent for agent in society.agents if agent.role not in ("organizer", "leader")]
    if not members or len(leaders) > 1:
        found = f"got {len(members)} members and {len(leaders)} leaders"
        raise UserError(f"swarm.agents: a mindstorm has a member beside organizers, and one leader at most; {found}")
    if rule == "weighted":
        for agent in members:
            weight(agent)
    return Cast(organizers, members, (leaders or organizers)[0])


def alike(_: Agent) -> float:
    """Everybody's vote weighs 1."""
    return 1


def chosen(said: Sequence[Statement], weigh: Callable[[Agent], float] = alike) -> Statement | None:
    """The first statement of the answer with the greatest sum of weights, on ties of the one that was given first.

    Where no answer was read at all it is the first statement, and `None` where there is none.
    """
    weights = weighed(said, weigh)
    if not weights:
        return said[0] if said else None
    winner = max(weights, key=lambda answer: weights[answer])
    return next(each for each in said if each.answer == winner)


def weighed(said: Sequence[Statement], weigh: Callable[[Agent], float]) -> dict[Hashable, float]:
    """The sum of weights of each answer, in the order in which answers were given first."""
    sums: dict[Hashable, float] = {}
    for each in said:
        if each.answer is not None:
            sums[each.answer] = sums.get(each.answer, 0) + weigh(each.agent)
    return sums


def votes(said: Sequence[Statement], weigh: Callable[[Agent], float] = alike) -> dict[str, float]:
    """`weighed`, for records."""
    return {str(answer): total for answer, total in weighed(said, weigh).items()}


def agreed(said: Sequence[Statement], count: int) -> bool:
    """Whether all `count` who were asked gave an answer that could be read, and all gave the same one."""
    return len(said) == count and len({each.answer for each in said}) == 1 and said[0].answer is not None


def weight(agent: Agent) -> float:
    """The agent's parameter `weight`, 1 where it has none; below 0 its vote counts against an answer.

    Raises:
        UserError: it is no finite number.
    """
    given = agent.parameters.get("weight", 1)
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not isfinite(given):
        raise UserError(f"swarm.agents: {agent.id}: weight: must be a finite number, got {given!r:.60}")
    return float(given)


def weights(rule: Rule) -> Callable[[Agent], float]:
    """What a vote weighs under a rule."""
    return weight if rule == "weighted" else alike
