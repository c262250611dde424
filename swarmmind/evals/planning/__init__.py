"""Planning problems that can be generated anywhere and are scored exactly, and modules that plan by rules."""

from __future__ import annotations

from swarmmind.evals.planning.hanoi import Hanoi, hanoi
from swarmmind.evals.planning.modules import POLICIES, Skills, read_puzzle
from swarmmind.evals.planning.puzzles import Course, Puzzle, best_plan, course, distances
from swarmmind.evals.planning.rooms import Rooms, graph

__all__ = [
    "POLICIES",
    "Course",
    "Hanoi",
    "Puzzle",
    "Rooms",
    "Skills",
    "best_plan",
    "course",
    "distances",
    "graph",
    "hanoi",
    "read_puzzle",
]
