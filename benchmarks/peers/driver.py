"""The workloads, for a peer in its own environment; nothing but the standard library.

A driver's module says how agents are made and hands that to `main`, which prints a line of JSON when everything is
imported, and then answers each line of its input, a workload, with a line of JSON, what it measured:

    def agents(base_url: str) -> Make: ...

    if __name__ == "__main__":
        main(agents)

Clocks run from the first call to the last reply. Imports, clients, agents and a round of calls that opens connections
come before. At most 64 calls are in flight; the event loop is asyncio's own.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias, TypedDict

from benchmarks.peers.endpoint import REPLY

IN_FLIGHT = 64
LAYERS, WIDTH = 5, 20
DEBATERS, DEBATE_ROUNDS = 8, 4
LATENCY_MS = 20
MODEL, KEY = "mock", "none"
INSTRUCTIONS = Path("agents/solver.md").read_text(encoding="utf-8").split("---\n", 2)[2].strip()
QUESTION = (
    "A square of 7 by 7 cells has a square of 3 by 3 cells cut out of its middle. How many cells are left?\n\n"
    "End with one line of the form `ANSWER: <your answer>`, with nothing after it."
)

Say: TypeAlias = Callable[[str], Awaitable[str]]
"""Ask one agent; what it said. It remembers nothing from one call to the next."""
Make: TypeAlias = Callable[[str], Say]
"""Make an agent with this name and the instructions above."""
Agents: TypeAlias = Callable[[str], Make]
"""Make what agents of an endpoint share."""


class Spent(TypedDict, total=False):
    """What a workload took.

    Attributes:
        requests: sent in all.
        calls: of these, those made within the clocks.
        cpu_seconds: of this process, all threads.
        wall_seconds: on the clock on the wall.
        bytes_per_agent: what is allocated for an agent that has been asked once.
    """

    requests: int
    calls: int
    cpu_seconds: float
    wall_seconds: float
    bytes_per_agent: float


class Gate:
    """Asks agents, so many at once.

    Args:
        in_flight: that many.

    Raises:
        AssertionError: an agent did not say what the endpoint says.
    """

    def __init__(self, in_flight: int = IN_FLIGHT) -> None:
        self._free = asyncio.Semaphore(in_flight)

    async def ask(self, say: Say, prompt: str) -> str:
        """One call."""
        async with self._free:
            said = await say(prompt)
        assert said == REPLY, f"expected what the endpoint says, got {said!r:.200}"
        return said

    async def all(self, says: Sequence[Say], prompts: Sequence[str]) -> list[str]:
        """One call each; returns what they said, in order."""
        return await asyncio.gather(*(self.ask(say, prompt) for say, prompt in zip(says, prompts, strict=True)))


async def fan_out(make: Make, agents: int, calls: int) -> Spent:
    """Every agent is asked, round after round, until so many calls are made."""
    says, gate = await _warm(make, agents, IN_FLIGHT), Gate()
    rounds = max(calls // agents, 1)

    async def work() -> None:
        for _ in range(rounds):
            await gate.all(says, [QUESTION] * agents)

    return await _clocked(work, rounds * agents, IN_FLIGHT)


async def layered(make: Make) -> Spent:
    """Layers of agents, each of which reads what all of the layer before said."""
    says, gate = await _warm(make, LAYERS * WIDTH, WIDTH), Gate()

    async def work() -> None:
        outputs: list[str] = []
        for layer in range(LAYERS):
            there = says[layer * WIDTH : (layer + 1) * WIDTH]
            outputs = await gate.all(there, [reading(outputs)] * WIDTH)

    return await _clocked(work, LAYERS * WIDTH, WIDTH)


async def debate(make: Make) -> Spent:
    """Rounds in which all agents answer with what all others said in the round before in view."""
    says, gate = await _warm(make, DEBATERS, DEBATERS), Gate()

    async def work() -> None:
        said: list[str] = [""] * DEBATERS
        for number in range(DEBATE_ROUNDS):
            prompts = [reading([*said[:at], *said[at + 1 :]] if number else []) for at in range(DEBATERS)]
            said = await gate.all(says, prompts)

    return await _clocked(work, DEBATERS * DEBATE_ROUNDS, DEBATERS)


async def memory(make: Make, agents: int) -> Spent:
    """How much an agent takes once it has been asked."""
    says, gate = await _warm(make, IN_FLIGHT, IN_FLIGHT), Gate()
    gc.collect()
    tracemalloc.start()
    more = [make(f"member_{at}") for at in range(agents)]
    await gate.all(more, [QUESTION] * agents)
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(says) + len(more) == IN_FLIGHT + agents
    return {"requests": IN_FLIGHT + agents, "bytes_per_agent": held / agents}


def reading(outputs: Sequence[str]) -> str:
    """The question, and what others said."""
    if not outputs:
        return QUESTION
    quoted = [f"[agent {at}]\n> " + output.replace("\n", "\n> ") for at, output in enumerate(outputs)]
    return "\n\n".join([QUESTION, "These are the answers of others:", *quoted, "Check them, and answer once more."])


async def workload(make: Make, wanted: dict[str, Any]) -> Spent:
    """Do what a line of the input says."""
    match wanted["workload"]:
        case "fan_out":
            return await fan_out(make, wanted["agents"], wanted["calls"])
        case "layered":
            return await layered(make)
        case "debate":
            return await debate(make)
        case _:
            return await memory(make, wanted["agents"])


def main(agents: Agents, *packages: str) -> None:
    """Serve workloads until the input ends; `packages` are those whose versions are told.

    Each kind of workload keeps its clients: repeats find connections open, and no other workload's.
    """
    logging.disable(logging.WARNING)
    made: dict[str, Make] = {}

    async def work(wanted: dict[str, Any]) -> Spent:
        kind = wanted["workload"]
        if kind not in made:
            made[kind] = agents(address(wanted))
        return await workload(made[kind], wanted)

    serve(work, packages)


def address(wanted: dict[str, Any]) -> str:
    """The base URL of the endpoint at a workload's latency."""
    latency = LATENCY_MS if wanted["workload"] in ("layered", "debate") else 0
    return f"{wanted['address']}/{latency}/v1"


def serve(
    work: Callable[[dict[str, Any]], Coroutine[Any, Any, Spent]],
    packages: Sequence[str],
    loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
) -> None:
    """Read workloads, write what they took; what a library prints goes to standard error.

    Garbage is collected rarely, for everybody alike.
    """
    out, sys.stdout = sys.stdout, sys.stderr
    gc.freeze()  # as our command line does; whoever makes less garbage gains less by it
    gc.set_threshold(50_000, 20, 100)
    print(json.dumps({"versions": {name: version(name) for name in packages}}), file=out, flush=True)
    with asyncio.Runner(loop_factory=loop) as runner:
        for line in sys.stdin:
            spent = runner.run(work(json.loads(line)))
            print(json.dumps(spent), file=out, flush=True)


async def _warm(make: Make, agents: int, in_flight: int) -> list[Say]:
    """That many agents, of whom the first have opened as many connections as will be used; garbage is gone."""
    says = [make(f"agent_{at}") for at in range(agents)]
    first = says[:in_flight]
    await Gate().all(first, [QUESTION] * len(first))
    gc.collect()
    return says


async def _clocked(work: Callable[[], Awaitable[None]], calls: int, before: int) -> Spent:
    cpu, wall = time.process_time(), time.perf_counter()
    await work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"requests": before + calls, "calls": calls, "cpu_seconds": cpu, "wall_seconds": wall}
