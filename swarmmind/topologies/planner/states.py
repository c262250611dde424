"""What a planner thinks about: states as texts, the moves between them, and what a problem says of its ends."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

TASK = "task"
"""Whose words a state or goal is that the problem brings."""

DEFAULT_MOVES = 10
NO_MOVES = "no moves"

_START = re.compile(r"^START:[ \t]*(\S.*)$", re.MULTILINE)
_GOAL = re.compile(r"^GOAL:[ \t]*(\S.*)$", re.MULTILINE)
_MOVES = re.compile(r"^MOVES:\D{0,40}(\d{1,4})\b", re.MULTILINE)


class Said(NamedTuple):
    """A text and whose it is: an agent's id, or `TASK`."""

    text: str
    author: str = TASK

    @property
    def words(self) -> str:
        """What of it counts when two texts are compared: not how its words are parted."""
        return " ".join(self.text.split())


class State(NamedTuple):
    """Where one stands; immutable, so that what is tried from it leaves it as it is.

    Attributes:
        said: its description; without words it is what the problem says of where it begins.
        since: moves that were made from there on and that nobody has predicted the outcome of.
    """

    said: Said
    since: tuple[Said, ...] = ()

    def after(self, move: Said) -> State:
        """The same with a move made, whatever that leads to."""
        return State(self.said, (*self.since, move))

    def same(self, other: State) -> bool:
        """Whether both are described alike."""
        return self._words == other._words

    def meets(self, aim: Said) -> bool:
        """Whether it is described as the aim is."""
        return not self.since and bool(aim.words) and self.said.words == aim.words

    @property
    def _words(self) -> tuple[str, ...]:
        return (self.said.words, *(move.words for move in self.since))


class Node:
    """A state in the tree that is searched, and the moves that were kept from there.

    Attributes:
        state: where one stands.
        move: what led there.
        children: one for each kept move; `None` as long as nothing was proposed.
    """

    __slots__ = ("children", "move", "state")

    def __init__(self, state: State, move: Said | None = None) -> None:
        self.state, self.move = state, move
        self.children: list[Node] | None = None

    def grow(self, grown: Sequence[Node]) -> None:
        """Keep these children; those that change nothing are left out if there are others."""
        changing = [child for child in grown if not child.state.same(self.state)]
        self.children = changing or list(grown[:1])

    def leaves(self) -> list[Node]:
        """The states at the end of what was tried from here; the state itself if nothing was."""
        return [leaf for child in self.children for leaf in child.leaves()] if self.children else [self]


class Ends(NamedTuple):
    """What a problem says in lines of their own: `START: ...`, `GOAL: ...`, `MOVES: at most 10`.

    Attributes:
        start: where it begins; without words if there is no such line: the problem says it in its own way.
        goal: what is to be reached, likewise.
        moves: how many may be made.
    """

    start: State
    goal: Said
    moves: int


def ends(problem: str) -> Ends:
    """Where a problem begins, where it should end, and after how many moves at most."""
    start, goal, most = _START.search(problem), _GOAL.search(problem), _MOVES.search(problem)
    limit = max(1, int(most[1])) if most else DEFAULT_MOVES
    return Ends(State(Said(start[1].strip() if start else "")), Said(goal[1].strip() if goal else ""), limit)


def written(plan: Sequence[Said]) -> str:
    """A plan as an answer: `ANSWER: first move; second move`."""
    return f"ANSWER: {'; '.join(move.words.replace(';', ',') for move in plan) or NO_MOVES}"
