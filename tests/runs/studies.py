"""Small studies in a folder of their own: an editor who counts up, and a worker who is as good as it was told to be."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import anyio

import swarmmind
from swarmmind import Result
from swarmmind.testing import FakeEndpoint

CLIMB = """
from swarmmind.effects import Record
from swarmmind.optimizers.requests import Critique, critiques, criticize, edit, edited, propose
from swarmmind.optimizers.study import Evaluate, Keep, Most, Optimizer

def climb(ctx, study, steps: int = 4):
    best = study.start[0]
    [before] = yield [Evaluate(best, study.validate, study.validate.ids)]
    yield [Keep(best, before)]
    parameter = study.parameters[0]
    for _ in range(steps):
        [seen] = yield [Evaluate(best, study.train, study.train.ids)]
        failing = [*before.failing()[:1], *seen.failing()]  # of validation there should be none to quote
        [said] = yield [criticize(study, [parameter], best, failing[:3])]
        wrong = critiques(said, [parameter], failing[:3]) or [Critique(parameter.name, "raise it")]
        [reply] = yield [edit(study, parameter, best, wrong)]
        found = edited(reply, parameter)
        child = found and (yield from propose(study, best, {parameter.name: found.value}, found.note))
        if not child:
            continue
        [after] = yield [Evaluate(child, study.validate, study.validate.ids)]
        if after.mean > before.mean:
            best, before = child, after
            yield [Keep(best, before)]

def most(study, steps=4):
    return Most((steps + 1) * len(study.validate.ids) + steps * len(study.train.ids), 2 * steps)

CLIMBING = Optimizer(climb, most, frozenset({"text", "workflow"}))
"""

WORKER = "---\nname: worker\n# a remark\ndescription: Adds.\nsampling: {temperature: 0.5}\n---\nRULES: 1\n"
NUMBERS = [(f"What is {at} + 3?", str(at + 3)) for at in range(40)]


def project(folder: Path, *, card: str = WORKER, **changes: Any) -> Path:
    """A task whose worker knows as many rules as its card says; rules are for sums that end in 0, 1, 2, ..."""
    (folder / "agents").mkdir(parents=True, exist_ok=True)
    (folder / "agents" / "worker.md").write_text(card)
    (folder / "climbing.py").write_text(CLIMB)
    rows = [json.dumps({"problem": text, "target": target}) for text, target in NUMBERS]
    (folder / "sums.jsonl").write_text("\n".join(rows) + "\n")
    optimize = {
        "use": "./climbing.py:CLIMBING",
        "parameters": ["prompts"],
        "train": 5,
        "validate": 10,
        "test": 10,
        **changes.pop("optimize", {}),
    }
    data = {
        "problem": {"dataset": "sums.jsonl"},
        "model": "vllm/m",
        "swarm": {"agents": {"worker": 1}, "topology": "solo"},
        "score": {"use": "number"},
        "seed": 7,
        "optimize": {key: value for key, value in optimize.items() if value is not None},
        **changes,
    }
    path = folder / "task.yaml"
    path.write_text(json.dumps({key: value for key, value in data.items() if value is not None}))
    return path


def rules(text: str) -> int:
    return int(found[-1]) if (found := re.findall(r"RULES: (\d+)", text)) else 0


def answered(request: dict[str, Any]) -> str:
    """What the worker, the reviewer and the editor say to a request."""
    system, user = (message["content"] for message in request["messages"][:2])
    if system.startswith("You review"):
        return json.dumps(
            {"critiques": [{"parameter": "prompts.worker", "kind": "rule", "subject": "r", "text": "more"}]}
        )
    if system.startswith("You improve"):
        return json.dumps({"value": f"RULES: {rules(user) + 2}", "note": "two more rules"})
    number = int(re.findall(r"What is (\d+)", user)[-1])
    return f"ANSWER: {number + 3 if number % 10 < rules(system) else 0}"


def served(server: FakeEndpoint, do: Any) -> Any:
    """What a coroutine function comes to while the server answers; it is given the environment."""

    async def main() -> Any:
        async with server:
            return await do({"VLLM_BASE_URL": server.base_url})

    return anyio.run(main)


def optimized(task: Path, server: FakeEndpoint | None = None, **options: Any) -> Result:
    async def do(env: dict[str, str]) -> Result:
        return await swarmmind.optimize(task, env=env, allow_code=True, **options)

    return served(server or FakeEndpoint(answered), do)


def resumed(run: Path | str, server: FakeEndpoint | None = None, **options: Any) -> Result:
    async def do(env: dict[str, str]) -> Result:
        return await swarmmind.resume(run, env=env, allow_code=True, **options)

    return served(server or FakeEndpoint(answered), do)
