"""The workloads that are no topology of the library."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Sequence

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Ask, Message, Program, Record, Reply
from swarmmind.ports import Context
from swarmmind.topologies import Society
from swarmmind.topologies.debate import debate
from swarmmind.topologies.turns import turn
from swarmmind.topologies.vote import elected


def chained(ctx: Context, society: Society, layers: int = 0, rounds: int = 0) -> Program:
    """Layers or a debate on open connections: before the clock starts everybody is asked once, as all peers do it."""
    question, agents = society.question, society.agents
    yield [Ask(agent, (*society.system(agent), question.prompt()), question.output) for agent in agents]
    began = time.perf_counter()
    value = yield from (layered(ctx, society, layers) if layers else debate(ctx, society, rounds))
    yield [Record("metrics", {"wall_seconds": time.perf_counter() - began})]
    return value


def layered(ctx: Context, society: Society, layers: int = 5) -> Program:
    """Layers of all agents, each of which reads what all agents of the layer before said."""
    question, agents = society.question, society.agents
    replies: Sequence[Reply] = []
    for _ in range(layers):
        prompt = question.prompt()
        if replies:
            said = [quoted(agent.id, reply.text or "") for agent, reply in zip(agents, replies, strict=True)]
            shown = "\n\n".join([prompt.content, "These are the answers of others:", *said])
            prompt = Message("user", f"{shown}\n\nCheck them, and answer once more.")
        replies = yield from turn(society, agents, [prompt] * len(agents))
    return elected([question.answer(reply) for reply in replies], replies)


def held(ctx: Context, society: Society) -> Program:
    """Ask everybody once; how many bytes are allocated then, since they began to be traced."""
    replies = yield from turn(society, society.agents, [society.question.prompt()] * len(society.agents))
    gc.collect()
    bytes_held, _ = tracemalloc.get_traced_memory()
    assert len(replies) == len(society.agents)
    return bytes_held
