"""Answers on their way to become one: who wrote them, who may judge them, and how they are shown to others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Agent, Message, Output, Reply
from swarmmind.errors import Failed, Stop, UserError
from swarmmind.topologies.recall import Steps
from swarmmind.topologies.society import Question, Society
from swarmmind.topologies.turns import turn
from swarmmind.topologies.vote import elected


class Draft(NamedTuple):
    """What somebody answered."""

    author: Agent
    reply: Reply

    @property
    def text(self) -> str:
        """In the author's words."""
        return self.reply.text or ""


class Said(NamedTuple):
    """The replies of one step, in the order of those asked, and whether the budget ended it."""

    replies: list[Reply]
    stopped: bool = False


class Panel(NamedTuple):
    """Who writes answers, and who judges them: those with the role `judge`, or, if nobody has it, everybody."""

    authors: list[Agent]
    judges: list[Agent]

    def judge(self, number: int, *authors: Agent) -> Agent:
        """Whose turn it is, the `number`th time, to judge what these wrote: never one of them.

        Raises:
            UserError: nobody is left.
        """
        names = {author.id for author in authors}
        others = [judge for judge in self.judges if judge.id not in names]
        if not others:
            raise UserError(
                f"needs a judge who is none of the authors {', '.join(sorted(names))}: "
                f"add an agent with the role card judge, or another author; got {len(self.judges)} who may judge"
            )
        return others[number % len(others)]


def panel(society: Society, *apart: str) -> Panel:
    """The society as authors and judges; who has one of the roles `apart` is neither."""
    agents = [agent for agent in society.agents if agent.role not in apart] or list(society.agents)
    judges = [agent for agent in agents if agent.role == "judge"]
    authors = [agent for agent in agents if agent.role != "judge"]
    return Panel(authors, judges) if judges and authors else Panel(agents, agents)


def in_turn(agents: Sequence[Agent], count: int) -> list[Agent]:
    """So many agents, but everybody at least once: in their order, the first one again after the last."""
    return [agents[at % len(agents)] for at in range(max(count, len(agents)))]


def attempt(
    society: Society,
    agents: Sequence[Agent],
    prompts: Sequence[Message],
    output: Output | None = None,
    *,
    observations: Sequence[Any],
    first: bool = False,
) -> Steps[Said]:
    """A `turn` that loses nothing of what was said before it: a spent budget ends it, and so, quietly, does nobody.

    Args:
        society: see `turn`, as for the others.
        agents: who is asked.
        prompts: what each of them is told.
        output: what they should answer with; the question's own by default.
        observations: for agents that are programs.
        first: whether nothing was said before: if nobody answers, there is nothing to go on with.

    Raises:
        Failed: too few answered (see `Policy`); under `skip` only if it is the first step.
    """
    try:
        return Said((yield from turn(society, agents, prompts, output, observations=observations)))
    except Stop as stop:
        replies = [result for result in stop.results if isinstance(result, Reply)]
        return Said(replies if len(replies) == len(agents) else [], stopped=True)
    except Failed as failed:
        if first or failed.kind != "program" or society.policy.kind != "skip":
            raise
        return Said([])


def drafted(authors: Sequence[Agent], said: Said) -> list[Draft]:
    """What was really answered: who failed wrote nothing."""
    return [Draft(author, reply) for author, reply in zip(authors, said.replies) if reply.ok]  # noqa: B905  (or nobody)


def numbered(drafts: Sequence[Draft], what: str) -> list[str]:
    """Drafts as quotations, numbered from 1: `reference 1`, or `rank 1`."""
    return [quoted(draft.author.id, draft.text, f"{what} {number}") for number, draft in enumerate(drafts, 1)]


def agreed(question: Question, drafts: Sequence[Draft]) -> Any:
    """Of several drafts the first with the most frequent answer; `None` if there are none."""
    replies = [draft.reply for draft in drafts]
    return elected([question.answer(reply) for reply in replies], replies)
