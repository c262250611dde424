"""One measured run in a process of its own: `scale_probe.py FOLDER NAME AGENTS ROUNDS` prints a JSON record."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import anyio

from swarmmind.agents.asker import Asker
from swarmmind.effects import Agent, Ask, Message, Program
from swarmmind.models.local import Scripted
from swarmmind.ports import Context, Request
from swarmmind.rng import Streams
from swarmmind.runtime.budget import Purse
from swarmmind.runtime.clock import VirtualClock
from swarmmind.runtime.driver import Driver
from swarmmind.runtime.journal import Journal
from swarmmind.runtime.meter import Meter
from swarmmind.runtime.world import World

SYSTEM = Message("system", "You are one of many agents. " * 40)


def main(folder: str, name: str, count: int, rounds: int) -> dict[str, Any]:
    """Every agent is told its round and asked, `rounds` times."""
    began = time.monotonic()
    first_new: list[float] = []
    memory: list[float] = []

    class Timed(Scripted):
        def answer(self, request: Request, call: Any) -> Any:
            if not first_new:
                first_new.append(time.monotonic() - began)
            return super().answer(request, call)

    def program(ctx: Context) -> Program:
        agents = [Agent(f"worker-{i}", "worker", model="m", index=i) for i in range(count)]
        for number in range(rounds):
            yield [Ask(a, (SYSTEM, Message("user", f"Round {number}, {a.id}: what now?"))) for a in agents]
            if number == rounds // 2:
                memory.append(resident_mb())

    async def run() -> Meter:
        journal = Journal(Path(folder) / f"{name}.sqlite")
        journal.start()
        try:
            meter = Meter()
            model = Timed(accuracy=0.7, latency=lambda rng: rng.uniform(0.5, 2), answers={})
            world = World(journal, VirtualClock(), Streams(1), Purse(), meter)
            await Driver(world, {Ask: Asker({"m": model})}).run(program)
            return meter
        finally:
            journal.close()

    cpu = time.process_time()
    meter = anyio.run(run)
    return {
        "effects": meter.total().finished,
        "replayed": meter.replayed,
        "cpu_seconds": time.process_time() - cpu,
        "half_mb": memory[0],
        "end_mb": resident_mb(),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "first_new_seconds": first_new[0] if first_new else None,
    }


def resident_mb() -> float:
    """Resident memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
