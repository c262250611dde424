from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from swarmmind.effects import Choice, Failure, Json, Reply
from swarmmind.errors import UserError
from swarmmind.evals.pettingzoo import ParallelWorld
from swarmmind.evals.swarmbench import parallel_env


class Steering:
    """Two agents; the reward is what they choose; the second leaves after the first round."""

    def __init__(self, space: Any) -> None:
        self.metadata = {"name": "steering"}
        self.possible_agents = ["left", "right"]
        self.space, self.agents, self.played = space, [], []

    def action_space(self, agent: str) -> Any:
        return self.space

    def reset(self, seed: int | None = None) -> Any:
        self.agents = list(self.possible_agents)
        return {agent: np.array([seed, 0]) for agent in self.agents}, {}

    def step(self, actions: dict[str, Any]) -> Any:
        self.played.append(actions)
        rewards = {agent: float(np.sum(action)) for agent, action in actions.items()}
        self.agents = ["left"]
        return {"left": np.array([9, 9])}, rewards, {}, {}, {}


def test_numbers_are_asked_for_and_played_and_rewards_add_up() -> None:
    env = Steering(spaces.Discrete(3, start=1))
    world = ParallelWorld(env, rounds=2, noop=1)
    world.reset(5)
    turns = world.turns()
    assert turns["left"].output == Choice(("1", "2", "3"))
    assert turns["left"].messages[0] is turns["right"].messages[0]
    assert "[5, 0]" in turns["left"].messages[1].content
    world.step({"left": Reply(text="3", value="3"), "right": Reply(failure=Failure("timeout", "late"))})
    assert env.played == [{"left": 3, "right": 1}]
    assert (world.score, world.done, list(world.turns())) == (4.0, False, ["left"])
    world.step({"left": None})
    assert (world.score, world.done) == (5.0, True)


def test_arrays_are_asked_for_as_json_and_kept_in_bounds() -> None:
    env = Steering(spaces.Box(-1, 1, (2,)))
    world = ParallelWorld(env)
    world.reset(0)
    output = world.turns()["left"].output
    assert isinstance(output, Json)
    assert output.schema["minItems"] == output.schema["maxItems"] == 2
    world.step({"left": Reply(text="[0.5, 7]", value=[0.5, 7]), "right": None})
    assert [list(action) for action in env.played[0].values()] == [[0.5, 1.0], [0.0, 0.0]]


def test_spaces_that_no_text_can_name_are_refused() -> None:
    with pytest.raises(UserError, match="neither discrete nor an array"):
        ParallelWorld(Steering(spaces.Dict({"a": spaces.Discrete(2)})))


def test_a_real_parallel_environment_is_played() -> None:
    world = ParallelWorld(parallel_env("pursuit"), rounds=3)
    world.reset(1)
    while not world.done:
        world.step({name: Reply(text="0", value="0") for name in world.turns()})
    assert world.frame()["round"] == 3
