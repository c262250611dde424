"""Is a real server kept full, and never flooded? A swarm that is told nothing, against a raw load generator.

    python -m benchmarks.saturation --base-url http://127.0.0.1:8000/v1 --model NAME     # any vLLM that is up
    python -m benchmarks.saturation                                     # one of this repository's own, on the CPU
    python -m benchmarks.saturation --gpu --base-url URL --model NAME   # says `skipped` where there is no GPU

The generator is aiohttp and nothing else: it sends the very requests of the swarm, warm, at 1, 2, 4, ... 256 in flight,
and the best of these is what there is to reach. Then swarm and generator take turns, now the one first and now the
other, and their throughput is what the server itself counts. Meanwhile the server is asked what it runs and what waits.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

import aiohttp
import anyio

from benchmarks.store import store
from swarmmind.models.gauges import Snapshot, read
from swarmmind.runs.execute import Manner, execute, result_of
from swarmmind.runs.folder import create
from swarmmind.runs.models import Models
from swarmmind.runs.plan import make_plan
from swarmmind.runs.result import Result
from swarmmind.spec import load_task_data
from swarmmind.testing import FakeEndpoint
from tests.integration.vllm_server import serving

LEVELS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
SAMPLE_SECONDS = 0.2


class Workload(NamedTuple):
    """What is asked, and of whom.

    Attributes:
        base_url: the server.
        model: by the name it has there.
        agents: in the swarm.
        tokens: of each answer.
    """

    base_url: str
    model: str
    agents: int
    tokens: int

    def look(self) -> Snapshot:
        """What the server says."""
        with urlopen(self.base_url.removesuffix("/v1") + "/metrics", timeout=30) as response:
            seen = read(response.read().decode())
        if seen is None:
            raise SystemExit(f"{self.base_url}: has no /metrics that say what it runs")
        return seen


class Turn(NamedTuple):
    """One arm's turn at the server.

    Attributes:
        seconds: how long it took.
        tokens: that the server wrote.
        in_flight: the most requests that were at the server, running and waiting.
        running: the most that it ran.
    """

    seconds: float
    tokens: int
    in_flight: int
    running: int

    @property
    def tokens_per_second(self) -> float:
        """Throughput."""
        return self.tokens / self.seconds


def task(work: Workload, calls: int) -> dict[str, Any]:
    """A vote of so many samples; nothing in it says how many may be in flight."""
    extra = {"ignore_eos": True}
    return {
        "problem": "Which of the five boxes on the table holds the key, and what speaks against each of the others?",
        "model": {"name": f"vllm/{work.model}", "base_url": work.base_url, "extra": extra},
        "sampling": {"max_tokens": work.tokens, "temperature": 1.0},
        "swarm": {"agents": {"solver": work.agents}, "topology": {"use": "vote", "samples": calls}},
    }


async def swarm(work: Workload, calls: int) -> Result:
    """The swarm's turn: plan, driver, limiter, purse and journal; without the report."""
    with tempfile.TemporaryDirectory() as folder:
        plan = make_plan(load_task_data(task(work, calls), Path(folder)))
        run = create(Path(folder), "saturation", "", {})
        result = await execute(plan, run, Models(plan, {}), manner=Manner(result_of))
    if result.coverage.finished != calls:
        raise SystemExit(f"{calls - result.coverage.finished} of {calls} calls failed: {result.failures[:3]}")
    return result


async def bodies(work: Workload) -> dict[str, Any]:
    """A request as the swarm sends it."""
    caught: list[dict[str, Any]] = []

    def catch(body: dict[str, Any]) -> str:
        caught.append(body)
        return "the third"

    async with FakeEndpoint(catch) as fake:
        await swarm(work._replace(base_url=fake.base_url), work.agents)
    return caught[0]


async def generator(work: Workload, body: dict[str, Any], calls: int, in_flight: int) -> float:
    """The generator's turn: the same requests, so many in flight; how many seconds it took."""
    left, began = iter(range(calls)), time.perf_counter()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=4)) as session:

        async def one() -> None:
            for seed in left:
                data = json.dumps(body | {"seed": seed})
                headers = {"Content-Type": "application/json"}
                url = f"{work.base_url}/chat/completions"
                async with session.post(url, data=data, headers=headers) as response:
                    answer = json.loads(await response.read())
                    if response.status != 200:
                        raise SystemExit(f"the server said {response.status}: {answer}")

        async with anyio.create_task_group() as group:
            for _ in range(in_flight):
                group.start_soon(one)
    return time.perf_counter() - began


