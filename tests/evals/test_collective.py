"""Foragers on a torus: the world's laws, what is told to whom, and the rule that could be a language model."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

import swarmmind
from swarmmind.effects import Agent, Choice, Reply
from swarmmind.errors import UserError
from swarmmind.evals.collective import POLICIES, Collective, Observation, Rule
from swarmmind.evals.collective.world import MOVES
from swarmmind.evals.environments import policies
from swarmmind.rng import Streams

RULE = Rule(Agent("a", "forager"))


def played(seed: int = 3, agents: int = 20, **parameters: Any) -> Collective:
    """A game by the rule, without the runtime."""
    world = Collective(agents, **parameters)
    world.reset(seed)
    streams = Streams(seed)
    chance = {name: streams.rng(name) for name in world.agents}
    while not world.done:
        step(world, {name: RULE(turn.observation, chance[name]) for name, turn in world.turns().items()})
    return world


def step(world: Collective, moves: dict[str, str]) -> None:
    world.step({name: Reply(text=move, value=move) for name, move in moves.items()})


def seen(**more: Any) -> Observation:
    whole: dict[str, Any] = {"round": 0, "heading": "EAST", "sees": (), "remembers": (), "senses": (), **more}
    return Observation(**whole)


def test_a_game_is_a_function_of_its_seed() -> None:
    assert played(rounds=60).frame() == played(rounds=60).frame()
    assert played(seed=4, rounds=60).frame()["trail"] != played(rounds=60).frame()["trail"]


def test_who_eats_walks_eight_rounds_straight_on_unasked() -> None:
    world = Collective(1, size=12, lifetime=1000, rounds=500)
    rng = random.Random(1)
    while world.score == 0.0:
        step(world, {name: RULE(turn.observation, rng) for name, turn in world.turns().items()})
    [[row, column]] = world.frame()["agents"].values()
    assert world.frame()["grid"][row][column] == "a"
    for _ in range(8):
        assert world.turns() == {}
        world.step({})
    [turn] = world.turns().values()
    [[later_row, later_column]] = world.frame()["agents"].values()
    assert sorted(((later_row - row) % 12, (later_column - column) % 12)) in ([0, 4], [0, 8])
    assert turn.observation.remembers  # it knows where it was


def test_food_moves_when_its_time_is_over_and_when_it_is_eaten_up() -> None:
    world = Collective(1, lifetime=5, patches=3)
    foods = [{at for at, symbol in enumerate("".join(world.frame()["grid"])) if symbol == "F"}]
    for _ in range(10):
        step(world, {"Forager_0": "STAY"} if world.turns() else {})
        foods.append({at for at, symbol in enumerate("".join(world.frame()["grid"])) if symbol == "F"})
    assert [len(foods[at] - foods[at - 1]) > 2 for at in range(1, 11)] == [False] * 4 + [True] + [False] * 4 + [True]
    singles = played(agents=5, patches=3, patch=1, food=0.1, lifetime=10_000, rounds=200)
    assert singles.score > 0.6  # more than the three meals that lay out at first
    assert len(singles.world.food) == 3


def test_memory_keeps_what_was_seen_fades_and_is_corrected_by_sight() -> None:
    world = played(agents=40, rounds=79, traces=False, food=1000)
    knowing = next(turn for turn in world.turns().values() if turn.observation.remembers and not turn.observation.sees)
    assert all(0.1 <= sure < 1.0 for _, _, sure in knowing.observation.remembers)
    food = set(world.world.food)
    assert all(set(forager.memory) <= food for forager in world.world.foragers)  # nothing has moved yet
    wrong = played(agents=40, rounds=90, traces=False, food=1000)
    for turn in wrong.turns().values():
        near = {
            (rows, columns) for rows, columns, _ in turn.observation.remembers if abs(rows) < 2 and abs(columns) < 2
        }
        assert near <= set(turn.observation.sees)


def test_traces_reach_those_who_have_a_memory_and_change_no_step_of_those_who_have_none() -> None:
    none, traced = played(memory=False, traces=False), played(memory=False, traces=True)
    assert none.frame()["trail"] == traced.frame()["trail"]
    assert traced.metrics()["readable_traces"] > 0 == none.metrics()["readable_traces"]
    alone, both = played(traces=False), played()
    assert both.metrics()["remembered_per_agent"] > alone.metrics()["remembered_per_agent"]
    assert played(memory=False, reader="reactive").frame()["trail"] != none.frame()["trail"]


def test_a_trace_of_food_is_weakened_by_those_who_see_that_there_is_none() -> None:
    for viewers in (1, 2):
        world = Collective(viewers, size=12)
        laws = world.world
        here = next(cell for cell in range(144) if all(max(map(abs, laws.offset(cell, f))) > 2 for f in laws.food))
        for forager in laws.foragers:
            forager.cell = here
        row, column = divmod(here, 12)
        far = ((row + 5) % 12, column)
        for at in ((row, column), far):
            laws.grid.deposit("food", *at, 1.0)
        world.step({})
        assert laws.grid.read("food", row, column) == pytest.approx(0.95 * 0.3**viewers, rel=1e-5)
        if cell_at(far) not in laws.food:
            assert laws.grid.read("food", *far) == pytest.approx(0.95, rel=1e-5)


def cell_at(at: tuple[int, int]) -> int:
    return at[0] * 12 + at[1]


def test_an_agent_learns_from_a_trace_what_it_never_saw_within_reach_alone() -> None:
    world = played(agents=30, rounds=40)
    reached = 0
    for name, turn in world.turns().items():
        forager = world.world.foragers[world.agents.index(name)]
        known = set(forager.memory)
        for cell, strength in world.world.smelt(forager):
            rows, columns = world.world.offset(forager.cell, cell)
            assert max(abs(rows), abs(columns)) <= 4
            assert strength >= 0.3
            assert cell in known or cell not in world.world.food
            reached += not turn.observation.sees
    assert reached > 0


@pytest.mark.parametrize(
    ("parameters", "remembering", "sensing"),
    [
        ({"memory": False, "traces": False}, False, False),
        ({"memory": False, "traces": True}, False, False),
        ({"memory": True, "traces": True}, True, False),
        ({"memory": False, "traces": True, "reader": "reactive"}, False, True),
    ],
)
def test_a_prompt_tells_what_the_observation_holds_and_nothing_else(
    parameters: dict[str, Any], remembering: bool, sensing: bool
) -> None:
    world = played(agents=60, rounds=60, **parameters)
    turns = list(world.turns().values())
    for turn in turns:
        told, observation = turn.messages[-1].content, turn.observation
        assert turn.output == Choice(tuple(MOVES))
        assert turn.messages[:-1] == turns[0].messages[:-1]
        assert ("You see no food" in told) == (not observation.sees)
        assert ("You remember" in told) == bool(observation.remembers)
        assert ("You sense" in told) == bool(observation.senses)
        assert told.count("(") == len(observation.sees) + len(observation.remembers) + len(observation.senses)
    assert any(turn.observation.remembers for turn in turns) == remembering
    assert any(turn.observation.senses for turn in turns) == sensing


@pytest.mark.parametrize(
    ("observation", "move"),
    [
        (seen(sees=((1, 1), (0, -1)), remembers=((-3, 0, 1.0),)), "WEST"),
        (seen(remembers=((-9, 0, 1.0), (2, 1, 0.6))), "SOUTH"),  # 1 / 12 < 0.6 / 6
        (seen(remembers=((-9, 0, 1.0), (2, 1, 0.4))), "NORTH"),
        (seen(senses=((1, -2, 0.4),)), "WEST"),
        (seen(sees=((0, 0),)), "STAY"),
    ],
)
def test_the_rule_goes_to_food_else_to_the_best_place_it_knows(observation: Observation, move: str) -> None:
    assert RULE(observation, random.Random(0)) == move


def test_the_rule_walks_on_and_turns_now_and_then() -> None:
    rng = random.Random(2)
    moves = [RULE(seen(), rng) for _ in range(4000)]
    assert moves.count("EAST") / 4000 == pytest.approx(0.85, abs=0.02)  # 0.8, and a quarter of the turns
    assert set(moves) == {"NORTH", "EAST", "SOUTH", "WEST"}


def test_who_does_not_answer_stays_and_strangers_are_refused() -> None:
    world = Collective(2, size=12)
    before = world.frame()["agents"]
    world.step({"Forager_0": None})
    assert world.frame()["agents"] == before
    with pytest.raises(UserError, match="no agent 'x'"):
        world.step({"x": None})


@pytest.mark.parametrize(
    "parameters",
    [
        {"agents": 0}, {"size": 7}, {"patches": 0}, {"patches": 80}, {"patch": 13}, {"food": 0.0}, {"vision": 12},
        {"reach": 30}, {"rounds": 0}, {"lifetime": 0}, {"away": -1}, {"reader": "psychic"},
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_named(parameters: dict[str, Any]) -> None:
    named = "patch" if "patch" in parameters else next(iter(parameters))
    with pytest.raises(UserError, match=named):
        Collective(**parameters)


def test_it_is_played_by_name_through_the_runtime_with_the_same_rule(tmp_path: Path) -> None:
    task = {
        "problem": {"environment": "collective-memory", "rounds": 50},
        "model": "builtin/collective-memory",
        "swarm": {"agents": {"forager": 12}, "topology": "world"},
        "seed": 5,
    }
    result = swarmmind.run_sync(task, runs=tmp_path, env={})
    assert result.status == "finished"
    assert result.coverage.failed == 0
    assert list(POLICIES) == ["collective-memory"]
    assert float(result.score or 0.0) > 0.2
    silent = Collective(12, rounds=50)
    silent.reset(5)
    while not silent.done:
        silent.step({})
    assert silent.score <= 0.2


def test_equal_walks_have_an_equal_trail_and_others_another() -> None:
    none, traced = played(memory=False, traces=False, rounds=60), played(memory=False, traces=True, rounds=60)
    assert none.metrics()["trail"] == traced.metrics()["trail"] != played(rounds=60).metrics()["trail"]
    assert none.metrics()["trail"].is_integer()
    one, other = Collective(2, size=12), Collective(2, size=12)
    step(one, dict.fromkeys(one.turns(), "NORTH"))
    step(other, dict.fromkeys(other.turns(), "SOUTH"))
    assert one.metrics()["trail"] != other.metrics()["trail"]


@pytest.mark.parametrize(("policy", "moves"), [("random", set(MOVES)), ("still", {"STAY"})])
def test_the_floors_of_the_box_play_here_too(policy: str, moves: set[str]) -> None:
    player = policies()[policy](Agent("a", "forager"))
    rng = random.Random(3)
    assert {player(seen(), rng) for _ in range(100)} == moves
