from __future__ import annotations

from itertools import combinations
from math import dist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmmind.report.layout import arrange

from . import talks

EDGES = st.integers(0, 11).flatmap(
    lambda count: st.tuples(
        st.just(count),
        st.lists(st.tuples(*[st.integers(0, max(0, count - 1))] * 2), max_size=40 if count else 0),
    )
)


@settings(max_examples=100)
@given(EDGES)
def test_every_node_has_a_place_of_its_own_in_the_picture(graph: tuple[int, list[tuple[int, int]]]):
    count, edges = graph
    layout = arrange(count, edges)
    assert len(layout.points) == count
    assert all(0 < x < layout.width and 0 < y < layout.height for x, y in layout.points)
    assert all(dist(one, other) > 20 for one, other in combinations(layout.points, 2))
    assert arrange(count, reversed(edges)) == layout


def test_layers_stand_from_left_to_right():
    layout = arrange(16, talks.layers(4, 4, 4, 4))
    assert layout.kind == "layered"
    xs = [x for x, _ in layout.points]
    assert [len(set(xs[at : at + 4])) for at in (0, 4, 8, 12)] == [1, 1, 1, 1]
    assert xs[0] < xs[4] < xs[8] < xs[12]


def test_edges_between_layers_do_not_cross_without_need():
    layout = arrange(8, [(0, 7), (1, 6), (2, 5), (3, 4)])
    assert [layout.points[at][1] for at in range(4)] == [layout.points[at][1] for at in (7, 6, 5, 4)]


@pytest.mark.parametrize("count", [5, 20])
def test_a_debate_is_a_circle(count: int):
    layout = arrange(count, talks.mesh(count))
    assert layout.kind == "circle"
    middle = layout.width / 2, layout.height / 2
    assert min(dist(point, middle) for point in layout.points) > 150


def test_a_hub_stands_in_the_middle():
    layout = arrange(12, [*talks.star(11), *((leaf, 0) for leaf in range(1, 12))])
    assert layout.points[0] == (layout.width / 2, layout.height / 2)


def test_a_mesh_without_cycles_is_not_one_line():
    layout = arrange(20, combinations(range(20), 2))
    assert len({y for _, y in layout.points}) > 5


TEAMS = [(10 * team + u, 10 * team + v) for team in range(12) for u in range(10) for v in range(10) if u != v]
LARGE = {
    "a small world": talks.small_world(150, 4),
    "three hubs": [(0, 1), (1, 2), (2, 0), *((leaf % 3, leaf) for leaf in range(3, 150))],
    "teams": [*TEAMS, *((10 * team, 10 * team + 10) for team in range(11))],
}


@pytest.mark.parametrize("name", LARGE)
def test_a_large_swarm_fills_the_picture_and_nobody_hides_another(name: str):
    edges = LARGE[name]
    layout = arrange(1 + max(map(max, edges)), edges)
    assert layout.kind == "spring"
    far = [dist(one, other) for one, other in combinations(layout.points, 2)]
    assert min(far) > 15
    assert max(far) > 700


def test_parts_that_are_not_tied_together_stay_near():
    rings = [(20 * part + at, 20 * part + (at + 1) % 20) for part in range(5) for at in range(20)]
    layout = arrange(100, rings)
    for part in range(5):
        ring = layout.points[20 * part : 20 * part + 20]
        assert max(dist(ring[0], point) for point in ring) > 50
