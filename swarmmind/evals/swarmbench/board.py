"""What every task is set up on: a walled map with agents on it, a round counter, a score and the layout's chance."""

from __future__ import annotations

import random

from swarmmind.errors import UserError
from swarmmind.evals.swarmbench.physics import WALL, Scene


class Board:
    """The map, its agents and the score; the task's rules change it.

    Agents are numbered from 0; in the scene, agent `a` is body `a + 1` and the body after the last agent is free for
    the task's use.

    Attributes:
        ground: per cell of the scene the symbol of what never moves there: `.`, `W`, `N`, `F`, and `*` off the map.
        round: rounds played so far.
        rounds: rounds played at most.
    """

    def __init__(self, agents: int, width: int, height: int, margin: int, rounds: int) -> None:
        self.agents, self.width, self.height, self.rounds = agents, width, height, rounds
        self.scene = Scene(height, width, margin, agents + 1)
        self.ground = ["." if inside else "*" for inside in self.scene.inside]
        self.round = 0
        self.score: float = 0

    def wall(self, i: int, j: int, symbol: str = "W") -> None:
        """Make a cell wall; a nest is wall of another symbol."""
        cell = self.scene.index(i, j)
        self.scene.put(WALL, cell)
        self.ground[cell] = symbol

    def ring(self) -> None:
        """Make the outermost cells wall."""
        for i in range(self.height):
            self.wall(i, 0)
            self.wall(i, self.width - 1)
        for j in range(self.width):
            self.wall(0, j)
            self.wall(self.height - 1, j)

    def free(self, i: int, j: int) -> bool:
        """Whether a cell is on the map and empty."""
        return 0 <= i < self.height and 0 <= j < self.width and not self.scene.cells[self.scene.index(i, j)]

    def spread(
        self, rng: random.Random, columns: tuple[int, int] | None = None, rows: tuple[int, int] | None = None
    ) -> None:
        """Put every agent, in order, on a random empty cell (inclusive bounds; by default within the wall ring).

        Draws the column first, then the row, again until the cell is empty, as the original does.

        Raises:
            UserError: there are more agents than empty cells within the bounds.
        """
        x0, x1 = columns or (1, self.width - 2)
        y0, y1 = rows or (1, self.height - 2)
        room = sum(self.free(i, j) for i in range(y0, y1 + 1) for j in range(x0, x1 + 1))
        if self.agents > room:
            raise UserError(
                f"swarmbench: {self.agents} agents do not fit on the {room} free start cells of a "
                f"{self.width}x{self.height} map; take a larger map or fewer agents"
            )
        for agent in range(self.agents):
            while True:
                j = rng.randint(x0, x1)
                i = rng.randint(y0, y1)
                if self.free(i, j):
                    break
            self.scene.put(agent + 1, self.scene.index(i, j))
