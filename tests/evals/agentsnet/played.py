"""Recorded facts about the original, and games on the bare environment."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from swarmmind.effects import Agent, Reply
from swarmmind.evals.agentsnet import POLICIES, AgentsNet, Instance, instance
from swarmmind.evals.agentsnet.instances import tied
from swarmmind.rng import Streams

FIXTURES = Path(__file__).parents[2] / "fixtures" / "agentsnet"


def recorded(name: str) -> Any:
    """A fixture."""
    path = FIXTURES / name
    return json.loads(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes())


def network(name: Any) -> Instance:
    """An instance by the original's name, or from names and edges."""
    if isinstance(name, str):
        family, agents, index = name.split("_")
        return instance(family, int(agents), int(index))  # pyright: ignore[reportArgumentType]
    return tied(name["names"], name["edges"])


def world(problem: str, name: str, **parameters: Any) -> AgentsNet:
    """A problem on one of the original's networks."""
    family, agents, index = name.split("_")
    return AgentsNet(problem, int(agents), family, int(index), **parameters)  # pyright: ignore[reportArgumentType]


def said(text: str) -> Reply:
    """A reply."""
    return Reply(text=text, value=text)


def played(game: AgentsNet, policy: str, seed: int = 0, salt: int = 0, rounds: int | None = None) -> int:
    """Play a world with one policy to its end, or for some rounds; the number of calls."""
    game.reset(seed)
    streams = Streams(seed)
    make = POLICIES[policy]
    team = {name: (make(Agent(name, "peer", parameters={"salt": salt})), streams.rng(name)) for name in game.agents}
    calls = 0
    while not game.done and rounds != 0:
        turns = game.turns()
        calls += len(turns)
        game.step({name: said(team[name][0](turn.observation, team[name][1])) for name, turn in turns.items()})
        rounds = None if rounds is None else rounds - 1
    return calls


def answers(game: AgentsNet) -> list[str | None]:
    """The final answers by node."""
    return [seat.answer for seat in game.seats.values()]
