"""A server with eight misfortunes, 10 % each: every agent's outcome is accounted for, nothing hangs, retries end."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from .experiment import Experiment
from .stagehands import endpoint, finish, start

AGENTS, ATTEMPTS = 300, 6
TASK = f"""
problem: Which of A, B, C and D?
model: {{name: vllm/fake, attempts: {ATTEMPTS}, deadline_seconds: 1.0}}
swarm: {{agents: {{solver: {AGENTS}}}, topology: {{use: debate, rounds: 2}}}}
score: {{use: choice, options: [A, B, C, D], target: A}}
"""
MISFORTUNES = (
    "busy", "busy-retry-after", "internal", "unavailable", "stalled", "halved", "garbled", "misshapen", "reset",
)  # fmt: skip


def run() -> Experiment:
    """One debate of 300 agents against it, whole and with one misfortune at a time."""
    columns = ["server", "planned", "finished", "failed", "cancelled", "received", "seconds"]
    experiment = Experiment("hostile", f"{AGENTS} agents x 2 rounds, at most {ATTEMPTS} attempts a call", columns)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "task.yaml").write_text(TASK)
        mixes = {"none": (), "all at 10 %": MISFORTUNES, **{f"{one} at 10 %": (one,) for one in MISFORTUNES}}
        for mix, misfortunes in mixes.items():
            _one(experiment, folder, mix, misfortunes)
    return experiment


def _one(experiment: Experiment, folder: Path, mix: str, misfortunes: tuple[str, ...]) -> None:
    options = [part for one in misfortunes for part in (f"--{one}", "0.1")]
    began = time.monotonic()
    with endpoint(folder, "--latency-seconds", "0.01", *options) as server:
        result = finish(start(folder, server, "run", "task.yaml", "--json", "--display", "none"), timeout_seconds=280)
        received, _ = server.counts()
    found = result["coverage"]
    numbers = [found[name] for name in ("planned", "finished", "failed", "cancelled")]
    experiment.row(mix, *numbers, received, time.monotonic() - began)
    experiment.expect(f"{mix}: every ask is accounted for", sum(numbers[1:]), "==", 2 * AGENTS)
    experiment.expect(f"{mix}: planned", numbers[0], "==", 2 * AGENTS)
    experiment.expect(f"{mix}: attempts are bounded", received, "<=", 2 * AGENTS * ATTEMPTS)
    experiment.expect(f"{mix}: calls counted as the server did", result["usage"]["calls"], ">=", received)
    if len(misfortunes) <= 1:
        experiment.expect(f"{mix}: nobody is lost to one misfortune in ten", numbers[2], "<=", 2)
