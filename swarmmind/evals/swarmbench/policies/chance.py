"""The floors: a uniform choice among the actions, and none at all."""

from __future__ import annotations

import random
from typing import Protocol

from swarmmind.effects import Agent

STAY = "STAY"


class Choices(Protocol):
    """An observation that says what may be done, and whether the answer may hold more than that."""

    @property
    def actions(self) -> tuple[str, ...]:
        """What may be done."""
        ...

    @property
    def speaks(self) -> bool:
        """Whether the answer is a text that holds the action; else it is the action alone."""
        ...


class Random:
    """Uses nothing but the list of actions; says nothing."""

    def __init__(self, agent: Agent) -> None:
        """Remembers nothing of the agent either."""

    def __call__(self, observation: Choices, rng: random.Random) -> str:
        """One of the actions, each as likely."""
        return _reply(observation, rng.choice(observation.actions))


class Still:
    """Stays where it is and says nothing: what a world gives to those who do nothing."""

    def __init__(self, agent: Agent) -> None:
        """Needs nothing of the agent."""

    def __call__(self, observation: Choices, rng: random.Random) -> str:
        """Always the same."""
        return _reply(observation, STAY)


def _reply(observation: Choices, action: str) -> str:
    return f"ACTION: {action}" if observation.speaks else action
