"""The problems of a task's data set: read from a file of the user's, or made by a program of the box."""

from __future__ import annotations

import json
from pathlib import Path

from swarmmind.errors import SpecError, near
from swarmmind.evals import datasets
from swarmmind.evals.datasets import DATASETS, Dataset, Item
from swarmmind.runs.parameters import Complain, build
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


def read_items(problem: DatasetProblem, folder: Path, *, scored: bool = False) -> list[Item]:
    """The problems of a data set; `scored`: each needs a target.

    Raises:
        SpecError: a line is not a JSON object, or lacks its problem or a needed target; with its place.
    """
    path = folder / problem.dataset
    items: list[Item] = []
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if problem.limit is not None and len(items) >= problem.limit:
                break
            if line.strip():
                items.append(_item(line, problem, number, scored))
    if not items:
        raise SpecError("the data set is empty", file=problem.dataset, line=1, column=1)
    return items


def _item(line: str, problem: DatasetProblem, number: int, scored: bool) -> Item:
    file = problem.dataset
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SpecError(f"not JSON: {error}", file=file, line=number, column=1) from None
    fields = problem.fields
    for column in (fields.problem, fields.target) if scored else (fields.problem,):
        if not isinstance(row, dict) or row.get(column) is None:
            found = f"columns {', '.join(map(repr, row))}" if isinstance(row, dict) else type(row).__name__
            message = f"must be an object with a column {column!r} (see problem.fields), got {found:.120}"
            raise SpecError(message, file=file, line=number, column=1)
    text = row[fields.problem]
    kind = row.get(fields.kind)
    text = text if isinstance(text, str) else json.dumps(text)
    return Item(text, row.get(fields.target), "" if kind is None else str(kind))
