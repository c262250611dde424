"""Synchronization by the clock: the round number is common knowledge, so nobody needs to talk."""

from __future__ import annotations

import random

from swarmmind.effects import Agent
from swarmmind.evals.swarmbench.environment import Observation
from swarmmind.evals.swarmbench.policies.senses import reply


class Clock:
    """Light on after even rounds, off after odd ones: one point a round.

    Uses the round number and the own light; no view, no memory, no messages.
    """

    def __init__(self, agent: Agent) -> None:
        """Remembers nothing."""

    def __call__(self, observation: Observation, rng: random.Random) -> str:
        """Switch if the own light is not what the clock says."""
        wanted = observation.round % 2 == 0
        return reply(observation, "STAY" if observation.status == wanted else "SWITCH")
