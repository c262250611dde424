"""How far a swarm is from a hollow square, wherever the square may stand (spec section 9.4), exactly and fast.

The distance is the least, over all placements of the square that put some agent on one of its cells, of the cheapest
assignment of agents to cells. Solving an assignment for each of the (H + m)(W + m) placements is what makes the
original slow. Here most are never solved. By Kantorovich duality, any function p on the grid that changes by at most 1
per step bounds the cost of EVERY placement from below,

    cost(placement) >= sum of p over the square's cells - sum of the M largest p over the agents' cells,

M being the number of cells of the square, and the left sum is had for all placements at once from prefix sums. One
solved assignment yields such a p (its dual solution) that is exact there and nearly so elsewhere. So: solve the
placement with the least bound, tighten all bounds with its p, until no bound is below the best cost found. The
functions stay valid when agents move, so the next round begins with the bounds of the last.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from scipy.optimize import linear_sum_assignment

Ints: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]

_KEPT = 8
"""Functions remembered from one call to the next."""
_SMALL = 24
"""Up to so many agents an assignment costs less than a new bound, so a call makes at most one."""
_FAR = 1 << 40


class Formation:
    """A hollow square of `side` cells a side, to be taken up on a map of `height` x `width` cells."""

    def __init__(self, side: int, height: int, width: int) -> None:
        edge = (0, side - 1)
        cells = [(i, j) for i in range(side) for j in range(side) if i in edge or j in edge]
        self._side, self._cells = side, np.array(cells, dtype=np.int64)
        self._shift = side - 1
        """Placements are counted from the one that has only its last row and column on the map."""
        self._extent = (height + 2 * self._shift, width + 2 * self._shift)
        self._bounds: deque[tuple[Ints, Ints]] = deque(maxlen=_KEPT)
        """Functions on the grid, each with its sums over the square at every placement."""

    def distance(self, agents: Sequence[tuple[int, int]], below: int | None = None) -> int:
        """The distance of agents at (row, column), at least as many as the square has cells.

        Args:
            agents: where they are, on the map, all different.
            below: if given, only a smaller distance is of interest: otherwise `below` is returned, which is cheaper.
        """
        at = np.array(agents, dtype=np.int64)
        least = self._first_bounds(at)
        best = _FAR if below is None else below
        odd = self._parity(at)
        fresh = 0
        while True:
            if odd is not None:
                least += (least + odd) & 1
            place = int(least.argmin())
            if least.flat[place] >= best:
                return best
            row, column = divmod(place, least.shape[1])
            cost, potential = self._solve(at, row - self._shift, column - self._shift, len(at) > _SMALL or not fresh)
            best = min(best, cost)
            if potential is not None:
                fresh += 1
                self._bounds.append(self._spread(at, potential))
                least = np.maximum(least, self._bound(at, *self._bounds[-1]))
            least.flat[place] = max(cost, least.flat[place])

    def _first_bounds(self, at: Ints) -> Ints:
        """Bounds for all placements from what is known; `_FAR` for those that put no agent on the square."""
        occupied = np.zeros(self._extent, dtype=np.int64)
        occupied[at[:, 0] + self._shift, at[:, 1] + self._shift] = 1
        least = np.where(self._sums(occupied) > 0, 0, _FAR)
        if not self._bounds:  # begin where the centers of the swarm and the square meet
            row, column = np.rint(at.mean(axis=0) - self._cells.mean(axis=0)).astype(np.int64) + self._shift
            _, potential = self._solve(at, row - self._shift, column - self._shift, dual=True)
            if potential is not None:
                self._bounds.append(self._spread(at, potential))
        for bound in self._bounds:
            np.maximum(least, self._bound(at, *bound), out=least)
        return least

    def _parity(self, at: Ints) -> int | None:
        """Whether all costs are odd (1) or even (0), where that is known: a step of the square changes M distances."""
        count = len(self._cells)
        return int(at.sum() + self._cells.sum()) & 1 if len(at) == count and count % 2 == 0 else None

    def _solve(self, at: Ints, row: int, column: int, dual: bool) -> tuple[int, Ints | None]:
        """The cheapest assignment with the square's corner at (row, column); with `dual`, a value per agent."""
        costs = np.zeros((len(at), len(at)), dtype=np.int64)  # surplus agents go nowhere, free of charge
        goals = self._cells + np.array((row, column))
        costs[:, : len(goals)] = np.abs(at[:, None, 0] - goals[:, 0]) + np.abs(at[:, None, 1] - goals[:, 1])
        agents, chosen = linear_sum_assignment(costs)
        paid = costs[agents, chosen]
        if not dual:
            return int(paid.sum()), None
        gaps = costs[:, chosen] - paid  # [i, j]: how much more agent i would pay than j, for j's cell
        potential = np.zeros(len(at), dtype=np.int64)
        while True:  # shortest paths, all at once
            lower = np.minimum(potential, (potential[:, None] + gaps).min(axis=0))
            if np.array_equal(lower, potential):
                return int(paid.sum()), potential
            potential = lower

    def _spread(self, at: Ints, potential: Ints) -> tuple[Ints, Ints]:
        """The largest function that is at most `potential` at the agents and changes by at most 1 per step."""
        values = np.full(self._extent, _FAR, dtype=np.int64)
        values[at[:, 0] + self._shift, at[:, 1] + self._shift] = potential
        for axis in (0, 1):
            steps = np.arange(values.shape[axis])
            steps = steps[:, None] if axis == 0 else steps[None, :]
            onward = np.minimum.accumulate(values - steps, axis=axis) + steps
            back = np.flip(np.minimum.accumulate(np.flip(values + steps, axis), axis=axis), axis) - steps
            values = np.minimum(onward, back)
        return values, self._sums(values)

    def _bound(self, at: Ints, values: Ints, sums: Ints) -> Ints:
        """Lower bounds for all placements from one function."""
        here = values[at[:, 0] + self._shift, at[:, 1] + self._shift]
        surplus = len(at) - len(self._cells)
        return sums - int((np.partition(here, surplus)[surplus:] if surplus else here).sum())

    def _sums(self, values: Ints) -> Ints:
        """Sums over the square's cells, for all placements."""
        side = self._side
        if side == 1:
            return values
        rows, columns = (size - self._shift for size in values.shape)
        along = np.zeros((values.shape[0], values.shape[1] + 1), dtype=np.int64)
        np.cumsum(values, axis=1, out=along[:, 1:])
        edges = along[:, side:] - along[:, :-side]
        down = np.cumsum(values, axis=0)
        sides = down[side - 2 : -1] - down[:rows] if side > 2 else np.zeros((rows, values.shape[1]), dtype=np.int64)
        return edges[:rows] + edges[self._shift :] + sides[:, :columns] + sides[:, self._shift :]
