"""A million deposits and a hundred thousand live traces: the vector store beside plain FAISS and numpy.

Vectors are unit vectors in 384 dimensions about topics and subtopics, as texts are; one of the two stores fades. Making
vectors is not measured, and neither is embedding. CPU is this process's, all threads. `exact` is the same store with
every trace compared one by one. FAISS and numpy keep a ring of vectors and rank by similarity alone: no texts, no
authors, no caps, no fading. FAISS is given one thread; numpy takes as many as it likes.

    python -m benchmarks.memory_vectors [--json] [--deposits 1000000] [--live 100000] [--dimensions 384]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from swarmmind.memory.vectors import Vectors
from swarmmind.traces import Query, Trace

TOPICS, SUBTOPICS, AUTHORS, KEYS = 60, 6000, 97, 5000
PART, QUERIES, LIMIT = 20_000, 200, 10
HALF_LIFE_TICKS, DEPOSITS_PER_TICK = 50.0, 1000

Array = NDArray[np.float32]


class Spent(NamedTuple):
    """Seconds of a piece of work: on the wall, and of CPU."""

    wall: float
    cpu: float


def timed(work: Callable[[], Any]) -> Spent:
    """What one call costs."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu)


class World:
    """Vectors with topics, from one seed."""

    def __init__(self, dimensions: int) -> None:
        self.rng = np.random.default_rng(1)
        self.dimensions = dimensions
        topics = self.noise(TOPICS)[self.rng.integers(0, TOPICS, SUBTOPICS)]
        self.subtopics = _unit(topics + self.noise(SUBTOPICS))

    def noise(self, count: int) -> Array:
        """Vectors of about unit length, in any direction."""
        return self.rng.standard_normal((count, self.dimensions), dtype=np.float32) / np.float32(self.dimensions**0.5)

    def vectors(self, count: int) -> Array:
        """Unit vectors, each near a subtopic."""
        return _unit(self.subtopics[self.rng.integers(0, SUBTOPICS, count)] + np.float32(0.8) * self.noise(count))


def _unit(rows: NDArray[Any]) -> Array:
    return rows / np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]


def trace(number: int) -> Trace:
    """The n-th trace: some words, one of many authors, one of many keys."""
    text = f"finding {number}: " + "what was seen, where, and what came of it"
    return Trace(text, f"agent-{number % AUTHORS}", "note", f"event-{number % KEYS}", 0.5 + number % 7 / 7)


def fill(memory: Vectors, world: World, deposits: int) -> Spent:
    """Leave traces one by one, with a tick after every thousand."""
    wall = cpu = 0.0
    for start in range(0, deposits, PART):
        rows = world.vectors(min(PART, deposits - start))
        traces = [trace(start + place) for place in range(len(rows))]

        def leave(traces: list[Trace] = traces, rows: Array = rows) -> None:
            for place, left in enumerate(traces):
                memory.deposit("", left, rows[place])
                if place % DEPOSITS_PER_TICK == 0:
                    memory.tick()

        spent = timed(leave)
        wall, cpu = wall + spent.wall, cpu + spent.cpu
    return Spent(wall, cpu)


def senses(memory: Vectors, queries: Array) -> tuple[list[Spent], list[set[str]]]:
    """What each query costs, and what it finds."""
    spent: list[Spent] = []
    found: list[set[str]] = []
    for query in queries:
        spent.append(timed(lambda query=query: memory.sense("", Query(vector=query, limit=LIMIT))))
        found.append({shown.text for shown in memory.sense("", Query(vector=query, limit=LIMIT))})
    return spent, found


def mixed(memory: Vectors, world: World, rounds: int = QUERIES) -> dict[str, float]:
    """Ten deposits, one sense, over and over, at full capacity: nothing is rebuilt in between."""
    rows = world.vectors(11 * rounds)
    each: list[Spent] = []
    for start in range(0, len(rows), 11):

        def turn(start: int = start) -> None:
            for place in range(start, start + 10):
                memory.deposit("", trace(10**9 + place), rows[place])
            memory.sense("", Query(vector=rows[start + 10], limit=LIMIT))

        each.append(timed(turn))
    return {"mixed_ms_p50": 1000 * statistics.median(spent.wall for spent in each),
            "mixed_cpu_ms_p50": 1000 * statistics.median(spent.cpu for spent in each)}  # fmt: skip


