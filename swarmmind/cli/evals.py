"""What is said of an eval on the terminal: its price before it starts, its result."""

from __future__ import annotations

import shlex

from swarmmind import report
from swarmmind.report.text import bill_line, coverage_line, duration, number, usd, visible, workers_lines
from swarmmind.runs.evals.plan import EvalPlan
from swarmmind.runs.evals.price import EvalPrice
from swarmmind.runs.result import Result


def price_lines(plan: EvalPlan, price: EvalPrice) -> list[str]:
    """What an eval will take."""
    manifest = plan.manifest
    arms, seeds = sum(arm.kind != "control" for arm in manifest.arms), len(manifest.seeds)
    size = f"{number(arms)} rows x {number(len(manifest.instances))} instances x {number(seeds)} seeds"
    controls = f", {number(price.controls)} of them controls" if price.controls else ""
    found = [f"eval: {size}: {number(price.episodes)} episodes{controls}"]
    about = "" if price.counted else "about "
    more = ", and what its controls make of as many tokens" if price.controls else ""
    found.append(f"eval takes: {about}{number(price.calls)} calls{more}")
    tokens = f"{number(price.prompt_tokens)} tokens read, {number(price.completion_tokens)} written"
    found.append(f"that is about {tokens}, {usd(price.cost_usd)}, at most {usd(price.max_cost_usd)}")
    return found


def lines(result: Result) -> list[str]:
    """The table, what it says, and what it took."""
    assert result.eval is not None
    data = result.to_dict()
    told = [f"{result.name}: {result.status} in {duration(result.seconds)}", ""]
    told += report.eval_lines(result.eval, result.path)
    told += [f"asks: {coverage_line(data['coverage'])}", f"bill: {bill_line(data['usage'])}"]
    told += workers_lines(data["workers"])
    if result.error:
        told.append(f"error: {result.error}")
    if result.undone:
        told.append(f"left undone: {result.undone}")
    told += [f"warning: {warning}" for warning in result.warnings]
    if result.status in ("stopped", "interrupted", "crashed"):
        told.append(f"resume: swarmmind resume {shlex.quote(result.folder)} --set budget.calls=...")
    return [visible(line) for line in told]
