"""What the paper reports of larger swarms (arXiv 2505.04364 v4, Table S.4): gemini-2.0-flash, 3 runs, a view of 5.

Flocking is in the code's units here: 62.67 cannot be halved, since half of the distance at the start is 50.5.
"""

from __future__ import annotations

from statistics import mean

from swarmmind.evals.swarmbench.published import PAPER, TASK_ORDER, Published, row
from swarmmind.evals.table import PublishedRow

# By map and agents, in the order of Table S.1; nobody got anything in Foraging and Transport.
_SETTINGS: dict[str, tuple[tuple[float, float], ...]] = {
    "15x15 N=20": ((1.00, 0.00), (0.33, 0.47), (0.00, 0.00), (53.33, 6.60), (0.00, 0.00)),
    "15x15 N=30": ((3.00, 0.82), (0.33, 0.47), (0.00, 0.00), (23.33, 8.38), (0.00, 0.00)),
    "20x20 N=20": ((0.00, 0.00), (0.67, 0.47), (0.00, 0.00), (62.67, 17.21), (0.00, 0.00)),
    "20x20 N=30": ((0.67, 0.47), (0.67, 0.47), (0.00, 0.00), (37.33, 7.59), (0.00, 0.00)),
}
_MODEL = "gemini-2.0-flash"


def _over_all() -> PublishedRow:
    """The mean over the four settings, as the suite's own cells are; a deviation is not given for it."""
    columns: dict[str, tuple[float, float | None]] = {
        f"swarmbench/{task}": (round(mean(cells[at][0] for cells in _SETTINGS.values()), 2), None)
        for at, task in enumerate(TASK_ORDER)
    }
    return PublishedRow(f"{_MODEL}, mean of 4", columns, None, f"{PAPER}, Table S.4 (mean taken here)")


PUBLISHED_ROWS: list[PublishedRow] = [
    _over_all(),
    *(
        row(f"{_MODEL} {name}", dict(zip(TASK_ORDER, (Published(*cell) for cell in cells), strict=True)), "S.4")
        for name, cells in _SETTINGS.items()
    ),
]
"""What stands beside the suite `swarmbench-scalability`."""
