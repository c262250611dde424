"""From a distributed algorithm to an agent of AgentsNet: its parts talk in JSON messages (spec section 6)."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

import msgspec

from swarmmind.effects import Agent
from swarmmind.errors import UserError
from swarmmind.evals.agentsnet.prompt import Observation
from swarmmind.evals.agentsnet.reading import MARKER
from swarmmind.rng import Streams


class Algorithm(Protocol):
    """One agent's part in a distributed algorithm. It knows its neighbors and hears them; nothing else.

    Attributes:
        message: the type of what the parts say to each other; what neighbors say otherwise is not heard.
    """

    message: Any

    def say(self, seen: Observation, heard: Mapping[str, Any], rng: random.Random) -> Mapping[str, Any]:
        """What to tell whom, after hearing this from whom; nothing is heard in round 0."""
        ...

    def answer(self, seen: Observation, heard: Mapping[str, Any], rng: random.Random) -> str:
        """The final answer, after hearing this from whom."""
        ...


Begun: TypeAlias = Callable[[Observation, int], Algorithm]
"""From the first observation and the salt of all shared hashes to an agent's part."""


class Player:
    """An agent that follows the algorithm of its problem and remembers.

    Its chance is that of its agent, of its problem and of its name: on two networks it does not draw the same numbers,
    which would make them one sample.

    Args:
        name: of the policy.
        algorithms: by problem.
        agent: its parameter `salt`, if it has one, stands in what all agents hash alike; it must be equal for all.
    """

    def __init__(self, name: str, algorithms: Mapping[str, Begun], agent: Agent) -> None:
        self._name, self._algorithms = name, algorithms
        self._salt = int(agent.parameters.get("salt", 0))
        self._part: Algorithm | None = None
        self._said = ""
        self._chance = random.Random(0)

    def __call__(self, observation: Observation, rng: random.Random) -> str:
        """Its messages as one JSON object, JSON themselves; in the end its answer behind the marker.

        Raises:
            UserError: it knows nothing of this problem.
        """
        if observation.again:
            return self._said
        if self._part is None or observation.round == 0:
            self._part = self._begun(observation)
            own = "/".join((observation.problem, observation.name, *observation.neighbors))
            self._chance = Streams(rng.getrandbits(63)).rng(own)
        part, rng = self._part, self._chance
        heard = _heard(observation.inbox, part.message)
        if observation.final:
            self._said = f"{MARKER} {part.answer(observation, heard, rng)}"
        else:
            self._said = _letters(part.say(observation, heard, rng))
        return self._said

    def _begun(self, seen: Observation) -> Algorithm:
        if seen.problem not in self._algorithms:
            known = ", ".join(self._algorithms)
            raise UserError(f"builtin/{self._name} solves {known}; this problem is {seen.problem}")
        return self._algorithms[seen.problem](seen, self._salt)


def to_all(seen: Observation, message: Any) -> dict[str, Any]:
    """The same message to every neighbor."""
    return dict.fromkeys(seen.neighbors, message)


def _heard(inbox: Mapping[str, str], kind: Any) -> dict[str, Any]:
    heard: dict[str, Any] = {}
    for name, text in inbox.items():
        try:
            heard[name] = msgspec.json.decode(text, type=kind)
        except (msgspec.MsgspecError, RecursionError, ValueError):
            continue  # somebody who follows no algorithm, or another one
    return heard


def _letters(messages: Mapping[str, Any]) -> str:
    texts: dict[int, str] = {}  # by identity: most agents tell all the same
    for message in messages.values():
        if id(message) not in texts:
            texts[id(message)] = msgspec.json.encode(message).decode()
    return msgspec.json.encode({name: texts[id(message)] for name, message in messages.items()}).decode()
