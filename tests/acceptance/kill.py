"""kill -9 at random moments of a 1,000-call run against a server in another process; the server counts."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from swarmmind.runtime.journal import content

from .experiment import Experiment
from .stagehands import Server, endpoint, finish, start

KILLS, CALLS, PLACES = 25, 1000, 32
TASK = f"""
problem: Which of A, B, C and D?
model: {{name: vllm/fake, limits: {{concurrency: {PLACES}}}}}
swarm: {{agents: {{solver: 20}}, topology: {{use: debate, rounds: 50}}, memory: {{use: window, messages: 6}}}}
score: {{use: choice, options: [A, B, C, D], target: A}}
seed: 11
"""
RUN = ("run", "task.yaml", "--json", "--display", "none", "--runs", "runs")


def run() -> Experiment:
    """Kill, resume, compare with the uninterrupted run."""
    experiment = Experiment(
        "kill",
        f"{KILLS} runs of {CALLS} calls, each killed (-9) at a random moment and resumed",
        ["kill", "journaled", "in flight then", "made twice", "calls of the resume", "same result", "same journal"],
    )
    rng = random.Random(5)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "task.yaml").write_text(TASK)
        with endpoint(folder, "--latency-seconds", "0.02") as server:
            began = time.monotonic()
            whole = finish(start(folder, server, *RUN))
            length = time.monotonic() - began
            received, _ = server.counts()
        experiment.expect("calls of the uninterrupted run, by the server", received, "==", CALLS)
        expected = list(content(folder / whole["folder"] / "journal.sqlite"))
        for number in range(KILLS):
            at = rng.uniform(0.02, 0.98) * CALLS
            with endpoint(folder, "--latency-seconds", "0.02") as server:
                _one(experiment, number, folder, server, at, whole, expected, 4 * length)
    return experiment


def _one(
    experiment: Experiment, number: int, folder: Path, server: Server, at: float, whole: dict[str, object],
    expected: list[tuple[str, ...]], patience: float,
) -> None:  # fmt: skip
    before = set(_folders(folder))
    process = start(folder, server, *RUN)
    deadline = time.monotonic() + patience
    while server.counts()[1] < at and time.monotonic() < deadline:
        time.sleep(0.003)
    before_kill, answered = server.counts()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    time.sleep(0.1)  # the server notes what was on the wire
    received, _ = server.counts()
    [run_folder] = set(_folders(folder)) - before
    journaled = _journaled(run_folder)
    result = finish(start(folder, server, "resume", str(run_folder), "--json", "--display", "none"))
    total, _ = server.counts()
    twice = total - CALLS
    same = all(result[key] == whole[key] for key in ("output", "score", "status", "coverage"))
    same_journal = list(content(run_folder / "journal.sqlite")) == expected
    experiment.row(number, journaled, before_kill - answered, twice, total - received, same, same_journal)
    experiment.expect(
        f"{number}: result and journal equal the uninterrupted run's", (same, same_journal), "==", (True, True)
    )
    experiment.expect(
        f"{number}: the resume made exactly the calls that were not journaled",
        total - received,
        "==",
        CALLS - journaled,
    )
    experiment.expect(f"{number}: calls made twice, against places at the endpoint", twice, "<=", PLACES)


def _folders(folder: Path) -> list[Path]:
    return sorted((folder / "runs").glob("*")) if (folder / "runs").is_dir() else []


def _journaled(run_folder: Path) -> int:
    with closing(sqlite3.connect(run_folder / "journal.sqlite")) as db:
        return int(db.execute("SELECT count(*) FROM results").fetchone()[0])
