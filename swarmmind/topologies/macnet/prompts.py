"""What those are told who draft, criticize, revise and merge work: the task, the work, quoted, and what to do with it.

The task and the artifact come first, so that all who read an artifact share the head of their prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Agent, Ask, Message, Output, Sampling
from swarmmind.topologies.society import Society

FINISHED = "FINISHED"
"""What a critic says that would change nothing."""

_WHOLE = 1_000_000  # characters: what is worked on must not lose its middle; its length is its author's max_tokens
_NO_MORE = "Answer with the whole of it, without the `> ` before quoted lines, and with nothing else."
_TOLD = {
    "draft": f"Write a first version of this work. {_NO_MORE}",
    "criticize": "Quoted above is somebody's work on this task. Name the one most important change that would make it "
    f"better, in at most two sentences. If nothing needs to change, answer with the one word {FINISHED}.",
    "revise": "Quoted above are somebody's work on this task, and a comment on it. Make the change that the comment "
    f"asks for and no other; if it says {FINISHED}, leave the work as it is. {_NO_MORE}",
    "merge": "Quoted above are versions of the work on this task. Make one version of them that keeps the strengths of "
    f"each. {_NO_MORE}",
}


class Artifact(NamedTuple):
    """A piece of work.

    Attributes:
        text: never empty.
        author: the agent whose words it is.
        steps: how many drafts, revisions and merges lie behind it, along the longest way.
    """

    text: str
    author: str
    steps: int = 1

    def quoted(self, what: str) -> str:
        """All of it as data in a prompt, under its author's name."""
        return quoted(self.author, self.text, what, characters=_WHOLE)


class Seat(NamedTuple):
    """A node at work: who plays it, and how its agent samples there; `None`: as always."""

    agent: Agent
    sampling: Sampling | None = None


def asked(
    society: Society, seat: Seat, do: str, shown: Sequence[str], output: Output | None = None, **seen: Any
) -> Ask:
    """Ask whoever sits there to do something.

    Args:
        society: whose question it is about.
        seat: who is asked.
        do: `draft`, `criticize`, `revise` or `merge`.
        shown: quotations.
        output: what to answer with; the question's own by default.
        seen: the same as `shown`, for agents that are programs.
    """
    question = society.question
    wanted = question.output if output is None else output
    closing = question.closing if output is None else ""
    prompt = Message("user", "\n\n".join(filter(None, [question.text, *shown, _TOLD[do], closing])))
    observation = {"question": question.text, "do": do, **seen}
    return Ask(seat.agent, (*society.system(seat.agent), prompt), wanted, seat.sampling, observation=observation)


def is_finished(comment: str) -> bool:
    """Whether a critic would change nothing: it says so and nothing else, or it says nothing."""
    return comment.strip(" \t\r\n.!*_`'\"<>[]").upper() in ("", FINISHED)
