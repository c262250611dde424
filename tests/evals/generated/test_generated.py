"""Data sets that are made here: right by independent solvers, scored exactly, the same for a seed."""

from __future__ import annotations

import re
from collections import deque
from itertools import permutations, product
from typing import Any

import pytest

from swarmmind.errors import UserError
from swarmmind.evals.datasets import Dataset, Item, factory
from swarmmind.evals.generated.blocksworld import Puzzle, plan, solves
from swarmmind.evals.generated.game24 import SOLVABLE, solved
from swarmmind.evals.scoring import Answer, Scoring

NAMES = ("arithmetic", "blocksworld", "counting", "game-of-24", "sorting")


def made(name: str, **parameters: Any) -> tuple[Dataset, Scoring]:
    data = factory(name)(**parameters)
    assert data.scoring is not None
    return data, data.scoring


def graded(scoring: Scoring, item: Item, output: str) -> float:
    if scoring.grade is None:
        return scoring.score(output, item.target)
    program = scoring.grade(None, Answer(item.text, output, item.target))  # pyright: ignore[reportArgumentType]
    try:
        while True:
            program.send(None)
    except StopIteration as done:
        return done.value.score


@pytest.mark.parametrize("name", NAMES)
def test_a_larger_set_begins_with_the_same_and_its_own_answers_are_right(name: str) -> None:
    data, scoring = made(name, size=40, seed=3)
    assert made(name, size=9, seed=3)[0].items == data.items[:9]
    assert made(name, size=9, seed=4)[0].items != data.items[:9]
    for item in data.items:
        for output in (str(item.target), f"So be it.\nANSWER: {item.target}", f"The answer is {item.target}."):
            assert graded(scoring, item, output) == 1.0
            assert scoring.score(output, item.target) == 1.0
            assert scoring.read(output) is not None
        for output in (
            "",
            "ANSWER:",
            "I do not know",
            "x" * 5_000,
            "__import__('os')",
            f"The answer is not {item.target}.",
        ):
            if name in ("arithmetic", "counting") and "not" in output:  # which take the last number, whatever is said
                continue
            assert graded(scoring, item, output) == 0.0


@pytest.mark.parametrize("name", NAMES)
def test_sizes_out_of_bounds_are_said(name: str) -> None:
    with pytest.raises(UserError, match="size must be"):
        made(name, size=0)


def test_sums_are_as_python_has_them() -> None:
    for item in made("arithmetic", size=60)[0].items:
        expression = item.text.removeprefix("What is ").removesuffix("?")
        assert re.fullmatch(r"\d+\+\d+\*\d+\+\d+-\d+\*\d+", expression)
        a, b, c, d, e, f = map(int, re.findall(r"\d+", expression))
        assert item.target == str(a + b * c + d - e * f)
        assert max(a, b, c, d, e, f) <= 29


def brute(numbers: tuple[int, ...]) -> bool:
    """All orders, operators and bracketings, in floating point."""
    shapes = (
        "(({}{}{}){}{}){}{}",
        "({}{}({}{}{})){}{}",
        "({}{}{}){}({}{}{})",
        "{}{}(({}{}{}){}{})",
        "{}{}({}{}({}{}{}))",
    )
    for (a, b, c, d), (p, q, r) in product(set(permutations(numbers)), product("+-*/", repeat=3)):
        for shape in shapes:
            try:
                if abs(eval(shape.format(a, p, b, q, c, r, d)) - 24) < 1e-6:
                    return True
            except ZeroDivisionError:
                continue
    return False


@pytest.mark.parametrize(
    "numbers", [(1, 1, 1, 1), (3, 3, 8, 8), (4, 9, 10, 13), (1, 5, 5, 5), (1, 1, 1, 8), (13, 13, 13, 13), (2, 3, 5, 12)]
)
def test_what_can_be_made_24_is_known(numbers: tuple[int, ...]) -> None:
    assert (solved(numbers) is not None) == brute(numbers)


def test_there_are_as_many_puzzles_as_known() -> None:
    data, _ = made("game-of-24", size=SOLVABLE)
    assert len({item.text for item in data.items}) == SOLVABLE
    with pytest.raises(UserError, match="at most 1,362"):
        made("game-of-24", size=SOLVABLE + 1)


