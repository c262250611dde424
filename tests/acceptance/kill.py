"""kill -9 at random moments of a 1,000-call run against a server in another process; the server counts.

A call is in flight until its reply is durable here: on its way to the server, being worked on, or answered and not yet
in the journal. The server sees the first two; the third is what it has answered beyond the journal.
"""

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

KILLS, CALLS, PLACES = 25, 1000, 16  # fewer places than agents: what a kill can lose is bounded by the places
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
        [
            "kill",
            "after s",
            "journaled",
            "at the server",
            "answered, not yet durable",
            "made twice",
            "resume made",
            "same",
        ],
    )
    rng = random.Random(5)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "task.yaml").write_text(TASK)
        with endpoint(folder, "--latency-seconds", "0.02") as server:
            process = start(folder, server, *RUN)
            span = _span(server)
            whole = finish(process)
            received, _ = server.counts()
        experiment.expect("calls of the uninterrupted run, by the server", received, "==", CALLS)
        expected = list(content(folder / whole["folder"] / "journal.sqlite"))
        for number in range(KILLS):
            with endpoint(folder, "--latency-seconds", "0.02") as server:
                _one(experiment, number, folder, server, rng.uniform(0, span), whole, expected)
    return experiment


def _span(server: Server) -> float:
    """Seconds from the first request to the last answer of an uninterrupted run."""
    _until(server, 1)
    began = time.monotonic()
    while server.counts()[1] < CALLS:
        time.sleep(0.01)
    return time.monotonic() - began


def _until(server: Server, received: int) -> None:
    while server.counts()[0] < received:
        time.sleep(0.002)


def _one(
    experiment: Experiment, number: int, folder: Path, server: Server, after_seconds: float,
    whole: dict[str, object], expected: list[tuple[str, ...]],
) -> None:  # fmt: skip
    before = set(_folders(folder))
    process = start(folder, server, *RUN)
    _until(server, 1)
    time.sleep(after_seconds)
    process.send_signal(signal.SIGSTOP)  # so that server and journal can be counted as they are at the kill
    received, answered = server.counts()
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    time.sleep(0.1)  # what was on the wire arrives
    received = max(received, server.counts()[0])
    [run_folder] = set(_folders(folder)) - before
    journaled = _journaled(run_folder)
    result = finish(start(folder, server, "resume", str(run_folder), "--json", "--display", "none"))
    total, _ = server.counts()
    twice = total - CALLS
    same = all(result[key] == whole[key] for key in ("output", "score", "status", "coverage"))
    same = same and list(content(run_folder / "journal.sqlite")) == expected
    late = max(0, answered - journaled)
    experiment.row(number, after_seconds, journaled, received - answered, late, twice, total - received, same)
    experiment.expect(f"{number}: result and journal equal the uninterrupted run's", same, "==", True)
    experiment.expect(
        f"{number}: the resume made just what was not journaled", total - received, "==", CALLS - journaled
    )
    experiment.expect(f"{number}: made twice, against places at the endpoint", twice, "<=", PLACES)


def _folders(folder: Path) -> list[Path]:
    return sorted((folder / "runs").glob("*")) if (folder / "runs").is_dir() else []


def _journaled(run_folder: Path) -> int:
    with closing(sqlite3.connect(run_folder / "journal.sqlite")) as db:
        return int(db.execute("SELECT count(*) FROM results").fetchone()[0])
