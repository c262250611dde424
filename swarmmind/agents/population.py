"""A population: agents made from role cards, with counts, and parameters drawn from distributions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from swarmmind.effects import Agent, Sampling
from swarmmind.rng import Streams
from swarmmind.spec.load import LoadedSwarm
from swarmmind.spec.source import Place
from swarmmind.spec.task import Task
from swarmmind.spec.templates import Template, template
from swarmmind.spec.values import Distribution

_MAX_TEXTS, _MAX_CHARACTERS = 16_384, 4_000_000  # of a card's prompts, kept for the next round
_NONE: dict[str, Any] = {}  # agents are frozen: all that have no parameters share it


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
        drawn = sorted({**card.parameters, **group.parameters}.items())
        prompt = Instructions(card.body) if card.variables else card.render({})
        for number in range(group.count):
            id_ = f"{name}-{number}"
            parameters = _drawn(drawn, streams, id_)
            agent = Agent(id_, group.card, prompt, model, sampling, parameters, len(agents), priority)
            if not isinstance(prompt, str):
                prompt.written(agent)  # what is wrong with it is told before anything runs
            agents.append(agent)
    return tuple(agents)


class Instructions:
    """The prompt of a card that refers to its agent: one for all agents, written for each when it is wanted.

    Args:
        body: the card's.
    """

    def __init__(self, body: Template) -> None:
        self._body = body
        self._texts: dict[str, tuple[Agent, str]] = {}  # the latest, by id: many are asked round after round
        self._characters = 0  # of those

    def __call__(self, agent: Agent) -> str:
        """An agent's own, without blank lines around it.

        Raises:
            SpecError: see `written`.
        """
        known, text = self._texts.get(agent.id, (None, ""))
        if known is not agent:
            text = self.written(agent)
            self._characters += len(text)
            if len(self._texts) >= _MAX_TEXTS or self._characters > _MAX_CHARACTERS:
                self._texts.clear()
                self._characters = len(text)
            self._texts[agent.id] = (agent, text)
        return text

    def written(self, agent: Agent) -> str:
        """The same, made anew.

        Raises:
            SpecError: it refers to a parameter that no one gives, or a filter cannot take its value.
        """
        given = {**agent.parameters, "id": agent.id, "index": agent.index, "role": agent.role}
        return self._body.render(given).strip()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Instructions) and self._body.text == other._body.text

    def __hash__(self) -> int:
        return hash(self._body.text)

    def __reduce__(self) -> tuple[Any, ...]:  # what Jinja compiled cannot be pickled
        return _again, (self._body.text, self._body.place)


def _again(text: str, place: Place) -> Instructions:
    return Instructions(template(text, place))


def stand_in(swarm: LoadedSwarm) -> str:
    """The name by which agents know a swarm that answers for them, where others have a model's."""
    return f"swarm:{'.'.join(map(str, swarm.path))}"


def _drawn(parameters: Sequence[tuple[str, Any]], streams: Streams, id_: str) -> dict[str, Any]:
    if not parameters:
        return _NONE
    rng = streams.rng(f"population/{id_}")
    return {name: value.draw(rng) if isinstance(value, Distribution) else value for name, value in parameters}
