"""10,000 agents in one process: bytes of an idle one, and 100,000 calls against a server in another process.

Two shapes: a world in which all 10,000 act at once, ten rounds, and 10,000 agents that each go their own way, ten calls
each, killed (-9) on the way and resumed. Memory is read from outside. What is asserted of the event loop's lag is what
its thread computed (`own_p99_seconds`): that does not depend on what else the machine does; the lag itself is shown.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from .experiment import Experiment
from .stagehands import Server, endpoint, finish, start

AGENTS, CALLS, FEW = 10_000, 10, 200
PLACES = 64
PROBE = Path(__file__).with_name("ten_thousand_probe.py")
WORLD = """
from swarmmind.effects import Choice, Message
from swarmmind.ports import Turn


class Crowd:
    def __init__(self, agents=10, rounds=10):
        self.agents, self.rounds = [f"a{number}" for number in range(agents)], rounds
        self.reset(0)

    def reset(self, seed):
        self.at = self.left = 0

    def turns(self):
        shared, output = Message("system", "You stand in a crowd. " * 20), Choice(("left", "right"))
        told = f"Round {self.at}: {self.left} went left so far. Where do you go,"
        return {name: Turn((shared, Message("user", f"{told} {name}?")), None, output) for name in self.agents}

    def step(self, replies):
        self.left += sum(reply.value == "left" for reply in replies.values())
        self.at += 1

    done = property(lambda self: self.at >= self.rounds)
    score = property(lambda self: float(self.left))

    def frame(self):
        return {"round": self.at, "score": self.score}

    def metrics(self):
        return {}
