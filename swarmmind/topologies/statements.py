"""What agents said in a group, how it is shown to others, and how the group is asked."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, TypeAlias

from swarmmind.agents.answers import final_text
from swarmmind.agents.outputs import Unreadable, read
from swarmmind.agents.prompts import quoted
from swarmmind.effects import TEXT, Agent, Choice, Message, Output, Reply
from swarmmind.topologies.recall import Steps
from swarmmind.topologies.society import Policy, Question, Society
from swarmmind.topologies.turns import turn

Reader: TypeAlias = Callable[[Reply], Hashable | None]
"""Finds the answer in a reply that is no failure."""

_NOBODY_NEEDED = Policy("quorum", 0.0)


class Statement(NamedTuple):
    """What an agent said.

    Attributes:
        agent: who said it.
        reply: its words; never a failure.
        answer: what was read in them; `None` if there is no answer in them.
    """

    agent: Agent
    reply: Reply
    answer: Hashable | None = None

    def value(self, question: Question) -> Any:
        """What is scored of it: the option that was read in it, where the problem has options; else what was said."""
        return self.answer if isinstance(question.output, Choice) and self.answer is not None else self.reply.value

    def quoted(self, *facts: str) -> str:
        """It as data in somebody's prompt."""
        return quoted(self.agent.id, self.reply.text or "", *facts)


def statements(agents: Sequence[Agent], replies: Sequence[Any], reader: Reader) -> list[Statement]:
    """What was said, in the order of the agents; whoever failed said nothing."""
    said = zip(agents, replies, strict=False)  # those of a `Stop` may be none, or no replies
    return [Statement(agent, reply, reader(reply)) for agent, reply in said if isinstance(reply, Reply) and reply.ok]


def stance(question: Question, reply: Reply) -> Hashable | None:
    """The answer to the problem in free text that ends with a marked one; `None` if the problem wants a document."""
    if isinstance(question.output, Choice):
        try:
            return read(question.output, final_text(reply.text) or "")
        except Unreadable:
            return None
    return question.answer(reply) if question.output == TEXT else None


def told(question: Question, *parts: str) -> Message:
    """The problem, some paragraphs and, where the answer is free text, the wish that it be marked at the end."""
    return paragraphs(question.text, *parts, question.closing)


def shown(title: str, said: Sequence[Statement]) -> str:
    """What was said, quoted below a title; empty if nothing was."""
    return "\n\n".join((title, *(each.quoted() for each in said))) if said else ""


def paragraphs(*parts: str) -> Message:
    """A message of these paragraphs, the empty ones left out."""
    return Message("user", "\n\n".join(filter(None, parts)))


def heard(
    society: Society, agents: Sequence[Agent], prompt: Message, do: str, output: Output | None = None
) -> Steps[list[Reply]]:
    """A `turn` in which all are told the same and under `skip` nobody has to answer: silence is for the caller to bear.

    Args:
        society: whose question, memory and policy hold.
        agents: who is asked.
        prompt: what they are told.
        do: what for, in a word, for agents that are programs.
        output: what they should answer with; the question's own by default.

    Raises:
        Failed: too few agents answered under another policy, or the memory's embedder or store failed.
        Stop: the budget is spent; its `results` are the replies that were there.
    """
    seen = [{"question": society.question.text, "do": do}] * len(agents)
    lenient = society._replace(policy=_NOBODY_NEEDED)
    replies = yield from turn(lenient, agents, [prompt] * len(agents), output, observations=seen)
    if society.policy.kind != "skip":
        society.policy.check(replies)
    return replies
