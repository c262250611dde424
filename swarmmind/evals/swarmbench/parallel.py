"""SwarmBench as a PettingZoo `ParallelEnv`, for agents that are no language models."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

from swarmmind.evals.swarmbench.reading import MESSAGE_LIMIT, cut
from swarmmind.evals.swarmbench.view import Drawing, Labels, View, grid
from swarmmind.evals.swarmbench.world import World

_CODES = {"*": -1, ".": 0, "W": 1, "B": 2, "P": 3, "F": 4, "N": 5, "Y": 6}
FIRST_AGENT_CODE = 8
"""Agent `i` is seen as 8 + 2i, or one more where the text shows a dollar."""
_FARTHEST = 1 << 15


class SwarmBenchParallel(ParallelEnv[str, dict[str, Any], Any]):
    """The same world as `SwarmBench`, with arrays instead of prompts.

    An action is the index of one of the task's actions: UP, DOWN, LEFT, RIGHT, STAY (, SWITCH). With `talk` it is a
    pair of that and a text of at most 120 characters (empty: silence).

    An observation is a dictionary of small arrays: `view` (k x k, see `FIRST_AGENT_CODE`: -1 off the map, 0 free,
    1 W, 2 B, 3 P, 4 F, 5 N, 6 oneself), `position` (row, column), `round`, and `status` (light on, carrying food, the
    score in Pursuit, else 0). What is heard is a tuple of texts in `infos[agent]["heard"]`.

    The reward is the same for all: what the score grew by in the round. An agent that leaves the map is terminated
    and is no longer in `agents`; when all rounds are played, the rest is truncated. A reset without a seed plays on
    with the next one.
    """

    metadata = {"name": "swarmbench_v0", "render_modes": ["ansi"]}  # noqa: RUF012 - PettingZoo's own shape

    def __init__(
        self,
        task: str,
        agents: int = 12,
        width: int = 10,
        height: int = 10,
        *,
        view: int = 5,
        rounds: int = 100,
        talk: bool = False,
        render_mode: str | None = None,
    ) -> None:
        self._settings = (agents, width, height, view, rounds)
        self._name, self._seed, self._talk = task, 0, talk
        self.render_mode = render_mode
        self._world = World(task, 0, *self._settings)
        self.possible_agents = [f"Agent_{agent}" for agent in range(agents)]
        self.agents: list[str] = []
        highest = FIRST_AGENT_CODE + 2 * agents + 1
        self.observation_spaces: dict[str, spaces.Space[Any]] = {}
        self.action_spaces: dict[str, spaces.Space[Any]] = {}
        for name in self.possible_agents:
            self.observation_spaces[name] = spaces.Dict(
                {
                    "view": spaces.Box(-1, highest, (view, view), np.int32),
                    "position": spaces.Box(-_FARTHEST, _FARTHEST, (2,), np.int32),
                    "round": spaces.Box(0, rounds, (1,), np.int32),
                    "status": spaces.Box(0, max(rounds, 1), (1,), np.int32),
                }
            )
            move = spaces.Discrete(len(self._world.task.actions))
            text = spaces.Text(max_length=MESSAGE_LIMIT, min_length=0)
            self.action_spaces[name] = spaces.Tuple((move, text)) if talk else move

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """The same object at every call."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """The same object at every call."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
        """Lay out the map of a seed; without one, of the seed after the last."""
        self._seed = self._seed + 1 if seed is None else seed
        self._world = World(self._name, self._seed, *self._settings)
        self._labels = Labels(self._world.board)
        self.agents = list(self.possible_agents)
        return self._observations(), self._infos()

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[
        dict[str, dict[str, Any]], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]
    ]:
        """Play one round; an agent without an action does nothing."""
        if not self.agents:
            return {}, {}, {}, {}, {}
        world = self._world
        names, known = self.possible_agents, world.task.actions
        moves: list[str | None] = [None] * len(names)
        said: list[str | None] = [None] * len(names)
        for agent, name in enumerate(names):
            if name in actions:
                move, text = actions[name] if self._talk else (actions[name], "")
                moves[agent], said[agent] = known[int(move)], cut(text.strip())
        before = world.board.score
        world.step(moves, said)
        reward = float(world.board.score - before)
        played = self.agents
        gone = {name for name, left in zip(names, world.gone, strict=True) if left}
        over = world.task.finished
        terminations = {name: over or name in gone for name in played}
        truncations = {name: world.done and not terminations[name] for name in played}
        observations, infos = self._observations(), self._infos()
        self.agents = [] if world.done else [name for name in played if name not in gone]
        return observations, dict.fromkeys(played, reward), terminations, truncations, infos

    def render(self) -> str:
        """The map as text, agents as `A` or `a`."""
        return "\n".join(grid(self._world.board, self._world.task))

    def close(self) -> None:
        """Nothing is open."""

    def _observations(self) -> dict[str, dict[str, Any]]:
        world = self._world
        scene = world.board.scene
        drawing = Drawing(world.board, world.task, self._labels, world.view)
        seen: dict[str, dict[str, Any]] = {}
        for name in self.agents:
            agent = int(name.removeprefix("Agent_"))
            status = world.task.status(agent)
            seen[name] = {
                "view": _codes(drawing.view(agent)),
                "position": np.array(scene.place(scene.at[agent + 1]), dtype=np.int32),
                "round": np.array([world.board.round], dtype=np.int32),
                "status": np.array([int(status[1]) if status else 0], dtype=np.int32),
            }
        return seen

    def _infos(self) -> dict[str, dict[str, Any]]:
        heard = self._world.heard()
        return {
            name: {"heard": tuple(text for _, text in heard[int(name.removeprefix("Agent_"))])} for name in self.agents
        }


def parallel_env(task: str, **settings: Any) -> SwarmBenchParallel:
    """A PettingZoo `ParallelEnv` of a task; settings as for `SwarmBenchParallel`.

    Raises:
        UserError: the task is unknown, a number is out of range, or the agents do not fit.
    """
    return SwarmBenchParallel(task, **settings)


def _codes(view: View) -> np.ndarray[Any, np.dtype[np.int32]]:
    return np.array([[_code(symbol) for symbol in row] for row in view], dtype=np.int32)


def _code(symbol: str) -> int:
    known = _CODES.get(symbol)
    if known is not None:
        return known
    return FIRST_AGENT_CODE + 2 * int(symbol.removeprefix("$")) + symbol.startswith("$")
