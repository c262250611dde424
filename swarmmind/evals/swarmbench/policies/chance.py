"""The floor: a uniform choice among the actions."""

from __future__ import annotations

import random

from swarmmind.effects import Agent
from swarmmind.evals.swarmbench.environment import Observation
from swarmmind.evals.swarmbench.policies.senses import reply


class Random:
    """Uses nothing but the list of actions; says nothing."""

    def __init__(self, agent: Agent) -> None:
        """Remembers nothing of the agent either."""

    def __call__(self, observation: Observation, rng: random.Random) -> str:
        """One of the actions, each as likely."""
        return reply(observation, rng.choice(observation.actions))
