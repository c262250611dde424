"""A budget is never exceeded: calls and money, at concurrency 256, with retries, with nested swarms; servers count."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from .experiment import Experiment
from .stagehands import endpoint, finish, start

HOSTILE = ("--busy", "0.1", "--internal", "0.1", "--reset", "0.1", "--unavailable", "0.05")
DEBATE = """
problem: Which of A, B, C and D?
model: {name: vllm/fake, limits: {concurrency: 256}, attempts: 20}
swarm: {agents: {solver: 300}, topology: {use: vote, samples: 2000}}
score: {use: choice, options: [A, B, C, D], target: A}
sampling: {max_tokens: 50}
"""
NESTED = """
problem: {dataset: items.jsonl}
model: {name: vllm/fake, limits: {concurrency: 256}, attempts: 20}
swarm: {agents: {solver: 8}, topology: {use: debate, rounds: 4}}
score: {use: choice, options: [A, B, C, D]}
sampling: {max_tokens: 50}
"""
PRICES = "\nprices: {vllm/fake: {prompt_usd_per_million: 100, completion_usd_per_million: 200}}\n"


def run() -> Experiment:
    """Four budgets against a hostile server."""
    columns = ["run", "budget", "received by the server", "spent", "status", "left undone"]
    experiment = Experiment("budget", "is it a wall?", columns)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "flat.yaml").write_text(DEBATE + PRICES)
        (folder / "nested.yaml").write_text(NESTED + PRICES)
        (folder / "items.jsonl").write_text('{"problem": "Which?", "target": "A"}\n' * 40)
        for task in ("flat.yaml", "nested.yaml"):
            for calls in (1, 100, 777):
                _calls(experiment, folder, task, calls)
            for usd in (0.5, 5.0):
                _money(experiment, folder, task, usd)
    return experiment


def _calls(experiment: Experiment, folder: Path, task: str, calls: int) -> None:
    result, received = _run(folder, task, f"budget.calls={calls}")
    usage = result["usage"]["calls"]
    experiment.row(task, f"{calls} calls", received, f"{usage} calls", result["status"], result["undone"])
    experiment.expect(f"{task}, {calls} calls: received by the server", received, "<=", calls)
    experiment.expect(
        f"{task}, {calls} calls: says so", (result["status"], result["stopped"]), "==", ("stopped", "calls")
    )
    _accounted(experiment, f"{task}, {calls} calls", result)


def _money(experiment: Experiment, folder: Path, task: str, usd: float) -> None:
    result, received = _run(folder, task, f"budget.usd={usd}")
    spent = result["charged"]["usd"]
    experiment.row(task, f"${usd}", received, f"${spent:.4f}", result["status"], result["undone"])
    experiment.expect(f"{task}, ${usd}: spent", spent, "<=", usd)
    experiment.expect(f"{task}, ${usd}: most of it was of use", spent, ">", 0.5 * usd)
    experiment.expect(f"{task}, ${usd}: says so", result["stopped"], "==", "usd")
    _accounted(experiment, f"{task}, ${usd}", result)


def _accounted(experiment: Experiment, what: str, result: dict[str, Any]) -> None:
    found = result["coverage"]
    parts = found["finished"] + found["failed"] + found["cancelled"]
    experiment.expect(f"{what}: planned = finished + failed + cancelled", parts, "==", found["planned"])
    experiment.expect(f"{what}: what was left undone is said", bool(result["undone"]), "==", True)


def _run(folder: Path, task: str, budget: str) -> tuple[dict[str, Any], int]:
    with endpoint(folder, "--latency-seconds", "0.01", *HOSTILE) as server:
        result = finish(start(folder, server, "run", task, "--json", "--display", "none", "--set", budget))
        return result, server.counts()[0]
