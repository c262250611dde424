"""The rules in the box through the real runtime, against chance, the paper's models, and rules that cannot hear."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

import anyio

import swarmmind
from swarmmind.evals.swarmbench.published import CODE_UNITS, PAPER_ROWS, TASK_ORDER

from .experiment import Experiment, interval

SEEDS = range(200, 220)  # none of the rules' constants was chosen on these


def run() -> Experiment:
    """Five tasks x 20 seeds x three policies, 12 agents, 10x10, k=5, 100 rounds; paper units."""
    experiment = Experiment(
        "swarmbench", "rules on 20 paired seeds, through the runtime; paper units",
        ["task", "random", "rule", "best published model", "calls of a run"],
    )  # fmt: skip
    beaten = 0
    with tempfile.TemporaryDirectory() as folder:
        for task in TASK_ORDER:
            chance = _scores(folder, task, "builtin/random")
            rule = _scores(folder, task, f"builtin/swarmbench-{task}")
            best = max(cells[task].mean for cells in PAPER_ROWS.values() if task in cells)
            experiment.row(task, interval(chance), interval(rule), best, "<= 1200")
            wins = sum(a > b for a, b in zip(rule, chance, strict=True))
            experiment.expect(f"{task}: seeds on which the rule beats chance", wins, ">=", 19)
            beaten += mean(rule) > best
    experiment.expect("tasks on which the local rule beats the best published model", beaten, ">=", 3)
    return experiment


def _scores(folder: str, task: str, model: str) -> list[float]:
    async def one(seed: int) -> float:
        result = await swarmmind.run(_task(task, model, seed), runs=folder)
        assert result.coverage.failed == result.coverage.cancelled == 0, result.coverage
        assert result.usage.calls == result.coverage.finished
        return float(result.score or 0.0) / CODE_UNITS[task]

    async def all_seeds(seeds: Sequence[int]) -> list[float]:
        return [await one(seed) for seed in seeds]

    return anyio.run(all_seeds, SEEDS)


def _task(task: str, model: str, seed: int) -> Mapping[str, Any]:
    return {
        "problem": {"environment": f"swarmbench/{task}", "size": 10, "view": 5, "rounds": 100},
        "model": model,
        "swarm": {"agents": {"forager": 12}, "topology": "world"},
        "seed": seed,
    }
