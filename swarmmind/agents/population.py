"""A population: agents made from role cards, with counts, and parameters drawn from distributions."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from swarmmind.effects import Agent, Sampling
from swarmmind.errors import UserError
from swarmmind.rng import Streams
from swarmmind.spec.cards import Card
from swarmmind.spec.task import Group, Task
from swarmmind.spec.values import Distribution


def populate(
    task: Task, groups: Sequence[Group], cards: Mapping[str, Card], streams: Streams, prefix: str = ""
) -> tuple[Agent, ...]:
    """The agents of a swarm, in the order of its groups.

    Ids are `<group id or card>-<n>`, n from 0; every agent's parameters are drawn from a stream of its own id, so
    that a larger population begins with the same agents.

    Args:
        task: whose sampling is the base and whose model is the default.
        groups: who takes part.
        cards: every role card that a group names.
        streams: chance for the parameters.
        prefix: put before every id, for a society inside a swarm.

    Raises:
        UserError: two groups give the same ids.
        SpecError: a card refers to a parameter that no one gives.
    """
    agents: list[Agent] = []
    base = task.sampling.over(Sampling())
    seen: set[str] = set()
    for group in groups:
        card = cards[group.card]
        name = prefix + (group.id or group.card)
        if name in seen:
            raise UserError(f"swarm.agents: two groups are called {name!r}; give one of them another 'id'")
        seen.add(name)
        sampling = group.sampling.over(card.sampling.over(base))
        model = group.model or card.model or task.model.name
        for number in range(group.count):
            agent = f"{name}-{number}"
            parameters = _drawn({**card.parameters, **group.parameters}, streams.rng(f"population/{agent}"))
            given = {**parameters, "id": agent, "index": len(agents), "role": group.card}
            agents.append(
                Agent(agent, group.card, _instructions(card, given), model, sampling, parameters, len(agents))
            )
    return tuple(agents)


def _drawn(parameters: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    return {
        name: value.draw(rng) if isinstance(value, Distribution) else value
        for name, value in sorted(parameters.items())
    }


def _instructions(card: Card, given: Mapping[str, Any]) -> str:
    """Cards that refer to nothing give one string for all agents: one object, one digest, one cached prefix."""
    return card.render(given if card.variables else {})
