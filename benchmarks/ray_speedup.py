"""How much faster an eval that takes nothing but processors is on two Ray workers than on one, or in one process.

Foragers of SwarmBench play mazes, one game an episode; the arms take turns, because a machine is never quite idle.
`playing` is the time from the first call to the last, `start` what comes before: imports, the plan, the workers'
processes. Both are of the wall's clock, and suffer from whatever else the machine does. `head` is the processor time of
the process that keeps journal and limits, of which there is one however many workers there are; `busiest` that of the
process with most of it, imports included: what playing takes where each process has a processor to itself.

    python -m benchmarks.ray_speedup [--episodes 32] [--rounds 3] [--store]
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

import anyio

import swarmmind
from benchmarks.store import store
from swarmmind.runs.job import EngineName

TASK = {
    "problem": {"environment": "swarmbench/foraging", "size": 16, "view": 5, "rounds": 60},
    "model": "builtin/swarmbench-foraging",
    "swarm": {"agents": {"forager": 12}, "topology": "world"},
}


_LOOK_SECONDS = 0.2


class Arm(NamedTuple):
    """Who plays."""

    name: str
    engine: EngineName
    workers: int | None = None


ARMS = (Arm("local", "local"), Arm("ray-1", "ray", 1), Arm("ray-2", "ray", 2))


class Meter:
    """The processor time of all workers of Ray, by their process, while it is entered (Linux alone).

    Attributes:
        seconds: by process.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Meter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            for folder in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):
                    if (folder / "cmdline").read_text().startswith("ray::Actor"):
                        ticks = (folder / "stat").read_text().rpartition(")")[2].split()[11:13]
                        self.seconds[folder.name] = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def play(arm: Arm, episodes: int, folder: str) -> tuple[dict[str, float], Any]:
    """One eval: its times, and what came of it."""
    task = {**TASK, "eval": {"seeds": episodes}}
    began, used = time.time(), time.process_time()

    async def main() -> swarmmind.Result:
        return await swarmmind.evaluate(task, runs=folder, env={}, engine=arm.engine, workers=arm.workers)

    with Meter() as meter:
        result = anyio.run(main)
    head = time.process_time() - used
    with closing(sqlite3.connect(result.path / "journal.sqlite")) as journal:
        first, last, calls = journal.execute(
            "SELECT min(at), max(at), count(*) FROM results WHERE kind='Ask'"
        ).fetchone()
    assert result.eval is not None
    table = [(line.arm.name, line.total.score) for line in result.eval.lines]
    busiest = max(head, *meter.seconds.values()) if meter.seconds else head
    return {"playing": last - first, "start": first - began, "head": head, "busiest": busiest}, (calls, table)


def measure(episodes: int, rounds: int) -> dict[str, Any]:
    """The arms in turn; medians, and the speed-ups of each round."""
    took: dict[str, list[dict[str, float]]] = {arm.name: [] for arm in ARMS}
    tables: list[Any] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            for arm in ARMS:
                times, table = play(arm, episodes, f"{folder}/{arm.name}-{number}")
                took[arm.name].append(times)
                tables.append(table)
                shown = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in times.items())
                print(f"{arm.name:6} {shown}", flush=True)
    assert all(table == tables[0] for table in tables), "the results differ"
    return {
        "episodes": episodes,
        "calls": tables[0][0],
        "seconds": {
            arm: {name: round(statistics.median(times[name] for times in each), 2) for name in each[0]}
            for arm, each in took.items()
        },
        "speedup_of_two": {
            name: {other: _ratios(name, took[other], took["ray-2"]) for other in ("local", "ray-1")}
            for name in ("playing", "busiest")
        },
    }


def _ratios(name: str, one: Sequence[dict[str, float]], two: Sequence[dict[str, float]]) -> list[float]:
    return [round(a[name] / b[name], 2) for a, b in zip(one, two, strict=True)]


def main() -> None:
    """Measure, print, and store if that is wanted."""
    parser = argparse.ArgumentParser(description="The speed-up of a CPU-bound eval on two Ray workers.")
    parser.add_argument("--episodes", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--store", action="store_true", help="keep the numbers in benchmarks/results")
    options = parser.parse_args()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's workers stand back; beside other work that is not fair
    import ray  # pyright: ignore[reportMissingImports]

    ray.init("local", num_cpus=2, include_dashboard=False, _node_ip_address="127.0.0.1", log_to_driver=False)
    try:
        found = measure(options.episodes, options.rounds)
    finally:
        ray.shutdown()
    print(json.dumps(found, indent=2))
    for name, ratios in found["speedup_of_two"].items():
        for other, each in ratios.items():
            print(f"{name}: two workers against {other}: {statistics.median(each):.2f} times as fast")
    if options.store:
        store("ray_speedup", found)


if __name__ == "__main__":
    main()
