"""The workloads that are no topology of the library."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Sequence

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Message, Program, Reply
from swarmmind.ports import Context
from swarmmind.topologies import Society
from swarmmind.topologies.turns import turn
from swarmmind.topologies.vote import elected


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
