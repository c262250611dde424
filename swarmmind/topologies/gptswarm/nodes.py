"""An agent as a node of a graph: it answers the question once the answers that it reads are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from swarmmind.agents.prompts import quoted, remembered
from swarmmind.effects import Agent, Ask, Message, Reply
from swarmmind.topologies.flow import Part, Signal
from swarmmind.topologies.recall import exchange, recall, remember
from swarmmind.topologies.society import Society

Said: TypeAlias = Mapping[str, Signal]
"""Where each agent's reply will be, by its id."""
_CHECK = "Check these answers, keep what is right, and give your own."


def answering(society: Society, agent: Agent, before: Said, said: Signal) -> Part:
    """An agent's part in a flow: wait for what others say, then answer; `said` is told its reply."""
    heard: list[tuple[str, Reply]] = []
    for name, signal in before.items():
        heard.append((name, (yield signal)))
    yield from asked(society, agent, reading(society, heard, _CHECK), "answer", said)


def asked(society: Society, agent: Agent, prompt: Message, do: str, said: Signal) -> Part:
    """Ask an agent, tell those who wait for its reply, and only then let it remember.

    Raises:
        Failed: it failed under the policy `fail`, or the memory's embedder or store failed.
    """
    question, seen = society.question, {"question": society.question.text, "do": do}
    [shown] = yield from recall(society, [agent], [question.text])
    messages = (*society.system(agent), *remembered(shown, prompt))
    [reply] = yield [Ask(agent, messages, question.output, observation=seen)]
    said.set(reply)
    if society.policy.kind == "fail":
        society.policy.check([reply])
    yield from remember(society, exchange(agent, prompt, reply, question.answer(reply)))


def reading(society: Society, heard: Sequence[tuple[str, Reply]], advice: str) -> Message:
    """The question, what others answered to it, and what to do with that; who failed is not quoted."""
    prompt = society.question.prompt()
    quotes = [quoted(author, reply.text or "") for author, reply in heard if reply.ok]
    if not quotes:
        return prompt
    return Message("user", "\n\n".join((prompt.content, "These are answers of others:", *quotes, advice)))


def told(said: Said) -> dict[str, Reply]:
    """The replies that are there, failed ones too."""
    found: dict[str, Any] = {name: signal.value for name, signal in said.items() if signal.done}
    return found
