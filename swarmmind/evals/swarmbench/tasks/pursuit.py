"""Pursuit: surround a prey that runs twice as fast (spec section 9.1)."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from swarmmind.evals.swarmbench.board import Board
from swarmmind.evals.swarmbench.physics import EMPTY, FIXTURE, WALL
from swarmmind.evals.swarmbench.tasks.base import Task

WALL_THREAT = 0.9
"""A wall cell frightens the prey a little less than an agent."""
BEFORE, SPAN = 4, 8
"""The window in which it counts them: rows i-4 to i+3, columns j-4 to j+3."""


class Pursuit(Task):
    """One point per catch; a caught prey is replaced. The first prey can be shoved, later ones cannot."""

    name = "Pursuit"
    smallest = 6

    def __init__(self, board: Board, rng: random.Random) -> None:
        super().__init__(board, rng)
        self._rng = rng
        scene = board.scene
        self._body = board.agents + 1
        self._fixed = -1
        """The cell of a prey that cannot be shoved; -1 while the first one lives, which is a body of the scene."""
        board.ring()
        i = rng.randint(board.height // 2 + 1, board.height - 2)
        j = rng.randint(board.width // 2 + 1, board.width - 2)
        scene.put(self._body, scene.index(i, j))
        # The original swaps height and width here.
        board.spread(rng, columns=(1, max(board.height // 2, 5)), rows=(1, max(board.width // 2, 5)))

    @property
    def prey(self) -> int:
        """The prey's cell."""
        return self._fixed if self._fixed >= 0 else self.board.scene.at[self._body]

    def update(self, actions: Sequence[str | None]) -> None:
        """A prey with no empty neighbor is caught and replaced; another one flees."""
        scene, prey = self.board.scene, self.prey
        if any(scene.cells[prey + offset] == EMPTY for offset in scene.offsets):
            self._flee(prey)
            return
        self.board.score += 1
        scene.cells[prey] = EMPTY
        self._fixed = self._birthplace()
        scene.cells[self._fixed] = FIXTURE

    def _flee(self, prey: int) -> None:
        """Go up to two cells to where there is least threat, if less than at the cell to the left (an original bug)."""
        scene = self.board.scene
        cells = scene.cells
        up, down, left, right = scene.offsets
        order = (right, left, down, up)
        threats = self._threats_near(prey)
        goal, least = prey, threats[prey + left]
        for first in order:
            if cells[prey + first] != EMPTY:
                continue
            for second in order:
                place = prey + first + second
                if cells[prey + second] == EMPTY and cells[place] == EMPTY and threats[place] < least:
                    goal, least = place, threats[place]
        if goal == prey:
            return
        body = cells[prey]
        cells[prey] = EMPTY
        scene.put(body, goal)
        if self._fixed >= 0:
            self._fixed = goal

    def _threats_near(self, prey: int) -> dict[int, float]:
        """The threat at the cells within two steps of the prey."""
        scene, agents = self.board.scene, self.board.agents
        reach = 2
        size = 2 * reach + SPAN
        corner = prey - (reach + BEFORE) * (scene.stride + 1)
        above_agents, above_walls = [0] * (size + 1), [0] * (size + 1)
        sums = [(above_agents, above_walls)]
        for row in range(size):
            start = corner + row * scene.stride
            seen = walls = 0
            row_agents, row_walls = [0], [0]
            for column, body in enumerate(scene.cells[start : start + size], start=1):
                if 0 < body <= agents:
                    seen += 1
                elif body == WALL:
                    walls += 1
                row_agents.append(above_agents[column] + seen)
                row_walls.append(above_walls[column] + walls)
            above_agents, above_walls = row_agents, row_walls
            sums.append((above_agents, above_walls))
        threats: dict[int, float] = {}
        for i in range(2 * reach + 1):
            (top_agents, top_walls), (low_agents, low_walls) = sums[i], sums[i + SPAN]
            for j in range(2 * reach + 1):
                k = j + SPAN
                seen = low_agents[k] - top_agents[k] - low_agents[j] + top_agents[j]
                walls = low_walls[k] - top_walls[k] - low_walls[j] + top_walls[j]
                threats[prey + (i - reach) * scene.stride + j - reach] = seen + WALL_THREAT * walls
        return threats

    def _birthplace(self) -> int:
        """The first of the least threatened among as many random empty cells as the map has cells."""
        board, scene, randint = self.board, self.board.scene, self._rng.randint
        shape = (board.height + 2 * scene.margin, scene.stride)
        bodies = np.array(scene.cells).reshape(shape)
        threat = _window_sums((bodies > 0) & (bodies <= board.agents)) + WALL_THREAT * _window_sums(bodies == WALL)
        threats: list[float] = threat.ravel().tolist()
        cells, height, width = scene.cells, board.height, board.width
        best, least = -1, float("inf")
        for _ in range(height * width):
            while True:
                i = randint(1, height - 2)
                j = randint(1, width - 2)
                cell = scene.index(i, j)
                if cells[cell] == EMPTY:
                    break
            if threats[cell] < least:
                best, least = cell, threats[cell]
        return best

    def things(self) -> dict[int, str]:
        """The prey."""
        return {self.prey: "P"}

    def status(self, agent: int) -> tuple[str, Any]:
        """The swarm's score: Pursuit alone tells it."""
        return "score", int(self.board.score)

    def state(self) -> Mapping[str, Any]:
        """Where the prey is, and whether it can be shoved."""
        return {"prey": list(self.board.scene.place(self.prey)), "prey_static": self._fixed >= 0}

    @classmethod
    def text(cls, board: Board) -> str:
        """What all agents are told about the task."""
        return (
            "A prey, P, is somewhere on the map. Catch it: it is caught when all four cells next to it (above, below, "
            "left, right) are taken by robots or walls, for example\n"
            "  . 1 .\n"
            "  2 P W\n"
            "  . 3 .\n"
            "The prey moves up to 2 cells per round, you only 1, so you have to close in from all sides. Each catch "
            "scores one point for the swarm, and a new prey appears somewhere else."
        )


def _window_sums(mask: np.ndarray[Any, np.dtype[np.bool_]]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Per cell, how many are set in the threat window around it; the map's margin exceeds the window."""
    rows, columns = mask.shape
    table = np.zeros((rows + 1, columns + 1), dtype=np.int64)
    table[1:, 1:] = mask.cumsum(axis=0).cumsum(axis=1)
    sums = np.zeros(mask.shape, dtype=np.int64)
    inner = table[SPAN:, SPAN:] - table[:-SPAN, SPAN:] - table[SPAN:, :-SPAN] + table[:-SPAN, :-SPAN]
    sums[BEFORE : BEFORE + inner.shape[0], BEFORE : BEFORE + inner.shape[1]] = inner
    return sums
