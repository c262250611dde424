"""kill -9 at random moments of an eval of 10,000 episodes; and of a small one against a server that counts."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from swarmmind.evals.record import MANIFEST, read
from swarmmind.runtime.journal import content

from .experiment import Experiment
from .stagehands import SWARMMIND, Server, endpoint, finish, start

KILLS, PROBLEMS, SEEDS, MEGABYTES = 10, 1000, 5, 600
PLACES, SMALL = 16, 40
TASK = """
problem: {dataset: sums.jsonl}
model: %s
swarm: {agents: {solver: 3}, topology: solo}
score: exact
grid: {swarm.topology: [{use: vote, samples: 3}, solo]}
eval: {seeds: %d}
compare: %s
seed: 5
"""
EVAL = ("eval", "task.yaml", "--json", "--display", "none", "--runs", "runs")


def run() -> Experiment:
    """Kill, resume, compare with an eval that nobody disturbed."""
    what = f"{PROBLEMS * SEEDS * 2:,} episodes killed (-9) {KILLS} times, and {SMALL * 2 * 3} against a server 5 times"
    experiment = Experiment("eval-kill", what, ["eval", "session", "after s", "episodes in the journal", "peak MB"])
    with tempfile.TemporaryDirectory() as name:
        _large(experiment, Path(name))
    with tempfile.TemporaryDirectory() as name:
        _counted(experiment, Path(name))
    return experiment


def _large(experiment: Experiment, folder: Path) -> None:
    _write(folder, PROBLEMS, "{name: scripted, accuracy: 0.6}", "[]")
    began = time.monotonic()
    whole, _ = _session(folder, *EVAL, "--runs", "whole")
    span = time.monotonic() - began
    rng = random.Random(11)
    peaks: list[float] = []
    run: Path | None = None
    for number in range(KILLS):
        after = rng.uniform(0.02, 0.12) * span
        run = _killed(folder, run, after)
        there = len(read(run).played)
        experiment.row("scripted", number + 1, after, there, "")
    assert run is not None
    last, peak = _session(folder, "resume", str(run.relative_to(folder)), "--json", "--display", "none")
    peaks.append(peak)
    experiment.row("scripted", "last", "", last["eval"]["finished"], peak)
    _, twice = _session(folder, "resume", str(run.relative_to(folder)), "--json", "--display", "none")
    experiment.expect("table", last["eval"], "==", whole["eval"])
    experiment.expect("planned", whole["eval"]["planned"], "==", PROBLEMS * SEEDS * 2)
    experiment.expect("coverage", last["coverage"], "==", whole["coverage"])
    same = list(content(run / "journal.sqlite")) == list(content(folder / whole["folder"] / "journal.sqlite"))
    experiment.expect("journals are equal, timings aside", same, "==", True)
    experiment.expect("peak MB of the last session", max(peaks), "<", MEGABYTES)
    experiment.expect("peak MB of a session that only reads", twice, "<", MEGABYTES)


def _counted(experiment: Experiment, folder: Path) -> None:
    """What is paid for is counted where it is paid."""
    rng = random.Random(3)
    with endpoint(folder, "--latency-seconds", "0.02") as server:
        model = f"{{name: vllm/fake, limits: {{concurrency: {PLACES}}}}}"
        _write(folder, SMALL, model, "[vote]", seeds=3)
        whole = finish(start(folder, server, *EVAL))
        calls, _ = server.counts()
        run: Path | None = None
        for number in range(5):
            after = rng.uniform(0.2, 1.2)
            run = _killed(folder, run, after, server)
            there = len(read(run).played)
            experiment.row("server", number + 1, after, there, "")
        assert run is not None
        last = finish(start(folder, server, "resume", str(run.relative_to(folder)), "--json", "--display", "none"))
        received = server.counts()[0] - calls
    experiment.row("server", "last", "", last["eval"]["finished"], "")
    experiment.expect("calls of the undisturbed eval, by the server", calls, "==", whole["usage"]["calls"])
    experiment.expect("calls made twice", received - calls, "<=", 5 * PLACES)
    experiment.expect("calls made twice (none is made up)", received - calls, ">=", 0)
    experiment.expect("scores", _scores(last), "==", _scores(whole))
    experiment.expect("charged at least what the server received", last["charged"]["calls"], ">=", received)


def _scores(record: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(line["arm"]["name"], line["total"]["score"]) for line in record["eval"]["lines"]]


def _write(folder: Path, problems: int, model: str, compare: str, seeds: int = SEEDS) -> None:
    rng = random.Random(1)
    rows = [(rng.randrange(1000), rng.randrange(1000)) for _ in range(problems)]
    lines = [json.dumps({"problem": f"No. {n}: {a} + {b}?", "target": str(a + b)}) for n, (a, b) in enumerate(rows)]
    (folder / "sums.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "task.yaml").write_text(TASK % (model, seeds, compare))


def _killed(folder: Path, run: Path | None, after: float, server: Server | None = None) -> Path:
    """A session of the eval that is killed so many seconds after its first write; the run's folder."""
    known = set(folder.glob("runs/*"))
    words = EVAL if run is None else ("resume", str(run.relative_to(folder)), "--display", "none")
    env = dict(os.environ) if server is None else {**os.environ, "VLLM_BASE_URL": server.base_url}
    with subprocess.Popen(
        [*SWARMMIND, *words], cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while run is None and process.poll() is None:
            made = sorted(path for path in set(folder.glob("runs/*")) - known if (path / MANIFEST).is_file())
            run = made[0] if made else None
            time.sleep(0.02)
        assert run is not None
        began = _at(run)
        while _at(run) == began and process.poll() is None:  # until it writes, it imports
            time.sleep(0.02)
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
    return run


def _at(run: Path) -> float:
    """When the journal was written last."""
    log = run / "journal.sqlite-wal"
    return log.stat().st_mtime if log.exists() else 0.0


def _session(folder: Path, *words: str) -> tuple[dict[str, Any], float]:
    """A session to its end: what it prints, and its peak memory in MB."""
    command = [*SWARMMIND, *words]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        out = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, process.returncode
    return json.loads(out), usage.ru_maxrss / 1024
