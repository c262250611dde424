"""How a topology uses its memory, whatever that memory is: with vectors if it embeds, with its stores if it has any.

    shown = yield from recall(society, agents, texts)
    yield from remember(society, [(agent.id, Trace(text, agent.id))])

All texts of a step are embedded by one effect, and what outlives the run is persisted with the step that made it.
Memories that need nothing of the world yield nothing.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Hashable, Sequence
from typing import Any, TypeAlias, TypeVar

from swarmmind.effects import Agent, Message, Program, Record, Reply
from swarmmind.errors import Failed
from swarmmind.ports import Memory
from swarmmind.runtime.journal import characters
from swarmmind.topologies.pace import each
from swarmmind.topologies.society import Society
from swarmmind.traces import ANSWER, PROMPT, Embed, Load, Loaded, Persist, Persisted, Query, Trace, Vector

MAX_EMBEDDED_CHARACTERS = 2000
"""Of a text, so many characters decide where it lies: a long one must not cost more than its share."""

T = TypeVar("T")
Steps: TypeAlias = Generator[Any, Any, T]
"""A part of a program, for `yield from`."""


def recall(
    society: Society, agents: Sequence[Agent], texts: Sequence[str], rng: random.Random | None = None
) -> Steps[list[tuple[Trace, ...]]]:
    """What each of these agents senses, asked in these words; in the order of the agents.

    Raises:
        Failed: the embedder failed; a resumed run tries again.
    """
    memory = society.memory
    vectors = (yield from embedded(texts)) if memory.embeds else [None] * len(texts)

    def sense(agent: Agent, text: str, vector: Vector | None) -> tuple[Trace, ...]:
        return memory.sense(agent.id, Query(text, vector), rng)

    return (yield from each(sense, agents, texts, vectors))


def remember(society: Society, deposits: Sequence[tuple[str, Trace]]) -> Steps[None]:
    """Leave traces, each in a scope.

    Raises:
        Failed: the embedder or a store failed; a resumed run tries again.
    """
    memory = society.memory
    meant = [trace for _, trace in deposits if trace.kind != PROMPT]
    vectors = iter((yield from embedded([trace.text for trace in meant])) if memory.embeds else [])

    def deposit(entry: tuple[str, Trace]) -> None:
        scope, trace = entry
        memory.deposit(scope, trace, next(vectors, None) if trace.kind != PROMPT else None)

    yield from each(deposit, deposits)
    yield from persisted(memory)


def exchange(agent: Agent, prompt: Message, reply: Reply, about: Hashable | None = None) -> list[tuple[str, Trace]]:
    """An agent's turn as deposits in its own scope: what it was told and, if it answered, what it said.

    Args:
        agent: who was asked.
        prompt: what it was told.
        reply: what came back.
        about: the answer that was read in it: its key; `None` (nobody could read one) is no key.
    """
    if not reply.ok:
        return []
    said = Trace(reply.text or "", agent.id, ANSWER, "" if about is None else str(about))
    return [(agent.id, Trace(prompt.content, agent.id, PROMPT)), (agent.id, said)]


def embedded(texts: Sequence[str]) -> Steps[list[Vector]]:
    """Texts as vectors, by one effect.

    Raises:
        Failed: the embedder failed; a resumed run tries again.
    """
    if not texts:
        return []
    [found] = yield [Embed(tuple(characters(text[:MAX_EMBEDDED_CHARACTERS]) for text in texts))]
    if found.failure is not None:
        raise Failed(f"the embedder failed: {found.failure.kind}: {found.failure.message}", "memory")
    return list(found.vectors())


def passed(memory: Memory, number: int) -> Steps[None]:
    """A round is over: what fades, fades, and people can see how much is left."""
    memory.tick()
    levels = memory.levels()
    if levels:
        yield [Record("pheromone", {"round": number, "levels": levels})]


def opened(memory: Memory) -> Steps[None]:
    """Load the stores that a memory brings, unless they are loaded.

    Raises:
        Failed: one could not be read.
    """
    for durable in memory.stores():
        if durable.loaded:
            continue
        [found] = yield [Load(durable.store)]
        assert isinstance(found, Loaded)
        if found.failure is not None:
            raise Failed(f"{durable.store}: {found.failure.message}", "memory")
        durable.load(found.items)


def persisted(memory: Memory) -> Steps[None]:
    """Persist what changed in the stores that a memory brings.

    Raises:
        Failed: one could not be written.
    """
    for durable in memory.stores():
        changes = durable.changes()
        if changes:
            [done] = yield [Persist(durable.store, changes)]
            assert isinstance(done, Persisted)
            if done.failure is not None:
                raise Failed(f"{durable.store}: {done.failure.message}", "memory")


def with_stores(memory: Memory, program: Program) -> Program:
    """A program whose memory is loaded before it begins, and persisted when it has ended.

    Raises:
        Failed: a store could not be read or written.
    """
    yield from opened(memory)
    value = yield from program
    yield from persisted(memory)
    return value
