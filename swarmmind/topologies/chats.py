"""Conversations with nodes of a graph: each goes on from all that the node was told and said."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from swarmmind.agents.prompts import remembered
from swarmmind.effects import Agent, Ask, Message, Output, Reply
from swarmmind.errors import Stop
from swarmmind.topologies.recall import Steps, exchange, recall, remember
from swarmmind.topologies.society import Society
from swarmmind.traces import ANSWER


class Chats:
    """The conversation of each node: it goes on from all that the node was told and said, append-only.

    Where the swarm's memory brings an agent's turns, the conversation is what the memory brings.
    """

    def __init__(self, society: Society, players: Sequence[Agent]) -> None:
        self._society, self._players = society, players
        self._past: list[list[Message]] = [[] for _ in players]
        self._unanswered = [""] * len(players)  # what a node was told and, for a failure, said nothing to

    def turn(
        self, nodes: Sequence[int], prompts: Sequence[Message], outputs: Sequence[Output], seen: Sequence[Any]
    ) -> Steps[list[Reply]]:
        """Tell each of these nodes its prompt, all at once; replies in the order of the nodes.

        A failure is a reply like any other here: what it means is for the caller to say (see `Policy`).

        Args:
            nodes: numbers; each at most once.
            prompts: what each is told.
            outputs: what each should answer with.
            seen: what each observes, for agents that are programs.

        Raises:
            Failed: the memory's embedder or store failed.
            Stop: the budget is spent; its `results` are the replies that were there.
        """
        society, agents = self._society, [self._players[node] for node in nodes]
        told = [self._told(node, prompt) for node, prompt in zip(nodes, prompts, strict=True)]
        shown = yield from recall(society, agents, [society.question.text] * len(agents))
        asks: list[Ask] = []
        for at, node in enumerate(nodes):
            brought = any(trace.kind == ANSWER for trace in shown[at])
            past = () if brought else self._past[node]
            messages = (*society.system(agents[at]), *past, *remembered(shown[at], told[at]))
            asks.append(Ask(agents[at], messages, outputs[at], observation=seen[at]))
        replies: list[Reply] = yield asks
        for node, prompt, reply in zip(nodes, told, replies, strict=True):
            if reply.text is None:
                self._unanswered[node] = prompt.content
            else:
                self._past[node] += [prompt, Message("assistant", reply.text)]
                self._unanswered[node] = ""
        said = zip(agents, told, replies, strict=True)
        with suppress(Stop):  # the replies are there, whether they can be remembered or not
            yield from remember(society, [each for a, prompt, r in said for each in exchange(a, prompt, r)])
        return replies

    def _told(self, node: int, prompt: Message) -> Message:
        """What it said nothing to comes first: what it heard then is not lost, and turns alternate."""
        before = self._unanswered[node]
        return Message(prompt.role, f"{before}\n\n{prompt.content}") if before else prompt
