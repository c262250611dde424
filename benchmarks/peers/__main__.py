"""Measure peers and this package, interleaved, and store the medians.

    python -m benchmarks.peers [--only NAME ...] [--repeats 5] [--calls 1000]

Environments are made once, under `.peers/`. A full run is stored in `benchmarks/results/peers.json`; one with `--only`
is printed alone. Who cannot be installed, or fails, is named with the reason. Raw aiohttp is always measured: it is
what ratios refer to.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.peers.catalog import BASELINE, PEERS, Peer, Workload, workloads
from benchmarks.peers.driver import IN_FLIGHT, LATENCY_MS
from benchmarks.peers.processes import Broken, Driver, Endpoint, start
from benchmarks.peers.summary import Sample, lines, summarize, value
from benchmarks.peers.venvs import NotInstalled, python_of
from benchmarks.store import store

ALLOWANCE_SECONDS, LEAST_REPEATS = 15.0, 2
"""Who needs longer for a workload is measured less often: its cost is far above what differs between repeats."""


class Bench:
    """One run of the benchmark.

    Attributes:
        samples: what was measured.
        failed: why a peer was not, by name.
        requests: the bytes of a peer's requests, bodies and headers, in its last fan-out: per call.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._drivers: dict[str, Driver] = {}
        self._took: defaultdict[tuple[str, str], float] = defaultdict(float)
        self.samples: list[Sample] = []
        self.failed: dict[str, str] = {}
        self.requests: dict[str, int] = {}

    async def start(self, peers: list[Peer]) -> None:
        """Install and start them all."""
        for peer in peers:
            try:
                self._drivers[peer.name] = await start(peer, await asyncio.to_thread(python_of, peer))
            except (NotInstalled, Broken) as error:
                self.failed[peer.name] = str(error)

    async def close(self) -> None:
        """End them all."""
        for driver in self._drivers.values():
            await driver.close()

    async def measure(self, work: list[Workload], repeats: int) -> None:
        """Round after round, everybody does the same, in turn; every other round in the other order."""
        for repeat in range(repeats):
            for workload in work:
                names = list(self._drivers)
                for name in names if repeat % 2 == 0 else reversed(names):
                    if self._due(name, workload, repeat):
                        await self._sample(self._drivers[name], workload, repeat)
            print(f"repeat {repeat + 1} of {repeats} is done", file=sys.stderr, flush=True)

    def _due(self, name: str, workload: Workload, repeat: int) -> bool:
        if name not in self._drivers or (workload.once and repeat):
            return False
        return repeat < LEAST_REPEATS or self._took[name, workload.name] < ALLOWANCE_SECONDS

    async def _sample(self, driver: Driver, workload: Workload, repeat: int) -> None:
        name = driver.peer.name
        try:
            await self._endpoint.counts()
            spent = await driver.ask({**workload.asked, "address": self._endpoint.address})
            counted = await self._endpoint.counts()
            if counted["received"] != spent["requests"]:
                raise Broken(f"{workload.name}: sent {counted['received']} requests for {spent['requests']} calls")
        except Broken as error:
            self.failed[name] = str(error)
            await self._drivers.pop(name).close()
            return
        self._took[name, workload.name] += spent.get("wall_seconds", 0.0)
        self.samples.append(Sample(name, workload.name, repeat, value(workload, spent)))
        if workload.asked["workload"] == "fan_out":
            self.requests[name] = round(counted["bytes"] / counted["received"])

    def document(self, work: list[Workload]) -> dict[str, Any]:
        """What was found."""
        table = summarize((each for each in self.samples if each.peer not in self.failed), work)
        described = {
            peer.name: {
                "label": peer.label,
                "kind": peer.kind,
                "versions": self._drivers[peer.name].versions,
                "request_bytes": self.requests.get(peer.name),
                "workloads": table[peer.name],
            }
            for peer in PEERS
            if peer.name in table
        }
        ideal = {workload.name: workload.ideal_ms for workload in work if workload.ideal_ms is not None}
        about = {"in_flight": IN_FLIGHT, "latency_ms": LATENCY_MS, "ideal_ms": ideal}
        return {**about, "peers": described, "failed": self.failed}


async def bench(peers: list[Peer], repeats: int, calls: int) -> dict[str, Any]:
    """Measure these peers."""
    work = workloads(calls)
    async with Endpoint(Path(sys.executable)) as endpoint:
        run = Bench(endpoint)
        try:
            await run.start(peers)
            await run.measure(work, repeats)
            return {"repeats": repeats, "calls": calls, **run.document(work)}
        finally:
            await run.close()


def main(arguments: list[str] | None = None) -> None:
    """Measure, store and print."""
    names = [peer.name for peer in PEERS]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=f"of {', '.join(names)}")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--calls", type=int, default=1000, help="of a fan-out")
    options = parser.parse_args(arguments)
    wanted = {BASELINE, *(options.only or names)}
    document = asyncio.run(bench([peer for peer in PEERS if peer.name in wanted], options.repeats, options.calls))
    if options.only is None:
        print(f"stored in {store('peers', document)}", file=sys.stderr)
    print("\n".join(lines(document)))


if __name__ == "__main__":
    main()
