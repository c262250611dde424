"""A population: agents made from role cards, with counts, and parameters drawn from distributions."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from swarmmind.effects import Agent, Sampling
from swarmmind.rng import Streams
from swarmmind.spec.cards import Card
from swarmmind.spec.load import LoadedSwarm
from swarmmind.spec.task import Task
from swarmmind.spec.values import Distribution


def populate(task: Task, swarm: LoadedSwarm, streams: Streams, prefix: str = "") -> tuple[Agent, ...]:
    """The agents of a swarm, in the order of its groups.

    Ids are `<group id or card>-<n>`, n from 0; every agent's parameters are drawn from a stream of its own id, so
    that a larger population begins with the same agents.

    Args:
        task: whose sampling is the base and whose model is the default.
        swarm: its groups and their role cards. An agent of a group that is itself a swarm has that swarm's name
            (`stand_in`) as its model.
        streams: chance for the parameters.
        prefix: put before every id, for a society inside a swarm.

    Raises:
        SpecError: a card refers to a parameter that no one gives.
    """
    agents: list[Agent] = []
    base = task.sampling.over(Sampling())
    for place, group in enumerate(swarm.swarm.groups):
        card = swarm.cards[group.card]
        name = prefix + (group.id or group.card)
        sampling = group.sampling.over(card.sampling.over(base))
        priority = card.priority if group.priority is None else group.priority
        inner = swarm.inner.get(place)
        model = stand_in(inner) if inner else group.model or card.model or task.model.name
        for number in range(group.count):
            agent = f"{name}-{number}"
            parameters = _drawn({**card.parameters, **group.parameters}, streams.rng(f"population/{agent}"))
            given = {**parameters, "id": agent, "index": len(agents), "role": group.card}
            agents.append(
                Agent(agent, group.card, _instructions(card, given), model, sampling, parameters, len(agents), priority)
            )
    return tuple(agents)


def stand_in(swarm: LoadedSwarm) -> str:
    """The name by which agents know a swarm that answers for them, where others have a model's."""
    return f"swarm:{'.'.join(map(str, swarm.path))}"


def _drawn(parameters: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    return {
        name: value.draw(rng) if isinstance(value, Distribution) else value
        for name, value in sorted(parameters.items())
    }


def _instructions(card: Card, given: Mapping[str, Any]) -> str:
    """Cards that refer to nothing give one string for all agents: one object, one digest, one cached prefix."""
    return card.render(given if card.variables else {})
