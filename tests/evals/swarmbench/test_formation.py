from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from swarmmind.evals.swarmbench.formation import Formation


def by_trying_all(agents: list[tuple[int, int]], side: int) -> int:
    """The definition: every placement that puts an agent on the square, each assigned afresh."""
    edge = (0, side - 1)
    ring = np.array([(i, j) for i in range(side) for j in range(side) if i in edge or j in edge])
    at = np.array(agents)
    costs: list[int] = []
    for move in np.unique((at[:, None, :] - ring[None]).reshape(-1, 2), axis=0):
        table = np.abs(at[:, None, :] - ring[None] - move).sum(axis=-1)
        rows, columns = linear_sum_assignment(table)
        costs.append(int(table[rows, columns].sum()))
    return min(costs)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.integers(7, 11), st.integers(7, 11), st.integers(0, 10**6))
def test_the_distance_is_that_of_trying_all(count: int, height: int, width: int, seed: int) -> None:
    rng = random.Random(seed)
    cells = [(i, j) for i in range(1, height - 1) for j in range(1, width - 1)]
    count = min(count, len(cells))
    side = count // 4 + 1
    formation = Formation(side, height, width)
    for near in (0, 0, 1):  # anywhere, again with what was learned, and close together
        middle = rng.choice(cells)
        agents = rng.sample(cells, count)
        if near:
            agents = sorted(cells, key=lambda cell: abs(cell[0] - middle[0]) + abs(cell[1] - middle[1]))[:count]
        exact = by_trying_all(agents, side)
        assert formation.distance(agents, below=exact) == exact
        assert formation.distance(agents, below=exact + 3) == exact
        assert formation.distance(agents, below=max(0, exact - 1)) == max(0, exact - 1)
        assert formation.distance(agents) == exact


@pytest.mark.parametrize("side", [1, 2, 4])
def test_a_finished_square_is_at_distance_zero(side: int) -> None:
    edge = (0, side - 1)
    agents = [(3 + i, 2 + j) for i in range(side) for j in range(side) if i in edge or j in edge]
    formation = Formation(side, 10, 10)
    assert formation.distance(agents) == 0
    assert formation.distance([(agents[0][0] - 1, agents[0][1]), *agents[1:]]) == (1 if side > 1 else 0)
