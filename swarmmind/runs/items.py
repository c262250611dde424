"""The problems of a task's data set: read from a file of the user's, or made by a program of the box."""

from __future__ import annotations

from pathlib import Path

from swarmmind.errors import near
from swarmmind.evals import datasets
from swarmmind.evals.datasets import DATASETS, Dataset
from swarmmind.runs.parameters import Complain, build
from swarmmind.runs.rows import read_items
from swarmmind.spec import DatasetProblem


def make_dataset(problem: DatasetProblem, folder: Path, complain: Complain, *, scored: bool = False) -> Dataset:
    """The data set that a task names, cut to its `limit`.

    Args:
        problem: the task's.
        folder: where its files lie.
        complain: makes errors about its keys.
        scored: whether each row of a file needs a target.

    Raises:
        SpecError: there is none of that name, a parameter is wrong or unknown, or a row cannot be read.
    """
    name = problem.dataset
    if problem.is_file:
        for unknown in problem.parameters:
            raise complain(unknown, f"unknown key{near(unknown, ['fields', 'limit'])}")
        return Dataset(read_items(problem, folder, scored=scored))
    if not datasets.known(name):
        message = f"must be a .jsonl or .csv file, or one of the box, got {name!r}{near(name, list(DATASETS))}"
        raise complain("dataset", message)
    if "fields" in problem.model_fields_set:
        raise complain("fields", f"says which columns of a file hold what; {name!r} is no file")
    made: Dataset = build(datasets.factory(name), problem.parameters, complain)
    return made._replace(items=made.items[: problem.limit])
