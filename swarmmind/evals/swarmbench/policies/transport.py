"""Transport: find the plug, slide it past the corner, push it out, walk out."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from swarmmind.effects import Agent
from swarmmind.evals.swarmbench.environment import Observation
from swarmmind.evals.swarmbench.policies.plug import OPPOSITE, Plug, guesses
from swarmmind.evals.swarmbench.policies.senses import ORDERS, STEPS, Place, first_step, is_agent, moved, reply, seen

_PLUG = re.compile(r"PLUG (\w+)-(low|high) slid(\d) out(\d)")
_SIZE = re.compile(r"\b([HW])(\d+)\b")
_LAST = (1, 4)
"""Slid once and out four times: the gap is open."""


class Mover:
    """Fill the lanes behind the plug and push; walk out through the open gap.

    Uses the view, the own place, the memory of the map and of the plug, and messages: each agent repeats the map's
    size as far as it knows it and what it knows of the plug, e.g. `H10 W10 PLUG top-high slid1 out2`. It knows the
    plug's figure, that it lies at one end of one side, and that it must slide before it can go out.
    """

    def __init__(self, agent: Agent) -> None:
        self._size: dict[str, int] = {}
        """Rows (`H`) and columns (`W`) of the map, once known."""
        self._seen: dict[Place, int] = {}
        """When a cell of the map was last seen."""
        self._solid: set[Place] = set()
        """Cells where wall or a plug was seen last."""
        self._plug: Plug | None = None
        self._last: Place = (-1, -1)
        self._waited = 0

    def __call__(self, observation: Observation, rng: random.Random) -> str:
        """Explore, line up, push or leave."""
        here = observation.position
        self._waited = self._waited + 1 if here == self._last else 0
        self._last = here
        agents = self._look(observation)
        order = rng.choice(ORDERS)
        if self._plug is None:
            action = self._explore(here, agents, order)
        else:
            action = self._work(self._plug, here, agents, order)
            if action is None and self._waited > 1 and rng.random() < 0.5:
                action = order[0]
        return reply(observation, action or order[0], self._news())

    def _look(self, observation: Observation) -> set[Place]:
        """Take in view and messages; returns where others are."""
        agents: set[Place] = set()
        boxes: set[Place] = set()
        bare: set[Place] = set()
        for place, symbol in seen(observation):
            if symbol == "*":
                self._measure(observation.position, place)
                continue
            self._seen[place] = observation.round
            (boxes if symbol == "B" else bare).add(place)
            if symbol in "WB":
                self._solid.add(place)
            else:
                self._solid.discard(place)
            if is_agent(symbol):
                agents.add(place)
        for text in observation.heard:
            self._listen(text)
        if self._plug is not None:
            if not self._plug.fits(boxes, bare):
                self._plug = next((plug for plug in self._plug.later() if plug.fits(boxes, bare)), self._plug)
        elif boxes and len(self._size) == 2:
            found = guesses(self._size["H"], self._size["W"], boxes, bare)
            if len(found) == 1:
                self._plug = found[0]
        return agents

    def _measure(self, here: Place, outside: Place) -> None:
        """Learn the map's size from the nearest cell beyond its lower or right side."""
        for axis, name in enumerate("HW"):
            if outside[1 - axis] == here[1 - axis] and outside[axis] > here[axis]:
                self._size[name] = min(self._size.get(name, outside[axis]), outside[axis])

    def _listen(self, text: str) -> None:
        for name, value in _SIZE.findall(text):
            self._size.setdefault(name, int(value))
        told = _PLUG.search(text)
        if told and len(self._size) == 2:
            side, end, slid, out = told.groups()
            plug = Plug(side, end == "high", self._size["H"], self._size["W"], int(slid), int(out))
            if self._plug is None or plug.pushed > self._plug.pushed:
                self._plug = plug

    def _news(self) -> str:
        words = [f"{name}{value}" for name, value in sorted(self._size.items())]
        if self._plug is not None and len(self._size) == 2:
            end = "high" if self._plug.high else "low"
            words.append(f"PLUG {self._plug.side}-{end} slid{self._plug.slid} out{self._plug.out}")
        return " ".join(words)

    def _explore(self, here: Place, agents: set[Place], order: tuple[str, ...]) -> str | None:
        """Towards the nearest cell that was never seen, else to the one not seen for longest."""
        low, right = self._size.get("H", 99), self._size.get("W", 99)
        unknown = {
            cell
            for place in self._seen
            for cell in (moved(place, action) for action in STEPS)
            if cell not in self._seen and place not in self._solid and 0 < cell[0] < low - 1 and 0 < cell[1] < right - 1
        }
        if not unknown:
            oldest = min(self._seen.values())
            unknown = {place for place, when in self._seen.items() if when == oldest}
        return first_step(here, unknown.__contains__, lambda place: place in self._solid or place in agents, order)

    def _work(self, plug: Plug, here: Place, agents: set[Place], order: tuple[str, ...]) -> str | None:
        """What the plug's state asks of the place where one stands."""
        u, v = plug.local(here)
        if plug.pushed == _LAST:
            if 1 <= u <= 3:
                return plug.outward
            return self._walk(plug, here, agents, order, lambda a, b: 1 <= a <= 3 and b >= 1)
        if plug.slid:
            if 1 <= u <= 3 and v >= 4 - plug.out:
                aside = plug.place(u - 1, v)
                return plug.along if u > 1 and aside not in agents else plug.outward
            return self._walk(plug, here, agents, order, lambda a, b: 1 <= a <= 3 and b >= 4 - plug.out)
        if u <= 1 and v <= 3:
            return OPPOSITE[plug.outward]
        if u >= 5 and v <= 3:
            below = plug.place(u, v - 1)
            return plug.outward if v > 1 and below not in agents else plug.along
        return self._walk(plug, here, agents, order, lambda a, b: a >= 5 and b <= 3)

    def _walk(
        self, plug: Plug, here: Place, agents: set[Place], order: tuple[str, ...], lane: Callable[[int, int], bool]
    ) -> str | None:
        """Towards the nearest free cell of a lane, round others if there is a way."""
        low, right = plug.height - 1, plug.width - 1

        def is_goal(place: Place) -> bool:
            return place not in agents and lane(*plug.local(place))

        def solid(place: Place) -> bool:
            return not (0 < place[0] < low and 0 < place[1] < right) or plug.covers(place)

        step = first_step(here, is_goal, lambda place: place in agents or solid(place), order)
        return step or first_step(here, is_goal, solid, order)
