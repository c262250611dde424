"""What chance and rules reach in SwarmBench, beside the language models that the paper reports.

Mean and population standard deviation over the seeds; 12 agents, 10x10, a view of 5, 100 rounds; the paper's units
(Flocking halved). Pursuit's constants were chosen on seeds 100 to 139, some of Foraging's and Transport's on seeds 0
to 19; so quote seeds that no constant has seen as well, e.g. `--first 200`.

    python -m benchmarks.swarmbench_baselines [--first 0] [--seeds 20] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Sequence
from typing import Any

from swarmmind.effects import Agent, Reply
from swarmmind.evals.swarmbench import POLICIES, SwarmBench
from swarmmind.evals.swarmbench.published import CENTRAL, CODE_UNITS, HUMANS, PAPER_ROWS, TASK_ORDER, Published
from swarmmind.rng import Streams


def play(task: str, policy: str, seed: int) -> tuple[float, int, float]:
    """One game: its score in the code's units, the number of calls, and the CPU seconds they took."""
    world = SwarmBench(task)
    world.reset(seed)
    streams = Streams(seed)
    players = {name: POLICIES[policy](Agent(id=name, role="robot")) for name in world.agents}
    chance = {name: streams.rng(name) for name in world.agents}
    calls, seconds = 0, 0.0
    while not world.done:
        turns = world.turns()
        start = time.process_time()
        texts = {name: players[name](turn.observation, chance[name]) for name, turn in turns.items()}
        seconds += time.process_time() - start
        calls += len(texts)
        world.step({name: Reply(text=text) for name, text in texts.items()})
    return world.score, calls, seconds


def measure(policy: str, task: str, seeds: Sequence[int]) -> dict[str, Any]:
    """A policy's scores in the paper's units."""
    games = [play(task, policy, seed) for seed in seeds]
    scores = [score / CODE_UNITS[task] for score, _, _ in games]
    return {
        "policy": policy,
        "task": task,
        "mean": statistics.mean(scores),
        "std": statistics.pstdev(scores),
        "scores": scores,
        "us_per_call": 1e6 * sum(seconds for _, _, seconds in games) / sum(calls for _, calls, _ in games),
    }


def main() -> None:
    """Measure, and print a Markdown table or JSON."""
    parser = argparse.ArgumentParser(description="What chance and rules reach in SwarmBench, beside published models.")
    parser.add_argument("--seeds", type=int, default=20, help="games per task")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    rows = [measure(policy, task, seeds) for policy in ("random", "swarmbench") for task in TASK_ORDER]
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    print("| | " + " | ".join(task.capitalize() for task in TASK_ORDER) + " |")
    print("|---" * (len(TASK_ORDER) + 1) + "|")
    for policy in ("random", "swarmbench"):
        cells = {row["task"]: Published(row["mean"], row["std"]) for row in rows if row["policy"] == policy}
        print(line(f"**{policy}** (seeds {seeds[0]}-{seeds[-1]})", cells))
    for name, cells in {**PAPER_ROWS, "paper: humans": HUMANS, "paper: central control": CENTRAL}.items():
        print(line(name, cells))
    for row in rows:
        print(f"{row['policy']} {row['task']}: {row['us_per_call']:.0f} us per call")


def line(name: str, cells: Any) -> str:
    """A row of the table; a dash where nothing is known."""
    shown = [f"{cells[task].mean:.2f} ± {cells[task].std:.2f}" if task in cells else "-" for task in TASK_ORDER]
    return f"| {name} | " + " | ".join(shown) + " |"


if __name__ == "__main__":
    main()
