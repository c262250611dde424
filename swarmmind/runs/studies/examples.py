"""On what candidates are tried: rows of data sets, or worlds, in three sets that share nothing."""

from __future__ import annotations

from typing import NamedTuple

from swarmmind.evals.datasets import Item
from swarmmind.optimizers.study import Split
from swarmmind.runs.plan import Plan
from swarmmind.runs.rows import read_items
from swarmmind.runs.studies.evaluator import Example
from swarmmind.spec import DatasetProblem


class Examples(NamedTuple):
    """All of them.

    Attributes:
        train: for learning.
        validate: for choosing.
        test: for telling, once, how good what was chosen is.
        by_id: each of them.
        shared: how many problems of `test` are also among the others, word for word.
    """

    train: Split
    validate: Split
    test: Split
    by_id: dict[str, Example]
    shared: int


def examples_of(plan: Plan) -> Examples:
    """The study's examples: those that are numbers are drawn by the task's seed, and disjoint.

    Raises:
        SpecError: the data set has too few rows, a file is none of examples, or worlds are to come from a file.
    """
    optimize = plan.task.optimize
    assert optimize is not None
    rows = _drawn(plan)
    by_id: dict[str, Example] = {}
    splits: dict[str, Split] = {}
    texts: dict[str, set[str]] = {}
    for name, wanted in optimize.splits.items():
        items: list[Item | None]
        if isinstance(wanted, str):
            items = [*_file(plan, name, wanted)]
            ids = [f"{name}-{at}" for at in range(len(items))]
        elif plan.society.environment is not None:
            items = [None for _ in range(wanted)]
            ids = [f"{name}-{at}" for at in range(wanted)]
        else:
            chosen = [rows.pop() for _ in range(wanted)]
            items = [*(plan.items[row] for row in chosen)]
            ids = [f"{name}-{row}" for row in chosen]
        quotable = name == "train"
        splits[name] = Split(name, ids, quotable=quotable)
        by_id |= {one: Example(item, quotable) for one, item in zip(ids, items, strict=True)}
        texts[name] = {item.text for item in items if item is not None}
    shared = len(texts["test"] & (texts["train"] | texts["validate"]))
    return Examples(splits["train"], splits["validate"], splits["test"], by_id, shared)


def _drawn(plan: Plan) -> list[int]:
    """Rows of the data set in the order in which they are taken, from the end."""
    optimize = plan.task.optimize
    assert optimize is not None
    numbers = {name: wanted for name, wanted in optimize.splits.items() if isinstance(wanted, int)}
    if plan.society.environment is not None:
        return []
    needed, there = sum(numbers.values()), len(plan.items)
    if needed > there:
        parts = " + ".join(str(number) for number in numbers.values())
        first = next(name for name, number in numbers.items() if number)
        raise plan.loaded.error(
            ("optimize", first),
            f"{', '.join(numbers)} need {parts} = {needed} different rows, and the data set has {there}",
        )
    return plan.streams.rng("optimize/examples").sample(range(there), there)


def _file(plan: Plan, name: str, file: str) -> list[Item]:
    problem = plan.task.problem
    if not isinstance(problem, DatasetProblem):
        raise plan.loaded.error(("optimize", name), "must be a number: worlds are made, not read from a file")
    score = plan.task.score
    scored = score is not None and ":" not in score.use and plan.scoring is not None and plan.scoring.targeted
    return read_items(DatasetProblem(dataset=file, fields=problem.fields), plan.loaded.folder, scored=scored)
