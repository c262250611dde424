"""Rows of a user's file as problems: JSONL or CSV, with columns mapped as the task's `problem.fields` says.

Rows are data and stay data: what stands in a cell is never a template, a path or code. A fault of a row is said with
its file and line.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TextIO, cast

import regex

from swarmmind.errors import SpecError, UserError
from swarmmind.evals.datasets import Item
from swarmmind.runtime.journal import characters
from swarmmind.spec import DatasetProblem
from swarmmind.spec.source import Place
from swarmmind.spec.task import is_template
from swarmmind.spec.templates import Template, template

MAX_EXTRACT_SECONDS = 1.0
"""How long `fields.extract` may search one target."""


class Row(NamedTuple):
    """A row of a file.

    Attributes:
        line: where it begins, from 1.
        cells: by column; an empty cell of a CSV file is `None`, as a null of JSON is.
        head: the line that names its columns.
    """

    line: int
    cells: dict[str, Any]
    head: int


def read_items(problem: DatasetProblem, folder: Path, *, scored: bool = False) -> list[Item]:
    """The problems of a data set that is a file; no row is read beyond its `limit`.

    Args:
        problem: the task's.
        folder: where the file lies.
        scored: whether each row needs a target.

    Raises:
        SpecError: a row cannot be read, or lacks its problem or a needed target; with its file and line.
    """
    file, item = problem.dataset, _Items(problem, scored)
    read = _csv if file.endswith(".csv") else _jsonl
    try:
        with (folder / file).open(encoding="utf-8-sig", errors="replace", newline="") as text:
            items = [item(row) for row in islice(read(text, problem), problem.limit)]
    except OSError as error:
        raise SpecError(f"cannot be read ({error.strerror})", file=file, line=1, column=1) from error
    if not items:
        raise SpecError("the data set is empty", file=file, line=1, column=1)
    return items


def doubts(items: Iterable[Item]) -> list[str]:
    """What is odd about a data set as a whole, a line each: rows that are there twice, or contradict each other."""
    seen: dict[str, str] = {}
    total = repeated = contrary = 0
    for total, item in enumerate(items, 1):  # noqa: B007
        target = json.dumps(item.target, default=str)
        repeated += item.text in seen
        contrary += seen.setdefault(item.text, target) != target
    found: list[str] = []
    if repeated:
        found.append(f"{repeated:,} of {total:,} problems stand in the data set before, word for word")
    if contrary:
        found.append(f"{contrary:,} of these have another target than before")
    return found


def _jsonl(text: TextIO, problem: DatasetProblem) -> Iterator[Row]:
    file, column = problem.dataset, problem.fields.problem
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _wrong(file, number, f"not JSON: {error}") from None
        if not isinstance(row, dict):
            message = f"must be an object with a column {column!r:.80} (see problem.fields), got {type(row).__name__}"
            raise _wrong(file, number, message)
        yield Row(number, _sound(row) if "\\ud" in line.lower() else row, number)


def _sound(value: Any) -> Any:
    """Data without halves of surrogate pairs, which JSON can spell and no file can hold."""
    if isinstance(value, str):
        return characters(value)
    if isinstance(value, list):
        return [_sound(one) for one in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {characters(key): _sound(one) for key, one in cast("dict[str, Any]", value).items()}
    return value


def _csv(text: TextIO, problem: DatasetProblem) -> Iterator[Row]:
    file, reader = problem.dataset, csv.reader(text, strict=True)
    head: list[str] | None = None
    top = began = 1
    try:
        for cells in reader:
            line, began = began, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if head is None:
                head, top = _head(cells, file, line), line
            elif len(cells) != len(head):
                raise _wrong(file, line, f"must have {len(head)} cells as the header has, got {len(cells)}")
            else:
                yield Row(line, {name: cell or None for name, cell in zip(head, cells, strict=True)}, top)
    except csv.Error as error:
        raise _wrong(file, began, f"not CSV: {error}") from None


def _head(cells: list[str], file: str, line: int) -> list[str]:
    names = [cell.strip() for cell in cells]
    for at, name in enumerate(names, 1):
        if not name:
            raise _wrong(file, line, f"the header names no column {at}; the first row must name them all")
        if name in names[: at - 1]:
            raise _wrong(file, line, f"the header names column {name!r:.80} twice")
    return names


class _Items:
    """From rows to problems, as `problem.fields` says."""

    def __init__(self, problem: DatasetProblem, scored: bool) -> None:
        fields = problem.fields
        self._file, self._scored = problem.dataset, scored
        self._text, self._kind = _source(fields.problem), _source(fields.kind)
        self._target = fields.target if isinstance(fields.target, list) else _source(fields.target)
        self._extract = regex.compile(fields.extract) if fields.extract is not None else None

    def __call__(self, row: Row) -> Item:
        text = self._cell(row, self._text, needed=True)
        if not _plain(text).strip():
            raise _wrong(self._file, row.line, "the problem is empty (see problem.fields)")
        target = self._wanted(row)
        if self._extract is not None and target is not None:
            target = [self._found(row, one) for one in target] if isinstance(target, list) else self._found(row, target)
        kind = self._cell(row, self._kind, needed=False)
        return Item(_plain(text), target, "" if kind is None else _plain(kind))

    def _wanted(self, row: Row) -> Any:
        if not isinstance(self._target, list):
            return self._cell(row, self._target, needed=self._scored)
        for column in self._target:
            if column not in row.cells:
                self._cell(row, column, needed=True)
        return {column: row.cells[column] for column in self._target}

    def _cell(self, row: Row, source: str | Template, *, needed: bool) -> Any:
        if isinstance(source, Template):
            try:
                return source.render(_names(row.cells))
            except UserError as error:
                raise _wrong(self._file, row.line, f"problem.fields: {error}") from error
        found = row.cells.get(source)
        if found is None and needed:
            what = "must be an object with a column" if row.head == row.line else "must have a column"
            if source in row.cells:
                raise _wrong(self._file, row.line, f"{what} {source!r}, and it is empty")
            columns = f"columns {', '.join(map(repr, row.cells))}"
            raise _wrong(self._file, row.head, f"{what} {source!r} (see problem.fields), got {columns:.120}")
        return found

    def _found(self, row: Row, target: Any) -> str:
        assert self._extract is not None
        try:
            found = self._extract.search(_plain(target), timeout=MAX_EXTRACT_SECONDS)
        except TimeoutError:
            raise _wrong(self._file, row.line, "problem.fields.extract: takes too long on this target") from None
        if found is None or found[self._extract.groups] is None:
            message = f"problem.fields.extract: found nothing in the target {_plain(target)!r:.80}"
            raise _wrong(self._file, row.line, message)
        return found[self._extract.groups].strip()


def _source(field: str) -> str | Template:
    return template(field, Place()) if is_template(field) else field


def _names(cells: dict[str, Any]) -> dict[str, Any]:
    """What templates may name: columns, other letters than those of names as `_`, and the elements of lists from 1."""
    names: dict[str, Any] = {}
    for column, cell in cells.items():
        name = re.sub(r"\W", "_", column)
        names[name] = "" if cell is None else json.dumps(cell) if isinstance(cell, dict) else cell
        if isinstance(cell, list):
            names |= {f"{name}_{at}": _plain(one) for at, one in enumerate(cell, 1)}
    return names


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _wrong(file: str, line: int, message: str) -> SpecError:
    return SpecError(" ".join(message.split()), file=file, line=line, column=1)
