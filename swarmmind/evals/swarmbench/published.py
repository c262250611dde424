"""What the paper reports (arXiv 2505.04364 v4, Table S.1 and others), for leaderboards to stand beside.

Mean and population standard deviation of 5 runs of 100 rounds with a view of 5; 12 agents on 10x10 by its figures.
Flocking is in the paper's units, half of the code's and of ours. What the paper's text does not say is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from swarmmind.evals.table import PublishedRow

PAPER = "arXiv 2505.04364v4"


class Published(NamedTuple):
    """A published score: mean and population standard deviation."""

    mean: float
    std: float


TASK_ORDER = ("pursuit", "synchronization", "foraging", "flocking", "transport")

CODE_UNITS = MappingProxyType({"pursuit": 1, "synchronization": 1, "foraging": 1, "flocking": 2, "transport": 1})
"""What a published score is multiplied with to compare it with `SwarmBench.score`."""


def _row(*cells: tuple[float, float]) -> MappingProxyType[str, Published]:
    return MappingProxyType({task: Published(*cell) for task, cell in zip(TASK_ORDER, cells, strict=True)})


PAPER_ROWS: MappingProxyType[str, MappingProxyType[str, Published]] = MappingProxyType(
    {
        "gemini-2.0-flash": _row((8.80, 1.60), (3.40, 2.94), (5.80, 4.35), (9.40, 0.80), (0, 0)),
        "o4-mini": _row((9.60, 0.49), (2.80, 1.17), (4.80, 2.64), (8.90, 1.83), (0.52, 1.04)),
        "claude-3.7-sonnet": _row((4.40, 1.20), (12.60, 9.62), (1.20, 1.47), (7.50, 1.93), (0, 0)),
        "gpt-4.1": _row((8.40, 1.85), (2.80, 0.75), (3.20, 1.94), (5.70, 0.68), (0, 0)),
        "deepseek-v3": _row((4.20, 2.48), (4.00, 1.41), (2.60, 2.06), (6.40, 1.40), (0, 0)),
        "gpt-4o": _row((3.40, 1.50), (1.80, 1.33), (1.60, 1.85), (5.00, 3.18), (0, 0)),
        "o3-mini": _row((3.60, 2.06), (2.20, 1.17), (2.60, 3.88), (2.70, 0.93), (0, 0)),
        "qwq-32b": _row((2.20, 1.94), (1.20, 0.98), (0.80, 0.75), (5.90, 0.20), (0, 0)),
        "deepseek-r1": _row((1.00, 0.63), (1.20, 1.17), (1.00, 1.10), (6.10, 0.38), (0.71, 1.42)),
        "llama-3.1-70b": _row((1.80, 0.40), (1.00, 1.10), (0, 0), (7.10, 0.74), (0, 0)),
        "llama-4-scout": _row((1.20, 0.75), (0.20, 0.40), (1.00, 1.55), (7.10, 2.44), (0, 0)),
        "gpt-4.1-mini": _row((1.40, 0.80), (0.60, 0.49), (1.40, 1.02), (5.00, 2.76), (0, 0)),
        "claude-3.5-haiku": _row((0.60, 0.49), (1.00, 0.00), (0, 0), (5.60, 0.74), (0, 0)),
    }
)
"""The main table, Table S.1, by model and task."""

HUMANS: MappingProxyType[str, Published] = MappingProxyType(
    {
        "synchronization": Published(41.95, 2.20),
        "foraging": Published(20.40, 2.82),
        "flocking": Published(11.7, 2.33),
        "transport": Published(4.61, 0.98),
    }
)
"""Human players, Table S.3 (4 of them, no Pursuit). Flocking cannot stem from the fixed start of the code."""

CENTRAL: MappingProxyType[str, Published] = MappingProxyType(
    {
        "pursuit": Published(8.80, 0.75),
        "synchronization": Published(9.00, 3.35),
        "foraging": Published(8.20, 0.98),
        "flocking": Published(9.90, 0.67),
        "transport": Published(0, 0),
    }
)
"""One gemini-2.0-flash that sees everything and moves all, Table S.5."""

RULES: MappingProxyType[str, Published] = _row((9.15, 6.12), (0.35, 0.48), (0.95, 0.97), (4.68, 0.23), (0, 0))
"""Of the paper's three rule-based agents for each task the best one, Table S.2 (20 runs); their code is unpublished."""

_TOTALS = (27.40, 26.62, 25.70, 20.10, 17.20, 11.80, 11.10, 10.10, 10.01, 9.90, 9.50, 8.40, 7.20)


def row(name: str, cells: Mapping[str, Published], table: str, total: float | None = None) -> PublishedRow:
    """A row for the tables of evals, whose columns are called like the environments.

    Args:
        name: the model, or method.
        cells: by task.
        table: of the paper.
        total: if the paper gives it.
    """
    columns: dict[str, tuple[float, float | None]] = {
        f"swarmbench/{task}": (cells[task].mean, cells[task].std) for task in TASK_ORDER if task in cells
    }
    return PublishedRow(name, columns, total, f"{PAPER}, Table {table}")


PUBLISHED_ROWS: list[PublishedRow] = [
    *(row(name, cells, "S.1", total) for (name, cells), total in zip(PAPER_ROWS.items(), _TOTALS, strict=True)),
    row("human players", HUMANS, "S.3"),
    row("central gemini-2.0-flash", CENTRAL, "S.5"),
    row("best of the paper's rules", RULES, "S.2"),
]
"""What stands beside the suite `swarmbench`."""
