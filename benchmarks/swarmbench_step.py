"""What one round of SwarmBench costs, against the original's code.

Random actions, a view of 5, the same density of agents at every size. In `step` the replies are read, the map moves and
the task counts; `prompts` is the cost of cutting every agent's view, delivering what was said and rendering every
agent's messages (the original's numbers hold the views, not the prompts). The original was measured without its file
logging and without models, on the same kind of machine (two shared cores); its best numbers are taken.

    python benchmarks/swarmbench_step.py [--json] [--rounds 30] [--agents 10 100 1000]
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from typing import Any

from swarmmind.effects import Reply
from swarmmind.evals.swarmbench import TASKS, SwarmBench

SIZES = {10: 10, 100: 27, 1000: 82}

ORIGINAL_MS: dict[str, dict[int, float]] = {
    "transport": {10: 25, 100: 132, 1000: 2116},
    "pursuit": {10: 43, 100: 195, 1000: 2012},
    "synchronization": {10: 48, 100: 173, 1000: 1766},
    "foraging": {10: 55, 100: 146, 1000: 1660},
    "flocking": {10: 29, 100: 1095, 1000: 5 * 3600 * 1000},  # the last one extrapolated: about five hours
}
"""Milliseconds per round of the original, best of its runs, by task and number of agents."""


def measure(task: str, agents: int, rounds: int) -> dict[str, Any]:
    """Best and median milliseconds of the parts of a round."""
    world = SwarmBench(task, agents, size=SIZES[agents], rounds=rounds + 3)
    world.reset(1)
    rng = random.Random(1)
    prompts: list[float] = []
    steps: list[float] = []
    while not world.done:
        start = time.perf_counter()
        turns = world.turns()
        prompts.append((time.perf_counter() - start) * 1000)
        replies = {
            name: Reply(text=f"ACTION: {rng.choice(turn.observation.actions)}\nMSG: hello")
            for name, turn in turns.items()
        }
        start = time.perf_counter()
        world.step(replies)
        steps.append((time.perf_counter() - start) * 1000)
    prompts, steps = prompts[3:], steps[3:]
    original = ORIGINAL_MS[task][agents]
    both = [a + b for a, b in zip(steps, prompts, strict=True)]
    return {
        "task": task,
        "agents": agents,
        "size": SIZES[agents],
        "rounds": len(steps),
        "step_ms_best": min(steps),
        "step_ms_median": statistics.median(steps),
        "prompts_ms_median": statistics.median(prompts),
        "prompt_us_per_agent": statistics.median(prompts) * 1000 / agents,
        "original_ms": original,
        "times_faster_step": original / statistics.median(steps),
        "times_faster_with_prompts": original / statistics.median(both),
    }


def main() -> None:
    """Measure, and print a table or JSON."""
    parser = argparse.ArgumentParser(description="What one round of SwarmBench costs, against the original's code.")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of a table")
    parser.add_argument("--rounds", type=int, default=30, help="rounds per measurement, after three to warm up")
    parser.add_argument("--agents", type=int, nargs="+", default=list(SIZES), choices=list(SIZES))
    options = parser.parse_args()
    rows = [measure(task, agents, options.rounds) for agents in options.agents for task in TASKS]
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    print("| agents | task | step ms best/median | prompts ms | us/prompt | original ms | faster (with prompts) |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['agents']} | {row['task']} | {row['step_ms_best']:.2f} / {row['step_ms_median']:.2f} "
            f"| {row['prompts_ms_median']:.2f} | {row['prompt_us_per_agent']:.0f} | {row['original_ms']:,.0f} "
            f"| {row['times_faster_step']:,.0f}x ({row['times_faster_with_prompts']:,.0f}x) |"
        )


if __name__ == "__main__":
    main()
