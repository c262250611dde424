"""From episodes to patterns: what a curator is asked, and what code says where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from swarmmind.agents.prompts import cut, quoted
from swarmmind.effects import Agent, Ask, Json, Message, Reply
from swarmmind.topologies.society import Society
from swarmmind.traces import Query, Trace

ROLE = "curator"
BATCH = 8
"""The latest so many episodes of a kind are read at once."""

_CHARACTERS = 600
_SCHEMA = {
    "type": "object",
    "properties": {"situation": {"type": "string"}, "advice": {"type": "string"}},
    "required": ["situation", "advice"],
    "additionalProperties": False,
}
_TASK = (
    "The problems below are of one kind. Write down what helps with the next one of it: in `situation` how to tell "
    "that it is of this kind, in `advice` what to do, general enough for all of them, in a few sentences. Trust "
    "what was judged right; what was judged wrong shows what to avoid. If the current advice needs no change, or "
    "nothing can be learned here, leave both texts empty."
)


class Episode(NamedTuple):
    """One evaluated attempt.

    Attributes:
        task: the problem.
        steps: what was said.
        right: how it was judged.
        author: who said it.
    """

    task: str
    steps: str
    right: bool
    author: str

    def text(self) -> str:
        """As it is remembered."""
        return f"{cut(self.task, _CHARACTERS)}\n=> {cut(self.steps, _CHARACTERS)}"


class Pattern(NamedTuple):
    """What many episodes come to."""

    situation: str
    advice: str

    def text(self) -> str:
        """As it is remembered."""
        return f"{cut(self.situation, _CHARACTERS)}\n=> {cut(self.advice, _CHARACTERS)}"


def current(society: Society, key: str) -> Trace | None:
    """The pattern that is remembered for a kind, the best if there are several."""
    shown = society.memory.sense("", Query(kinds=("pattern",), keys=(key,), limit=1))
    return next((trace for trace in shown if (trace.kind, trace.key) == ("pattern", key)), None)


def question(society: Society, curator: Agent, episodes: Sequence[Episode], pattern: Trace | None) -> Ask:
    """Ask for the revised pattern of a kind."""
    parts = [quoted(e.author, e.text(), "judged right" if e.right else "judged wrong") for e in episodes]
    head = "The current advice:\n" + quoted(pattern.author, pattern.text, "pattern") if pattern else "No advice yet."
    text = "\n\n".join((_TASK, head, "What was tried since:", *parts))
    observation = {"episodes": [episode._asdict() for episode in episodes], "pattern": pattern and pattern.text}
    messages = (*society.system(curator), Message("user", text))
    return Ask(curator, messages, Json("pattern", _SCHEMA), observation=observation)


def revised(reply: Reply) -> Pattern | None:
    """What a curator decided; nothing if it failed or left a text empty."""
    if not reply.ok:
        return None
    situation, advice = reply.value["situation"].strip(), reply.value["advice"].strip()
    return Pattern(situation, advice) if situation and advice else None


def by_rule(episodes: Sequence[Episode], pattern: Trace | None) -> Pattern | None:
    """The latest success is the pattern, unless there is one that has gone well more often than not."""
    if pattern is not None and pattern.strength >= 0.5:
        return None
    return next((Pattern(e.task, e.steps) for e in reversed(episodes) if e.right), None)
