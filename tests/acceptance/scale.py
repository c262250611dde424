"""Many agents: effects per CPU second, memory that does not grow, and how soon a long run goes on."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from .experiment import Experiment

PROBE = Path(__file__).with_name("scale_probe.py")


def run() -> Experiment:
    """2,000 agents x 50 calls, scripted, on the virtual clock; then a 100,000-call run is resumed for one more call."""
    columns = ["run", "effects", "CPU s", "effects / CPU s", "RSS after half, MB", "RSS at the end, MB"]
    experiment = Experiment("scale", "2,000 agents x 50 calls", columns)
    with tempfile.TemporaryDirectory() as folder:
        half = _probe(folder, "half", "2000", "25")
        whole = _probe(folder, "whole", "2000", "50")
        for name, found in (("2,000 x 25", half), ("2,000 x 50", whole)):
            rate = found["effects"] / found["cpu_seconds"]
            experiment.row(name, found["effects"], found["cpu_seconds"], rate, found["half_mb"], found["end_mb"])
        again = _probe(folder, "whole", "2000", "51")
        experiment.row(
            f"resumed after {again['replayed']} calls", again["effects"], again["cpu_seconds"], "", "", again["end_mb"]
        )
    experiment.expect("effects", whole["effects"], "==", 100_000)
    experiment.expect("effects per CPU second", whole["effects"] / whole["cpu_seconds"], ">=", 10_000.0)
    experiment.expect("MB gained in the second half", whole["end_mb"] - whole["half_mb"], "<=", 20.0)
    experiment.expect("MB at the end", whole["end_mb"], "<=", 200.0)
    experiment.expect("journaled calls found again", again["replayed"], "==", 100_000)
    experiment.expect("new calls", again["effects"] - again["replayed"], "==", 2000)
    experiment.expect("seconds from start to the first new call", again["first_new_seconds"], "<", 5.0)
    return experiment


def _probe(folder: str, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, str(PROBE), folder, *arguments]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