def turn(work: Workload, play: Callable[[], Awaitable[float]]) -> Turn:
    """Play, and see what the server says meanwhile; `play` says how many seconds its requests took."""
    over, most, running = threading.Event(), [0], [0]

    def sample() -> None:
        while not over.wait(SAMPLE_SECONDS):
            seen = work.look()
            most[0], running[0] = max(most[0], seen.running + seen.waiting), max(running[0], seen.running)

    watching = threading.Thread(target=sample)
    before = work.look()
    watching.start()
    try:
        seconds = anyio.run(play)
    finally:
        over.set()
        watching.join()
    time.sleep(1.5 * SAMPLE_SECONDS)  # its counters lag a little
    written = (work.look().completion_tokens or 0) - (before.completion_tokens or 0)
    return Turn(seconds, written, most[0], running[0])


def measure(work: Workload, seconds: float, repeats: int) -> dict[str, Any]:
    """The generator at every level, then swarm and generator in turn."""
    body: dict[str, Any] = anyio.run(bodies, work)

    def raw(calls: int, in_flight: int) -> Turn:
        return turn(work, lambda: generator(work, body, calls, in_flight))

    raw(64, 32)  # warm
    levels: dict[int, float] = {}
    rate = 1.0  # answers per second
    for in_flight in LEVELS:
        calls = max(2 * in_flight, int(rate * seconds))
        levels[in_flight] = raw(calls, in_flight).tokens_per_second
        rate = max(rate, levels[in_flight] / work.tokens)
        print(f"{in_flight:4d} in flight: {levels[in_flight]:7.0f} tokens/s", flush=True)
    best = max(levels, key=levels.__getitem__)
    calls = max(4 * best, work.agents, int(levels[best] / work.tokens * 3 * seconds))
    pairs: list[tuple[Turn, Turn]] = []
    results: list[Result] = []

    async def play() -> float:
        results.append(await swarm(work, calls))
        return results[-1].makespan_seconds  # reading the task and making the agents is not the server's business

    for number in range(repeats):
        if number % 2:  # who goes second may find a faster or a slower machine
            mine = turn(work, play)
            pairs.append((raw(calls, best), mine))
        else:
            pairs.append((raw(calls, best), turn(work, play)))
        print(f"{pairs[-1][0].tokens_per_second:.0f} generator, {pairs[-1][1].tokens_per_second:.0f} swarm", flush=True)
    ratios = [mine.tokens_per_second / fixed.tokens_per_second for fixed, mine in pairs]
    running = max(mine.running for _, mine in pairs)
    in_flight = max(mine.in_flight for _, mine in pairs)
    served = results[-1].served[0]
    return {
        "calls": calls,
        "tokens_per_answer": work.tokens,
        "agents": work.agents,
        "tokens_per_second_at": {str(level): round(speed, 1) for level, speed in levels.items()},
        "best_fixed_concurrency": best,
        "generator_tokens_per_second": round(statistics.median(fixed.tokens_per_second for fixed, _ in pairs), 1),
        "swarm_tokens_per_second": round(statistics.median(mine.tokens_per_second for _, mine in pairs), 1),
        "ratios": [round(ratio, 4) for ratio in ratios],
        "ratio": round(statistics.median(ratios), 4),
        "most_running": running,
        "most_at_server": in_flight,
        "most_at_server_over_running": round(in_flight / max(1, running), 3),
        "limit_at_end": served.limit,
        "mean_in_flight": served.mean_in_flight,
        "rejections": served.rejections,
    }


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description="Throughput of a swarm over the server's own best.")
    parser.add_argument("--base-url", help="a server that is up; by default one is started on the CPU")
    parser.add_argument("--model", default="tiny", help="the name the server knows it by")
    parser.add_argument("--gpu", action="store_true", help="skip where there is no GPU; 1,000 agents, longer answers")
    parser.add_argument("--agents", type=int)
    parser.add_argument("--tokens", type=int)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each level")
    parser.add_argument("--repeats", type=int, default=6)
    parser.add_argument("--capacities", default="8,64", help="--max-num-seqs of the servers that are started")
    parser.add_argument("--name", default="saturation", help="of the stored result")
    options = parser.parse_args()
    if options.gpu and not has_gpu():
        print("skipped: nvidia-smi does not answer")
        sys.exit(0)
    agents = options.agents or (1000 if options.gpu else 200)
    tokens = options.tokens or (256 if options.gpu else 48)
    data: dict[str, Any] = {}
    if options.base_url:
        work = Workload(options.base_url.rstrip("/"), options.model, agents, tokens)
        data["given"] = measure(work, options.seconds, options.repeats)
    else:
        for capacity in map(int, options.capacities.split(",")):
            print(f"\n--max-num-seqs {capacity}", flush=True)
            with serving("--max-num-seqs", str(capacity), log="benchmark.log") as server:
                data[f"max_num_seqs_{capacity}"] = measure(
                    Workload(server.base_url, "tiny", agents, tokens), options.seconds, options.repeats
                )
    print(json.dumps(data, indent=1))
    print(f"stored in {store(options.name, data)}")


def has_gpu() -> bool:
    """Whether `nvidia-smi` answers."""
    try:
        return subprocess.run(["nvidia-smi"], capture_output=True, check=False, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


if __name__ == "__main__":
    main()
