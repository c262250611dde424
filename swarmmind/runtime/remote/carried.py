"""Effects on their way: all that another process needs to execute them, and nothing else."""

from __future__ import annotations

from typing import Any

import msgspec

from swarmmind.effects import Agent, Ask, Message, Output, Sampling


class _Asked(msgspec.Struct, array_like=True):
    """What a model behind an endpoint is told of an `Ask`.

    Who its agent is stands in the messages; observations are for models that are programs, and these stay at the head.
    """

    id: str
    role: str
    model: str
    index: int
    priority: int
    messages: tuple[Message, ...]
    output: Output
    sampling: Sampling
    deadline_seconds: float | None


def pack(effect: Any) -> bytes:
    """An effect, for another process."""
    if not isinstance(effect, Ask):
        return msgspec.msgpack.encode(effect)
    agent, sampling = effect.agent, effect.sampling or effect.agent.sampling
    about = agent.id, agent.role, agent.model, agent.index, agent.priority
    return msgspec.msgpack.encode(_Asked(*about, effect.messages, effect.output, sampling, effect.deadline_seconds))


def unpack(kind: type, body: bytes) -> Any:
    """An effect of a kind, from another process."""
    if kind is not Ask:
        return msgspec.msgpack.decode(body, type=kind)
    asked = msgspec.msgpack.decode(body, type=_Asked)
    agent = Agent(asked.id, asked.role, "", asked.model, asked.sampling, index=asked.index, priority=asked.priority)
    return Ask(agent, asked.messages, asked.output, deadline_seconds=asked.deadline_seconds)
