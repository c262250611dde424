"""An eval's folder as reports and exports need it: what was planned and played, its table, and what `result.json` says."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from swarmmind.errors import RunError
from swarmmind.evals.record import Recorded, read
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
        table: its table, if that is at hand; else the one in `result.json`.

    Raises:
        RunError: the folder holds no eval, or nothing says its table.
    """
    recorded = read(folder)
    result = _result(folder / "result.json")
    if table is None:
        table = _table(folder, result.get("eval"))
    return Told(folder, recorded, table, result)


def _result(path: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        return {"warnings": [f"result.json cannot be read: {error}"]}


def _table(folder: Path, data: Any) -> Table:
    try:
        return msgspec.convert(data, Table)
    except msgspec.ValidationError as error:
        raise RunError(f"{folder}: its result.json holds no table of an eval ({error})") from None
