"""What is reached without a word: by chance, and by always giving the first legal answer."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from swarmmind.evals.agentsnet.prompt import Observation


class Chance:
    """Says nothing and answers by lot: any group, a coin, any neighbor, or that it leads with probability 1/n."""

    message: Any = None

    def __init__(self, seen: Observation) -> None:
        pass

    def say(self, seen: Observation, heard: Mapping[str, Any], rng: random.Random) -> Mapping[str, Any]:
        """Nothing."""
        return {}

    def answer(self, seen: Observation, heard: Mapping[str, Any], rng: random.Random) -> str:
        """By lot."""
        if seen.problem == "leader_election":
            return "Yes" if rng.random() * seen.agents < 1 else "No"
        return rng.choice(seen.neighbors if seen.problem == "matching" else seen.answers)


class Silent(Chance):
    """Says nothing and gives the first legal answer: one group for all, everybody Yes, the first neighbor, 0."""

    def answer(self, seen: Observation, heard: Mapping[str, Any], rng: random.Random) -> str:
        """The first."""
        return seen.answers[0]
