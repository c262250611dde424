"""Commands that start nothing: `check`, `list`, `schema`, `init`, `view`."""

from __future__ import annotations

import json
import os
import sys
import webbrowser
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from textwrap import indent
from typing import Annotated, Any

import anyio
import msgspec
import typer

from swarmmind import report
from swarmmind.cli import evals
from swarmmind.cli.running import AllowCode, Inputs, Json, Runs, Sets, parse_inputs
from swarmmind.cli.studies import price_lines
from swarmmind.errors import UserError
from swarmmind.evals.environments import ENVIRONMENTS, POLICIES, summary
from swarmmind.evals.judge import judge
from swarmmind.evals.scorers import SCORERS
from swarmmind.optimizers import OPTIMIZERS
from swarmmind.report.text import duration, number, share, usd, visible
from swarmmind.runs import api
from swarmmind.runs import folder as folders
from swarmmind.runs.evals.plan import make_eval
from swarmmind.runs.evals.price import price_eval
from swarmmind.runs.evals.suites import load_suite
from swarmmind.runs.models import embedder_price, endpoints, prices
from swarmmind.runs.plan import Plan, make_plan
from swarmmind.runs.price import Estimate, estimate
from swarmmind.runs.studies.plan import make_study
from swarmmind.runs.studies.price import concerns, price_study
from swarmmind.spec import Task, library, load_task, task_schema
from swarmmind.spec.cards import read_card
from swarmmind.spec.library import PartKind
from swarmmind.spec.parts import read_part

STARTER = """\
# yaml-language-server: $schema=swarmmind.schema.json     (write it with: swarmmind schema > swarmmind.schema.json)
schema: swarmmind/v1
problem: What is the sum of the digits of 2**100?
model: scripted            # a pretended model; a real one: vllm/Qwen/Qwen3-8B, openai/gpt-4o
swarm:
  agents: {solver: 5}
  topology: debate         # who hears whom; see: swarmmind list topologies
  memory: window
score: {use: number, target: "115"}
budget: {calls: 100, minutes: 10}
seed: 7
"""

_MARGIN = "      "  # of a drawing: with it, the widest one has 78 columns


def check(
    task: Annotated[str, typer.Argument(help="The task file, or the name of a suite.")],
    sets: Sets = None,
    inputs: Inputs = None,
    allow_code: AllowCode = False,
    as_json: Json = False,
) -> int:
    """Validate a task and price its run: calls, the longest chain of them, tokens, cost, and the code it would run."""
    loaded = load_suite(task, overrides=sets or [], allow_code=True)
    code = loaded.code
    if code and not allow_code:
        data: dict[str, Any] = {"task": task, "valid": True, "code": code, "estimate": None}
        return _print_check(data, None, as_json)
    plan = make_plan(loaded, parse_inputs(inputs or []), allow_code=allow_code)
    found = anyio.run(estimate, plan, prices(plan), embedder_price(plan))
    data = {
        "task": task,
        "valid": True,
        "code": code,
        "tests": loaded.task.score is not None and loaded.task.score.use == "tests",
        "agents": len(plan.society.agents),
        "topology": loaded.topology.name,
        "models": list(plan.specs),
        "embedder": plan.task.embedder.name,
        "endpoints": endpoints(plan, os.environ),
        "estimate": {name: getattr(found, name) for name in found.__struct_fields__},
        "budget": {k: getattr(plan.task.budget.limits(), k) for k in ("calls", "tokens", "usd", "seconds")},
        "warnings": _concerns(plan, found),
    }
    study: list[str] = []
    if loaded.task.optimize is not None:
        planned = make_study(loaded, allow_code=allow_code)
        price = anyio.run(price_study, planned)
        data["study"] = msgspec.to_builtins(price)
        study = price_lines(planned, price)
        data["warnings"] = list(dict.fromkeys([*data["warnings"], *concerns(planned, price)]))
    if _is_eval(loaded.task):
        evaluation = make_eval(loaded, parse_inputs(inputs or []), allow_code=allow_code)
        total = anyio.run(price_eval, evaluation)
        data["eval"] = msgspec.to_builtins(total)
        study += evals.price_lines(evaluation, total)
    return _print_check(data, found, as_json, study)


