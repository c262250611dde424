"""Blocksworld (as in PlanBench, Valmeekam et al. 2022, arXiv 2206.10498): stacks of blocks to be moved into others.

Random stacks; a plan is played move by move. It is right if every move is legal and the goal is reached, however long.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from swarmmind.agents.answers import after_mark
from swarmmind.effects import Program
from swarmmind.errors import UserError
from swarmmind.evals.datasets import Dataset, Item
from swarmmind.evals.generated.sizes import drawing
from swarmmind.evals.scoring import Answer, Mark, Scoring
from swarmmind.ports import Context

Stacks: TypeAlias = tuple[tuple[str, ...], ...]
"""Each stack from the table up, in alphabetical order of what stands on the table."""

MOST = 12
_MAX_MOVES = 500
_MOVE = re.compile(
    r"\bmove\s+(?:block\s+)?([a-z])\s+(?:on\s?to|to|on)\s+(?:block\s+)?(the\s+table|table|[a-z])\b", re.I
)
_WORD = re.compile(r"[^\W\d_]+")
_BETWEEN = frozenset(("and", "finally", "first", "next", "step", "then"))
_RULES = """\
Blocks stand on a table, alone or in stacks. You may move one block at a time, and only a block on which none stands: \
onto the table, or onto another block on which none stands.

Now (each stack from the table up): {start}
Goal: {goal}

Answer with the moves, all after ANSWER: on one line and parted by semicolons, each as `move A onto B` or `move A onto \
the table`."""


class Puzzle(NamedTuple):
    """Where blocks stand, and where they shall."""

    start: Stacks
    goal: Stacks


def blocksworld(size: int = 100, seed: int = 0, blocks: int = 5) -> Dataset:
    """Stacks of blocks to be moved into others; a plan is right if it is legal and reaches the goal.

    PlanBench's own instances: R1 99.1 %, Llama-3.1-405B 62.6 %, GPT-4 34.6 %, with other words and other stacks.

    Args:
        size: how many.
        seed: of the stacks; a larger `size` begins with the same.
        blocks: in each, at most 12.

    Raises:
        UserError: size or blocks are out of bounds.
    """
    rng = drawing("blocksworld", size, seed)
    if not 2 <= blocks <= MOST:
        raise UserError(f"blocks must be between 2 and {MOST}, got {blocks}")
    names = "ABCDEFGHIJKL"[:blocks]
    puzzles: dict[str, Puzzle] = {}
    by_target: dict[str, list[Puzzle]] = {}
    items: list[Item] = []
    for _ in range(size):
        start = goal = _stacks(names, rng)
        while goal == start:
            goal = _stacks(names, rng)
        puzzle, target = Puzzle(start, goal), "; ".join(plan(Puzzle(start, goal)))
        item = Item(_RULES.format(start=_told(start), goal=_told(goal)), target)
        items.append(item)
        puzzles[item.text] = puzzle
        by_target.setdefault(target, []).append(puzzle)

    def score(output: Any, target: Any) -> float:
        found = by_target.get(str(target), [])
        return float(bool(found) and all(solves(output, puzzle) for puzzle in found))

    def grade(_: Context, answer: Answer) -> Program:
        yield []
        puzzle = puzzles.get(answer.question)
        return Mark(score(answer.output, answer.target) if puzzle is None else float(solves(answer.output, puzzle)))

    return Dataset(items, Scoring(score, _read, grade=grade))


def plan(puzzle: Puzzle) -> list[str]:
    """A plan that always works: what does not stand as it shall is put on the table, then the stacks are built."""
    stacks, moves = [list(stack) for stack in puzzle.start], list[str]()
    for stack in stacks:
        goal = next((one for one in puzzle.goal if one[0] == stack[0]), ())
        stays = sum(1 for at in range(len(stack)) if tuple(stack[: at + 1]) == goal[: at + 1]) or 1
        while len(stack) > stays:
            moves.append(f"move {stack.pop()} onto the table")
    standing = {tuple(stack) for stack in stacks}
    for stack in puzzle.goal:
        kept = max((len(one) for one in standing if one == stack[: len(one)]), default=1)
        moves += [f"move {block} onto {below}" for below, block in zip(stack[kept - 1 :], stack[kept:], strict=False)]
    return moves


def solves(output: Any, puzzle: Puzzle) -> bool:
    """Whether every move is legal and the blocks stand as they shall in the end."""
    stacks = [list(stack) for stack in puzzle.start]
    moves = _moves(output)
    return len(moves) <= _MAX_MOVES and all(_moved(stacks, *move) for move in moves) and _sorted(stacks) == puzzle.goal


def _moved(stacks: list[list[str]], block: str, onto: str) -> bool:
    source = next((stack for stack in stacks if stack and stack[-1] == block), None)
    target = next((stack for stack in stacks if stack and stack[-1] == onto), None)
    if source is None or (onto and (target is None or target is source)):
        return False
    block = source.pop()
    if target is not None:
        target.append(block)
    else:
        stacks.append([block])
    return True


def _moves(output: Any) -> list[tuple[str, str]]:
    """The moves of a plan: of what follows the last mark, if that is a plan and no more. The table has the empty name.

    What is said beside the moves makes it none: `not move A onto B` is no plan.
    """
    text = after_mark(str(output)) or str(output)
    if not _BETWEEN.issuperset(_WORD.findall(_MOVE.sub(" ", text).lower())):
        return []
    return [(block.upper(), "" if "table" in onto.lower() else onto.upper()) for block, onto in _MOVE.findall(text)]


def _read(output: Any) -> str | None:
    moves = _moves(output)
    return "; ".join(f"{block}>{onto}" for block, onto in moves) if moves else None


def _stacks(names: str, rng: random.Random) -> Stacks:
    blocks, stacks = list(names), list[list[str]]()
    rng.shuffle(blocks)
    for block in blocks:
        at = rng.randint(0, len(stacks))
        if at == len(stacks):
            stacks.append([])
        stacks[at].append(block)
    return _sorted(stacks)


def _sorted(stacks: Sequence[Sequence[str]]) -> Stacks:
    return tuple(sorted(tuple(stack) for stack in stacks if stack))


def _told(stacks: Stacks) -> str:
    return ", ".join("-".join(stack) for stack in stacks)
