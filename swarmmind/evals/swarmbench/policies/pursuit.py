"""Pursuit: spread the word where the prey is, and guess where it must be when nobody knows."""

from __future__ import annotations

import random
import re

from swarmmind.effects import Agent
from swarmmind.evals.swarmbench.environment import Observation
from swarmmind.evals.swarmbench.policies.senses import (
    ORDERS,
    STEPS,
    Place,
    apart,
    first_step,
    is_agent,
    moved,
    reply,
    seen,
)

BELIEVED_ROUNDS = 3
"""How long a sighting is acted upon."""
REMEMBERED_ROUNDS = 12
"""How long another agent is believed to be near where it was seen."""
UNSEEN_ROUNDS = 3
"""The prey is not sought where one has looked more recently."""
SAMPLE = 24
"""How many cells are weighed against each other."""
TOLD = 12
"""Words of a message, which has to stay below the limit."""
DISTANCE = 2.0
"""How much threat a step of the way is worth."""
_SIGHTING = re.compile(r"P(\d+),(\d+)@(\d+)")
_FELLOW = re.compile(r"(\d+):(\d+),(\d+)")


class Hunter:
    """Go to a free cell beside the prey; without news of it, to where it would feel safest.

    Uses the view, the own place, the score (it tells when a new prey is born), the memory of sightings, of walls and
    of where others were seen last, and messages: each agent repeats the newest sighting it knows and where it sees
    others, e.g. `P7,8@34 3:4,4 11:5,2`. It knows how the prey weighs threats: agents and 0.9 for each wall cell in
    the rows 4 above to 3 below and the columns 4 left to 3 right.
    """

    def __init__(self, agent: Agent) -> None:
        self._sighting: tuple[int, Place] = (-BELIEVED_ROUNDS - 1, (0, 0))
        self._score = 0
        self._born = 0
        """The round in which the present prey was first there."""
        self._others: dict[int, tuple[int, Place]] = {}
        """Per agent the round and place of its last sighting."""
        self._low = self._right = 0
        """The last row and column known to be on the map."""
        self._checked: dict[Place, int] = {}
        """When a cell was last seen without the prey."""
        self._goal: Place | None = None
        """Where the prey is sought, until that cell has been seen."""

    def __call__(self, observation: Observation, rng: random.Random) -> str:
        """One step of the hunt."""
        blocked = self._look(observation)
        self._listen(observation)
        now, prey = self._sighting
        order = rng.choice(ORDERS)
        if observation.round - now <= BELIEVED_ROUNDS:
            self._goal = None
            action = self._close_in(observation.position, prey, blocked, order)
        else:
            self._goal = self._guess(observation, rng)
            action = first_step(observation.position, self._goal.__eq__, blocked.__contains__, order)
            action = action or rng.choice(order)
        return reply(observation, action, self._news(observation))

    def _look(self, observation: Observation) -> set[Place]:
        """Take in the view; returns the cells that cannot be entered."""
        if observation.status != self._score:
            self._score, self._born = int(observation.status or 0), observation.round
            self._sighting = (-BELIEVED_ROUNDS - 1, (0, 0))
            self._checked.clear()
            self._goal = None
        blocked: set[Place] = set()
        now = observation.round
        for place, symbol in seen(observation):
            if symbol == "*":
                continue
            if place[0] > self._low:
                self._low = place[0]
            if place[1] > self._right:
                self._right = place[1]
            if symbol == "P":
                self._sighting = (now, place)
                blocked.add(place)
                continue
            self._checked[place] = now
            if symbol == "W":
                blocked.add(place)
            elif is_agent(symbol):
                self._others[int(symbol)] = (now, place)
                blocked.add(place)
        if self._sighting[0] < now and self._checked.get(self._sighting[1]) == now:
            self._sighting = (-BELIEVED_ROUNDS - 1, (0, 0))
        return blocked

    def _listen(self, observation: Observation) -> None:
        """Take in messages: newer sightings of the present prey, and fellows out of sight."""
        for text in observation.heard:
            for i, j, when in _SIGHTING.findall(text):
                place, told = (int(i), int(j)), int(when)
                if self._sighting[0] < told and told >= self._born and self._checked.get(place, -1) <= told:
                    self._sighting = (told, place)
            for number, i, j in _FELLOW.findall(text):
                fellow = int(number)
                known = self._others.get(fellow)
                if fellow != observation.id and (known is None or known[0] < observation.round - 1):
                    self._others[fellow] = (observation.round - 1, (int(i), int(j)))
                    self._low, self._right = max(self._low, int(i) + 1), max(self._right, int(j) + 1)

    def _news(self, observation: Observation) -> str:
        when, (i, j) = self._sighting
        words = [f"P{i},{j}@{when}"] if observation.round - when <= BELIEVED_ROUNDS else []
        words.append(f"{observation.id}:{observation.position[0]},{observation.position[1]}")
        for number, (seen_in, (i, j)) in self._others.items():
            if seen_in == observation.round and len(words) < TOLD:
                words.append(f"{number}:{i},{j}")
        return " ".join(words)

    def _close_in(self, here: Place, prey: Place, blocked: set[Place], order: tuple[str, ...]) -> str:
        """Stand beside the prey, on the nearest side that is free; push on if all are taken."""
        if apart(here, prey) == 1:
            return "STAY"
        sides = {moved(prey, action) for action in STEPS}
        free = sides - blocked
        step = first_step(here, free.__contains__, blocked.__contains__, order) if free else None
        if step:
            return step
        return min(order, key=lambda action: apart(moved(here, action), prey))

    def _guess(self, observation: Observation, rng: random.Random) -> Place:
        """Of some cells not seen of late, the one where the prey would feel safest and that is not too far to look."""
        now, (here_i, here_j) = observation.round, observation.position
        others = [place for when, place in self._others.values() if now - when <= REMEMBERED_ROUNDS]
        others.append(observation.position)
        draw, low, right = rng.random, self._low - 1, self._right - 1
        cells = [(1 + int(draw() * low), 1 + int(draw() * right)) for _ in range(SAMPLE)]
        if self._goal:
            cells.append(self._goal)
        best, least = observation.position, float("inf")
        for i, j in cells:
            if now - self._checked.get((i, j), -UNSEEN_ROUNDS) < UNSEEN_ROUNDS:
                continue
            cost = DISTANCE * (abs(i - here_i) + abs(j - here_j)) + draw() + self._walls_near(i, j)
            for a, b in others:
                if -4 <= a - i <= 3 and -4 <= b - j <= 3:
                    cost += 1
            if cost < least:
                best, least = (i, j), cost
        return best

    def _walls_near(self, i: int, j: int) -> float:
        """The threat of the outer wall, as far as the map is known."""
        top, bottom = max(0, i - 4), min(self._low, i + 3)
        left, right = max(0, j - 4), min(self._right, j + 3)
        rows, columns = bottom - top + 1, right - left + 1
        return 0.9 * (columns * ((top == 0) + (bottom == self._low)) + rows * ((left == 0) + (right == self._right)))
