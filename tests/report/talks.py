"""Synthetic talk along the edges of a graph: who quotes whom is known, so that what a page shows can be counted."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Agent, Message
from swarmmind.runtime.journal import Journal

from . import runs

Edge = tuple[int, int]
_WORDS = ("the", "sum", "is", "odd", "so", "check", "again", "I", "think", "that", "seven", "divides", "it", "evenly")


def agents(count: int, role: Callable[[int], str] = lambda _: "solver") -> list[Agent]:
    """Agents whose ids are their role and number."""
    return [Agent(f"{role(place)}-{place}", role(place), index=place) for place in range(count)]


def talk(
    folder: Path,
    people: Sequence[Agent],
    edges: Sequence[Edge],
    rounds: int = 1,
    *,
    words: int = 20,
    record: Mapping[str, Any] | None = None,
) -> Path:
    """Everybody speaks in every round, and reads what those with an edge to it said last.

    Within a round agents speak in their order, so that along an edge to a later agent words arrive in the same round.
    """
    rng = random.Random(5)
    heard: list[list[int]] = [[] for _ in people]
    for author, reader in edges:
        heard[reader].append(author)

    def write(kept: Journal) -> Iterator[None]:
        if record is not None:
            kept.record("run/0/graph", "graph", dict(record))
        said: dict[int, str] = {}
        for number in range(1, rounds + 1):
            for place, agent in enumerate(people):
                blocks = [quoted(people[other].id, said[other], "answer") for other in heard[place] if other in said]
                prompt = "\n\n".join([*blocks, f"Round {number}: what do you say, {agent.id}?"])
                said[place] = f"{' '.join(rng.choices(_WORDS, k=words))} ({agent.id}, {number})"
                runs.exchange(
                    kept, f"run/{number}/{agent.id}", agent, [Message("user", prompt)], runs.said(said[place])
                )
                if place % 500 == 499:
                    yield
            yield

    return runs.journal(folder, write)


def mesh(count: int) -> list[Edge]:
    """Everybody hears everybody else."""
    return [(author, reader) for reader in range(count) for author in range(count) if author != reader]


def layers(*sizes: int) -> list[Edge]:
    """Every layer hears the whole layer before it."""
    starts = [sum(sizes[:at]) for at in range(len(sizes) + 1)]
    bounds = [range(start, end) for start, end in pairwise(starts)]
    return [(u, v) for one, other in pairwise(bounds) for u in one for v in other]


def star(leaves: int) -> list[Edge]:
    """All others hear the first."""
    return [(0, leaf) for leaf in range(1, leaves + 1)]


def small_world(count: int, each: int, rewired: float = 0.1, seed: int = 7) -> list[Edge]:
    """Everybody hears its next neighbors on a ring, some of them replaced by anybody."""
    rng = random.Random(seed)
    found: dict[Edge, None] = {}
    for reader in range(count):
        for step in range(1, each + 1):
            author = rng.randrange(count) if rng.random() < rewired else (reader + step) % count
            if author != reader:
                found[author, reader] = None
    return list(found)
