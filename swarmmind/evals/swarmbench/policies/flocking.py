"""Flocking: a square at an agreed place, filled by whoever comes first."""

from __future__ import annotations

import random

from swarmmind.effects import Agent
from swarmmind.evals.swarmbench.environment import Observation
from swarmmind.evals.swarmbench.policies.senses import ORDERS, Place, first_step, is_agent, reply, seen

CORNER: Place = (3, 3)
"""Where the square's top left cell belongs, by convention."""
FRESH_ROUNDS = 6
"""For how long a place that was taken is believed to be taken."""


class FirstCome:
    """Go to the nearest place of the square that is not known to be taken, and stay there.

    Uses the target picture, the convention that the square's corner is at (3, 3), the own place, the view, and the
    memory of which places were taken when last seen. No messages, no number of agents, no ids.
    """

    def __init__(self, agent: Agent) -> None:
        self._taken: dict[Place, int] = {}
        """Places of the square that were taken, with the round in which they were seen."""

    def __call__(self, observation: Observation, rng: random.Random) -> str:
        """One step towards a free place, round others if possible."""
        here, now = observation.position, observation.round
        slots = {
            (CORNER[0] + i, CORNER[1] + j)
            for i, row in enumerate(observation.target)
            for j, symbol in enumerate(row)
            if symbol == "A"
        }
        if here in slots:
            return reply(observation, "STAY")
        blocked: set[Place] = set()
        for place, symbol in seen(observation):
            taken = is_agent(symbol)
            if taken and place in slots:
                self._taken[place] = now
            else:
                self._taken.pop(place, None)
            if taken or symbol in "W*":
                blocked.add(place)
        free = {slot for slot in slots if now - self._taken.get(slot, -FRESH_ROUNDS) >= FRESH_ROUNDS} or slots
        order = rng.choice(ORDERS)
        step = first_step(here, free.__contains__, lambda place: place in blocked or min(place) < 1, order)
        return reply(observation, step or rng.choice(order))
