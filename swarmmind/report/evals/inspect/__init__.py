"""Logs that Inspect's own reader and viewer open, one for every row of an eval; Inspect itself is not needed."""

from swarmmind.report.evals.inspect.logs import write_logs

__all__ = ["write_logs"]
