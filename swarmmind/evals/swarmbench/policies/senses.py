"""What the rules have in common: places in the view, walking, and talk that other agents can read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import permutations

from swarmmind.evals.swarmbench.environment import Observation

Place = tuple[int, int]
STEPS: dict[str, Place] = {"UP": (-1, 0), "DOWN": (1, 0), "LEFT": (0, -1), "RIGHT": (0, 1)}
ORDERS = tuple(permutations(STEPS))
"""All orders of the four directions."""


def seen(observation: Observation) -> Iterator[tuple[Place, str]]:
    """Every cell of the view with its place on the map."""
    top, left = observation.corner
    for i, row in enumerate(observation.view, start=top):
        for j, symbol in enumerate(row, start=left):
            yield (i, j), symbol


def is_agent(symbol: str) -> bool:
    """Whether a symbol is another agent."""
    return symbol[-1].isdigit()


def reply(observation: Observation, action: str, message: str = "") -> str:
    """A reply as the prompt asks for it: without a message where nobody can speak."""
    if not observation.speaks:
        return action
    return f"ACTION: {action}\nMSG: {message}" if message else f"ACTION: {action}"


def moved(place: Place, action: str) -> Place:
    """The cell that an action leads to; staying leads nowhere."""
    di, dj = STEPS.get(action, (0, 0))
    return place[0] + di, place[1] + dj


def apart(one: Place, other: Place) -> int:
    """Steps between two places."""
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


def first_step(
    start: Place,
    is_goal: Callable[[Place], bool],
    blocked: Callable[[Place], bool],
    order: Collection[str],
    reach: int = 400,
) -> str | None:
    """The first action of a shortest way to the nearest goal; `None` if there is none, or one stands on it.

    Args:
        start: where the way begins.
        is_goal: where it may end.
        blocked: whether a cell cannot be entered.
        order: the four directions; earlier ones win ties.
        reach: how many cells are looked at before giving up.
    """
    if is_goal(start):
        return None
    came: dict[Place, str] = {start: ""}
    queue = [start]
    for place in queue:
        for action in order:
            step = STEPS[action]
            neighbor = (place[0] + step[0], place[1] + step[1])
            if neighbor in came or blocked(neighbor):
                continue
            came[neighbor] = came[place] or action
            if is_goal(neighbor):
                return came[neighbor]
            queue.append(neighbor)
        if len(queue) > reach:
            return None
    return None
