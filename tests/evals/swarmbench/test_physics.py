from __future__ import annotations

import gzip
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmmind.evals.swarmbench.flow import movers

from .scenes import Letters

FIXTURES = Path(__file__).parents[2] / "fixtures" / "swarmbench"
CASES: dict[str, list[dict[str, Any]]] = json.loads(gzip.decompress((FIXTURES / "physics_cases.json.gz").read_bytes()))
OFFSETS = {"UP": (-1, 0), "DOWN": (1, 0), "LEFT": (0, -1), "RIGHT": (0, 1)}
OPPOSITE = {"UP": "DOWN", "DOWN": "UP", "LEFT": "RIGHT", "RIGHT": "LEFT"}


@pytest.mark.parametrize("case", CASES["hand"] + CASES["random"], ids=lambda case: case["name"])
def test_recorded_scenes_of_the_original_solver(case: dict[str, Any]) -> None:
    letters = Letters(case["before"], case["weights"], case["static"])

    moved = letters.play(case["acts"])

    assert moved == {direction: sorted(names) for direction, names in case["moved_by_pass"].items()}
    assert letters.rows() == case["after"]
    bodies = letters.corners()
    assert bodies == {name: place for name, place in case["pos_after"].items() if name in bodies}


# --- an independent reading of the rule: groups by reachability, the largest set by trying all ------------------------

Cells = dict[str, frozenset[tuple[int, int]]]


def moved_by_rule(
    cells: Cells, weights: dict[str, int], static: set[str], acts: dict[str, str], way: str, size: tuple[int, int]
) -> set[str]:
    """The movers of one pass, by the definition: rigid groups, then the union of all sets that meet (a) and (b)."""
    taking_part = [n for n, own in cells.items() if any(0 <= i < size[0] and 0 <= j < size[1] for i, j in own)]
    di, dj = OFFSETS[way]
    ahead = {
        one: {
            other for other in taking_part if other != one and cells[other] & {(i + di, j + dj) for i, j in cells[one]}
        }
        for one in taking_part
    }
    reach = {one: {one} for one in taking_part}
    for _ in taking_part:
        for one in taking_part:
            for other in ahead[one]:
                reach[one] |= reach[other]
    groups = {frozenset(other for other in reach[one] if one in reach[other]) for one in taking_part}
    push = {name: 2 if acts.get(name) == way else -2 if acts.get(name) == OPPOSITE[way] else 0 for name in taking_part}
    free = [group for group in groups if not group & static]
    spare: dict[frozenset[str], int] = {}
    for group in free:
        force, weight = sum(push[n] for n in group), sum(weights[n] for n in group)
        spare[group] = max(force, 0) - (weight + max(-force, 0))
    front = {
        group: {other for other in groups if other != group and any(ahead[one] & other for one in group)}
        for group in groups
    }
    best: set[str] = set()
    for members in _sets(free):
        if any(front[group] - members for group in members):
            continue
        closed = (s for s in _sets(list(members)) if all(r in s for r in members for g in s if g in front[r]))
        if all(sum(spare[g] for g in s) >= 0 for s in closed):
            best |= {name for group in members for name in group}
    return best


def _sets(items: list[frozenset[str]]) -> list[set[frozenset[str]]]:
    return [set(c) for n in range(len(items) + 1) for c in itertools.combinations(items, n)]


@st.composite
def scenes(draw: st.DrawFn) -> tuple[list[str], dict[str, int], list[str], dict[str, str]]:
    """A small map with up to two polyominoes, some wall, and agents that mostly push."""
    height, width = draw(st.integers(1, 4)), draw(st.integers(2, 5))
    rows = [["."] * width for _ in range(height)]
    weights: dict[str, int] = {}
    everywhere = [(i, j) for i in range(height) for j in range(width)]
    static = draw(st.sampled_from([[], [], ["W"]]))
    for letter in [*draw(st.sampled_from([[], ["B"], ["B", "C"]])), *static]:
        shape = [draw(st.sampled_from(everywhere))]
        for _ in range(draw(st.integers(0, 6))):
            i, j = draw(st.sampled_from(shape))
            di, dj = draw(st.sampled_from(list(OFFSETS.values())))
            if (i + di, j + dj) in everywhere:
                shape.append((i + di, j + dj))
        for i, j in shape:
            if rows[i][j] == ".":
                rows[i][j] = letter
                weights[letter] = draw(st.integers(1, 4)) if letter not in weights else weights[letter]
    static = [letter for letter in static if letter in weights]
    acts: dict[str, str] = {}
    for letter in "abcdef"[: draw(st.integers(1, 6))]:
        i, j = draw(st.sampled_from(everywhere))
        if rows[i][j] == ".":
            rows[i][j] = letter
            weights[letter] = 1
            acts[letter] = draw(st.sampled_from(["UP", "DOWN", "LEFT", "RIGHT", "RIGHT", "LEFT", "STAY"]))
    return ["".join(row) for row in rows], weights, static, acts


@settings(max_examples=1500, deadline=None)
@given(scenes())
def test_a_round_follows_the_rule_pass_by_pass(
    scene: tuple[list[str], dict[str, int], list[str], dict[str, str]],
) -> None:
    rows, weights, static, acts = scene
    letters = Letters(rows, weights, static)
    cells: Cells = {
        letter: frozenset((i, j) for i, row in enumerate(rows) for j, at in enumerate(row) if at == letter)
        for letter in weights
    }

    moved = letters.play(acts)

    for way, (di, dj) in OFFSETS.items():
        expected = moved_by_rule(cells, weights, set(static), acts, way, (len(rows), len(rows[0])))
        assert moved[way] == sorted(expected), way
        for name in expected:
            cells[name] = frozenset((i + di, j + dj) for i, j in cells[name])
    for letter, (top, left) in letters.corners().items():
        assert (top, left) == (min(i for i, _ in cells[letter]), min(j for _, j in cells[letter]))


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_the_flow_equals_trying_all_sets(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 7))
    gains = data.draw(st.lists(st.integers(-5, 3), min_size=count, max_size=count))
    stuck = data.draw(st.lists(st.sampled_from([False] * 6 + [True]), min_size=count, max_size=count))
    pairs = [(u, v) for u in range(count) for v in range(count) if u != v]
    contacts = data.draw(st.lists(st.sampled_from(pairs), max_size=9, unique=True)) if pairs else []
    ahead = [[v for u, v in contacts if u == body] for body in range(count)]

    found = {body for body, moves in enumerate(movers(gains, ahead, stuck)) if moves}

    def feasible(members: set[int]) -> bool:
        if any(stuck[u] or set(ahead[u]) - members for u in members):
            return False
        for n in range(1, len(members) + 1):
            for subset in map(set, itertools.combinations(members, n)):
                closed = all(u in subset for u in members if subset & set(ahead[u]))
                if closed and sum(gains[u] for u in subset) < 0:
                    return False
        return True

    sets = [set(c) for n in range(count + 1) for c in itertools.combinations(range(count), n)]
    assert found == set[int]().union(*(members for members in sets if feasible(members)))
    assert feasible(found)


def test_force_is_rerouted_no_further_than_it_was_handed_on() -> None:
    """Body 3 may take back from body 0 only what it gave it; the rest has to be missing."""
    gains = [-2, -2, -1, -3, 2, 4, -2]
    ahead = [[], [], [0, 6], [], [0, 3], [0], [1]]
    assert movers(gains, ahead, [False] * 7) == [True, False, False, False, False, True, False]
