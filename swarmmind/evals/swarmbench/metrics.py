"""Group dynamics: what the swarm did, measured round by round in O(agents) (spec section 11, without embeddings)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from swarmmind.evals.swarmbench.board import Board

_UNIT = {"UP": (-1, 0), "DOWN": (1, 0), "LEFT": (0, -1), "RIGHT": (0, 1)}


class Dynamics:
    """Sums, over the rounds so far, of the per-round measurements; `means` divides.

    Messages are non-empty messages; a round without any counts 0 in their measures. No action counts as STAY.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._rounds = 0
        self._sums: dict[str, float] = {}
        self._at = board.scene.at[1 : board.agents + 1]
        self._visited = set(self._at)
        self._travelled = 0
        self._pairs = self._adjacent()

    def means(self) -> dict[str, float]:
        """Every measurement, averaged over the rounds so far; empty before the first round."""
        return {name: total / self._rounds for name, total in self._sums.items()}

    def observe(self, actions: Sequence[str | None], said: Sequence[tuple[int, str]], gone: Sequence[bool]) -> None:
        """Take in a round that has just been played.

        Args:
            actions: per agent what it chose.
            said: who said what.
            gone: per agent, whether it was off the map before the round.
        """
        acting = [(agent, action) for agent, action in enumerate(actions) if not gone[agent]]
        self._rounds += 1
        for measures in (
            _messages([text for _, text in said]),
            _actions([a for _, a in acting]),
            self._positions(acting),
        ):
            for name, value in measures.items():
                self._sums[name] = self._sums.get(name, 0.0) + value

    def _positions(self, acting: Sequence[tuple[int, str | None]]) -> dict[str, float]:
        scene, before = self._board.scene, self._at
        after = self._at = scene.at[1 : self._board.agents + 1]
        stood = {cell: agent for agent, cell in enumerate(before)}
        offsets = dict(zip(_UNIT, scene.offsets, strict=True))
        pushes = 0
        for agent, action in acting:
            if action in offsets:
                ahead = before[agent] + offsets[action]
                other = stood.get(ahead)
                if other is not None and after[agent] == ahead and after[other] == ahead + offsets[action]:
                    pushes += 1
        stride = scene.stride
        for was, now in zip(before, after, strict=True):
            if was != now:
                self._travelled += abs(was // stride - now // stride) + abs(was % stride - now % stride)
        self._visited.update(cell for cell in after if scene.inside[cell])
        pairs = self._adjacent()
        kept, self._pairs = len(pairs & self._pairs), pairs
        return {
            "distance_travelled": self._travelled / len(after),
            "cells_visited": len(self._visited),
            "kept_neighbor_pairs": kept,
            "push_events": pushes,
        }

    def _adjacent(self) -> set[int]:
        """Pairs of agents side by side, each as one number."""
        scene, count = self._board.scene, self._board.agents
        cells, down = scene.cells, scene.stride
        pairs: set[int] = set()
        for agent, cell in enumerate(scene.at[1 : count + 1], start=1):
            if scene.inside[cell]:
                for other in (cells[cell + 1], cells[cell + down]):
                    if 0 < other <= count:
                        pairs.add(min(agent, other) * (count + 1) + max(agent, other))
        return pairs


def _messages(texts: Sequence[str]) -> dict[str, float]:
    count = len(texts) or 1
    lengths = [len(text) for text in texts]
    characters = sum(lengths) or 1
    mean = sum(lengths) / count
    spread = math.sqrt(sum((length - mean) ** 2 for length in lengths) / count) if len(texts) > 1 else 0.0
    return {
        "messages": len(texts),
        "question_share": sum("?" in text for text in texts) / count,
        "digit_share": sum(sum(map(str.isdigit, text)) for text in texts) / characters,
        "message_length_mean": mean,
        "message_length_std": spread,
    }


def _actions(actions: Sequence[str | None]) -> dict[str, float]:
    total = len(actions) or 1
    counts = dict.fromkeys(_UNIT, 0)
    for action in actions:
        if action in counts:
            counts[action] += 1
    moving = sum(counts.values())
    stay = sum(action is None or action == "STAY" for action in actions)
    entropy = -sum(n / moving * math.log2(n / moving) for n in counts.values() if n)
    vertical, horizontal = counts["DOWN"] - counts["UP"], counts["RIGHT"] - counts["LEFT"]
    return {
        "move_entropy_bits": entropy + 0.0,
        "stay_share": stay / total,
        "dominant_action_share": max(*counts.values(), stay) / total,
        "polarization": math.hypot(vertical, horizontal) / total,
    }
