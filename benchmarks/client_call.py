"""CPU per agent call at the client: the whole runtime, journal and all, against raw aiohttp, interleaved in one run.

    python -m benchmarks.client_call [--calls 2000] [--repeats 5]

The endpoint is a fake one without latency, in a process of its own; 64 requests are in flight. CPU is this process's,
all threads; medians over the repeats.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import anyio

from swarmmind.runs.execute import Manner, execute, result_of
from swarmmind.runs.folder import create
from swarmmind.runs.models import Models
from swarmmind.runs.plan import make_plan
from swarmmind.spec import load_task_data

IN_FLIGHT = 64


async def raw(base_url: str, calls: int) -> None:
    """The same requests by hand."""
    body = {
        "model": "fake",
        "messages": [{"role": "system", "content": "s" * 600}, {"role": "user", "content": "Which of A, B, C and D?"}],
        "structured_outputs": {"choice": ["A", "B", "C", "D"]},
        "temperature": 1.0, "top_p": 1.0, "max_tokens": 1024, "seed": 1,
    }  # fmt: skip
    left = iter(range(calls))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def one() -> None:
            for _ in left:
                async with session.post(f"{base_url}/chat/completions", json=body) as response:
                    json.loads(await response.read())

        await asyncio.gather(*[one() for _ in range(IN_FLIGHT)])


async def swarm(base_url: str, calls: int) -> None:
    """A vote of so many samples, through plan, driver, limiter, purse and journal; without the report."""
    task = {
        "problem": "Which of A, B, C and D?",
        "model": {"name": "vllm/fake", "base_url": base_url, "limits": {"concurrency": IN_FLIGHT}},
        "swarm": {"agents": {"solver": 200}, "topology": {"use": "vote", "samples": calls}},
        "score": {"use": "choice", "options": ["A", "B", "C", "D"], "target": "A"},
    }
    with tempfile.TemporaryDirectory() as folder:
        plan = make_plan(load_task_data(task, Path(folder)))
        result = await execute(plan, create(Path(folder), "bench", "", {}), Models(plan, {}), manner=Manner(result_of))
        assert result.coverage.finished == calls


def cpu_us(run: Callable[[str, int], Awaitable[None]], base_url: str, calls: int) -> float:
    """Microseconds of CPU per call."""
    began = time.process_time()
    anyio.run(run, base_url, calls)
    return 1e6 * (time.process_time() - began) / calls


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="CPU per call at the client.")
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    command = [sys.executable, "-m", "swarmmind.testing.endpoint"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        base_url = server.stdout.readline().strip()
        for run in (raw, swarm):
            cpu_us(run, base_url, options.calls // 4)
        pairs = [
            (cpu_us(raw, base_url, options.calls), cpu_us(swarm, base_url, options.calls))
            for _ in range(options.repeats)
        ]
    finally:
        server.kill()
        server.wait()
    print(f"raw aiohttp {statistics.median(a for a, _ in pairs):.0f} us per call")
    print(f"swarmmind   {statistics.median(b for _, b in pairs):.0f} us per call")
    print(f"ratio       {statistics.median(b / a for a, b in pairs):.2f} (median of {len(pairs)} pairs)")


if __name__ == "__main__":
    main()
