"""The last words of an eval."""

from __future__ import annotations

import shlex

from swarmmind import report
from swarmmind.report.text import bill_line, coverage_line, duration, visible
from swarmmind.runs.result import Result


def lines(result: Result) -> list[str]:
    """The table, what it says, and what it took."""
    assert result.eval is not None
    data = result.to_dict()
    told = [f"{result.name}: {result.status} in {duration(result.seconds)}", ""]
    told += report.eval_lines(result.eval, result.path)
    told += [f"asks: {coverage_line(data['coverage'])}", f"bill: {bill_line(data['usage'])}"]
    if result.error:
        told.append(f"error: {result.error}")
    if result.undone:
        told.append(f"left undone: {result.undone}")
    told += [f"warning: {warning}" for warning in result.warnings]
    if result.status in ("stopped", "interrupted", "crashed"):
        told.append(f"resume: swarmmind resume {shlex.quote(result.folder)} --set budget.calls=...")
    return [visible(line) for line in told]
