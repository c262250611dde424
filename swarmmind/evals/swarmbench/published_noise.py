"""What the paper reports of noisy and late messages (arXiv 2505.04364 v4, Table S.6): means and deviations of 5 runs.

A message was corrupted with a chance of 20 % and came 0 to 4 rounds late. Before and after: the rows without the words
are those of Table S.1, whose averages Table S.6 repeats. Flocking is in the paper's units, half of the code's.
"""

from __future__ import annotations

from swarmmind.evals.swarmbench.published import PAPER_ROWS, TASK_ORDER, Published, row
from swarmmind.evals.table import PublishedRow

# In the order of Table S.1: Pursuit, Synchronization, Foraging, Flocking; nobody got anything in Transport.
_NOISY: dict[str, tuple[tuple[float, float], ...]] = {
    "gemini-2.0-flash": ((4.40, 1.40), (0.00, 0.00), (1.40, 0.80), (7.30, 0.25)),
    "o4-mini": ((12.00, 2.00), (1.80, 0.40), (4.60, 2.06), (8.30, 1.03)),
    "claude-3.7-sonnet": ((3.60, 0.49), (2.40, 0.80), (2.60, 0.49), (8.60, 0.59)),
    "gpt-4.1": ((9.40, 0.80), (2.20, 1.94), (1.20, 1.17), (6.90, 1.32)),
    "deepseek-v3": ((1.60, 1.85), (1.00, 0.63), (1.60, 0.74), (8.20, 0.70)),
    "gpt-4o": ((2.40, 1.40), (0.80, 0.40), (0.00, 0.00), (4.50, 0.55)),
    "o3-mini": ((3.40, 1.50), (2.00, 1.41), (0.00, 0.00), (0.80, 0.93)),
    "qwq-32b": ((1.60, 1.85), (0.00, 0.00), (1.20, 1.47), (5.10, 0.38)),
    "deepseek-r1": ((1.00, 1.55), (1.80, 1.33), (3.40, 1.20), (5.20, 0.70)),
    "llama-3.1-70b": ((0.00, 0.00), (0.00, 0.00), (0.00, 0.00), (7.00, 0.55)),
    "llama-4-scout": ((1.40, 0.80), (0.00, 0.00), (1.20, 0.75), (7.40, 0.67)),
    "gpt-4.1-mini": ((0.00, 0.00), (1.00, 1.10), (0.00, 0.00), (7.10, 0.97)),
    "claude-3.5-haiku": ((1.00, 0.00), (1.40, 1.02), (0.00, 0.00), (1.70, 0.40)),
}


def _pair(name: str) -> list[PublishedRow]:
    """A model's row after, and its row before; the totals are five times the averages that the paper prints."""
    after: dict[str, Published] = dict(
        zip(TASK_ORDER, (Published(*cell) for cell in (*_NOISY[name], (0.0, 0.0))), strict=True)
    )
    noisy, clean = (round(sum(cell.mean for cell in cells.values()), 2) for cells in (after, PAPER_ROWS[name]))
    return [row(f"{name}, noisy", after, "S.6", noisy), row(name, PAPER_ROWS[name], "S.1", clean)]


PUBLISHED_ROWS: list[PublishedRow] = [both for name in _NOISY for both in _pair(name)]
"""What stands beside the suite `swarmbench-noise`: per model the noisy row, and below it the one without noise."""
