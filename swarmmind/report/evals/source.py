"""An eval's folder as reports and exports need it: what was planned, what was played, and its table."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from swarmmind.evals.record import Recorded, read
from swarmmind.evals.statistics import tabulate
from swarmmind.evals.table import Table


class Told(NamedTuple):
    """An eval.

    Attributes:
        folder: its run's.
        recorded: what was planned and played.
        table: in numbers.
        result: `result.json`; empty if there is none.
    """

    folder: Path
    recorded: Recorded
    table: Table
    result: dict[str, Any]


def told(folder: Path, table: Table | None = None) -> Told:
    """Read an eval; it may still go on.

    Args:
        folder: the run's folder.
        table: its table, if that is at hand; else the one in `result.json`, or a new one if the eval went on since.

    Raises:
        RunError: the folder holds no eval.
    """
    recorded = read(folder)
    result = _result(folder / "result.json")
    return Told(folder, recorded, table or _table(recorded, result.get("eval")), result)


def _result(path: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        return {"warnings": [f"result.json cannot be read: {error}"]}


def _table(recorded: Recorded, data: Any) -> Table:
    """The one that the result holds, unless the eval went on since."""
    played = sum(one is not None for one in recorded.planned().values())
    try:
        table = msgspec.convert(data, Table)
    except msgspec.ValidationError:
        table = None
    if table is not None and table.finished + table.failed == played:
        return table
    made = tabulate(recorded)
    return msgspec.structs.replace(made, warnings=[*made.warnings, *recorded.manifest.notes])
