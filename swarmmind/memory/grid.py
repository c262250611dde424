"""A pheromone field on a grid: some kinds of cue, one strength per kind and cell, faded for all cells at once.

    grid = Grid(24, 24, ("food", "danger"), retention=0.95, diffusion=0.1)
    grid.deposit("food", 3, 4, amount=1.0, author=7)
    grid.tick()
    near = grid.window("food", 3, 4, radius=4)

A line of places is a grid of one row: `Grid(1, bars, kinds)`, whose windows have one row too. Decay is done at each
tick, in place: one multiplication of 512 x 512 x 4 cells takes a tenth of a millisecond, so a lazy scale would only
make every reading dearer. `field.Field` is the same over any keys, with lazy decay.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmmind.errors import UserError, near

_NOTHING = 1e-30
"""A strength below this is 0 after a tick, whatever the floor: numbers smaller still cost a processor dearly."""
MAX_CONSENSUS = 2.0
"""The most that agreement of several depositors is worth (arXiv 2512.10166)."""


def consensus_factor(depositors: int, alpha: float) -> float:
    """C = min(2, 1 + alpha (N - 1)) for N distinct depositors (arXiv 2512.10166); 1 if nobody is known."""
    return min(MAX_CONSENSUS, 1.0 + alpha * (depositors - 1)) if depositors > 1 else 1.0


class Grid:
    """Strengths of typed cues on `height` x `width` cells, float32.

    Under retention d, a cell that gets the amount a before each tick comes to a d / (1 - d) after it, which is
    a / (1 - d) just before it.

    Args:
        height: rows; 1 for a line of places.
        width: columns.
        kinds: names of the cues, at least one, distinct.
        retention: what is left of a strength after a tick, in (0, 1]; rounded to float32.
        diffusion: the share of a cell that leaves it in a tick, a quarter of it to each of its four neighbors, in
            [0, 1]; no strength is lost by it.
        torus: opposite borders touch; else a share that would leave the grid stays where it is.
        floor: what has faded below it is gone.
        ceiling: no cell holds more; what is deposited beyond it is lost.
        consensus: alpha of `consensus_factor`, by which `read` and `window` multiply a cell's strength for the
            distinct authors that made it; 0 keeps no authors.

    Raises:
        UserError: a value is out of its range.
    """

    def __init__(
        self,
        height: int,
        width: int,
        kinds: Sequence[str],
        *,
        retention: float = 1.0,
        diffusion: float = 0.0,
        torus: bool = False,
        floor: float = 0.0,
        ceiling: float = math.inf,
        consensus: float = 0.0,
    ) -> None:
        _check(height, width, kinds, retention, diffusion, floor, ceiling, consensus)
        self.height, self.width, self.kinds = height, width, tuple(kinds)
        self.retention, self.diffusion, self.torus = retention, diffusion, torus
        self.floor, self.ceiling, self.consensus = floor, ceiling, consensus
        self._at = {kind: number for number, kind in enumerate(self.kinds)}
        self._cells: NDArray[np.float32] = np.zeros((len(self.kinds), height, width), np.float32)
        self._authors: dict[tuple[int, int, int], set[int]] = {}
        self._factors: NDArray[np.float32] | None = np.ones_like(self._cells) if consensus else None
        self._old: NDArray[np.float32] = np.empty((height, width), np.float32)

    # --- one cell ---------------------------------------------------------------------------------------------------

    def deposit(self, kind: str, row: int, column: int, amount: float = 1.0, author: int = -1) -> None:
        """Add to a cell; `author` -1 is nobody and counts for no consensus.

        Raises:
            UserError: the kind is unknown, or the amount is negative or not finite.
            IndexError: the cell is off the grid.
        """
        if not 0 <= amount < math.inf:
            raise UserError(f"grid: amount must be at least 0 and finite, got {amount}")
        cell = self._cell(kind, row, column)
        before = float(self._cells[cell])
        self._cells[cell] = min(before + amount, self.ceiling)
        if self._factors is not None and author >= 0:
            if before == 0.0:
                self._authors.pop(cell, None)  # who made what is gone has no part in what comes now
            authors = self._authors.setdefault(cell, set())
            authors.add(author)
            self._factors[cell] = consensus_factor(len(authors), self.consensus)

    def reinforce(self, kind: str, row: int, column: int, factor: float) -> None:
        """A verdict on a cell: above 1 strengthens it, below 1 weakens it, 0 clears it.

        Raises:
            UserError: the kind is unknown, or the factor is negative or not finite.
            IndexError: the cell is off the grid.
        """
        if not 0 <= factor < math.inf:
            raise UserError(f"grid: factor must be at least 0 and finite, got {factor}")
        cell = self._cell(kind, row, column)
        self._cells[cell] = min(float(self._cells[cell]) * factor, self.ceiling)

    def read(self, kind: str, row: int, column: int) -> float:
        """The strength of a cell, agreement included.

        Raises:
            UserError: the kind is unknown.
            IndexError: the cell is off the grid.
        """
        cell = self._cell(kind, row, column)
        strength = float(self._cells[cell])
        return strength if self._factors is None else strength * self._factor(cell)

    # --- many cells -------------------------------------------------------------------------------------------------

    def window(self, kind: str, row: int, column: int, radius: int) -> NDArray[np.float32]:
        """The strengths around a cell, agreement included; a copy, the cell itself in its middle.

        Shape (2 radius + 1, 2 radius + 1), or (1, 2 radius + 1) for a grid of one row. Off the grid lies 0.

        Raises:
            UserError: the kind is unknown.
            IndexError: the cell is off the grid.
        """
        number, row, column = self._cell(kind, row, column)
        up = 0 if self.height == 1 else radius
        if self.torus:
            rows = np.arange(row - up, row + up + 1) % self.height
            columns = np.arange(column - radius, column + radius + 1) % self.width
            return self._read(number, np.ix_(rows, columns))
        shown = np.zeros((2 * up + 1, 2 * radius + 1), np.float32)
        top, left = max(0, row - up), max(0, column - radius)
        part = self._read(number, (slice(top, row + up + 1), slice(left, column + radius + 1)))
        at, to = top - row + up, left - column + radius
        shown[at : at + part.shape[0], to : to + part.shape[1]] = part
        return shown

    def layer(self, kind: str) -> NDArray[np.float32]:
        """The strengths of all cells as deposited, without agreement; a view that cannot be written to.

        Raises:
            UserError: the kind is unknown.
        """
        view = self._cells[self._number(kind)]
        view.flags.writeable = False
        return view

    def tick(self) -> None:
        """One round has passed: every strength fades, then diffuses; what is below the floor is gone."""
        for cells in self._cells:  # layer by layer: each fits a processor's cache
            if self.retention < 1.0:
                cells *= np.float32(self.retention)
            if self.diffusion:
                self._diffuse(cells)
            cells *= cells >= max(self.floor, _NOTHING)
        if self._factors is not None and self.diffusion:
            self._forget()

    # --- the whole --------------------------------------------------------------------------------------------------

    def fork(self) -> Grid:
        """An independent copy."""
        copy = Grid(
            self.height, self.width, self.kinds, retention=self.retention, diffusion=self.diffusion, torus=self.torus,
            floor=self.floor, ceiling=self.ceiling, consensus=self.consensus,
        )  # fmt: skip
        copy._cells[:] = self._cells
        if self._factors is not None:
            copy._authors = {cell: set(authors) for cell, authors in self._authors.items()}
            copy._factors = self._factors.copy()
        return copy

    def snapshot(self) -> Any:
        """The state as JSON data: for each kind, each cell that is not 0 as [row, column, strength, authors]."""
        found: dict[str, list[Any]] = {}
        for number, kind in enumerate(self.kinds):
            places = ((int(row), int(column)) for row, column in np.argwhere(self._cells[number]))
            found[kind] = [
                [*at, float(self._cells[number][at]), sorted(self._authors.get((number, *at), ()))] for at in places
            ]
        return found

    # --- inside -----------------------------------------------------------------------------------------------------

    def _number(self, kind: str) -> int:
        number = self._at.get(kind)
        if number is None:
            raise UserError(f"grid: unknown kind {kind!r}{near(kind, self.kinds)}")
        return number

    def _cell(self, kind: str, row: int, column: int) -> tuple[int, int, int]:
        if self.torus:
            row, column = row % self.height, column % self.width
        elif not (0 <= row < self.height and 0 <= column < self.width):
            raise IndexError(f"cell ({row}, {column}) is off a grid of {self.height} x {self.width}")
        return self._number(kind), row, column

    def _factor(self, cell: tuple[int, int, int]) -> float:
        return consensus_factor(len(self._authors.get(cell, ())), self.consensus)

    def _read(self, number: int, where: Any) -> NDArray[np.float32]:
        part: NDArray[np.float32] = self._cells[number][where]
        return part if self._factors is None else part * self._factors[number][where]

    def _diffuse(self, cells: NDArray[np.float32]) -> None:
        """Across each border between two cells flows a quarter of the share of their difference: nothing is lost."""
        old, quarter = self._old, np.float32(self.diffusion / 4)
        np.multiply(cells, quarter, out=old)
        down = old[1:] - old[:-1]
        right = old[:, 1:] - old[:, :-1]
        cells[1:] -= down
        cells[:-1] += down
        cells[:, 1:] -= right
        cells[:, :-1] += right
        if self.torus:
            for first, last, flow in (
                (cells[0], cells[-1], old[0] - old[-1]),
                (cells[:, 0], cells[:, -1], old[:, 0] - old[:, -1]),
            ):
                first -= flow
                last += flow

    def _forget(self) -> None:
        """Depositors of cells that are gone: what diffuses there later is not theirs."""
        assert self._factors is not None
        for cell in [cell for cell in self._authors if self._cells[cell] == 0.0]:
            del self._authors[cell]
            self._factors[cell] = 1.0


def _check(
    height: int,
    width: int,
    kinds: Sequence[str],
    retention: float,
    diffusion: float,
    floor: float,
    ceiling: float,
    consensus: float,
) -> None:
    if height < 1 or width < 1:
        raise UserError(f"grid: height and width must be at least 1, got {height} and {width}")
    if not kinds or len(set(kinds)) < len(kinds):
        raise UserError(f"grid: kinds must be at least one and distinct, got {list(kinds)!r:.80}")
    if not 0 < retention <= 1:
        raise UserError(f"grid: retention must be above 0 and at most 1, got {retention}")
    if not 0 <= diffusion <= 1:
        raise UserError(f"grid: diffusion must be from 0 to 1, got {diffusion}")
    if not (0 <= floor <= ceiling and ceiling > 0):
        raise UserError(f"grid: floor must be from 0 to the ceiling, got {floor} and {ceiling}")
    if not 0 <= consensus < math.inf:
        raise UserError(f"grid: consensus must be at least 0, got {consensus}")
