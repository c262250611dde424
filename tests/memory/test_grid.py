"""The field on a grid: fades, diffuses without loss, agrees, and is read by cell, window and layer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.errors import UserError
from swarmmind.memory.grid import Grid

CELLS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.floats(0.1, 9), st.integers(-1, 4)), max_size=20)
Cells = list[tuple[int, int, float, int]]


def filled(grid: Grid, cells: Cells) -> Grid:
    for row, column, amount, author in cells:
        grid.deposit("food", row, column, amount, author)
    return grid


def mass(grid: Grid) -> float:
    return math.fsum(np.asarray(grid.layer("food"), np.float64).ravel())


@given(CELLS, st.floats(0, 1), st.booleans())
def test_diffusion_loses_nothing_with_open_borders_and_on_a_torus(cells: Cells, share: float, torus: bool) -> None:
    grid = filled(Grid(4, 5, ["food", "danger"], diffusion=share, torus=torus), cells)
    before = mass(grid)
    grid.tick()
    assert mass(grid) == pytest.approx(before, rel=1e-6)
    assert not grid.layer("danger").any()
    assert grid.layer("food").min() >= 0.0


@pytest.mark.parametrize("torus", [False, True])
def test_diffusion_loses_nothing_in_the_long_run(torus: bool) -> None:
    grid, rng = Grid(40, 30, ["food"], diffusion=0.3, torus=torus), np.random.default_rng(5)
    for row, column in rng.integers(0, 30, (200, 2)).tolist():
        grid.deposit("food", row, column, float(rng.random()))
    before, spread = mass(grid), float(grid.layer("food").std())
    for _ in range(1000):
        grid.tick()
    assert mass(grid) == pytest.approx(before, rel=1e-6)
    assert float(grid.layer("food").std()) < spread / 5


@given(CELLS, st.floats(0, 1), st.floats(0.1, 1), st.booleans())
def test_a_tick_is_what_each_cell_keeps_and_its_four_neighbors_give(
    cells: Cells, share: float, retention: float, torus: bool
) -> None:
    grid = filled(Grid(4, 5, ["food"], retention=retention, diffusion=share, torus=torus), cells)
    old = np.asarray(grid.layer("food"), np.float64) * retention
    expected = np.zeros((4, 5))
    for row in range(4):
        for column in range(5):
            for rows, columns in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                to = (row + rows, column + columns)
                inside = 0 <= to[0] < 4 and 0 <= to[1] < 5
                to = (to[0] % 4, to[1] % 5) if torus else to if inside else (row, column)
                expected[to] += share / 4 * old[row, column]
            expected[row, column] += (1 - share) * old[row, column]
    grid.tick()
    assert np.allclose(grid.layer("food"), expected, rtol=1e-5, atol=1e-6)


def test_steady_deposits_tend_to_amount_over_one_minus_retention() -> None:
    grid = Grid(2, 2, ["food"], retention=0.9)
    for _ in range(300):
        grid.tick()
        grid.deposit("food", 1, 0, 0.5)
    assert grid.read("food", 1, 0) == pytest.approx(5.0, rel=1e-5)
    assert grid.read("food", 0, 0) == 0.0


def test_bounds() -> None:
    grid = Grid(1, 3, ["food"], retention=0.5, floor=0.3, ceiling=2.0)
    grid.deposit("food", 0, 0, 5.0)
    grid.deposit("food", 0, 1, 0.5)
    assert grid.read("food", 0, 0) == 2.0
    grid.tick()
    assert (grid.read("food", 0, 0), grid.read("food", 0, 1)) == (1.0, 0.0)
    grid.reinforce("food", 0, 0, 9.0)
    assert grid.read("food", 0, 0) == 2.0
    grid.reinforce("food", 0, 0, 0.0)
    assert grid.snapshot() == {"food": []}


def test_agreement_of_distinct_depositors_counts_is_capped_and_ends_with_what_they_made() -> None:
    grid, factors = Grid(3, 3, ["food"], retention=0.5, floor=0.1, consensus=0.1), list[float]()
    for author in range(13):
        grid.deposit("food", 1, 1, 0.5, author)
        grid.deposit("food", 1, 1, 0.5, author)
        grid.deposit("food", 1, 1, 0.0, -1)  # nobody
        factors.append(grid.read("food", 1, 1) / (author + 1))
        assert grid.window("food", 1, 1, 0)[0, 0] == pytest.approx(grid.read("food", 1, 1))
    assert factors == pytest.approx([1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0, 2.0, 2.0])
    assert float(grid.layer("food")[1, 1]) == 13.0
    for _ in range(8):
        grid.tick()
    grid.deposit("food", 1, 1, 1.0, 99)
    assert grid.read("food", 1, 1) == 1.0


def test_what_diffuses_into_a_cell_is_nobodys() -> None:
    grid = Grid(1, 2, ["food"], diffusion=1.0, retention=0.9, floor=0.5, consensus=1.0)
    grid.deposit("food", 0, 0, 0.6, 1)
    grid.deposit("food", 0, 0, 0.0, 2)
    assert grid.read("food", 0, 0) == pytest.approx(1.2)
    grid.tick()  # 0.135 went over and is gone; 0.405 was left and is gone too
    grid.deposit("food", 0, 1, 8.0, 3)
    grid.tick()
    assert grid.read("food", 0, 0) == pytest.approx(0.25 * 7.2)


def test_a_window_has_its_cell_in_the_middle_and_nothing_beyond_the_border() -> None:
    grid = filled(Grid(4, 5, ["food"]), [(0, 0, 1.0, 0), (1, 2, 2.0, 0), (3, 4, 4.0, 0)])
    shown = grid.window("food", 0, 1, 1)
    assert shown.tolist() == [[0, 0, 0], [1, 0, 0], [0, 0, 2]]
    shown[:] = 9.0
    assert mass(grid) == 7.0
    torus = filled(Grid(4, 5, ["food"], torus=True), [(0, 0, 1.0, 0), (3, 4, 4.0, 0)])
    assert torus.window("food", 0, 0, 1).tolist() == [[4, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert torus.read("food", 4, 5) == 1.0


def test_one_row_is_a_line() -> None:
    line = Grid(1, 4, ["root"], diffusion=0.4)
    line.deposit("root", 0, 1, 1.0)
    assert line.window("root", 0, 0, 2).tolist() == [[0, 0, 0, 1, 0]]
    line.tick()
    assert line.window("root", 0, 1, 1)[0] == pytest.approx([0.1, 0.8, 0.1])


def test_a_layer_cannot_be_written_to_and_follows_the_grid() -> None:
    grid = Grid(2, 2, ["food"])
    layer = grid.layer("food")
    grid.deposit("food", 0, 1, 3.0)
    assert layer[0, 1] == 3.0
    with pytest.raises(ValueError, match="read-only"):
        layer[0, 0] = 1.0


@given(CELLS, CELLS, CELLS)
def test_forks_live_lives_of_their_own_and_equal_lives_are_equal(before: Cells, one: Cells, other: Cells) -> None:
    def made() -> Grid:
        grid = filled(Grid(4, 5, ["food"], retention=0.9, diffusion=0.2, floor=0.1, consensus=0.1), before)
        grid.tick()
        return grid

    parent, twin = made(), made()
    assert parent.snapshot() == twin.snapshot()
    child = parent.fork()
    assert child.snapshot() == parent.snapshot()
    filled(child, one).tick()
    assert parent.snapshot() == twin.snapshot()
    alone = child.snapshot()
    filled(parent, other).tick()
    assert child.snapshot() == alone
    assert all(
        child.read("food", row, column) == filled_twin(twin, one).read("food", row, column)
        for row in range(4)
        for column in range(5)
    )


def filled_twin(twin: Grid, cells: Cells) -> Grid:
    copy = filled(twin.fork(), cells)
    copy.tick()
    return copy


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"height": 0}, "height"),
        ({"kinds": ["a", "a"]}, "kinds"),
        ({"retention": 0.0}, "retention"),
        ({"diffusion": 1.1}, "diffusion"),
        ({"floor": 3.0, "ceiling": 2.0}, "floor"),
        ({"consensus": math.nan}, "consensus"),
    ],
)
def test_a_value_out_of_range_is_named(arguments: dict[str, Any], named: str) -> None:
    whole: dict[str, Any] = {"height": 2, "width": 2, "kinds": ["a"], **arguments}
    with pytest.raises(UserError, match=named):
        Grid(**whole)


def test_what_is_not_there_is_said() -> None:
    grid = Grid(2, 3, ["food", "danger"])
    with pytest.raises(UserError, match="did you mean 'food'"):
        grid.read("fod", 0, 0)
    for row, column in ((2, 0), (0, 3), (-1, 0)):
        with pytest.raises(IndexError, match="off a grid of 2 x 3"):
            grid.deposit("food", row, column)
    for amount in (-1.0, math.inf, math.nan):
        with pytest.raises(UserError, match="amount"):
            grid.deposit("food", 0, 0, amount)
    assert mass(grid) == 0.0
