"""The pheromone field: a tick of a grid next to plain numpy, and deposits per second into a field of names.

    python -m benchmarks.memory_field [--ticks 50] [--deposits 200000]

The grid has 512 x 512 cells of 4 cues, fades by 0.95 and diffuses 0.1 a tick. Plain numpy is the same update written
as one expression of shifted copies; it has no floor. Ticks of both are interleaved; medians. All times are CPU times of
this process, which has one thread: on a machine with nothing else to do, a clock on the wall shows the same.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from swarmmind.memory.field import Field
from swarmmind.memory.grid import Grid

SIZE, KINDS, RETENTION, DIFFUSION = 512, ("food", "danger", "social", "exploration"), 0.95, 0.1


def milliseconds(function: Callable[[], object]) -> float:
    """The CPU time of one call."""
    began = time.process_time()
    function()
    return 1e3 * (time.process_time() - began)


def grid_ticks(ticks: int) -> None:
    """Measure ticks of a grid, with and without diffusion, and of plain numpy."""
    grids = [Grid(SIZE, SIZE, KINDS, retention=RETENTION, diffusion=share, floor=1e-6) for share in (DIFFUSION, 0.0)]
    rng = np.random.default_rng(0)
    for grid in grids:
        for kind in KINDS:
            for row, column in rng.integers(0, SIZE, (20_000, 2)).tolist():
                grid.deposit(kind, row, column, 1e6)
    cells = np.stack([grids[0].layer(kind) for kind in KINDS])

    def plain() -> None:
        nonlocal cells
        faded = cells * np.float32(RETENTION)
        edged = np.pad(faded, ((0, 0), (1, 1), (1, 1)), mode="edge")
        around = edged[:, 2:, 1:-1] + edged[:, :-2, 1:-1] + edged[:, 1:-1, 2:] + edged[:, 1:-1, :-2]
        cells = faded * np.float32(1 - DIFFUSION) + around * np.float32(DIFFUSION / 4)

    rows = [(milliseconds(grids[0].tick), milliseconds(grids[1].tick), milliseconds(plain)) for _ in range(ticks)]
    assert np.allclose(np.stack([grids[0].layer(kind) for kind in KINDS]), cells, rtol=1e-3, atol=1e-5)
    spread, still, numpy = (statistics.median(column) for column in zip(*rows, strict=True))
    print(f"grid {SIZE} x {SIZE} x {len(KINDS)}, a tick: fade and diffuse {spread:.2f} ms, fade alone {still:.2f} ms")
    print(f"plain numpy, fade and diffuse {numpy:.2f} ms; ratio {statistics.median(a / c for a, _, c in rows):.2f}")


def field_deposits(deposits: int) -> None:
    """Measure deposits into a field: on new keys, on known ones, and by a flood that is kept within its cap."""
    keys = [f"key-{number}" for number in range(deposits)]
    field = Field(half_life=10, floor=0.01, entries=deposits, per_author=deposits)
    flooded = Field(half_life=10, floor=0.01, entries=deposits, per_author=100)
    plain: dict[tuple[str, str], float] = {}

    def into(target: Field) -> None:
        for key in keys:
            target.deposit(key, 1.0, "a", "food")

    def into_dict() -> None:
        for key in keys:
            plain[key, "food"] = plain.get((key, "food"), 0.0) + 1.0

    new = milliseconds(lambda: into(field))
    field.tick()
    known, flood = milliseconds(lambda: into(field)), milliseconds(lambda: into(flooded))
    into_dict()
    bare = milliseconds(into_dict)
    assert (len(field), len(flooded)) == (deposits, 100)
    rates = [f"{1e3 * deposits / taken:,.0f}" for taken in (new, known, flood, bare)]
    print(f"field, deposits per second: new keys {rates[0]}, known keys {rates[1]}, a flood beyond its cap {rates[2]}")
    print(f"a plain dict without decay {rates[3]}; known keys take {known / bare:.1f} times as long")
    print(f"a tick of {deposits:,} live entries of which none is gone: {milliseconds(field.tick):.3f} ms")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Ticks and deposits of pheromone fields.")
    parser.add_argument("--ticks", type=int, default=50)
    parser.add_argument("--deposits", type=int, default=200_000)
    options = parser.parse_args()
    grid_ticks(options.ticks)
    field_deposits(options.deposits)


if __name__ == "__main__":
    main()
