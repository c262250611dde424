"""Transport: push the plug out of the gap together, then leave (spec section 9.5)."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from swarmmind.evals.swarmbench.board import Board
from swarmmind.evals.swarmbench.physics import EMPTY
from swarmmind.evals.swarmbench.tasks.base import Task

BOX_WEIGHT = 5

# The eight plugs, in the original's order: the side of the gap, and whether its end is the bottom or right one.
_KINDS = (
    ("bottom", True),
    ("bottom", False),
    ("right", False),
    ("right", True),
    ("left", False),
    ("left", True),
    ("top", False),
    ("top", True),
)


class Transport(Task):
    """Each agent that gets out adds the share of rounds it had left; done when all are out."""

    name = "Transport"
    smallest = 6

    def __init__(self, board: Board, rng: random.Random) -> None:
        super().__init__(board, rng)
        self._box = board.agents + 2
        self._out = [False] * board.agents
        scene = board.scene
        bar, block = _plug(board.height, board.width, *rng.choice(_KINDS))
        board.ring()
        for i, j in bar:
            scene.put(EMPTY, scene.index(i, j))
            board.ground[scene.index(i, j)] = "."
        scene.put_shape(self._box, (scene.index(i, j) for i, j in (*bar, *block)), BOX_WEIGHT)
        board.spread(rng)

    def update(self, actions: Sequence[str | None]) -> None:
        """Credit those who have just left."""
        board, scene = self.board, self.board.scene
        for agent, out in enumerate(self._out):
            if not out and not scene.on_map(agent + 1):
                self._out[agent] = True
                board.score += (board.rounds - board.round) / board.rounds

    @property
    def finished(self) -> bool:
        """Whether all are out."""
        return all(self._out)

    def things(self) -> dict[int, str]:
        """The box, as far as it is on the map."""
        inside = self.board.scene.inside
        return {cell: "B" for cell in self.board.scene.shapes[self._box] if inside[cell]}

    def state(self) -> Mapping[str, Any]:
        """The cells of the box, on the map or not, from the top left."""
        return {"box": [list(self.board.scene.place(cell)) for cell in sorted(self.board.scene.shapes[self._box])]}

    @classmethod
    def text(cls, board: Board) -> str:
        """What all agents are told about the task."""
        return (
            "You are shut in: the room has one gap in its wall, and an obstacle B blocks it. Find B; at least five "
            "robots have to push it through the gap together. Then get out through the gap as soon as you can: the "
            "earlier each robot is outside the map, the more the swarm scores."
        )


def _plug(height: int, width: int, side: str, far: bool) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The bar that fills the gap and the block behind it, as (row, column) cells.

    Counted along the wall from the corner, the bar takes places 0 to 3 and the block behind it places 2 to 4.
    """
    upright = side in ("left", "right")
    length, depth = (height, width) if upright else (width, height)
    outermost = depth - 1 if side in ("right", "bottom") else 0
    inward = -1 if outermost else 1

    def cell(along: int, steps: int) -> tuple[int, int]:
        """The cell `along` the wall from the corner and `steps` inwards."""
        place = length - 1 - along if far else along
        return (place, outermost + inward * steps) if upright else (outermost + inward * steps, place)

    bar = [cell(along, 0) for along in range(4)]
    block = [cell(along, steps) for along in range(2, 5) for steps in range(1, 4)]
    return bar, block
