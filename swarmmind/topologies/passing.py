"""Synchronous rounds of messages on a graph, as AgentsNet has them (arXiv 2507.08616, protocol): the LOCAL model.

At step 0 every node is asked for its first messages; at each of the steps 1 to R - 1 it reads what its neighbors said
to it at the step before, and is asked for more; at step R it reads the last ones and answers. So there are R + 1 calls
per node, and a word travels R edges at most. What nodes are told, and how their replies are read, is up to the caller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from swarmmind.effects import Message, Output, Record, Reply
from swarmmind.errors import Stop
from swarmmind.topologies.chats import Chats
from swarmmind.topologies.recall import Steps
from swarmmind.topologies.society import Society


class Talk(Protocol):
    """What nodes are told in the rounds of `passing`, and how they are understood."""

    def prompt(self, node: int, step: int, heard: Mapping[int, str]) -> Message:
        """What a node is told at a step; `heard`: texts by neighbor, in the order of the node's neighbors."""
        ...

    def output(self, node: int, step: int) -> Output:
        """What it should answer with."""
        ...

    def observation(self, node: int, step: int, heard: Mapping[int, str]) -> Any:
        """The same as a structured value, for agents that are programs."""
        ...

    def said(self, node: int, reply: Reply) -> Mapping[int, str]:
        """To whom a node says what in a reply that did not fail; what is not for a neighbor is dropped."""
        ...

    def again(self, node: int, step: int, reply: Reply) -> Message | None:
        """What a node is told whose reply cannot be understood, before it is asked once more; `None`: it can be."""
        ...


def passing(
    society: Society, chats: Chats, neighbors: Sequence[Sequence[int]], rounds: int, talk: Talk
) -> Steps[list[Reply]]:
    """Rounds of messages; returns what every node said at the last step, failures among them.

    A node that fails at a step says nothing at that step, and goes on with the next one.

    Args:
        society: whose policy holds, at every step.
        chats: of the nodes.
        neighbors: of each node.
        rounds: R, at least 1.
        talk: what they are told.

    Raises:
        Failed: too few nodes answered at a step (see `Policy`).
        Stop: the budget is spent before the last step; at the last step, those that were not asked have failed.
    """
    nodes = range(len(neighbors))
    heard: list[dict[int, str]] = [{} for _ in nodes]
    for step in range(rounds):
        replies = yield from _step(chats, nodes, step, heard, talk)
        society.policy.check(replies)
        said = [talk.said(node, reply) if reply.ok else {} for node, reply in zip(nodes, replies, strict=True)]
        heard = [{u: said[u][v] for u in neighbors[v] if v in said[u]} for v in nodes]
        silent = [node for node in nodes if not said[node]]
        yield [Record("messages", {"step": step, "delivered": sum(map(len, heard)), "silent": len(silent)})]
    try:
        replies = yield from _step(chats, nodes, rounds, heard, talk)
    except Stop as stop:
        return [reply for reply in stop.results if isinstance(reply, Reply)]
    society.policy.check(replies)
    return replies


def _step(
    chats: Chats, nodes: Sequence[int], step: int, heard: Sequence[Mapping[int, str]], talk: Talk
) -> Steps[list[Reply]]:
    def ask(asked: Sequence[int], prompts: Sequence[Message]) -> Steps[list[Reply]]:
        outputs = [talk.output(node, step) for node in asked]
        return chats.turn(asked, prompts, outputs, [talk.observation(node, step, heard[node]) for node in asked])

    replies = yield from ask(nodes, [talk.prompt(node, step, heard[node]) for node in nodes])
    prompts = {node: more for node in nodes if (more := talk.again(node, step, replies[node])) is not None}
    if prompts:  # only when all have spoken: nobody hears of it before the next step
        for node, reply in zip(prompts, (yield from ask(list(prompts), list(prompts.values()))), strict=True):
            replies[node] = reply
    return replies
