"""Message passing: in synchronous rounds, everybody writes to its neighbors on a graph alone, then all answer.

The protocol is AgentsNet's (arXiv 2507.08616); the words are our own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from swarmmind.agents.prompts import quoted
from swarmmind.effects import TEXT, Json, Message, Output, Program, Record, Reply
from swarmmind.errors import Stop
from swarmmind.ports import Context
from swarmmind.topologies.chats import Chats
from swarmmind.topologies.graphs import Graph, drawn
from swarmmind.topologies.neighborhood import Neighborhood, neighborhood
from swarmmind.topologies.passing import passing
from swarmmind.topologies.society import Question, Society, Topology
from swarmmind.topologies.vote import elected, tally

_SMALL_WORLD = Graph(kind="small-world")
_RULES = (
    "Several of you work on this, and each can write to its neighbors alone, in rounds: what you write in one round is "
    "read in the next one, and may be passed on. After {rounds} rounds nobody writes any more and everybody answers."
)
_TO_EACH = "Reply with one JSON object: names of neighbors, and what you tell each. Leave out whom you tell nothing."
_TO_ALL = "All of your neighbors will read the whole of your reply."


def messages(
    ctx: Context,
    society: Society,
    graph: Graph = _SMALL_WORLD,
    rounds: Annotated[int, Field(ge=1)] = 4,
    broadcast: bool = False,
) -> Program:
    """Let neighbors write to each other for some rounds, then ask everybody; the most frequent answer wins.

    Nothing of a round is read in that round, and a word travels one edge per round.

    Args:
        ctx: the program's place.
        society: each node is an agent of its own; agents beyond the nodes take no part.
        graph: who is whose neighbor; directions do not matter.
        rounds: of messages, at least 1; every agent is asked once more than that.
        broadcast: whether a reply is one text for all neighbors, rather than a text for each of those it names.

    Raises:
        Failed: too few agents answered at a step (see `Policy`).
    """
    net = neighborhood(society, graph)
    yield [drawn(net.graph, net.players)]
    talk = _Talk(society.question, net, rounds, broadcast)
    try:
        replies = yield from passing(society, Chats(society, net.players), net.neighbors, rounds, talk)
    except Stop:
        return None  # nobody was asked for an answer
    answers = [society.question.answer(reply) for reply in replies]
    said = zip(net.players, answers, strict=False)  # fewer, if the budget ended it
    yield [Record("answers", {a.id: str(answer) for a, answer in said if answer is not None})]
    yield [Record("votes", tally(answers))]
    return elected(answers, replies)


def messages_calls(society: Society, graph: Graph = _SMALL_WORLD, rounds: int = 4, broadcast: bool = False) -> int:
    """Calls of a run in which every reply is readable at once: rounds + 1 for each node."""
    return (rounds + 1) * len(neighborhood(society, graph).players)


class _Talk:
    def __init__(self, question: Question, net: Neighborhood, rounds: int, broadcast: bool) -> None:
        self._question, self._rounds, self._broadcast = question, rounds, broadcast
        self._neighbors = net.neighbors
        self._names = [agent.id for agent in net.players]

    def prompt(self, node: int, step: int, heard: Mapping[int, str]) -> Message:
        names = [self._names[u] for u in self._neighbors[node]]
        whom = f"Your neighbors: {', '.join(names) or '(none)'}."
        if step == 0:
            parts = [self._question.text, _RULES.format(rounds=self._rounds), f"You are {self._names[node]}."]
        else:
            silent = [self._names[u] for u in self._neighbors[node] if u not in heard]
            parts = [quoted(self._names[u], text) for u, text in heard.items()]
            parts += [f"Nothing from: {', '.join(silent)}."] if silent else []
        if step == self._rounds:
            parts += ["No more messages are passed on. Now answer:", self._question.prompt().content]
        else:
            more = self._rounds - step
            left = f"Rounds left: {more}." if more > 1 else "These are the last messages."
            parts.append(f"{left} {whom} {_TO_ALL if self._broadcast else _TO_EACH}")
        return Message("user", "\n\n".join(parts))

    def output(self, node: int, step: int) -> Output:
        if step == self._rounds:
            return self._question.output
        if self._broadcast:
            return TEXT
        text = {"type": "string"}
        properties = {self._names[u]: text for u in self._neighbors[node]}
        return Json("messages", {"type": "object", "properties": properties, "additionalProperties": text})

    def observation(self, node: int, step: int, heard: Mapping[int, str]) -> Any:
        heard_of = {self._names[u]: text for u, text in heard.items()}
        near = [self._names[u] for u in self._neighbors[node]]
        now = {"name": self._names[node], "neighbors": near, "step": step, "heard": heard_of}
        return {"question": self._question.text, "do": "answer" if step == self._rounds else "message", **now}

    def said(self, node: int, reply: Reply) -> Mapping[int, str]:
        to_all = self._broadcast
        told = {u: reply.value if to_all else reply.value.get(self._names[u], "") for u in self._neighbors[node]}
        return {u: text for u, text in told.items() if text.strip()}

    def again(self, node: int, step: int, reply: Reply) -> Message | None:
        return None  # the runtime has asked again


TOPOLOGY = Topology(messages, messages_calls)
