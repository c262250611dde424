"""Flocking: form a hollow square anywhere (spec section 9.4)."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from swarmmind.evals.swarmbench.board import Board
from swarmmind.evals.swarmbench.formation import Formation
from swarmmind.evals.swarmbench.tasks.base import Task


class Flocking(Task):
    """The score is how much nearer than at the start the swarm has ever been to the shape: the code's units.

    The paper halves it. The layout is always that of seed 42: the original does not pass its seed on.
    """

    name = "Flocking"
    fixed_seed = 42

    def __init__(self, board: Board, rng: random.Random) -> None:
        super().__init__(board, rng)
        board.ring()
        board.spread(rng)
        self.side = board.agents // 4 + 1
        self._formation = Formation(self.side, board.height, board.width)
        self._start = self._least = self.distance()

    def distance(self, below: int | None = None) -> int:
        """How many steps the agents are from the shape; exact, or only known to be `below` or more."""
        scene = self.board.scene
        return self._formation.distance([scene.place(cell) for cell in scene.at[1 : self.board.agents + 1]], below)

    def update(self, actions: Sequence[str | None]) -> None:
        """Credit a new record."""
        self._least = min(self._least, self.distance(below=self._least))
        self.board.score = self._start - self._least

    @property
    def finished(self) -> bool:
        """Whether the shape has been formed."""
        return self._least == 0

    def state(self) -> Mapping[str, Any]:
        """The distances, and the shape."""
        return {"init_dis": self._start, "cur_dis": self.distance(), "target_shape": picture(self.side)}

    @classmethod
    def text(cls, board: Board) -> str:
        """What all agents are told about the task."""
        rows = "\n".join("  " + " ".join(row) for row in picture(board.agents // 4 + 1))
        return (
            "Together, take up the shape drawn below (A is a robot, . is an empty cell). It may be anywhere on the "
            "map, and any robot may stand on any A, but it must not be turned or stretched. The swarm scores by how "
            f"much nearer it gets to the shape than it was at the start.\n{rows}"
        )


def picture(side: int) -> list[str]:
    """The hollow square, one string a row."""
    edge, middle = "A" * side, "A" + "." * (side - 2) + "A"
    return [edge, *[middle] * (side - 2), edge] if side > 1 else [edge]
