"""Bytes per idle agent, in a process of its own: `ten_thousand_probe.py KIND AGENTS` prints a JSON record.

Agents are made from a card that refers to its agent and has two parameters drawn for each. They are counted after
their first turn, when everybody has answered, has remembered what it said, and waits. Resident memory is read after
the C library gave back what is free: what prompts in flight took is no longer anybody's.
"""

from __future__ import annotations

import ctypes
import gc
import json
import resource
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio

from swarmmind.effects import Program, Record
from swarmmind.ports import Context
from swarmmind.runs.execute import Manner, execute, result_of
from swarmmind.runs.folder import create
from swarmmind.runs.models import Models
from swarmmind.runs.plan import make_plan
from swarmmind.spec import load_task_data

CARD = """---
name: walker
description: Walks.
parameters: {boldness: {uniform: [0, 1]}, patience: {integers: [1, 9]}}
---
You are {{ id }}, number {{ index }}. Your boldness is {{ boldness }}, your patience {{ patience }}.
"""
ADVICE = "Look around with care, tell others what you have found, and never invent what you have not seen.\n" * 30
VOTE = {
    "problem": "Which of A, B, C and D?",
    "score": {"use": "choice", "options": ["A", "B", "C", "D"], "target": "A"},
}
FORAGING = {"problem": {"environment": "swarmbench/foraging", "size": 120, "rounds": 2}}
KINDS: dict[str, dict[str, Any]] = {
    "vote": {**VOTE, "swarm": {"topology": {"use": "vote", "samples": 1}}},
    "vote, window": {**VOTE, "swarm": {"topology": {"use": "vote", "samples": 1}, "memory": "window"}},
    "vote, blackboard": {**VOTE, "swarm": {"topology": {"use": "vote", "samples": 1}, "memory": "blackboard"}},
    "debate": {**VOTE, "swarm": {"topology": {"use": "debate", "rounds": 1}}},
    "foraging": {**FORAGING, "swarm": {"topology": "world"}, "model": "builtin/random"},
    "foraging, blackboard": {
        **FORAGING, "swarm": {"topology": "world", "memory": "blackboard"}, "model": "builtin/random",
    },
}  # fmt: skip
"""What is counted: a task without its agents."""


def main(kind: str, count: int, traced: bool) -> dict[str, Any]:
    """Run a small population for what is loaded and cached once, then a large one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "agents").mkdir()
        (folder / "agents" / "walker.md").write_text(CARD + ADVICE)
        _run(kind, 50, folder, lambda: None)
        gc.collect()
        if traced:
            tracemalloc.start()
        before, traced_before = resident(), tracemalloc.get_traced_memory()[0]
        found: dict[str, Any] = {}

        def idle() -> None:
            gc.collect()
            ctypes.CDLL(None).malloc_trim(0)
            found.setdefault("rss_bytes", (resident() - before) / count)
            found.setdefault("traced_bytes", (tracemalloc.get_traced_memory()[0] - traced_before) / count)

        found["plan_seconds"] = _run(kind, count, folder, idle)
        return found


def _run(kind: str, count: int, folder: Path, idle: Callable[[], None]) -> float:
    task: dict[str, Any] = {"model": "scripted", "seed": 7, **KINDS[kind]}
    task["swarm"] = {**task["swarm"], "agents": {"walker": count}}
    began = time.process_time()
    plan = make_plan(load_task_data(task, folder))
    seconds = time.process_time() - began
    program = plan.program

    def watched(ctx: Context) -> Program:
        """The same; `idle` is called at the first record after the first turn."""
        inner, results, asked = program(ctx), None, False
        while True:
            try:
                awaiting: Any = inner.send(results)
            except StopIteration as end:
                return end.value
            records = bool(awaiting) and all(isinstance(effect, Record) for effect in awaiting)
            if records and asked:
                idle()
            asked = asked or (bool(awaiting) and not records)
            results = yield awaiting

    async def run() -> None:
        plan_ = plan._replace(program=watched)
        await execute(plan_, create(folder, "probe", "", {}), Models(plan_, {}), manner=Manner(result_of))

    anyio.run(run)
    return seconds


def resident() -> int:
    """Resident memory now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), "traced" in sys.argv)))
