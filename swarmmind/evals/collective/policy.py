"""The rule of the paper's foragers, on nothing but what an observation shows (arXiv 2512.10166)."""

from __future__ import annotations

import random

from swarmmind.effects import Agent
from swarmmind.evals.collective.environment import Observation

_TURN = 0.2
"""How often a walk without aim turns."""
_HEADINGS = ("NORTH", "EAST", "SOUTH", "WEST")


class Rule:
    """Goes to food in sight, else to the best place it knows, else walks on and turns now and then.

    The best place is the one with the most confidence (or strength, if it senses traces itself) / (3 + distance).
    """

    def __init__(self, agent: Agent) -> None:
        """Remembers nothing: the world shows each agent its memory."""

    def __call__(self, observation: Observation, rng: random.Random) -> str:
        """The next move."""
        if observation.sees:
            return _towards(*min(observation.sees, key=lambda at: (abs(at[0]) + abs(at[1]), at)))
        known = observation.remembers + observation.senses
        if known:
            rows, columns, _ = max(known, key=lambda place: place[2] / (3 + abs(place[0]) + abs(place[1])))
            return _towards(rows, columns)
        return rng.choice(_HEADINGS) if rng.random() < _TURN else observation.heading


def _towards(rows: int, columns: int) -> str:
    if abs(rows) >= abs(columns):
        return "SOUTH" if rows > 0 else "NORTH" if rows < 0 else "STAY"
    return "EAST" if columns > 0 else "WEST"
