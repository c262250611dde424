from __future__ import annotations

import random
import statistics

import pytest

from swarmmind.effects import Agent, Reply
from swarmmind.evals.swarmbench import POLICIES, TASKS, SwarmBench
from swarmmind.evals.swarmbench.published import CODE_UNITS, PAPER_ROWS


def game(task: str, policy: str, seed: int) -> tuple[float, list[str]]:
    """A whole game; its score, and all that was answered."""
    world = SwarmBench(task)
    world.reset(seed)
    players = {name: POLICIES[policy](Agent(id=name, role="robot")) for name in world.agents}
    chance = {name: random.Random(f"{seed}/{name}") for name in world.agents}
    texts: list[str] = []
    while not world.done:
        said = {name: players[name](turn.observation, chance[name]) for name, turn in world.turns().items()}
        texts += said.values()
        world.step({name: Reply(text=text) for name, text in said.items()})
    return world.score, texts


@pytest.mark.parametrize("task", sorted(TASKS))
def test_the_rules_beat_every_published_model_and_chance(task: str) -> None:
    best = CODE_UNITS[task] * max(row[task].mean for row in PAPER_ROWS.values())
    rules = statistics.mean(game(task, f"swarmbench-{task}", seed)[0] for seed in range(4))
    floor = statistics.mean(game(task, "random", seed)[0] for seed in range(4))
    assert rules > best
    assert floor < best


@pytest.mark.parametrize("task", sorted(TASKS))
def test_games_repeat_and_messages_fit(task: str) -> None:
    one, other = game(task, "swarmbench", 1), game(task, f"swarmbench-{task}", 1)
    assert one == other
    for text in one[1]:
        _, _, message = text.partition("MSG: ")
        assert len(message) <= 120


@pytest.mark.parametrize("policy", ["random", "still", "swarmbench"])
@pytest.mark.parametrize("task", sorted(TASKS))
def test_where_nobody_can_speak_the_answer_is_an_action_alone(task: str, policy: str) -> None:
    world = SwarmBench(task, actions="choice")
    players = {name: POLICIES[policy](Agent(id=name, role="robot")) for name in world.agents}
    for _ in range(3):
        said = {name: players[name](turn.observation, random.Random(1)) for name, turn in world.turns().items()}
        assert set(said.values()) <= set(TASKS[task].actions)
        world.step({name: Reply(text=text, value=text) for name, text in said.items()})


def test_the_names_are_those_promised() -> None:
    assert set(POLICIES) == {"random", "still", "swarmbench", *(f"swarmbench-{task}" for task in TASKS)}