def _is_eval(task: Task) -> bool:
    return bool(task.grid or task.compare or "evaluate" in task.model_fields_set)


def _concerns(plan: Plan, found: Estimate) -> list[str]:
    limits = plan.task.budget.limits()
    concerns: list[str] = []
    calls = found.calls + found.embedding_calls
    if limits.calls is not None and calls > limits.calls:
        concerns.append(f"the run needs {calls:,} calls, the budget allows {limits.calls:,}")
    tokens = found.prompt_tokens + found.completion_tokens + found.embedding_tokens
    if limits.tokens is not None and tokens > limits.tokens:
        concerns.append(f"the run needs about {tokens:,} tokens, the budget allows {limits.tokens:,}")
    if found.cost_usd is not None and limits.usd is not None and found.cost_usd > limits.usd:
        concerns.append(f"the run costs about {usd(found.cost_usd)}, the budget allows {usd(limits.usd)}")
    if found.cost_usd is None:
        concerns.append("money is unknown: no price for every model; add it under 'prices'")
    return concerns


def _print_check(data: dict[str, Any], found: Estimate | None, as_json: bool, study: Sequence[str] = ()) -> int:
    if as_json:
        sys.stdout.write(json.dumps(data) + "\n")
        return 0
    out = [f"{data['task']}: valid"]
    if found is None:
        out.append("not rehearsed: the task runs code of its own (below); pass --allow-code if you trust it")
    else:
        out.append(f"agents: {number(data['agents'])}, topology {data['topology']}, models {', '.join(data['models'])}")
        out += [*_calls(found), *_tokens(found, data["embedder"])]
    out += study
    out += [f"would reach {name} at {where}" for name, where in data.get("endpoints", {}).items()]
    out += [f"would run code: {use}" for use in data["code"]] or ["code it would run: none but SwarmMind's own"]
    out += ["would run code that agents write, against tests, in a sandbox"] if data.get("tests") else []
    out += [f"warning: {warning}" for warning in data.get("warnings", [])]
    sys.stdout.write("\n".join(visible(line) for line in out) + "\n")
    return 0


def _calls(found: Estimate) -> list[str]:
    """How many calls, how many of them wait for each other, and how long that takes."""
    bound, early = "" if found.complete else "at least ", found.fewest_calls < found.calls
    at_most = found.complete and (early or found.waiting_seconds)
    path = f"{'at most ' if at_most else bound}{number(found.critical_path)}"
    about = f"{number(found.fewest_calls)} to " if early else "" if found.counted else "about "
    out = [f"calls: {about}{number(found.calls)}, of these {path} one after the other"]
    if early:
        out[0] += "; fewer, the sooner agents agree"
    if not found.counted:
        out[0] += ", in a rehearsal; what agents really answer decides how many"
    if found.seconds is not None:
        out.append(f"time: {bound}{duration(found.seconds)}, at the latency that its models state")
    if found.waiting_seconds:
        out.append(f"waits: {bound}{duration(found.waiting_seconds)}, in which nobody is asked")
    return out


def _tokens(found: Estimate, embedder: str) -> list[str]:
    tokens, requests = number(found.prompt_tokens), number(found.embedding_calls)
    asked = f", {requests} requests, about {number(found.embedding_tokens)} tokens" if found.embedding_calls else ""
    out = [
        f"vectors: {embedder}{asked}",
        f"tokens read: about {tokens}, {share(found.cacheable_tokens, found.prompt_tokens)} of them cacheable",
        f"tokens written: about {number(found.completion_tokens)}, at most {number(found.max_completion_tokens)}",
        f"cost: about {usd(found.cost_usd)}, at most {usd(found.max_cost_usd)}",
    ]
    if found.rehearsed < found.calls:
        out.append(f"(rehearsed {number(found.rehearsed)} calls, the rest extrapolated)")
    return out


class Kind(StrEnum):
    """What `list` lists."""

    agents = "agents"
    topologies = "topologies"
    memory = "memory"
    evals = "evals"
    environments = "environments"
    policies = "policies"
    scorers = "scorers"
    optimizers = "optimizers"
    runs = "runs"


