"""One agent, one answer: the baseline that every swarm is compared with."""

from __future__ import annotations

from contextlib import suppress

from swarmmind.agents.prompts import remembered
from swarmmind.effects import Ask, Program
from swarmmind.errors import Stop
from swarmmind.ports import Context
from swarmmind.topologies.recall import exchange, recall, remember
from swarmmind.topologies.society import Society, Topology


def solo(ctx: Context, society: Society) -> Program:
    """Ask the first agent once; the result is what it said."""
    agent, question = society.agents[0], society.question
    prompt = question.prompt()
    [shown] = yield from recall(society, [agent], [question.text])
    messages, seen = (*society.system(agent), *remembered(shown, prompt)), {"question": question.text, "do": "answer"}
    [reply] = yield [Ask(agent, messages, question.output, observation=seen)]
    society.policy.check([reply])
    with suppress(Stop):  # the answer is there, whether it can be remembered or not
        yield from remember(society, exchange(agent, prompt, reply, question.answer(reply)))
    return reply.value


def solo_calls(society: Society) -> int:
    """Calls of a run in which every answer is readable at once."""
    return 1


TOPOLOGY = Topology(solo, solo_calls)
