"""MacNet with thousands of agents: what a graph costs, and what walking its edges one by one would take.

    python -m benchmarks.macnet [--json] [--agents 1000 10000]

Small worlds (4 and 8 neighbors) and random graphs of as many edges: 2 and 4 per agent. Agents are scripted: they write
500 characters, after 0.5 to 1.5 simulated seconds. Everything else is real: prompts, dataflow, driver, and a journal on
disk. Each run is a process of its own; memory is what it takes at its peak beyond what Python and the imports take.
`edge by edge` is the makespan of the same calls, one after the other, as the original makes them; `dataflow` is that of
the run. Both are simulated seconds, the wall is not.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import anyio

from swarmmind.agents.asker import Asker
from swarmmind.effects import Agent, Ask, Program
from swarmmind.memory import Window
from swarmmind.models.local import ScriptedFunction
from swarmmind.ports import Context, Request
from swarmmind.rng import Streams
from swarmmind.runtime.budget import Purse
from swarmmind.runtime.clock import VirtualClock
from swarmmind.runtime.driver import Driver
from swarmmind.runtime.journal import Journal
from swarmmind.runtime.meter import Meter
from swarmmind.runtime.world import World
from swarmmind.topologies import TOPOLOGIES, Question, Society
from swarmmind.topologies.graphs import Graph

CHARACTERS = 500
KINDS = ("small-world", "random")
EDGES_PER_AGENT = (2, 4)


def probe(kind: str, edges_per_agent: int, count: int) -> dict[str, Any]:
    """One run in this process."""
    given = {"k": 2 * edges_per_agent} if kind == "small-world" else {"edges": edges_per_agent * count}
    graph = Graph.model_validate({"kind": kind, **given})
    agents = [Agent(f"worker-{at}", "worker", "You work.", "m", index=at) for at in range(count)]
    society = Society(agents, Window(0), Question("Write the plan of a town."), seed=1)
    one_by_one = 0.0

    def say(request: Request, rng: random.Random) -> str:
        text = f"{request.agent.id} {request.observation['do']} {rng.random()} "
        return (text * (CHARACTERS // len(text) + 1))[:CHARACTERS]

    def latency(rng: random.Random) -> float:
        nonlocal one_by_one
        seconds = rng.uniform(0.5, 1.5)
        one_by_one += seconds
        return seconds

    def program(ctx: Context) -> Program:
        return TOPOLOGIES["macnet"].program(ctx, society, graph=graph)

    async def run(path: Path) -> tuple[Meter, float]:
        journal, meter, clock = Journal(path), Meter(), VirtualClock()
        journal.start()
        try:
            world = World(journal, clock, Streams(1), Purse(), meter)
            outcome = await Driver(world, {Ask: Asker({"m": ScriptedFunction(say, latency)})}).run(program)
            assert outcome.ok, outcome
            return meter, clock.now()
        finally:
            journal.close()

    gc.collect()
    before = resident_bytes()
    began, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        meter, makespan = anyio.run(run, Path(folder) / "journal.sqlite")
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        written = sum(path.stat().st_size for path in Path(folder).iterdir())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    calls, edges = meter.total().finished, graph.directed(agents, 1).number_of_edges()
    return {
        "graph": kind, "agents": count, "edges": edges, "calls": calls, "wall_seconds": wall, "cpu_seconds": cpu,
        "calls_per_second": calls / wall, "microseconds_per_edge": 1e6 * cpu / edges, "peak_mb": peak / 2**20,
        "bytes_per_agent": (peak - before) / count, "journal_mb": written / 2**20, "dataflow_seconds": makespan,
        "edge_by_edge_seconds": one_by_one,
    }  # fmt: skip


def resident_bytes() -> int:
    """Resident memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="MacNet with thousands of agents.")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--agents", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--probe", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.probe:
        kind, edges, count = options.probe
        print(json.dumps(probe(kind, int(edges), int(count))))
        return
    rows: list[dict[str, Any]] = []
    for kind in KINDS:
        for edges in EDGES_PER_AGENT:
            for count in options.agents:
                rows.append(_probed(kind, edges, count))
                if not options.json:
                    print(_line(rows[-1]), flush=True)
    if options.json:
        print(json.dumps(rows))
        return
    for kind in KINDS:
        for edges in EDGES_PER_AGENT:
            runs = [row for row in rows if row["graph"] == kind and round(row["edges"] / row["agents"]) == edges]
            ratio = runs[-1]["microseconds_per_edge"] / runs[0]["microseconds_per_edge"]
            more = runs[-1]["edges"] / runs[0]["edges"]
            print(f"{kind}, {edges} edges an agent: {more:.1f} times the edges, {ratio:.2f} times the CPU time of each")


def _probed(kind: str, edges: int, count: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.macnet", "--probe", kind, str(edges), str(count)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _line(row: dict[str, Any]) -> str:
    return (
        "{graph:11} {agents:6,} agents {edges:6,} edges {calls:7,} calls: {wall_seconds:5.1f} s wall, "
        "{calls_per_second:6,.0f} calls/s, {microseconds_per_edge:4.0f} us CPU an edge, peak {peak_mb:4.0f} MB, "
        "{bytes_per_agent:7,.0f} bytes an agent, journal {journal_mb:4.0f} MB; "
        "dataflow {dataflow_seconds:6.1f} s, edge by edge {edge_by_edge_seconds:8,.0f} s"
    ).format(**row)


if __name__ == "__main__":
    main()