def list_parts(
    kind: Annotated[Kind | None, typer.Argument(help="What to list; everything if left out.")] = None,
    runs: Runs = Path(api.RUNS),
    as_json: Json = False,
) -> int:
    """List what a task file can name, and the runs that are there; of topologies alone also who hears whom, drawn.

    With --json, each kind is a mapping of names to descriptions; `list topologies` adds `drawings`, by name.
    """
    data = {each.value: _entries(each, runs) for each in ([kind] if kind else list(Kind))}
    drawings = _drawings() if kind is Kind.topologies else {}
    if as_json:
        data |= {"drawings": drawings} if kind is Kind.topologies else {}
        sys.stdout.write(json.dumps(data) + "\n")
        return 0
    for title, entries in data.items():
        if entries or kind:
            sys.stdout.write(f"{title}:\n")
        width = max((len(name) for name in entries), default=0)
        for name, text in entries.items():
            sys.stdout.write(visible(f"  {name:<{width}}  {text}".rstrip()) + "\n")
            if drawings.get(name):
                sys.stdout.write(f"\n{indent(visible(drawings[name]), _MARGIN)}\n\n")
    return 0


def _entries(kind: Kind, runs: Path) -> dict[str, str]:
    if kind is Kind.runs:
        return {path.name: _status(path) for path in folders.folders(runs)}
    if kind is Kind.environments:
        return {name: summary(name) for name in sorted(ENVIRONMENTS)}
    if kind is Kind.policies:
        return {f"builtin/{name}": summary(name) for name in sorted(POLICIES)}
    if kind is Kind.scorers:
        return {
            name: (scorer.__doc__ or "").strip().split("\n")[0]
            for name, scorer in sorted({**SCORERS, "judge": judge}.items())
        }
    if kind is Kind.optimizers:
        return {name: (one.program.__doc__ or "").strip().split("\n")[0] for name, one in sorted(OPTIMIZERS.items())}
    parts: dict[Kind, PartKind] = {
        Kind.agents: "agents",
        Kind.topologies: "topologies",
        Kind.memory: "memory",
        Kind.evals: "evals",
    }
    return {name: _description(path, kind) for name, path in library.names(parts[kind], Path.cwd()).items()}


def _description(path: Path, kind: Kind) -> str:
    if kind is Kind.evals:
        return load_task(path, allow_code=True).task.description or ""
    return read_card(path).description if path.suffix == ".md" else read_part(path).description


def _drawings() -> dict[str, str]:
    return {name: read_part(path).drawing for name, path in library.names("topologies", Path.cwd()).items()}


def _status(folder: Path) -> str:
    path = folder / folders.RESULT
    if not path.is_file():
        return "unfinished; go on with `swarmmind resume`"
    result = folders.read_json(path)
    return f"{result.get('status')}, score {number(result.get('score'))}"


def schema() -> int:
    """Print the JSON Schema of task files, for editors."""
    sys.stdout.write(json.dumps(task_schema(), indent=2) + "\n")
    return 0


def init(folder: Annotated[Path, typer.Argument(help="The folder for the new task.")] = Path()) -> int:
    """Write a task file to start from; an existing one is never overwritten."""
    path = folder / folders.TASK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(STARTER)
    except FileExistsError:
        raise UserError(f"{path}: is there already; nothing was written") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error
    sys.stdout.write(f"wrote {path}; run it with: swarmmind run {path}\n")
    return 0


def view(
    run: Annotated[str, typer.Argument(help="The run: its folder, its id, or `last`.")] = "last",
    runs: Runs = Path(api.RUNS),
    browser: Annotated[bool, typer.Option("--open/--no-open", help="Open it in the web browser.")] = True,
    as_json: Json = False,
) -> int:
    """Make a run's report anew and open it."""
    folder = folders.find(run, runs)
    kind = folders.read_json(folder / folders.ORIGIN).get("kind")
    render = {api.STUDY: report.render_study, api.EVAL: report.render_eval}.get(kind, report.render)
    path = render(folder).resolve()
    sys.stdout.write((json.dumps({"report": str(path)}) if as_json else str(path)) + "\n")
    if browser and not as_json and (os.environ.get("DISPLAY") or sys.platform == "darwin"):
        webbrowser.open(path.as_uri())
    return 0
