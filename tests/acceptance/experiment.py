"""What every experiment hands in: a table, and what of it was expected."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from statistics import mean, stdev
from typing import Any

from rich.console import Console
from rich.table import Table

_HOLDS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}


class Experiment:
    """Gathers rows and expectations; `passed` once all expectations hold."""

    def __init__(self, name: str, question: str, columns: Sequence[str]) -> None:
        self.name = name
        self.table = Table(*columns, title=f"{name}: {question}", title_justify="left")
        self.short: list[str] = []
        self.expected: list[str] = []

    def row(self, *cells: object) -> None:
        """One variant."""
        self.table.add_row(*[f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in cells])

    def expect(self, what: str, got: Any, relation: str, wanted: Any) -> None:
        """One expectation, e.g. `expect("calls made twice", 3, "<=", 32)`."""
        holds = _HOLDS[relation](got, wanted)
        shown = f"{what}: {_short(got)} {relation} {_short(wanted)}"
        self.expected.append(f"{'ok   ' if holds else 'SHORT'} {shown}")
        if not holds:
            self.short.append(shown)

    @property
    def passed(self) -> bool:
        """Whether anything was expected, and all of it holds."""
        return bool(self.expected) and not self.short

    def show(self) -> None:
        """Print the table, the expectations, and last PASS or what fell short."""
        console = Console(width=120, highlight=False)
        console.print(self.table)
        for line in self.expected:
            print(f"  {line}")
        print(
            "PASS" if self.passed else f"{self.name} fell short: " + "; ".join(self.short or ["nothing was expected"])
        )


def _short(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def interval(values: Sequence[float]) -> str:
    """Mean and half-width of the 95 % interval (normal) over seeds."""
    half = 1.96 * stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return f"{mean(values):.2f} ± {half:.2f}"