"""
CARD = """---
name: walker
description: Walks.
parameters: {boldness: {uniform: [0, 1]}}
---
You are {{ id }}, and your boldness is {{ boldness }}.
"""
CROWD = f"""
problem: {{environment: "./world.py:Crowd", rounds: {CALLS}}}
model: {{name: vllm/fake, limits: {{concurrency: {PLACES}}}}}
swarm: {{agents: {{walker: {AGENTS}}}, topology: world, memory: {{use: window, messages: 2}}}}
seed: 11
"""
ROWS = f"""
problem: {{dataset: rows.jsonl}}
model: {{name: vllm/fake, limits: {{concurrency: {PLACES}}}}}
swarm: {{agents: {{walker: 1}}, topology: {{use: debate, rounds: {CALLS}}}, memory: {{use: window, messages: 2}}}}
score: {{use: choice, options: [A, B, C, D]}}
seed: 11
"""
RUN = ("--json", "--display", "none", "--allow-code")


def run() -> Experiment:
    """Count bytes, run both shapes, kill one."""
    columns = [
        "run",
        "calls",
        "s",
        "CPU us / call",
        "MB at half",
        "MB at the end",
        "lag p50/p99/worst, ms",
        "of it own",
    ]
    experiment = Experiment("ten-thousand", f"{AGENTS:,} agents x {CALLS} calls in one process", columns)
    for kind in ("vote", "vote, window", "vote, blackboard", "debate"):
        _idle(experiment, kind)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        few = f"swarm.agents.walker={FEW}", "problem.rounds=250"  # as many calls as half of the large one's
        with endpoint(folder, "--latency-seconds", "0.005") as server:
            small = measured(folder, server, "crowd.yaml", *few)
        with endpoint(folder, "--latency-seconds", "0.005") as server:
            large = measured(folder, server, "crowd.yaml")
            received, _ = server.counts()
        small.tell(experiment, f"crowd of {FEW}")
        large.tell(experiment, f"crowd of {AGENTS:,}")
        _expect(experiment, large, received)
        experiment.expect("CPU per call, against a crowd of 200", large.cpu_us / small.cpu_us, "<=", 1.25)
        _killed(experiment, folder)
    return experiment


def write(folder: Path) -> None:
    """The tasks `crowd.yaml` and `rows.yaml`, and what they need."""
    (folder / "agents").mkdir()
    (folder / "agents" / "walker.md").write_text(CARD)
    (folder / "world.py").write_text(WORLD)
    (folder / "crowd.yaml").write_text(CROWD)
    (folder / "rows.yaml").write_text(ROWS)
    rows = ({"problem": f"{at}: which of A, B, C and D?", "target": "ABCD"[at % 4]} for at in range(AGENTS))
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def _idle(experiment: Experiment, kind: str) -> None:
    found = idle(kind)
    experiment.expect(f"resident bytes of an idle agent ({kind})", found["rss_bytes"], "<=", 4096)
    experiment.expect(f"bytes alive for an idle agent ({kind})", found["traced_bytes"], "<=", 4096)
    experiment.expect(f"CPU seconds to plan {AGENTS:,} agents ({kind})", found["plan_seconds"], "<", 2.0)


def idle(kind: str, agents: int = AGENTS) -> dict[str, float]:
    """Bytes of an idle agent, resident and alive, and CPU seconds to plan them all (see the probe)."""
    found: list[dict[str, float]] = []
    for options in ([], ["traced"]):  # tracing takes memory and time itself
        command = [sys.executable, str(PROBE), kind, str(agents), *options]
        found.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    plain, traced = found
    return {**plain, "traced_bytes": traced["traced_bytes"]}


class Sample(NamedTuple):
    """A process at one moment: seconds on the wall, megabytes, seconds of CPU."""

    wall: float
    mb: float
    cpu: float


class Measured(NamedTuple):
    """A run as it was seen from outside, from its first entry in the journal to its result."""

    result: dict[str, Any]
    samples: list[Sample]
    folder: Path

    @property
    def calls(self) -> int:
        """That were finished."""
        return self.result["coverage"]["finished"]

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU per call, all threads."""
        return 1e6 * (self.samples[-1].cpu - self.samples[0].cpu) / self.calls

    def mb(self, share: float) -> float:
        """Resident megabytes around a share of its time: the median of a twentieth of the samples."""
        count = len(self.samples)
        width = max(1, count // 20)
        at = min(int(share * count), count - width)
        return median(sample.mb for sample in self.samples[at : at + width])

    def tell(self, experiment: Experiment, name: str) -> None:
        """A row of the table."""
        lag = self.result["lag"]
        late = "/".join(f"{1000 * lag[key]:.0f}" for key in ("p50_seconds", "p99_seconds", "max_seconds"))
        seconds = self.samples[-1].wall - self.samples[0].wall
        own = f"{1000 * lag['own_p99_seconds']:.0f}"
        experiment.row(name, self.calls, seconds, self.cpu_us, self.mb(0.5), self.mb(1.0), late, own)


def measured(folder: Path, server: Server, task: str, *sets: str) -> Measured:
    """Run a task on the command line to its result, and look at its process ten times a second."""
    before = set(folder.glob("runs/*"))
    options = [word for each in sets for word in ("--set", each)]
    process = start(folder, server, "run", task, "--runs", "runs", *RUN, *options)
    samples: list[Sample] = []
    over = threading.Event()
    sampler = threading.Thread(target=_sample, args=(process.pid, folder, before, samples, over))
    sampler.start()
    try:
        result = finish(process, timeout_seconds=1500)
    finally:
        over.set()
        sampler.join()
    return Measured(result, samples, folder / result["folder"])


def _sample(pid: int, folder: Path, before: set[Path], samples: list[Sample], over: threading.Event) -> None:
    page, tick = os.sysconf("SC_PAGE_SIZE") / 2**20, os.sysconf("SC_CLK_TCK")
    while not over.wait(0.1):
        new = [path for path in folder.glob("runs/*/journal.sqlite") if path.parent not in before]
        if not new:
            continue
        if (new[0].parent / "result.json").exists():
            return
        try:
            mb = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (OSError, IndexError):
            return
        samples.append(Sample(time.monotonic(), mb, (int(fields[11]) + int(fields[12])) / tick))


def _expect(experiment: Experiment, run: Measured, received: int) -> None:
    result, coverage, wanted = run.result, run.result["coverage"], AGENTS * CALLS
    experiment.expect("calls planned and finished", (coverage["planned"], coverage["finished"]), "==", (wanted,) * 2)
    experiment.expect("calls by the server", received, "==", wanted)
    experiment.expect("resident memory at the end, against half-time", run.mb(1.0) / run.mb(0.5), "<=", 1.05)
    experiment.expect("MB at most", max(sample.mb for sample in run.samples), "<=", 400.0)
    experiment.expect("p99 of the lag that the loop's own work makes, ms", 1e3 * _own(result), "<", 50.0)
    stalled = result["lag"]["stalled_seconds"] / result["lag"]["watched_seconds"]
    experiment.expect(
        "share of the time that the loop stood still for want of anything but a processor", stalled, "<", 0.01
    )
    report = run.folder / "report.html"
    experiment.expect("the report is a page", report.read_bytes()[:15].lower(), "==", b"<!doctype html>")
    experiment.expect("MB of the report", report.stat().st_size / 2**20, "<=", 64.0)
    experiment.expect("KB of result.json", (run.folder / "result.json").stat().st_size / 2**10, "<=", 16.0)


def _own(result: dict[str, Any]) -> float:
    return result["lag"]["own_p99_seconds"]


def _killed(experiment: Experiment, folder: Path) -> None:
    """10,000 programs of their own; killed once a third of the calls was received, and resumed."""
    wanted, before = AGENTS * CALLS, set(folder.glob("runs/*"))
    with endpoint(folder, "--latency-seconds", "0.005") as server:
        process = start(folder, server, "run", "rows.yaml", "--runs", "runs", *RUN)
        while server.log.stat().st_size < wanted / 3 * 2 * len("received 0123456789abcdef\n"):
            assert process.poll() is None, process.communicate()
            time.sleep(0.2)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        [run_folder] = set(folder.glob("runs/*")) - before
        began = time.monotonic()
        result = finish(start(folder, server, "resume", str(run_folder), *RUN), timeout_seconds=1500)
        seconds = time.monotonic() - began
        received, _ = server.counts()
    lag = result["lag"]
    late = "/".join(f"{1000 * lag[key]:.0f}" for key in ("p50_seconds", "p99_seconds", "max_seconds"))
    own = f"{1000 * _own(result):.0f}"
    experiment.row(f"{AGENTS:,} on their own, resumed", result["coverage"]["finished"], seconds, "", "", "", late, own)
    experiment.expect("resumed: calls finished", result["coverage"]["finished"], "==", wanted)
    experiment.expect("resumed: calls made twice, against places", received - wanted, "<=", PLACES)
    experiment.expect("resumed: p99 of the lag that the loop's own work makes, ms", 1e3 * _own(result), "<", 50.0)
