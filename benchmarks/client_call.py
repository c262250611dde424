"""CPU per agent call at the client: the whole runtime, journal and all, against raw aiohttp, interleaved in one run.

    python -m benchmarks.client_call [--calls 4000] [--repeats 5] [--agents 200 1000] [--keep]

The endpoint is a fake one without latency, in a process of its own; 64 requests are in flight. CPU is this process's,
all threads; medians over the repeats, ratios of neighbors in time. Every promise is on: a budget of calls and tokens,
reservations written down before a request is sent, replies before their places are given back, deadlines, retries,
limiter and redaction, and the journal is a file. `--keep` stores the numbers (`benchmarks/results/client_call.json`).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import uvloop

from benchmarks.store import store
from swarmmind.models.transports.aiohttp_transport import AiohttpTransport
from swarmmind.runs.execute import Manner, execute, result_of
from swarmmind.runs.folder import create
from swarmmind.runs.models import Models
from swarmmind.runs.plan import make_plan
from swarmmind.spec import load_task_data

IN_FLIGHT = 64
BODY: dict[str, Any] = {
    "model": "fake",
    "messages": [{"role": "system", "content": "s" * 600}, {"role": "user", "content": "Which of A, B, C and D?"}],
    "temperature": 1.0, "top_p": 1.0, "max_tokens": 1024, "seed": 1,
    "structured_outputs": {"choice": ["A", "B", "C", "D"]},
}  # fmt: skip
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


class Cost(NamedTuple):
    """Microseconds of CPU per call: of the process, and of the thread that the event loop runs on."""

    process: float
    loop: float


async def raw(base_url: str, calls: int) -> None:
    """The same requests by hand."""
    left = iter(range(calls))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def one() -> None:
            for _ in left:
                async with session.post(f"{base_url}/chat/completions", json=BODY) as response:
                    json.loads(await response.read())

        await asyncio.gather(*[one() for _ in range(IN_FLIGHT)])


async def transport(base_url: str, calls: int) -> None:
    """The same requests through the product's transport alone."""
    left, carrier, body = iter(range(calls)), AiohttpTransport(base_url), json.dumps(BODY).encode()

    async def one() -> None:
        for _ in left:
            await carrier.post("chat/completions", body, 600.0)

    await asyncio.gather(*[one() for _ in range(IN_FLIGHT)])
    await carrier.close()


async def swarm(base_url: str, calls: int, agents: int) -> None:
    """A vote of so many samples, through plan, driver, limiter, purse and journal; without the report."""
    task = {
        "problem": "Which of A, B, C and D?",
        "model": {"name": "vllm/fake", "base_url": base_url, "limits": {"concurrency": IN_FLIGHT}},
        "swarm": {"agents": {"solver": agents}, "topology": {"use": "vote", "samples": calls}},
        "score": {"use": "choice", "options": ["A", "B", "C", "D"], "target": "A"},
        "budget": {"calls": 2 * calls, "tokens": 10_000 * calls},
    }
    with tempfile.TemporaryDirectory() as folder:
        plan = make_plan(load_task_data(task, Path(folder)))
        result = await execute(plan, create(Path(folder), "bench", "", {}), Models(plan, {}), manner=Manner(result_of))
        assert result.coverage.finished == calls


def cost(run: Callable[[str, int], Awaitable[None]], base_url: str, calls: int, loop: str) -> Cost:
    """What one way of making calls costs, on one kind of event loop."""

    async def main() -> Cost:
        process, thread = time.process_time(), time.thread_time()
        await run(base_url, calls)
        return Cost(1e6 * (time.process_time() - process) / calls, 1e6 * (time.thread_time() - thread) / calls)

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        return runner.run(main())


def measure(base_url: str, calls: int, repeats: int, agents: int, loop: str) -> dict[str, Any]:
    """Medians, in microseconds per call."""
    arms = (raw, transport, partial(swarm, agents=agents))
    for arm in arms:
        cost(arm, base_url, max(calls // 4, agents), loop)
    rows = [[cost(arm, base_url, calls, loop) for arm in arms] for _ in range(repeats)]
    return {
        "loop": loop,
        "agents": agents,
        "raw_aiohttp_us": round(statistics.median(row[0].process for row in rows), 1),
        "transport_us": round(statistics.median(row[1].process for row in rows), 1),
        "swarmmind_us": round(statistics.median(row[2].process for row in rows), 1),
        "journal_thread_us": round(statistics.median(row[2].process - row[2].loop for row in rows), 1),
        "ratio": round(statistics.median(row[2].process / row[0].process for row in rows), 3),
    }


def main() -> None:
    """Measure, print and, if asked to, store."""
    parser = argparse.ArgumentParser(description="CPU per call at the client.")
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--agents", type=int, nargs="+", default=[200, 1000])
    parser.add_argument("--loops", nargs="+", choices=sorted(LOOPS), default=list(LOOPS))
    parser.add_argument("--keep", action="store_true", help="store the numbers")
    options = parser.parse_args()
    gc.freeze()  # as the command line does
    gc.set_threshold(50_000, 20, 100)
    command = [sys.executable, "-m", "swarmmind.testing.endpoint"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    rows: list[dict[str, Any]] = []
    try:
        assert server.stdout is not None
        base_url = server.stdout.readline().strip()
        print("us of CPU per call       raw aiohttp   swarmmind: all   transport   journal's thread   ratio")
        for loop in options.loops:
            for agents in options.agents:
                row = measure(base_url, options.calls, options.repeats, agents, loop)
                rows.append(row)
                print(
                    f"{loop:8} {agents:6,} agents {row['raw_aiohttp_us']:14.0f} {row['swarmmind_us']:16.0f}"
                    f" {row['transport_us']:11.0f} {row['journal_thread_us']:18.0f} {row['ratio']:7.2f}",
                    flush=True,
                )
    finally:
        server.kill()
        server.wait()
    if options.keep:
        store("client_call", {"calls": options.calls, "repeats": options.repeats, "rows": rows})


if __name__ == "__main__":
    main()
