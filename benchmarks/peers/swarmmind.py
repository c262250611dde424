"""SwarmMind through a task: plan, driver, limiter, purse, journal and result, without the report.

    python -m benchmarks.peers.swarmmind [--uvloop]

CPU counts from the run's beginning until its result is on disk: connections, calls, and all that the journal writes.
The wall of layers and debates counts on connections that are open, like everybody's.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

from benchmarks.peers import driver
from benchmarks.peers.driver import DEBATE_ROUNDS, DEBATERS, IN_FLIGHT, KEY, LAYERS, QUESTION, WIDTH, Spent
from swarmmind.agents.answers import ASK_FOR_ANSWER
from swarmmind.runs.execute import Manner, execute, result_of
from swarmmind.runs.folder import create
from swarmmind.runs.models import Models
from swarmmind.runs.plan import make_plan
from swarmmind.runs.result import Result
from swarmmind.spec import load_task_data

HERE = Path(__file__).parent


def task(base_url: str, agents: int, topology: dict[str, Any], calls: int) -> dict[str, Any]:
    """A task with every promise on."""
    return {
        "problem": QUESTION.removesuffix(ASK_FOR_ANSWER).strip(),
        "model": {"name": "openai/mock", "base_url": base_url, "limits": {"concurrency": IN_FLIGHT}},
        "swarm": {"agents": {"solver": agents}, "topology": topology},
        "score": {"use": "number", "target": "40"},
        "budget": {"calls": 2 * calls, "tokens": 100_000_000, "minutes": 60},
    }


async def run(
    base_url: str, agents: int, topology: dict[str, Any], calls: int, before: int = 0
) -> tuple[Spent, Result]:
    """Run the task once in a folder that is thrown away; so many calls come before the clock of its wall."""
    plan = make_plan(
        load_task_data(task(base_url, agents, topology, calls + before), HERE, allow_code=True), allow_code=True
    )
    with tempfile.TemporaryDirectory() as root:
        folder, models = create(Path(root), "bench", "", {}), Models(plan, {"OPENAI_API_KEY": KEY})
        clocks: list[float] = []
        gc.collect()
        result = await execute(plan, folder, models, lambda _: clocks.append(time.process_time()), Manner(result_of))
        cpu = time.process_time() - clocks[0]
    assert result.coverage.finished == calls + before, result.coverage
    wall = result.metrics.get("wall_seconds", result.makespan_seconds)
    return {"requests": DEBATERS + before + calls, "calls": calls, "cpu_seconds": cpu, "wall_seconds": wall}, result


async def workload(wanted: dict[str, Any]) -> Spent:
    """Do what a line of the input says, after a small run that warms up what the process keeps."""
    base_url = driver.address(wanted)
    await run(base_url, DEBATERS, {"use": "vote", "samples": DEBATERS}, DEBATERS)
    match wanted["workload"]:
        case "fan_out":
            agents: int = wanted["agents"]
            calls = max(wanted["calls"] // agents, 1) * agents
            spent, result = await run(base_url, agents, {"use": "vote", "samples": calls}, calls)
        case "layered":
            topology = {"use": "./topologies.py:chained", "layers": LAYERS}
            spent, result = await run(base_url, WIDTH, topology, LAYERS * WIDTH, WIDTH)
        case "debate":
            topology = {"use": "./topologies.py:chained", "rounds": DEBATE_ROUNDS}
            spent, result = await run(base_url, DEBATERS, topology, DEBATERS * DEBATE_ROUNDS, DEBATERS)
        case _:
            return await memory(base_url, wanted["agents"])
    assert result.score == 1.0, result.score
    return spent


async def memory(base_url: str, agents: int) -> Spent:
    """What a run with so many agents holds, from its task on, when every agent has answered once."""
    tracemalloc.start()
    _, result = await run(base_url, agents, {"use": "./topologies.py:held"}, agents)
    tracemalloc.stop()
    assert isinstance(result.output, int)
    return {"requests": DEBATERS + agents, "bytes_per_agent": result.output / agents}


def main() -> None:
    """Serve workloads on the loop that is asked for."""
    if "--uvloop" in sys.argv[1:]:
        import uvloop

        driver.serve(workload, ["swarmmind", "aiohttp", "uvloop"], uvloop.new_event_loop)
    else:
        driver.serve(workload, ["swarmmind", "aiohttp"], asyncio.new_event_loop)


if __name__ == "__main__":
    main()
