"""Walks through rooms: the graph has the properties it was made for, and every task is what it says."""

from __future__ import annotations

from collections import Counter
from typing import Any, get_args

import networkx as nx
import pytest

from swarmmind.evals.planning import Rooms, best_plan, distances, graph, read_puzzle
from swarmmind.evals.planning.rooms import DOORS, Task

TASKS = get_args(Task)
HOUSE = nx.Graph(list(DOORS))


def walks(task: Any, **more: Any) -> list[Rooms]:
    found = [read_puzzle(item.text) for item in graph(task, **more).items]
    assert all(isinstance(each, Rooms) for each in found)
    return [each for each in found if isinstance(each, Rooms)]


def test_the_house_has_three_groups_with_two_ways_between_any_two() -> None:
    assert sorted(HOUSE) == list(range(1, 16))
    assert Counter(degree for _, degree in HOUSE.degree) == {4: 15}
    assert nx.diameter(HOUSE) == 4
    assert nx.is_connected(HOUSE)
    assert nx.edge_connectivity(HOUSE, 3, 8) == 2
    groups = nx.community.greedy_modularity_communities(HOUSE)
    assert sorted(map(sorted, groups)) == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12, 13, 14, 15]]


@pytest.mark.parametrize("task", TASKS)
def test_every_problem_says_all_of_itself_and_can_be_solved(task: Any) -> None:
    for item in graph(task).items:
        found = read_puzzle(item.text)
        assert found is not None
        assert (found.written(), item.kind) == (item.text, task)
        assert 1 <= distances(found, found.goal)[found.start] <= found.limit == 10


@pytest.mark.parametrize("steps", [2, 3, 4])
def test_step_paths_are_as_long_as_they_say(steps: int) -> None:
    found = walks(f"step-path-{steps}")
    assert len({(each.start, each.goal) for each in found}) == 20
    assert {nx.shortest_path_length(HOUSE, each.start, each.goal) for each in found} == {steps}


def test_step_paths_are_drawn_by_the_seed_and_no_more_than_there_are() -> None:
    assert graph("step-path-2", seed=1).items == graph("step-path-2", seed=1).items
    assert graph("step-path-2", seed=1).items != graph("step-path-2", seed=2).items
    everything = walks("step-path-4", problems=1000)
    assert len(everything) == sum(
        length == 4 for _, row in nx.all_pairs_shortest_path_length(HOUSE) for length in row.values()
    )


def test_rewards_are_as_in_the_paper_and_end_the_walk() -> None:
    found = walks("value-path")
    assert sorted(each.start for each in found) == [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14]
    assert {(each.goal, each.rewards) for each in found} == {(8, ((8, 50), (15, 10)))}
    assert all(not each.moves(15) and each.after(15, 1) == 15 for each in found)
    assert "room 8: 50, room 15: 10" in found[0].written()
    assert "GOAL: the room with the largest reward" in found[0].written()


def test_a_walk_never_leads_through_the_smaller_reward() -> None:
    for walk in (*walks("value-path"), *walks("detour")):
        assert 15 not in best_plan(walk, walk.start, walk.goal)


def test_a_detour_is_a_value_path_whose_best_way_is_locked() -> None:
    costs = 0
    for before, after in zip(walks("value-path"), walks("detour"), strict=True):
        assert (before.start, len(after.locked)) == (after.start, 1)
        a, b = after.locked[0]
        assert (b not in after.moves(a), a not in after.moves(b)) == (True, True)
        costs += len(best_plan(after, after.start, 8)) - len(best_plan(before, before.start, 8))
        assert len(best_plan(after, after.start, 8)) >= len(best_plan(before, before.start, 8))
    assert costs >= 10


def test_after_a_revaluation_the_goal_is_the_other_room() -> None:
    for walk in walks("revaluation"):
        assert (walk.goal, walk.rewards_now) == (15, ((8, 10), (15, 50)))
        assert "REWARDS: room 8: 50, room 15: 10\nREWARDS SINCE THEN: room 8: 10, room 15: 50\n" in walk.written()
        assert 8 not in best_plan(walk, walk.start, walk.goal)


def test_moves_are_rooms_next_door() -> None:
    walk = Rooms(1, 8)
    assert walk.moves(1) == sorted(HOUSE[1])
    assert (walk.read_move("room 5"), walk.read_move("go from room 2 to room 4"), walk.read_move("up")) == (5, 4, None)
    assert walk.after(1, 5) == 1
    assert walk.why(1, 5) == "No open door leads from room 1 to room 5."
    assert "must name a room" in walk.why(1, None)
    assert len(walk.illegal(1)) == 10
