"""The Tower of Hanoi as MAP sets it: from every state, all disks to the last peg (arXiv 2310.00194, section 4.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product
from typing import Any, Literal, NamedTuple

from swarmmind.evals.datasets import Dataset, Item
from swarmmind.evals.planning.puzzles import judged, line, target

PEGS = "ABC"
LIMITS = {3: 10, 4: 20}
"""How many moves a plan may have, by the number of disks (paper)."""

_PEG = re.compile(r"([ABC])\s*=\s*\[([\d,\s]*)\]", re.IGNORECASE)
_BETWEEN = r"[^\w;]{0,20}"  # bounded, so that no text makes the search slow
_MOVE = re.compile(rf"\b([ABC])\b{_BETWEEN}(?:to|->|=>|→){_BETWEEN}(?:peg[^\w;]{{1,20}})?([ABC])\b", re.IGNORECASE)
_RULES = """\
Disks lie on three pegs, A, B and C. A disk is a number, and a larger number is a larger disk. The list of a peg names \
its disks from the bottom to the top.

A move takes the topmost disk of one peg and lays it on top of another peg. No disk may ever lie on a smaller one. A \
move is written as its two pegs: `A to C`."""
_WANTED = """\
Find a plan from the start to the goal, the shorter the better. The answer is its moves in order, parted by \
semicolons, like `A to C; A to B`."""

Towers = tuple[int, ...]
"""A state: the number of the peg of each disk, from the smallest disk on."""


class Hanoi(NamedTuple):
    """One Tower of Hanoi; see `puzzles.Puzzle` for what the methods promise."""

    start: Towers
    goal: Towers
    limit: int

    @classmethod
    def read(cls, problem: str) -> Hanoi | None:
        """The puzzle of a problem's text; `None` if it is none."""
        start, goal = (_towers(line(problem, label)) for label in ("START", "GOAL"))
        most = re.search(r"\d+", line(problem, "MOVES"))
        if start is None or goal is None or most is None or len(start) != len(goal):
            return None
        return cls(start, goal, int(most[0]))

    @property
    def states(self) -> Sequence[Any]:
        """All states."""
        return list(product(range(len(PEGS)), repeat=len(self.start)))

    def written(self) -> str:
        """The problem as a text."""
        ends = f"START: {self.write_state(self.start)}\nGOAL: {self.write_state(self.goal)}"
        return f"{_RULES}\n\n{ends}\nMOVES: at most {self.limit}\n\n{_WANTED}"

    def moves(self, state: Any) -> Sequence[Any]:
        """Legal moves."""
        tops = _tops(state)
        return [(a, b) for a, b in _PAIRS if tops[a] < tops[b]]

    def illegal(self, state: Any) -> Sequence[Any]:
        """Moves that break a rule."""
        tops = _tops(state)
        return [(a, b) for a, b in _PAIRS if tops[a] >= tops[b]]

    def after(self, state: Any, move: Any) -> Any:
        """The state that a move leads to; the same one if it is illegal."""
        if move not in self.moves(state):
            return state
        disk = _tops(state)[move[0]]
        return (*state[:disk], move[1], *state[disk + 1 :])

    def why(self, state: Any, move: Any) -> str:
        """Which rule an illegal move breaks."""
        if move is None:
            return "That is no move: it must name two pegs, like `A to C`."
        from_peg, to_peg = move
        if from_peg == to_peg:
            return f"A disk cannot be moved from peg {PEGS[from_peg]} to the same peg."
        moved, below = (_tops(state)[peg] for peg in move)
        if moved == len(state):
            return f"There is no disk on peg {PEGS[from_peg]}."
        return f"Disk {moved + 1} would lie on disk {below + 1} of peg {PEGS[to_peg]}, which is smaller."

    def between(self, state: Any) -> Any:
        """By goal recursion: all disks smaller than the largest misplaced one on the peg that one does not need."""
        misplaced = [disk for disk in range(len(state)) if state[disk] != self.goal[disk]]
        if not misplaced:
            return state
        disk = misplaced[-1]
        spare = sum(range(len(PEGS))) - state[disk] - self.goal[disk]
        return (*(spare,) * disk, *state[disk:])

    def mismatch(self, state: Any, aim: Any) -> int:
        """How many parts of the states differ."""
        return sum(here != there for here, there in zip(state, aim, strict=True))

    def read_state(self, text: str) -> Any:
        """The state in a text, or `None`."""
        found = _towers(text)
        return found if found is not None and len(found) == len(self.start) else None

    def write_state(self, state: Any) -> str:
        """A state as text."""
        pegs = ([disk + 1 for disk in reversed(range(len(state))) if state[disk] == peg] for peg in range(len(PEGS)))
        return ", ".join(f"{name} = {disks}" for name, disks in zip(PEGS, pegs, strict=True))

    def read_move(self, text: str) -> Any:
        """The move in a text, or `None`."""
        found = _MOVE.search(text)
        return (PEGS.index(found[1].upper()), PEGS.index(found[2].upper())) if found else None

    def write_move(self, move: Any) -> str:
        """A move as text."""
        return f"{PEGS[move[0]]} to {PEGS[move[1]]}"


_PAIRS = [(a, b) for a in range(len(PEGS)) for b in range(len(PEGS)) if a != b]


def _tops(state: Towers) -> list[int]:
    """The topmost disk of each peg; an empty one has one larger than all."""
    tops = [len(state)] * len(PEGS)
    for disk in reversed(range(len(state))):
        tops[state[disk]] = disk
    return tops


def _towers(text: str) -> Towers | None:
    """The state in a text; `None` if pegs or disks are missing or twice there, or a disk lies on a smaller one."""
    found = _PEG.findall(text)
    pegs = {name.upper(): [int(disk) for disk in re.findall(r"\d{1,3}", disks)] for name, disks in found}
    disks = sorted(disk for peg in pegs.values() for disk in peg)
    ordered = all(peg == sorted(peg, reverse=True) for peg in pegs.values())
    if len(found) != len(PEGS) or len(pegs) != len(PEGS) or not ordered or disks != list(range(1, len(disks) + 1)):
        return None
    return tuple(next(at for at, name in enumerate(PEGS) if disk in pegs[name]) for disk in disks)


def hanoi(disks: Literal[3, 4] = 3) -> Dataset:
    """Every start state but the goal: 26 with three disks (at most 10 moves), 80 with four (at most 20).

    One of three disks begins `START: A = [3, 2, 1], B = [], C = []`; a best plan of it has 7 moves.
    """
    goal = (len(PEGS) - 1,) * disks
    puzzles = [Hanoi(start, goal, LIMITS[disks]) for start in product(range(len(PEGS)), repeat=disks) if start != goal]
    items = [Item(puzzle.written(), target(puzzle), f"{disks} disks") for puzzle in puzzles]
    return Dataset(items, judged(Hanoi.read))