@pytest.mark.parametrize(
    ("formula", "score"),
    [
        ("8/(3-8/3)", 1.0),
        ("ANSWER: 8 / (3 - 8 / 3) = 24", 1.0),
        ("ANSWER: 8 \u00f7 (3 \u2212 8 \u00f7 3)", 1.0),
        ("**Answer:** 8/(3-8/3)\n\nHope this helps!", 1.0),
        ("**ANSWER**: 8/(3-8/3)", 1.0),
        (r"ANSWER: \( 8 \div \left(3 - 8 \div 3\right) = 24 \)", 1.0),
        ("Try 3*8.\n8/(3-8/3) = 24.", 1.0),
        ("3*8", 0.0),
        ("3*8+3-3*8/8", 0.0),
        ("8*3*(8-8+3)/3", 0.0),
        ("8+8+8+0", 0.0),
        ("33-8-1", 0.0),
        ("8/(3-3)+8", 0.0),
        ("8**3-8*3", 0.0),
        ("max(8, 3, 8, 3) * 3", 0.0),
        ("24", 0.0),
        ("8//3*8+3", 0.0),
        ("(" * 90 + "8" + ")" * 90, 0.0),
    ],
)
def test_only_a_formula_of_the_four_numbers_that_makes_24_is_right(formula: str, score: float) -> None:
    _, scoring = made("game-of-24", size=1)
    assert scoring.score(formula, "8/(3-8/3)") == score


def shortest(puzzle: Puzzle) -> int:
    """Moves of a shortest plan, by breadth first."""
    seen, queue = {puzzle.start}, deque([(puzzle.start, 0)])
    while queue:
        stacks, moves = queue.popleft()
        if stacks == puzzle.goal:
            return moves
        for a in range(len(stacks)):
            for b in [*range(len(stacks)), -1]:
                if a != b:
                    rest = [list(one) for one in stacks] + [[]]
                    rest[b].append(rest[a].pop())
                    after = tuple(sorted(tuple(one) for one in rest if one))
                    if after not in seen:
                        seen.add(after)
                        queue.append((after, moves + 1))
    raise AssertionError("cannot be solved")


def test_plans_reach_the_goal_and_none_is_shorter_than_the_shortest() -> None:
    for item in made("blocksworld", size=40, blocks=4)[0].items:
        start, goal = (
            tuple(tuple(stack.split("-")) for stack in found.split(", "))
            for found in re.findall(r"(?:up\)|Goal): (.*)", item.text)
        )
        puzzle = Puzzle(start, goal)
        moves = plan(puzzle)
        assert solves("; ".join(moves), puzzle)
        assert shortest(puzzle) <= len(moves) <= 2 * shortest(puzzle)
        assert not solves("; ".join(moves[:-1]), puzzle)


@pytest.mark.parametrize(
    ("moves", "right"),
    [
        ("move C onto the table; move B onto C; move A onto B", True),
        ("Move block C to table\nmove b on c\nmove A onto B", True),
        ("So I think.\n\n**Answer**: move C onto the table; move B onto C; move A onto B", True),
        ("**ANSWER:**\n1. move C onto the table\n2. move B onto C\n3. move A onto B", True),
        ("move B onto C; move C onto the table; move A onto B", False),
        ("move C onto the table; move B onto A; move A onto B", False),
        ("move C onto C; move B onto C; move A onto B", False),
        ("move C onto the table; move C onto the table; move B onto C; move A onto B", True),
        ("move C onto D; move B onto C; move A onto B", False),
        ("", False),
    ],
)
def test_plans_are_played_by_the_rules(moves: str, right: bool) -> None:
    assert solves(moves, Puzzle((("A",), ("B", "C")), (("C", "B", "A"),))) == right


@pytest.mark.parametrize(
    ("output", "score"), [("[1, 2, 3, 3]", 1.0), ("[1, 2, 3]", 0.75), ("[2, 1, 3, 3]", 0.75), ("[9, 9, 9, 9]", 0.0)]
)
def test_sorting_counts_errors_as_the_paper_does(output: str, score: float) -> None:
    for mark in ("ANSWER:", "**Answer**:", "Answer:\n", "the answer is"):
        assert made("sorting", size=1)[1].score(f"From [3, 1] I get\n{mark} {output}", "[1, 2, 3, 3]") == score


def test_words_are_counted() -> None:
    for item in made("counting", size=20)[0].items:
        wanted, words = re.findall(r"'(\w+)'", item.text)[0], item.text.partition("? ")[2].split(", ")
        assert item.target == str(words.count(wanted))
        assert len(words) == 40
