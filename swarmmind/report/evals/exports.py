"""An eval in the formats that other programs read: CSV, JSON, JUnit, Markdown, and logs that Inspect opens.

Files are whole or not there; what agents said is data in every one of them, never a formula, markup or a control code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from swarmmind.errors import UserError, near
from swarmmind.evals.table import Table
from swarmmind.report import shell
from swarmmind.report.evals.inspect import write_logs
from swarmmind.report.evals.junit import junit
from swarmmind.report.evals.leaderboard import markdown
from swarmmind.report.evals.rows import episodes_csv, everything, table_csv
from swarmmind.report.evals.source import Told, told


class Format(NamedTuple):
    """A way to write an eval down.

    Attributes:
        name: of the file, or of the folder, if no path is given.
        suffix: how paths end that ask for it.
        write: writes it to a path; returns what was written.
        what: it holds, in some words.
    """

    name: str
    suffix: str
    write: Callable[[Told, Path], list[Path]]
    what: str


def _text(pieces: Callable[[Told], Iterator[str]]) -> Callable[[Told, Path], list[Path]]:
    return lambda given, path: [shell.write(path, pieces(given))]


EXPORTS: dict[str, Format] = {
    "csv": Format("episodes.csv", ".csv", _text(episodes_csv), "every episode"),
    "table": Format("table.csv", ".table.csv", _text(table_csv), "the table, a line for each row and column"),
    "json": Format("eval.json", ".json", _text(everything), "the table and every episode"),
    "junit": Format("junit.xml", ".xml", _text(junit), "a test case for every episode of the arms"),
    "markdown": Format("leaderboard.md", ".md", _text(markdown), "the leaderboard"),
    "inspect": Format("inspect", ".eval", write_logs, "a log for every row, for Inspect"),
}
"""Every format by its name."""


def format_of(path: Path) -> str:
    """The format that a path asks for by its ending.

    Raises:
        UserError: none ends so.
    """
    fitting = [name for name, one in EXPORTS.items() if path.name.endswith(one.suffix)]
    if not fitting:
        endings = ", ".join(one.suffix for one in EXPORTS.values())
        raise UserError(f"{path}: expected a path that ends in one of {endings}")
    return max(fitting, key=lambda name: len(EXPORTS[name].suffix))


def export(folder: Path, format: str, path: Path | None = None, table: Table | None = None) -> list[Path]:  # noqa: A002 - what it is
    """Write an eval down for another program; it may still go on, what is not played is said to be missing.

    Args:
        folder: the run's folder.
        format: a name of `EXPORTS`.
        path: the file, or a folder that is there, for a file in it; `None` is the run's folder. Of `inspect` it is a
            folder, which is made, or, of an eval with a single row, a file that ends in `.eval`.
        table: the eval in numbers, if that is at hand.

    Returns:
        What was written.

    Raises:
        UserError: there is no such format, the folder holds no eval, or the path cannot be written.
    """
    if format not in EXPORTS:
        raise UserError(f"format: expected one of {', '.join(EXPORTS)}, got {format!r}{near(format, list(EXPORTS))}")
    one = EXPORTS[format]
    given = told(folder, table)
    target = folder / one.name if path is None else path
    if format != "inspect" and target.is_dir():
        target = target / one.name
    try:
        return one.write(given, target)
    except OSError as error:
        raise UserError(f"{target}: cannot be written ({error.strerror or error})") from error
