"""Foraging: draw a map, tell where food and nest are, and keep to one-way streets."""

from __future__ import annotations

import random
import re
from heapq import heappop, heappush
from typing import NamedTuple

from swarmmind.effects import Agent
from swarmmind.evals.swarmbench.environment import Observation
from swarmmind.evals.swarmbench.policies.senses import ORDERS, STEPS, Place, is_agent, moved, reply, seen

_TOLD = re.compile(r"([FN])(\d+),(\d+)")


class Traffic(NamedTuple):
    """The rules of the road; an agent's own parameters of these names go before them.

    Attributes:
        against: what a step against a street's direction costs; one with it costs 1.
        oncoming: what a step into the way of somebody costs who carries food and oneself does not, or the reverse.
        slack: how many steps longer a way may be that is taken rather than to wait.
        patience: rounds without a change of place after which one may step aside.
        laden_yields: how likely one with food does.
        unladen_yields: how likely one without does: in a jam those make room.
    """

    against: float = 3
    oncoming: float = 6
    slack: float = 4
    patience: float = 1
    laden_yields: float = 0.3
    unladen_yields: float = 0.8

    @staticmethod
    def of(agent: Agent) -> Traffic:
        """The rules that an agent keeps to."""
        return Traffic(**{name: agent.parameters[name] for name in Traffic._fields if name in agent.parameters})


class Carrier:
    """Walk the known map from food to nest and back; explore while one of them is unknown.

    Uses the view, the own place and load, the memory of all walls, food and nest cells ever seen, and messages: each
    agent repeats the food and nest cells that it has seen or heard of, e.g. `F1,2 F2,1 N7,8`. Traffic rule, known to
    all: even rows and columns lead right and down, odd ones left and up; ways against it count three times (`Traffic`).
    """

    def __init__(self, agent: Agent) -> None:
        self._rules = Traffic.of(agent)
        self._solid: set[Place] = set()
        self._visited: dict[Place, int] = {}
        """When a cell was last seen."""
        self._known: dict[str, set[Place]] = {"F": set(), "N": set()}
        self._fields: dict[str, dict[Place, float]] = {}
        """Cost from every cell to the goal of a kind; forgotten when the map changes."""
        self._last: Place = (-1, -1)
        self._waited = 0
        """Rounds since the last change of place."""

    def __call__(self, observation: Observation, rng: random.Random) -> str:
        """One step downhill to what is needed now."""
        others = self._look(observation)
        self._waited = self._waited + 1 if observation.position == self._last else 0
        self._last = observation.position
        wanted = "N" if observation.status else "F"
        goals = self._known[wanted]
        field = self._field(wanted, {moved(goal, action) for goal in goals for action in STEPS}, observation.position)
        if not goals:
            field = self._frontier(observation)
        return reply(observation, self._step(observation, field, others, rng), self._news())

    def _look(self, observation: Observation) -> dict[Place, bool]:
        """Take in view and messages; returns where others are, and whether they carry."""
        others: dict[Place, bool] = {}
        before = len(self._solid)
        for place, symbol in seen(observation):
            if symbol == "*":
                continue
            self._visited[place] = observation.round
            if symbol in "WFN":
                self._solid.add(place)
                if symbol != "W":
                    self._known[symbol].add(place)
            elif is_agent(symbol):
                others[place] = symbol[0] != "$"
        for text in observation.heard:
            for kind, i, j in _TOLD.findall(text):
                place = (int(i), int(j))
                self._known[kind].add(place)
                self._solid.add(place)
        if len(self._solid) != before:
            self._fields.clear()
        return others

    def _news(self) -> str:
        return " ".join(f"{kind}{i},{j}" for kind, places in self._known.items() for i, j in sorted(places)[:2])

    def _field(self, name: str, goals: set[Place], here: Place) -> dict[Place, float]:
        """Cost of the cheapest way to the goals from all cells within reach; unknown cells count as free."""
        field = self._fields.get(name)
        if field is None or here not in field:
            field = self._fields[name] = self._flood(goals - self._solid)
        return field

    def _flood(self, goals: set[Place]) -> dict[Place, float]:
        low = max((max(place) for place in self._visited), default=0) + 1
        field: dict[Place, float] = {}
        heap = [(0.0, goal) for goal in sorted(goals)]
        while heap:
            cost, place = heappop(heap)
            if place in field:
                continue
            field[place] = cost
            for action in STEPS:
                before = (place[0] - STEPS[action][0], place[1] - STEPS[action][1])
                if before in field or before in self._solid or not (min(before) > 0 and max(before) <= low):
                    continue
                heappush(heap, (cost + (1 if action in _street(before) else self._rules.against), before))
        return field

    def _frontier(self, observation: Observation) -> dict[Place, float]:
        """Cost to the cells that have not been seen for longest."""
        goals = {
            cell
            for place in self._visited
            if place not in self._solid
            for cell in (moved(place, action) for action in STEPS)
            if cell not in self._visited
        }
        if not goals:
            free = [place for place in self._visited if place not in self._solid]
            oldest = min(self._visited[place] for place in free)
            goals = {place for place in free if self._visited[place] == oldest}
        return self._flood(goals)

    def _step(
        self, observation: Observation, field: dict[Place, float], others: dict[Place, bool], rng: random.Random
    ) -> str:
        """The neighbor that is cheapest to go on from; nobody who goes the other way is walked into."""
        here, laden, rules = observation.position, bool(observation.status), self._rules
        yields = rules.laden_yields if laden else rules.unladen_yields
        if self._waited > rules.patience and rng.random() < yields:
            room = [name for name in STEPS if moved(here, name) not in self._solid and moved(here, name) not in others]
            return rng.choice(room or list(STEPS))
        best, action = float(field.get(here, 0)), "STAY"
        for name in rng.choice(ORDERS):
            place = moved(here, name)
            if place in self._solid or place not in field:
                continue
            cost = field[place] + (1 if name in _street(here) else rules.against)
            if place in others:
                cost += 0 if others[place] == laden else rules.oncoming
            if cost < best + rules.slack and (action == "STAY" or cost < best):
                best, action = cost, name
        return action


def _street(place: Place) -> tuple[str, str]:
    """The two directions that a cell's row and column lead."""
    return ("RIGHT" if place[0] % 2 == 0 else "LEFT", "DOWN" if place[1] % 2 == 0 else "UP")
