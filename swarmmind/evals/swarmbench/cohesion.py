"""Group dynamics that cost more than a look at the actions: what is said alike, and who is near whom.

Specification section 11, with the later additions of arXiv 2505.04364 v4 (sections L.5 and L.6) that are cheap. Where
the paper gives no formula, the choice made here is said at the measure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from statistics import fmean
from typing import Any, TypeAlias

import numpy as np

from swarmmind.evals.swarmbench.board import Board
from swarmmind.models.embed_hashing import Hashing

Embed: TypeAlias = Callable[[str], Sequence[float]]
"""From a text to its vector; all of one length, no vector of zeros."""

_DIRECTIONS = {"UP": 0, "DOWN": 1, "LEFT": 2, "RIGHT": 3}
_REMEMBERED = 2048
"""Texts whose vectors are kept: a swarm says the same again and again."""


class Cohesion:
    """The measurements of a game so far; each round costs O(agents), beside the embedding of what is new.

    Args:
        board: of the game.
        reach: how far agents hear, in rows and columns.
        embed: what turns a message into a vector; the hashing embedder of the box if left out, which is free and the
            same everywhere, but knows words and not meanings (the paper takes all-mpnet-base-v2).
    """

    def __init__(self, board: Board, reach: int, embed: Embed | None = None) -> None:
        self._board, self._reach = board, reach
        self._vector = lru_cache(_REMEMBERED)(_unit(embed or _hashing()))
        self._homogeneity: list[float] = []
        self._sums = {"mean_embedding_norm": 0.0, "view_components": 0.0, "separation_force": 0.0}
        self._moves = [[0] * len(_DIRECTIONS) for _ in range(board.agents)]

    def means(self) -> dict[str, float]:
        """The measurements; empty before the first round.

        Averaged over the rounds so far:

        - `information_homogeneity`: of each round, see `homogeneity`.
        - `mean_embedding_norm`: the length of the mean unit vector of the distinct messages, 0 without any.
        - `view_components`: how many parts the swarm falls into, if all who can hear each other hang together (L.5).
        - `separation_force`: the mean length of what pushes an agent away from those it can hear, the sum over them of
          1 / distance away from each (Reynolds' separation rule; L.5 leaves the law open).

        Of the game as a whole:

        - `direction_gini`: the Gini coefficient of an agent's moves UP, DOWN, LEFT and RIGHT, from 0 to 0.75, averaged
          over those who ever tried to move (L.5).
        - `homogeneity_growth`: the mean homogeneity of the second half of the rounds less that of the first (L.6).
        """
        rounds = len(self._homogeneity)
        if not rounds:
            return {}
        half = rounds // 2
        first, second = self._homogeneity[:half], self._homogeneity[half:]
        moved = [gini(counts) for counts in self._moves if any(counts)]
        return {
            "information_homogeneity": fmean(self._homogeneity),
            **{name: total / rounds for name, total in self._sums.items()},
            "direction_gini": fmean(moved) if moved else 0.0,
            "homogeneity_growth": fmean(second) - fmean(first) if first else 0.0,
        }

    def observe(self, actions: Sequence[str | None], said: Sequence[str]) -> None:
        """Take in a round that has just been played.

        Args:
            actions: per agent what it chose; `None` for those that are gone.
            said: all messages.
        """
        for counts, action in zip(self._moves, actions, strict=True):
            if action in _DIRECTIONS:
                counts[_DIRECTIONS[action]] += 1
        vectors = [self._vector(text) for text in dict.fromkeys(said)]
        summed: Any = np.sum(vectors, axis=0) if vectors else np.zeros(1)
        squared = float(summed @ summed)
        self._homogeneity.append(homogeneity(squared, len(vectors), len(said)))
        components, force = self._neighborhood()
        self._sums["mean_embedding_norm"] += math.sqrt(squared) / max(len(vectors), 1)
        self._sums["view_components"] += components
        self._sums["separation_force"] += force

    def _neighborhood(self) -> tuple[int, float]:
        """Connected components of the graph of who hears whom, and the mean separation force."""
        scene, count = self._board.scene, self._board.agents
        there = [agent for agent in range(count) if scene.inside[scene.at[agent + 1]]]
        if not there:
            return 0, 0.0
        parent = list(range(count))
        push = [[0.0, 0.0] for _ in range(count)]
        components = len(there)
        for one, other, rows, columns in self._pairs(there):
            weight = 1.0 / (rows * rows + columns * columns)  # of length 1 / distance along the unit vector
            push[one][0] -= rows * weight
            push[one][1] -= columns * weight
            push[other][0] += rows * weight
            push[other][1] += columns * weight
            root, other_root = _root(parent, one), _root(parent, other)
            if root != other_root:
                parent[other_root] = root
                components -= 1
        return components, sum(math.hypot(*push[agent]) for agent in there) / len(there)

    def _pairs(self, there: Sequence[int]) -> Iterator[tuple[int, int, int, int]]:
        """Every pair within reach once: two agents, and how many rows and columns the second is from the first."""
        scene, count, reach = self._board.scene, self._board.agents, self._reach
        ahead = [
            (rows * scene.stride + columns, rows, columns)
            for rows in range(reach + 1)
            for columns in range(-reach, reach + 1)
            if rows or columns > 0
        ]
        cells = scene.cells
        for agent in there:
            cell = scene.at[agent + 1]
            for offset, rows, columns in ahead:
                body = cells[cell + offset]
                if 0 < body <= count:
                    yield agent, body - 1, rows, columns


def homogeneity(squared: float, distinct: int, said: int) -> float:
    """The mean cosine over all pairs of distinct messages, from the squared length of the sum of their unit vectors.

    0 if fewer than two messages were said, 1 if all of two or more are the same (specification section 11; the paper's
    plots drop repetitions first and get 0 there).
    """
    if said < 2:
        return 0.0
    if distinct == 1:
        return 1.0
    return min(1.0, max(-1.0, (squared - distinct) / (distinct * (distinct - 1))))


def gini(counts: Sequence[int]) -> float:
    """The Gini coefficient of some counts that are not all 0: 0 if they are equal, at most 1 - 1 / their number."""
    ranked = sorted(counts)
    number = len(ranked)
    weighted = sum(rank * count for rank, count in enumerate(ranked, start=1))
    return 2.0 * weighted / (number * sum(ranked)) - (number + 1) / number


def _root(parent: list[int], member: int) -> int:
    """Who stands for a member's part (with path halving)."""
    while parent[member] != member:
        parent[member] = member = parent[parent[member]]
    return member


def _unit(embed: Embed) -> Callable[[str], Any]:
    def vector(text: str) -> Any:
        found = np.asarray(embed(text), dtype=np.float64)
        return found / np.sqrt(found @ found)

    return vector


def _hashing() -> Callable[[str], Any]:
    hashing = Hashing()
    return lambda text: np.frombuffer(hashing.vector(text), "<f4")
