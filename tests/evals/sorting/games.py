"""Games of cells without the runtime: the same world, the same rules, in a loop."""

from __future__ import annotations

from typing import Any, NamedTuple

from swarmmind.effects import Agent, Reply
from swarmmind.evals.sorting import Rule, SortingCells
from swarmmind.rng import Streams


class Game(NamedTuple):
    """A world that was played to its end, and how often somebody was asked."""

    world: SortingCells
    asks: int


def members(count: int) -> list[Agent]:
    return [Agent(f"worker-{at}", "worker", model="m", index=at) for at in range(count)]


def game(seed: int, cells: int = 50, *, model: str = "builtin/sorting-cells", **parameters: Any) -> Game:
    """Played by the rules; each agent's chance is its own stream of the model's, as in a run."""
    world = SortingCells(1 if parameters.get("central") else cells, cells=cells, **parameters)
    world.reset(seed)
    agents = dict(zip(world.agents, members(len(world.agents)), strict=True))
    rules = {name: Rule(agent) for name, agent in agents.items()}
    streams = Streams(seed).child(model)
    chance = {name: streams.rng(agent.id) for name, agent in agents.items()}
    asks = 0
    while not world.done:
        turns = world.turns()
        asks += len(turns)
        said = {name: rules[name](turn.observation, chance[name]) for name, turn in turns.items()}
        world.step({name: Reply(text=word, value=word) for name, word in said.items()})
    return Game(world, asks)
