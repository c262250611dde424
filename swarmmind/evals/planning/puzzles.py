"""What planning problems have in common: legal moves, distances by search, and how a plan is judged."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, TypeAlias

from swarmmind.agents.answers import final_text
from swarmmind.effects import Program, Record
from swarmmind.evals.scoring import Answer, Mark, Scoring
from swarmmind.ports import Context

State: TypeAlias = Hashable
Move: TypeAlias = Hashable


class Puzzle(Protocol):
    """One planning problem; hashable. Its states are few enough to be searched one by one.

    A problem's text says all of it, so that whoever has the text alone can make it again. Illegal moves change nothing.
    """

    @property
    def start(self) -> State:
        """Where it begins."""
        ...

    @property
    def goal(self) -> State:
        """Where it should end."""
        ...

    @property
    def limit(self) -> int:
        """How many moves a plan may have."""
        ...

    @property
    def states(self) -> Sequence[State]:
        """All states."""
        ...

    def written(self) -> str:
        """The problem, as people and agents read it."""
        ...

    def moves(self, state: State) -> Sequence[Move]:
        """Legal moves, in a fixed order."""
        ...

    def illegal(self, state: State) -> Sequence[Move]:
        """Moves that somebody could write down and that break a rule."""
        ...

    def after(self, state: State, move: Move | None) -> State:
        """The state a move leads to; the same one if it is illegal or `None`."""
        ...

    def why(self, state: State, move: Move | None) -> str:
        """Which rule an illegal move breaks."""
        ...

    def between(self, state: State) -> State:
        """A state to reach first on the way from `state` to the goal; `state` itself if there is none worth it."""
        ...

    def mismatch(self, state: State, aim: State) -> int:
        """How many parts of a state are not as they are in another one: what looks like a distance."""
        ...

    def read_state(self, text: str) -> State | None:
        """The state in a text; `None` if it holds none."""
        ...

    def write_state(self, state: State) -> str:
        """A state as text."""
        ...

    def read_move(self, text: str) -> Move | None:
        """The move in a text; `None` if it holds none."""
        ...

    def write_move(self, move: Move) -> str:
        """A move as text."""
        ...


def line(problem: str, label: str) -> str:
    """What follows `LABEL:` on a line of a problem; empty if there is no such line."""
    found = re.search(rf"^{re.escape(label)}:[ \t]*(.*)$", problem, re.MULTILINE)
    return found[1].strip() if found else ""


@lru_cache(maxsize=256)
def distances(puzzle: Puzzle, aim: State) -> Mapping[State, int]:
    """By state, the fewest moves to `aim`, by breadth-first search; states from where it cannot be reached are out."""
    before: dict[State, list[State]] = {}
    for state in puzzle.states:
        for move in puzzle.moves(state):
            before.setdefault(puzzle.after(state, move), []).append(state)
    found: dict[State, int] = {aim: 0}
    queue = deque([aim])
    while queue:
        state = queue.popleft()
        for other in before.get(state, ()):
            if other not in found:
                found[other] = found[state] + 1
                queue.append(other)
    return found


def best_move(puzzle: Puzzle, state: State, aim: State) -> Move | None:
    """A first move of a shortest plan, the first one in the order of moves; `None` if there is no plan."""
    known = distances(puzzle, aim)
    reaching = [move for move in puzzle.moves(state) if puzzle.after(state, move) in known]
    return min(reaching, key=lambda move: known[puzzle.after(state, move)], default=None)


def best_plan(puzzle: Puzzle, start: State, aim: State) -> list[Move]:
    """A shortest plan; empty if there is none."""
    plan: list[Move] = []
    state = start
    while state != aim and (move := best_move(puzzle, state, aim)) is not None:
        plan.append(move)
        state = puzzle.after(state, move)
    return plan


# --- plans as texts ---------------------------------------------------------------------------------------------------


def pieces(output: Any) -> list[str]:
    """The moves of an answer as they were written, parted by semicolons; `no moves` is none."""
    text = final_text(output) or ""
    return [piece.strip() for piece in text.split(";") if piece.strip() and piece.strip() != "no moves"]


class Course(NamedTuple):
    """What comes of a plan.

    Attributes:
        solved: whether the goal stands when all moves are made, and they are not too many.
        moves: how many it has.
        invalid: how many of those within the limit are illegal or cannot be read; they changed nothing.
        optimum: how many the shortest plan has.
    """

    solved: bool
    moves: int
    invalid: int
    optimum: int

    def told(self) -> str:
        """In words."""
        ending = "the goal is reached" if self.solved else "the goal is not reached"
        return f"{ending}: {self.moves} moves, {self.invalid} of them invalid; the shortest plan has {self.optimum}"


def course(puzzle: Puzzle, output: Any, *, shortest: bool = False) -> Course:
    """Play a plan.

    Args:
        puzzle: the problem.
        output: the plan, as answered.
        shortest: whether only a plan as short as possible solves it.
    """
    plan = [puzzle.read_move(piece) for piece in pieces(output)]
    state, invalid = puzzle.start, 0
    for move in plan[: puzzle.limit]:
        invalid += move not in puzzle.moves(state)
        state = puzzle.after(state, move)
    optimum = distances(puzzle, puzzle.goal)[puzzle.start]
    most = optimum if shortest else puzzle.limit
    return Course(state == puzzle.goal and len(plan) <= most, len(plan), invalid, optimum)


def judged(read: Callable[[str], Puzzle | None]) -> Scoring:
    """How plans are judged: 1 if they solve the problem, else 0.

    A target is `{problem: its text, shortest: whether the plan must be, plan: a best one}`. With the mark come the
    measurements `moves`, `invalid` and `detour` (moves beyond the shortest plan, where the problem is solved).

    Args:
        read: makes a puzzle of its text.
    """

    def played(output: Any, target: Any) -> Course | None:
        puzzle = read(str(target["problem"])) if isinstance(target, Mapping) else None
        return course(puzzle, output, shortest=bool(target.get("shortest"))) if puzzle else None

    def score(output: Any, target: Any) -> float:
        found = played(output, target)
        return float(found is not None and found.solved)

    def grade(ctx: Context, answer: Answer) -> Program:
        found = played(answer.output, answer.target)
        if found is None:
            return Mark(0.0, "the target is no planning problem")
        measured = {"moves": found.moves, "invalid": found.invalid}
        yield [Record("metrics", {**measured, **({"detour": found.moves - found.optimum} if found.solved else {})})]
        return Mark(float(found.solved), found.told())

    return Scoring(score, _plan, grade=grade)


def _plan(output: Any) -> str | None:
    return "; ".join(pieces(output)) or None


def target(puzzle: Puzzle, *, shortest: bool = False) -> dict[str, Any]:
    """What is right about a problem (see `judged`)."""
    plan = "; ".join(map(puzzle.write_move, best_plan(puzzle, puzzle.start, puzzle.goal)))
    return {"plan": plan, "shortest": shortest, "problem": puzzle.written()}
