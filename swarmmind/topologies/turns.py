"""The step that most topologies are made of: some agents are told something, answer, and remember that they did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from swarmmind.agents.prompts import remembered
from swarmmind.effects import Agent, Ask, Message, Output, Reply, Sampling
from swarmmind.errors import Stop
from swarmmind.topologies.pace import each
from swarmmind.topologies.recall import Steps, exchange, recall, remember
from swarmmind.topologies.society import Society
from swarmmind.traces import Trace


def turn(
    society: Society,
    agents: Sequence[Agent],
    prompts: Sequence[Message],
    output: Output | None = None,
    *,
    sampling: Sampling | None = None,
    observations: Sequence[Any] | None = None,
) -> Steps[list[Reply]]:
    """Tell each of these agents its prompt, all at once, and let each remember what it was told and said.

    What an agent senses of the swarm's memory stands before its prompt. Replies come in the order of the agents,
    failures among them.

    Args:
        society: whose question, memory and policy hold.
        agents: who is asked; one may be asked several times.
        prompts: what each of them is told.
        output: what they should answer with; the question's own by default.
        sampling: overrides the agents' own.
        observations: for agents that are programs; by default each gets the question's text.

    Raises:
        Failed: too few agents answered (see `Policy`), or the memory's embedder or store failed.
        Stop: the budget is spent; its `results` are the replies that were there.
    """
    question = society.question
    wanted = question.output if output is None else output
    seen = observations or [{"question": question.text}] * len(agents)
    shown = yield from recall(society, agents, [question.text] * len(agents))

    def ask(agent: Agent, prompt: Message, traces: Sequence[Trace], observed: Any) -> Ask:
        messages = (*society.system(agent), *remembered(traces, prompt))
        return Ask(agent, messages, wanted, sampling, observation=observed)

    replies: list[Reply] = yield (yield from each(ask, agents, prompts, shown, seen))
    society.policy.check(replies)
    read = question.answer if output is None else _nothing

    def said(agent: Agent, prompt: Message, reply: Reply) -> list[tuple[str, Trace]]:
        return exchange(agent, prompt, reply, read(reply))

    turns = yield from each(said, agents, prompts, replies)
    try:
        yield from remember(society, [entry for turn in turns for entry in turn])
    except Stop as stop:  # the replies are there, whether they can be remembered or not
        raise Stop(stop.limit, replies) from stop
    return replies


def _nothing(_: Reply) -> None:
    """No answer to the question can be read in what answers something else."""