def store(world: World, deposits: int, live: int, half_life: float | None) -> dict[str, Any]:
    """The vector store under all loads."""
    before = _rss_mb()
    memory = Vectors(capacity=live, half_life=half_life, limit=LIMIT)
    spent = fill(memory, world, deposits)
    queries = world.vectors(QUERIES)
    costs, found = senses(memory, queries)
    rss = _rss_mb() - before
    careful = memory.fork()
    for shelf in careful._shelves.values():  # pyright: ignore[reportPrivateUsage]  # the same state, ranked exactly
        assert shelf.index is not None
        shelf.index.exact = live
    exact, truth = senses(careful, queries)
    recall = statistics.fmean(len(a & b) / len(b) for a, b in zip(found, truth, strict=True))
    return {
        "arm": "vectors" if half_life is None else f"traces, half-life {half_life:g}",
        "deposits_per_s": deposits / spent.wall,
        "deposits_per_cpu_s": deposits / spent.cpu,
        **_quantiles("sense", costs),
        "recall_at_10": recall,
        "exact_cpu_ms_p50": 1000 * statistics.median(cost.cpu for cost in exact),
        "rss_mb": rss,
        **mixed(memory, world),
    }


def plain_faiss(world: World, live: int) -> dict[str, Any]:
    """IndexFlatIP, one vector at a time; it cannot evict, so it holds the last ones only.

    On one thread, as the store uses it: threads that wait for each other would count as its work.
    """
    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(world.dimensions)
    rows = world.vectors(live)
    spent = timed(lambda: [index.add(rows[place : place + 1]) for place in range(live)])

    def look(query: Array) -> None:
        index.search(query[None], LIMIT)

    costs = [timed(lambda query=query: look(query)) for query in world.vectors(QUERIES)]
    return _plain("FAISS IndexFlatIP", live, spent, costs)


def plain_numpy(world: World, live: int) -> dict[str, Any]:
    """A ring of rows and one matrix-vector product."""
    ring = np.zeros((live, world.dimensions), np.float32)
    rows = world.vectors(live)

    def leave() -> None:
        for place in range(live):
            ring[place] = rows[place]

    def look(query: Array) -> None:
        np.argpartition(ring @ query, -LIMIT)[-LIMIT:]

    spent = timed(leave)
    return _plain("numpy", live, spent, [timed(lambda query=query: look(query)) for query in world.vectors(QUERIES)])


def _plain(arm: str, deposits: int, spent: Spent, costs: list[Spent]) -> dict[str, Any]:
    rates = {"deposits_per_s": deposits / spent.wall, "deposits_per_cpu_s": deposits / spent.cpu}
    return {"arm": arm, **rates, **_quantiles("sense", costs), "recall_at_10": 1.0}


def _quantiles(name: str, costs: list[Spent]) -> dict[str, float]:
    wall, cpu = (sorted(1000 * cost[which] for cost in costs) for which in (0, 1))
    half, last = len(costs) // 2, len(costs) * 99 // 100
    return {f"{name}_ms_p50": wall[half], f"{name}_ms_p99": wall[last],
            f"{name}_cpu_ms_p50": cpu[half], f"{name}_cpu_ms_p99": cpu[last]}  # fmt: skip


def _rss_mb() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description="The vector store beside plain FAISS and numpy.")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    parser.add_argument("--deposits", type=int, default=1_000_000, help="one by one")
    parser.add_argument("--live", type=int, default=100_000, help="traces that are kept")
    parser.add_argument("--dimensions", type=int, default=384, help="of a vector")
    options = parser.parse_args()
    world = World(options.dimensions)
    rows = [store(world, options.deposits, options.live, half_life) for half_life in (None, HALF_LIFE_TICKS)]
    rows += [plain_faiss(world, options.live), plain_numpy(world, options.live)]
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    base = rows[2]
    print(
        "| store | deposits/s wall (CPU) | x FAISS | sense ms p50/p99 (CPU) | FAISS / this (CPU) | recall@10 | "
        "10 deposits + 1 sense ms (CPU) | exact ms CPU | RSS MB |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['arm']} | {row['deposits_per_s']:,.0f} ({row['deposits_per_cpu_s']:,.0f}) "
            f"| {row['deposits_per_cpu_s'] / base['deposits_per_cpu_s']:.2f} "
            f"| {row['sense_ms_p50']:.2f} / {row['sense_ms_p99']:.2f} "
            f"({row['sense_cpu_ms_p50']:.2f} / {row['sense_cpu_ms_p99']:.2f}) "
            f"| {base['sense_cpu_ms_p50'] / row['sense_cpu_ms_p50']:.1f} | {row['recall_at_10']:.3f} "
            f"| {_cell(row, 'mixed_ms_p50')} ({_cell(row, 'mixed_cpu_ms_p50')}) "
            f"| {_cell(row, 'exact_cpu_ms_p50')} | {_cell(row, 'rss_mb')} |"
        )


def _cell(row: dict[str, Any], name: str) -> str:
    return f"{row[name]:,.2f}" if name in row else "-"


if __name__ == "__main__":
    main()
