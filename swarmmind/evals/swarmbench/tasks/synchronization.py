"""Synchronization: all lights on, all off, all on, ... (spec section 9.2)."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from swarmmind.evals.swarmbench.board import Board
from swarmmind.evals.swarmbench.tasks.base import MOVES, Task


class Synchronization(Task):
    """One point whenever all lights agree and the last point was for the opposite; at most one a round."""

    name = "Synchronization"
    actions = (*MOVES, "SWITCH")

    def __init__(self, board: Board, rng: random.Random) -> None:
        super().__init__(board, rng)
        self.lights = [bool(rng.randint(0, 1)) for _ in range(board.agents)]
        self.scored = -1
        """How many lights were on at the last point, -1 before the first."""
        board.ring()
        board.spread(rng)

    def update(self, actions: Sequence[str | None]) -> None:
        """Toggle the lights of those who switched, and score unanimity if it is news."""
        for agent, action in enumerate(actions):
            if action == "SWITCH":
                self.lights[agent] = not self.lights[agent]
        lit = sum(self.lights)
        if lit in (0, len(self.lights)) and lit != self.scored:
            self.scored = lit
            self.board.score += 1

    def hidden(self) -> Sequence[bool]:
        """Lights that are off."""
        return [not light for light in self.lights]

    def status(self, agent: int) -> tuple[str, Any]:
        """Whether the own light is on."""
        return "light_on", self.lights[agent]

    def state(self) -> Mapping[str, Any]:
        """All lights, and the number lit at the last point."""
        return {"light_on": list(self.lights), "prev_state": self.scored}

    @classmethod
    def text(cls, board: Board) -> str:
        """What all agents are told about the task."""
        return (
            "Every robot carries a light. The swarm scores one point each time all lights, including those of robots "
            "you cannot see, are in the same state: all on, or all off. After a point for all-on the next point is "
            "for all-off, and so on in turn. The extra action SWITCH turns your own light on or off. On the map a "
            "robot whose light is off has a dollar sign before its number, e.g. $7; one whose light is on has none."
        )
