"""A topology of one's own: three rounds on a ring, where everybody reads what its left neighbor said the round before.

    python -c "import ring3, swarmmind.testing as t; t.check_topology(ring3.ring3, barrier=True)"

checks that it keeps what a topology promises: that it can be resumed at any moment, loses no reply, and so on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Agent, Message, Program, Reply
from swarmmind.errors import Stop
from swarmmind.ports import Context
from swarmmind.topologies import Society
from swarmmind.topologies.turns import turn
from swarmmind.topologies.vote import elected


def ring3(ctx: Context, society: Society, rounds: int = 3) -> Program:
    """Answer, read the left neighbor's answer, answer again; the most frequent last answer wins."""
    agents, said = society.agents, dict[str, Reply]()
    try:
        for _ in range(rounds):
            lefts = [agents[at - 1].id for at in range(len(agents))]
            replies = yield from turn(society, agents, [prompt(society, left, said.get(left)) for left in lefts])
            said |= heard(agents, replies)
    except Stop as stop:  # the budget is spent: what was said counts
        said |= heard(agents, stop.results)
    return elected([society.question.answer(reply) for reply in said.values()], list(said.values()))


def prompt(society: Society, left: str, reply: Reply | None) -> Message:
    """The question, and the neighbor's words as a quotation: nothing in them can pass for an instruction."""
    question = society.question.prompt()
    if reply is None:
        return question
    return Message("user", f"{question.content}\n\nYour neighbor says:\n\n{quoted(left, reply.text or '')}")


def heard(agents: Sequence[Agent], results: Sequence[Any]) -> dict[str, Reply]:
    """Who answered what; whoever failed stands by what it said before."""
    said = zip(agents, results, strict=False)
    return {agent.id: reply for agent, reply in said if isinstance(reply, Reply) and reply.ok}
