"""Any PettingZoo parallel environment as a world for language models: observations told, actions asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from swarmmind.effects import Choice, Json, Message, Output, Reply
from swarmmind.errors import UserError
from swarmmind.ports import Turn

_RULES = """\
You are one of several agents in the environment {name!r}. Every round each agent sees its own observation and chooses
one action; then the world moves and rewards are given. Act so that all agents together earn as much as possible."""


class ParallelWorld:
    """A PettingZoo `ParallelEnv` (Terry et al. 2021) as an `Environment`.

    Observations are told as JSON. Discrete actions are asked for as one of their numbers, others as a JSON array of the
    space's shape. The score is the sum of all rewards so far. An agent without an answer plays `noop`, because the API
    has no way to sit a round out.

    Args:
        env: the environment, made but not reset.
        rounds: how many are played at most.
        noop: the discrete action that stands for none.

    Raises:
        UserError: an action space is neither discrete nor made of numbers.
    """

    def __init__(self, env: Any, rounds: int = 100, noop: int = 0) -> None:
        self._env, self._rounds, self._noop = env, rounds, noop
        self._name = str(getattr(env, "metadata", {}).get("name", type(env).__name__))
        self._outputs = {agent: _output(env.action_space(agent)) for agent in env.possible_agents}
        self._shared = Message("user", _RULES.format(name=self._name))
        self._observations: dict[str, Any] = {}
        self._round, self._score = 0, 0.0

    @property
    def agents(self) -> Sequence[str]:
        """The environment's possible agents, in its order."""
        return [str(agent) for agent in self._env.possible_agents]

    @property
    def rounds(self) -> int:
        """How many rounds are played at most."""
        return self._rounds

    @property
    def done(self) -> bool:
        """Whether nobody acts any more, or all rounds are played."""
        return self._round >= self._rounds or not self._env.agents

    @property
    def score(self) -> float:
        """The sum of all agents' rewards so far."""
        return self._score

    def reset(self, seed: int) -> None:
        """Begin anew with the environment's own seed set."""
        self._observations, _ = self._env.reset(seed=seed)
        self._round, self._score = 0, 0.0

    def turns(self) -> dict[str, Turn]:
        """What each living agent is told; the rules come first and are the same for all."""
        return {str(agent): self._turn(agent) for agent in self._env.agents}

    def _turn(self, agent: Any) -> Turn:
        observation = self._observations[agent]
        told = f"You are {agent}. Round {self._round}. Your observation:\n{_plain(observation)!r}"
        return Turn((self._shared, Message("user", told)), observation, self._outputs[agent])

    def step(self, replies: Mapping[str, Reply | None]) -> None:
        """Play one round; failed replies are `noop`."""
        actions = {agent: self._action(agent, replies.get(str(agent))) for agent in self._env.agents}
        self._observations, rewards, _, _, _ = self._env.step(actions)
        self._score += float(sum(rewards.values()))
        self._round += 1

    def _action(self, agent: Any, reply: Reply | None) -> Any:
        space = self._env.action_space(agent)
        if reply is None or reply.failure is not None:
            return self._noop if hasattr(space, "n") else np.zeros(space.shape, space.dtype)
        if hasattr(space, "n"):
            return int(reply.value)
        low, high = getattr(space, "low", None), getattr(space, "high", None)
        action = np.asarray(reply.value, space.dtype).reshape(space.shape)
        return action if low is None else np.clip(action, low, high)

    def frame(self) -> dict[str, Any]:
        """Round and score, and what the environment renders as text, if it does."""
        frame: dict[str, Any] = {"task": self._name, "round": self._round, "score": self._score}
        if getattr(self._env, "render_mode", None) == "ansi":
            frame["grid"] = str(self._env.render()).splitlines()
        return frame

    def metrics(self) -> dict[str, float]:
        """Nothing beside the score."""
        return {}


def _output(space: Any) -> Output:
    if hasattr(space, "n") and not getattr(space, "shape", ()):
        start = int(getattr(space, "start", 0))
        return Choice(tuple(str(action) for action in range(start, start + int(space.n))))
    shape = getattr(space, "shape", None)
    if not shape:
        raise UserError(f"the action space {space} is neither discrete nor an array of numbers")
    items: dict[str, Any] = {"type": "number"}
    for size in reversed(shape):
        items = {"type": "array", "items": items, "minItems": int(size), "maxItems": int(size)}
    return Json("action", items)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(inner) for inner in value]
    return np.asarray(value).tolist()
