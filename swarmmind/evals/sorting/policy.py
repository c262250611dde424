"""The rules of self-sorting cells, and of a controller who sorts them, on nothing but what an observation shows."""

from __future__ import annotations

import random

from swarmmind.effects import Agent
from swarmmind.evals.sorting.environment import STAY, Observation, Overview, Seen


class Rule:
    """Does what the cell's algotype says; a controller sorts by bubble sort, pass after pass from the left."""

    def __init__(self, agent: Agent) -> None:
        """A controller remembers where in its pass it is, and whether the pass changed anything."""
        self._at, self._changed = 0, False

    def __call__(self, observation: Observation, rng: random.Random) -> str:
        """The next word."""
        if isinstance(observation, Overview):
            return self._order(observation)
        if observation.algotype == "bubble":
            return _either(observation, rng)
        if observation.algotype == "insertion":
            return "LEFT" if observation.left is not None and observation.left > observation.value else STAY
        return "SWAP" if observation.aimed is not None and observation.aimed > observation.value else STAY

    def _order(self, seen: Overview) -> str:
        self._changed = self._changed or seen.moved
        while True:
            for place in range(self._at, len(seen.values) - 1):
                if seen.values[place] > seen.values[place + 1]:
                    self._at = place + 1
                    return str(place + 1)
            if not self._changed:
                return STAY
            self._at, self._changed = 0, False


def _either(seen: Seen, rng: random.Random) -> str:
    if rng.random() < 0.5:
        return "LEFT" if seen.left is not None and seen.left > seen.value else STAY
    return "RIGHT" if seen.right is not None and seen.right < seen.value else STAY
