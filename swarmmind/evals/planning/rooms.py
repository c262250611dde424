"""Walks through fifteen rooms: the planning tasks of CogEval as MAP sets them (arXiv 2309.15129, 2310.00194).

The graph is our own, with the properties of theirs: three groups of five rooms; within a group all rooms are joined,
save its first with its last, which are joined to the neighboring groups instead. So it takes up to four doors from one
room to another, and between two groups there are two ways. Rewards lie in the rooms 8 and 15; a walk ends where one is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

from pydantic import Field

from swarmmind.evals.datasets import Dataset, Item
from swarmmind.evals.planning.puzzles import best_plan, distances, judged, line, target
from swarmmind.rng import Streams

Task: TypeAlias = Literal["value-path", "step-path-2", "step-path-3", "step-path-4", "detour", "revaluation"]
Door: TypeAlias = tuple[int, int]

ROOMS, LIMIT = 15, 10
RICH, POOR = (8, 50), (15, 10)
"""The rooms with a reward, and how much it is."""

_GROUPS = [range(first, first + 5) for first in (1, 6, 11)]
_WITHIN = [door for group in _GROUPS for door in combinations(group, 2) if door != (group[0], group[-1])]
DOORS: tuple[Door, ...] = tuple(sorted([*_WITHIN, (5, 6), (10, 11), (1, 15)]))

_ROOM = re.compile(r"\d{1,4}")
_DOOR = re.compile(r"(\d{1,4})-(\d{1,4})")
_REWARD = re.compile(r"room (\d{1,4}): (\d{1,6})")
_LARGEST = "the room with the largest reward"
_RULES = """\
A house has the rooms 1 to {rooms}. Each pair in the list of doors names two rooms that are joined by a door, which \
can be walked through both ways. A move goes through one door and is written as the room it leads to: `room 7`."""
_ENDS = "Whoever enters a room with a reward gets it, and the walk ends there."
_WANTED = """\
Find a plan from the start to the goal, {how}. The answer is its moves in order, parted by semicolons, like \
`room 7; room 9`."""


class Rooms(NamedTuple):
    """One walk; see `puzzles.Puzzle` for what the methods promise. A state and a move are the number of a room.

    Attributes:
        doors: as they were.
        locked: those that are locked now.
        rewards: rooms and rewards as they were; empty if there are none.
        rewards_now: as they are now, if they changed.
    """

    start: int
    goal: int
    limit: int = LIMIT
    doors: tuple[Door, ...] = DOORS
    locked: tuple[Door, ...] = ()
    rewards: tuple[tuple[int, int], ...] = ()
    rewards_now: tuple[tuple[int, int], ...] = ()

    @classmethod
    def read(cls, problem: str) -> Rooms | None:
        """The puzzle of a problem's text; `None` if it is none."""
        start, most = _ROOM.search(line(problem, "START")), _ROOM.search(line(problem, "MOVES"))
        doors, locked = (_doors(line(problem, label)) for label in ("DOORS", "LOCKED SINCE THEN"))
        rewards, now = (_rewards(line(problem, label)) for label in ("REWARDS", "REWARDS SINCE THEN"))
        aim = line(problem, "GOAL")
        named = _ROOM.search(aim)
        richest = max(now or rewards, key=lambda reward: reward[1], default=(0, 0))[0]
        goal = richest if aim == _LARGEST else int(named[0]) if named else 0
        if not (start and most and doors and goal):
            return None
        return cls(int(start[0]), goal, int(most[0]), doors, locked, rewards, now)

    @property
    def states(self) -> Sequence[Any]:
        """All states."""
        return sorted({room for door in self.doors for room in door})

    @property
    def _open(self) -> list[Door]:
        return [door for door in self.doors if door not in self.locked]

    def written(self) -> str:
        """The problem as a text."""
        facts = [f"DOORS: {', '.join(f'{a}-{b}' for a, b in self.doors)}"]
        facts += [f"LOCKED SINCE THEN: {', '.join(f'{a}-{b}' for a, b in self.locked)}"] if self.locked else []
        facts += [f"REWARDS: {_listed(self.rewards)}"] if self.rewards else []
        facts += [f"REWARDS SINCE THEN: {_listed(self.rewards_now)}"] if self.rewards_now else []
        goal = _LARGEST if self.rewards else self.write_state(self.goal)
        facts += [f"START: {self.write_state(self.start)}", f"GOAL: {goal}", f"MOVES: at most {self.limit}"]
        rules = _RULES.format(rooms=max(self.states)) + (f" {_ENDS}" if self.rewards else "")
        how = "the shorter the better" if self.rewards else "through as few doors as possible"
        return f"{rules}\n\n" + "\n".join(facts) + f"\n\n{_WANTED.format(how=how)}"

    def moves(self, state: Any) -> Sequence[Any]:
        """Legal moves."""
        if any(state == room for room, _ in self.rewards):
            return []  # the walk has ended
        return sorted(b if a == state else a for a, b in self._open if state in (a, b))

    def illegal(self, state: Any) -> Sequence[Any]:
        """Moves that break a rule."""
        legal = self.moves(state)
        return [room for room in self.states if room != state and room not in legal]

    def after(self, state: Any, move: Any) -> Any:
        """The state that a move leads to; the same one if it is illegal."""
        return move if move in self.moves(state) else state

    def why(self, state: Any, move: Any) -> str:
        """Which rule an illegal move breaks."""
        if move is None:
            return "That is no move: it must name a room, like `room 7`."
        if not self.moves(state):
            return "The walk has ended in this room."
        return f"No open door leads from room {state} to room {move}."

    def between(self, state: Any) -> Any:
        """Halfway along a shortest walk."""
        plan = best_plan(self, state, self.goal)
        return plan[len(plan) // 2 - 1] if len(plan) > 1 else state

    def mismatch(self, state: Any, aim: Any) -> int:
        """How many parts of the states differ."""
        return int(state != aim)

    def read_state(self, text: str) -> Any:
        """The state in a text, or `None`."""
        if text == _LARGEST:
            return self.goal
        room = self.read_move(text)
        return room if room in self.states else None

    def write_state(self, state: Any) -> str:
        """A state as text."""
        return f"room {state}"

    def read_move(self, text: str) -> Any:
        """The last number: `from room 4 to room 5` leads to room 5."""
        found = _ROOM.findall(text)
        return int(found[-1]) if found else None

    def write_move(self, move: Any) -> str:
        """A move as text."""
        return f"room {move}"


def _doors(text: str) -> tuple[Door, ...]:
    return tuple((int(a), int(b)) for a, b in _DOOR.findall(text))


def _rewards(text: str) -> tuple[tuple[int, int], ...]:
    return tuple((int(room), int(reward)) for room, reward in _REWARD.findall(text))


def _listed(rewards: Sequence[tuple[int, int]]) -> str:
    return ", ".join(f"room {room}: {reward}" for room, reward in rewards)


def graph(task: Task = "value-path", problems: Annotated[int, Field(ge=1)] = 20, seed: int = 0) -> Dataset:
    """Walks through fifteen rooms with at most 10 moves.

    Args:
        task: `value-path`: to the larger of two rewards, from each of the 13 rooms without one. `detour`: the same with
            a door locked, the one whose loss costs the walk most without making it impossible. `revaluation`: the same
            with the rewards exchanged. `step-path-2` to `-4`: from one room to another so many doors away, by as few.
        problems: how many step paths; at most all pairs of rooms so far apart.
        seed: which of the pairs.
    """
    walks = _steps(int(task[-1]), problems, seed) if task.startswith("step-path") else _walks(task)
    shortest = task.startswith("step-path")
    items = [Item(walk.written(), target(walk, shortest=shortest), task) for walk in walks]
    return Dataset(items, judged(Rooms.read))


def _walks(task: Task) -> list[Rooms]:
    swapped = ((RICH[0], POOR[1]), (POOR[0], RICH[1]))
    starts = [room for room in range(1, ROOMS + 1) if room not in (RICH[0], POOR[0])]
    if task == "revaluation":
        return [Rooms(room, POOR[0], rewards=(RICH, POOR), rewards_now=swapped) for room in starts]
    walks = [Rooms(room, RICH[0], rewards=(RICH, POOR)) for room in starts]
    return [_detour(walk) for walk in walks] if task == "detour" else walks


def _detour(walk: Rooms) -> Rooms:
    """The same walk with the door locked whose loss costs most; the first of several."""
    closed = [walk._replace(locked=(door,)) for door in walk.doors]
    lengths = [(distances(each, each.goal).get(each.start), each) for each in closed]
    return max(((length, each) for length, each in lengths if length is not None), key=lambda one: one[0])[1]


def _steps(count: int, problems: int, seed: int) -> list[Rooms]:
    pairs = [Rooms(start, goal) for start in range(1, ROOMS + 1) for goal in range(1, ROOMS + 1) if start != goal]
    apart = [pair for pair in pairs if distances(pair, pair.goal)[pair.start] == count]
    rng = Streams(seed).rng(f"planning/graph/{count}")
    return rng.sample(apart, min(problems, len(apart)))
