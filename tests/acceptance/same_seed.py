"""The same seed gives the same journal, whatever the concurrency; another seed gives another."""

from __future__ import annotations

import tempfile
from pathlib import Path

from swarmmind.runtime.journal import content

from .experiment import Experiment
from .stagehands import endpoint, finish, start

FORAGING = str(Path(__file__).parents[2] / "examples" / "foraging" / "task.yaml")
REMOTE = """
problem: Which of A, B, C and D?
model: {name: vllm/fake}
swarm: {agents: {solver: 12}, topology: {use: debate, rounds: 5}}
score: {use: choice, options: [A, B, C, D], target: A}
seed: 7
"""


def run() -> Experiment:
    """Foraging by rules, and a debate against a server at concurrency 1, 7 and 64."""
    experiment = Experiment("same-seed", "is a run a function of its seed?", ["run", "rows", "equals the first"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "remote.yaml").write_text(REMOTE)
        journals: dict[str, list[tuple[str, ...]]] = {}
        with endpoint(folder, "--latency-seconds", "0.005") as server:
            variants = {
                "foraging, seed 7": (FORAGING,),
                "foraging, seed 7 again": (FORAGING,),
                "foraging, seed 8": (FORAGING, "--set", "seed=8"),
                "debate, concurrency 64": ("remote.yaml", "--set", "model.limits.concurrency=64"),
                "debate, concurrency 7": ("remote.yaml", "--set", "model.limits.concurrency=7"),
                "debate, concurrency 1": ("remote.yaml", "--set", "model.limits.concurrency=1"),
                "debate, seed 8": ("remote.yaml", "--set", "model.limits.concurrency=64", "--set", "seed=8"),
            }
            for variant, arguments in variants.items():
                result = finish(start(folder, server, "run", *arguments, "--json", "--display", "none"))
                journals[variant] = list(content(folder / result["folder"] / "journal.sqlite"))
        for kind in ("foraging", "debate"):
            first, *others = [variant for variant in journals if variant.startswith(kind)]
            for variant in (first, *others):
                equal = journals[variant] == journals[first]
                experiment.row(variant, len(journals[variant]), equal)
                experiment.expect(f"{variant} equals {first}", equal, "==", "seed 8" not in variant)
    return experiment
