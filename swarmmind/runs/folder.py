"""A run's folder: `runs/<time>-<name>-<id>/{task.yaml, journal.sqlite, result.json, report.html}`."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from swarmmind.errors import RunError

TASK, JOURNAL, RESULT, REPORT = "task.yaml", "journal.sqlite", "result.json", "report.html"
ORIGIN = "origin.json"
"""Where the task came from and what it was given: what a later session needs besides the task itself."""


def create(root: Path, name: str, task: str, origin: Mapping[str, Any]) -> Path:
    """A new folder below `root` with its task, there whole or not at all; its name sorts by time, ends in a random id.

    Raises:
        RunError: it cannot be made.
    """
    plain = re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.")[:40] or "run"
    stamp = datetime.now().astimezone().strftime("%Y%m%dT%H%M%S")
    folder = root / f"{stamp}-{plain}-{secrets.token_hex(3)}"
    draft = folder.with_name(f".{folder.name}")
    try:
        draft.mkdir(parents=True)
        write_text(draft / TASK, task)
        write_json(draft / ORIGIN, origin)
        draft.rename(folder)
    except OSError as error:
        raise RunError(f"{root}: cannot make a folder for the run: {error.strerror}") from error
    return folder


def discard_unused(folder: Path) -> None:
    """Remove the folder of a run that has ended before anybody answered or failed; any other one is left as it is.

    With it goes the folder of all runs, if nothing else is there.
    """
    path = folder / RESULT
    if path.is_file():
        result = read_json(path)
        coverage = result["coverage"]
        if not (coverage["finished"] or coverage["failed"] or result["usage"]["calls"]):
            shutil.rmtree(folder)
            with suppress(OSError):
                folder.parent.rmdir()


def find(run: str, root: Path) -> Path:
    """The folder of a run, given as a path, a name below `root`, its id, or `last`.

    Raises:
        RunError: there is none, or more than one.
    """
    path = Path(run)
    if (path / ORIGIN).is_file():
        return path
    known = folders(root)
    if run == "last" and known:
        return known[-1]
    found = [folder for folder in known if folder.name == run or folder.name.endswith(f"-{run}")]
    if len(found) == 1:
        return found[0]
    if path.is_dir():
        raise RunError(f"{run}: holds no {ORIGIN}; it is not a run's folder")
    what = "more than one run is called that" if found else f"no such run in {root}/ ({len(known)} runs there)"
    raise RunError(f"{run}: {what}; give the path of its folder")


def folders(root: Path) -> list[Path]:
    """All runs below `root`, oldest first."""
    return sorted(path.parent for path in root.glob(f"[!.]*/{ORIGIN}")) if root.is_dir() else []


def read_json(path: Path) -> Any:
    """The JSON in a file of a run.

    Raises:
        RunError: it is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: cannot be read ({error})") from error


def write_json(path: Path, data: Any) -> None:
    """Write JSON whole or not at all."""
    write_text(path, json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write text whole or not at all."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.write_text(text, encoding="utf-8", errors="surrogatepass")
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
