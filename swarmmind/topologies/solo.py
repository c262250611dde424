"""One agent, one answer: the baseline that every swarm is compared with."""

from __future__ import annotations

from swarmmind.effects import Ask, Program
from swarmmind.ports import Context
from swarmmind.topologies.society import Society


def solo(ctx: Context, society: Society) -> Program:
    """Ask the first agent once; the result is what it said."""
    agent = society.agents[0]
    [reply] = yield [Ask(agent, (*society.system(agent), society.question.prompt()), society.question.output)]
    society.policy.check([reply])
    return reply.value


def solo_calls(society: Society) -> int:
    """Calls of a run in which every answer is readable at once."""
    return 1
