"""Foraging: carry food through a maze to the nest (spec section 9.3)."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from swarmmind.evals.swarmbench.board import Board
from swarmmind.evals.swarmbench.physics import FIXTURE
from swarmmind.evals.swarmbench.tasks.base import Task


class Foraging(Task):
    """One point per piece of food brought to the nest; taking and giving happen by being next to food and nest."""

    name = "Foraging"
    smallest = 6

    def __init__(self, board: Board, rng: random.Random) -> None:
        super().__init__(board, rng)
        height, width = board.height, board.width
        food_i = rng.choice([1, height - 3])
        food_j = rng.choice([1, width - 3])
        nest_i, nest_j = height - 2 - food_i, width - 2 - food_j
        upright = bool(rng.randint(0, 1))
        board.ring()
        length, across = (width, height) if upright else (height, width)
        inner = range(4, length - 4, 4)
        if len(inner) % 2 and upright:
            food_i = nest_i = 1
        elif len(inner) % 2:
            food_j = nest_j = 1
        for number, line in enumerate(inner):
            span = range(across // 3, across) if number % 2 else range(across - (across + 2) // 3 + 1)
            for place in span:
                board.wall(*((place, line) if upright else (line, place)))
        self.food = (food_i, food_j)
        for i, j in _square(nest_i, nest_j):
            board.wall(i, j, "N")
        for i, j in _square(food_i, food_j):
            board.wall(i, j, "F")
            board.scene.put(FIXTURE, board.scene.index(i, j))
        board.spread(rng)
        self._near_food = self._beside(_square(food_i, food_j))
        self._near_nest = self._beside(_square(nest_i, nest_j))
        self.carrying = [False] * board.agents

    def _beside(self, square: Sequence[tuple[int, int]]) -> frozenset[int]:
        """From which cells a square is felt; the original bounds rows by width and columns by height."""
        scene = self.board.scene
        felt = [scene.index(i, j) for i, j in square if i < self.board.width and j < self.board.height]
        return frozenset(cell + offset for cell in felt for offset in scene.offsets)

    def update(self, actions: Sequence[str | None]) -> None:
        """Everybody next to food takes it; everybody next to the nest leaves it there."""
        near_food, near_nest, carrying = self._near_food, self._near_nest, self.carrying
        for agent, cell in enumerate(self.board.scene.at[1 : self.board.agents + 1]):
            if cell in near_food:
                carrying[agent] = True
            if cell in near_nest and carrying[agent]:
                carrying[agent] = False
                self.board.score += 1

    def hidden(self) -> Sequence[bool]:
        """Those who carry nothing."""
        return [not carries for carries in self.carrying]

    def status(self, agent: int) -> tuple[str, Any]:
        """Whether one carries food."""
        return "carrying_food", self.carrying[agent]

    def state(self) -> Mapping[str, Any]:
        """Who carries food."""
        return {"carrying": list(self.carrying)}

    @classmethod
    def text(cls, board: Board) -> str:
        """What all agents are told about the task."""
        return (
            "The map is a maze with a food store F and a nest N. Bring food to the nest: a robot next to F (above, "
            "below, left or right of it) picks up one piece by itself, and a robot with food next to N puts it down "
            "there by itself, which scores one point for the swarm. The store never runs out; a robot carries one "
            "piece at a time. On the map a robot that carries no food has a dollar sign before its number, e.g. $7; "
            "one that carries food has none."
        )


def _square(i: int, j: int) -> list[tuple[int, int]]:
    return [(i, j), (i, j + 1), (i + 1, j), (i + 1, j + 1)]
