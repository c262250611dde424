"""How far a swarm is from a hollow square, wherever the square may stand (spec section 9.4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment


class Formation:
    """A hollow square of a side, on a map."""

    def __init__(self, side: int, height: int, width: int) -> None:
        self.ring = np.array(
            [(i, j) for i in range(side) for j in range(side) if i in (0, side - 1) or j in (0, side - 1)]
        )

    def distance(self, agents: Sequence[tuple[int, int]], below: int | None = None) -> int:
        """The least cost over all placements that put some agent on some cell of the square."""
        a = np.array(agents)
        ts = np.unique((a[:, None, :] - self.ring[None]).reshape(-1, 2), axis=0)
        best = 1 << 60
        for t in ts:
            c = np.abs(a[:, None, :] - self.ring[None] - t).sum(-1)
            r, k = linear_sum_assignment(c)
            best = min(best, int(c[r, k].sum()))
        return best
