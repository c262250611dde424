"""Tasks in a folder of their own, run through the library's face."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from swarmmind.runtime.journal import content

SUMS = [("What is 1 + 1?", "2"), ("What is 2 + 3?", "5"), ("What is 4 + 4?", "8")]


def task(**changes: Any) -> dict[str, Any]:
    """A small task as data: three agents vote on a sum; `None` leaves a key out."""
    data: dict[str, Any] = {
        "problem": "What is 2 + 3?",
        "model": "scripted",
        "swarm": {"agents": {"solver": 3}, "topology": {"use": "vote", "samples": 3}},
        "score": {"use": "number", "target": "5"},
        "seed": 7,
        **changes,
    }
    return {key: value for key, value in data.items() if value is not None}


def write_task(folder: Path, **changes: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "task.yaml"
    path.write_text(json.dumps(task(**changes)))  # JSON is YAML
    return path


def write_sums(folder: Path, rows: Any = SUMS) -> None:
    lines = [json.dumps({"problem": text, "target": target}) for text, target in rows]
    (folder / "sums.jsonl").write_text("\n".join(lines) + "\n")


def asked(folder: Path | str) -> list[str]:
    """The keys of all answered asks of a run."""
    return [row[1] for row in content(Path(folder) / "journal.sqlite") if row[0] == "result"]


def stored(folder: Path | str) -> dict[str, Any]:
    return json.loads((Path(folder) / "result.json").read_text())
