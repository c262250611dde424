"""The Tower of Hanoi against what is known of it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.evals.planning import Hanoi, best_plan, distances, hanoi, read_puzzle


def puzzle(disks: int = 3) -> Hanoi:
    return Hanoi((0,) * disks, (2,) * disks, 10)


def test_there_are_all_start_states_but_the_goal_with_the_papers_limits() -> None:
    for disks, count, limit in ((3, 26, 10), (4, 80, 20)):
        found = [read_puzzle(item.text) for item in hanoi(disks).items]  # type: ignore[arg-type]
        assert len({one.start for one in found if one}) == count == len(found)
        assert {one.limit for one in found if one} == {limit}
        assert all(len(one.start) == disks and one.start != one.goal for one in found if isinstance(one, Hanoi))
        assert {item.kind for item in hanoi(disks).items} == {f"{disks} disks"}  # type: ignore[arg-type]


def test_the_goal_is_all_disks_on_the_last_peg() -> None:
    assert "GOAL: A = [], B = [], C = [3, 2, 1]\n" in hanoi(3).items[0].text


@pytest.mark.parametrize("disks", [2, 3, 4, 5])
def test_a_tower_takes_two_to_the_disks_less_one_moves_and_no_state_is_further(disks: int) -> None:
    tower = puzzle(disks)
    known = distances(tower, tower.goal)
    assert len(known) == 3**disks
    assert known[tower.start] == max(known.values()) == 2**disks - 1 == len(best_plan(tower, tower.start, tower.goal))


def test_every_problem_can_be_solved_within_its_limit() -> None:
    for item in (*hanoi(3).items, *hanoi(4).items):
        found = read_puzzle(item.text)
        assert found is not None
        assert 1 <= distances(found, found.goal)[found.start] <= found.limit
        assert found.written() == item.text


def test_a_move_takes_the_topmost_disk_and_leaves_all_others() -> None:
    tower = puzzle()
    assert tower.moves(tower.start) == [(0, 1), (0, 2)]
    assert tower.after((0, 0, 0), (0, 1)) == (1, 0, 0)
    assert tower.after((1, 0, 0), (0, 1)) == (1, 0, 0)  # the second disk would lie on the first
    assert tower.after((1, 0, 0), (2, 1)) == (1, 0, 0)  # nothing lies on C


def test_objections_name_the_rule_that_is_broken() -> None:
    tower = puzzle()
    assert tower.why((1, 0, 0), (0, 1)) == "Disk 2 would lie on disk 1 of peg B, which is smaller."
    assert tower.why((1, 0, 0), (2, 1)) == "There is no disk on peg C."
    assert "must name two pegs" in tower.why((1, 0, 0), None)
    assert "the same peg" in tower.why((1, 0, 0), (0, 0))


@given(st.integers(1, 6).flatmap(lambda n: st.tuples(*[st.integers(0, 2)] * n)))
def test_states_survive_being_written(towers: tuple[int, ...]) -> None:
    made = Hanoi(towers, (2,) * len(towers), 10)
    assert made.read_state(made.write_state(towers)) == towers
    assert set(made.moves(towers)).isdisjoint(made.illegal(towers))
    assert len(made.moves(towers)) + len(made.illegal(towers)) == 6


@pytest.mark.parametrize(
    "text",
    [
        "A = [3, 2, 1], B = []",
        "A = [3, 2], B = [], C = []",
        "A = [3, 1, 2], B = [], C = []",
        "A = [3, 2, 1], B = [1], C = []",
        "A = [3, 2, 1], A = [], C = []",
        "A = [2, 1], B = [], C = []",
        "",
    ],
)
def test_what_is_no_state_is_not_read_as_one(text: str) -> None:
    assert puzzle().read_state(text) is None


@pytest.mark.parametrize(
    ("text", "move"),
    [
        ("A to C", (0, 2)),
        ("a to b", (0, 1)),
        ("Move disk 1 from A to peg C", (0, 2)),
        ("C -> B", (2, 1)),
        ("peg b → peg a.", (1, 0)),
        ("put it on C", None),
        ("A to D", None),
    ],
)
def test_moves_are_read_as_people_write_them(text: str, move: tuple[int, int] | None) -> None:
    assert puzzle().read_move(text) == move


def test_the_subgoal_clears_the_way_of_the_largest_misplaced_disk() -> None:
    assert puzzle().between((0, 0, 0)) == (1, 1, 0)
    assert puzzle().between((1, 0, 2)) == (1, 0, 2)  # the second one can go: the first is out of its way
    assert puzzle().between((2, 2, 2)) == (2, 2, 2)


@given(st.integers(0, 2**32))
def test_the_subgoal_lies_on_a_shortest_way(seed: int) -> None:
    tower = puzzle(4)
    start = tuple(random.Random(seed).choices(range(3), k=4))
    middle, known = tower.between(start), distances(tower, tower.goal)
    assert distances(tower, middle)[start] + known[middle] == known[start] or start[3] != 2
    assert known[middle] <= known[start]


def test_no_text_makes_the_search_for_a_move_slow() -> None:
    assert Hanoi((0, 0, 0), (2, 2, 2), 10).read_move("A" + "->" * 30_000) is None
