"""10,000 agents in one process: what an idle one takes, and what 100,000 calls of theirs cost.

    python -m benchmarks.agents_10k [--agents 10000] [--rounds 10]

The endpoint is the fake one with 5 ms of latency, in a process of its own, and 64 requests are in flight; a run of 200
agents stands beside it. CPU is the run's process's, all threads, from its first entry in the journal to its result.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.store import store
from tests.acceptance.stagehands import endpoint
from tests.acceptance.ten_thousand import Measured, idle, measured, write
from tests.acceptance.ten_thousand_probe import KINDS

_BARS = "▁▂▃▄▅▆▇█"
_POINTS = 40


def curve(run: Measured) -> list[float]:
    """Resident megabytes over a run, at as many moments as fit on a line."""
    samples = run.samples[:: max(1, len(run.samples) // _POINTS)]
    return [round(sample.mb, 1) for sample in samples]


def sparkline(values: list[float]) -> str:
    """Values as bars, from 0 to the largest."""
    return "".join(_BARS[min(len(_BARS) - 1, int(len(_BARS) * value / (max(values) or 1)))] for value in values)


def told(run: Measured) -> dict[str, Any]:
    """What is kept of a run."""
    seconds = run.samples[-1].wall - run.samples[0].wall
    lag = {name: value for name, value in run.result["lag"].items() if name != "culprits"}
    return {
        "calls": run.calls,
        "calls_per_second": round(run.calls / seconds, 1),
        "cpu_us_per_call": round(run.cpu_us, 1),
        "peak_mb": round(max(sample.mb for sample in run.samples), 1),
        "half_time_mb": run.mb(0.5),
        "end_mb": run.mb(1.0),
        "mb": curve(run),
        "lag": lag,
    }


def show(name: str, run: dict[str, Any]) -> None:
    """A run in a few lines."""
    lag = run["lag"]
    late = ", ".join(f"{key} {1000 * lag[f'{key}_seconds']:.0f} ms" for key in ("p50", "p99", "max", "own_p99"))
    print(f"{name}: {run['calls_per_second']:,.0f} calls/s, {run['cpu_us_per_call']:.0f} us of CPU per call")
    print(f"  resident {sparkline(run['mb'])} {run['end_mb']:.0f} MB (at most {run['peak_mb']:.0f})")
    print(f"  lag {late}")


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description="10,000 agents in one process.")
    parser.add_argument("--agents", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args()
    data: dict[str, Any] = {"agents": options.agents, "idle": {}, "runs": {}}
    for kind in KINDS:
        data["idle"][kind] = found = idle(kind, options.agents)
        print(f"idle, {kind}: {found['rss_bytes']:,.0f} bytes resident, {found['traced_bytes']:,.0f} alive", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder)
        few = max(1, options.agents * options.rounds // 5 // 200)
        for agents, rounds in ((200, few), (options.agents, options.rounds)):
            sets = f"swarm.agents.walker={agents}", f"problem.rounds={rounds}"
            with endpoint(folder, "--latency-seconds", "0.005") as server:
                run = told(measured(folder, server, "crowd.yaml", *sets))
            data["runs"][str(agents)] = run
            show(f"{agents:,} agents x {rounds} rounds", run)
    print(f"stored in {store('agents_10k', data)}")


if __name__ == "__main__":
    main()
