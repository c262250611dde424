"""The world behind every face: a board, a task's rules, and who hears whom (spec sections 1, 2 and 5)."""

from __future__ import annotations

import random
from collections.abc import Sequence

from swarmmind.errors import UserError, near
from swarmmind.evals.swarmbench.board import Board
from swarmmind.evals.swarmbench.channel import Channel
from swarmmind.evals.swarmbench.metrics import Dynamics
from swarmmind.evals.swarmbench.physics import DIRECTIONS, IDLE
from swarmmind.evals.swarmbench.tasks import TASKS, Task

_CHOICES: dict[str | None, int] = {name: number for number, name in enumerate(DIRECTIONS)}


class World:
    """One game, from its layout to its end; agents are numbered from 0.

    Attributes:
        board: map, round and score.
        task: the rules.
        view: side of the square that an agent sees; messages carry half of it, rounded down.
        gone: per agent, whether it has left the map.
        said: what was said in the last round, as (agent, text), in agent order.
        arrived: what of all that was said can be heard now; the same, unless the channel is noisy or slow.
        moved: per pass of the last round (UP, DOWN, LEFT, RIGHT) the bodies of the scene that moved.
        dynamics: the group's measurements so far.
    """

    def __init__(
        self,
        task: str,
        seed: int,
        agents: int = 12,
        width: int = 10,
        height: int = 10,
        view: int = 5,
        rounds: int = 100,
        channel: Channel | None = None,
    ) -> None:
        """Lay out the map; without a channel messages arrive whole and in time.

        Raises:
            UserError: the task is unknown, a number is out of range, or the agents do not fit.
        """
        rules = task_named(task)
        for name, value, least in (
            ("agents", agents, 1),
            ("rounds", rounds, 1),
            ("view", view, 1),
            ("width", width, rules.smallest),
            ("height", height, rules.smallest),
        ):
            if value < least:
                raise UserError(f"swarmbench/{task}: {name} must be at least {least}, got {value}")
        self.view = view
        self.board = Board(agents, width, height, margin=max(view, 8), rounds=rounds)
        self.task: Task = rules(self.board, random.Random(seed if rules.fixed_seed is None else rules.fixed_seed))
        self.gone = [False] * agents
        self.said: list[tuple[int, str]] = []
        self.arrived: list[tuple[int, str]] = []
        self._channel = channel or Channel()
        self.moved: tuple[list[int], ...] = ([], [], [], [])
        self.dynamics = Dynamics(self.board)

    @property
    def done(self) -> bool:
        """Whether no further round will be played."""
        return self.board.round >= self.board.rounds or self.task.finished

    def step(self, actions: Sequence[str | None], messages: Sequence[str | None]) -> None:
        """Play one round.

        Args:
            actions: per agent an action of the task, or `None`; ignored for agents that are gone.
            messages: per agent what it says, already cut to length, or `None`.
        """
        board, scene, gone = self.board, self.board.scene, self.gone
        choices = [IDLE] * (scene.singles + 1)
        for agent, action in enumerate(actions):
            if not gone[agent]:
                choices[agent + 1] = _CHOICES.get(action, IDLE)
        self.said = [(agent, text) for agent, text in enumerate(messages) if text and not gone[agent]]
        self.arrived = self._channel.carry(self.said)
        self.moved = scene.play(choices)
        self.task.update(actions)
        self.dynamics.observe(actions, self.said, gone)
        for agent in range(board.agents):
            gone[agent] = not scene.on_map(agent + 1)
        board.round += 1

    def heard(self) -> list[list[tuple[int, str]]]:
        """Per agent what it hears now, as (speaker, text) in the speakers' order; those gone hear nothing.

        Audible is what arrives now, said by whoever stands, now, within half a view in both directions, oneself
        included.
        """
        board, scene, reach = self.board, self.board.scene, self.view // 2
        inboxes: list[list[tuple[int, str]]] = [[] for _ in range(board.agents)]
        count, width = board.agents, 2 * reach + 1
        for speaker in self.arrived:
            corner = scene.at[speaker[0] + 1] - reach * (scene.stride + 1)
            for start in range(corner, corner + width * scene.stride, scene.stride):
                for body in scene.cells[start : start + width]:
                    if 0 < body <= count:
                        inboxes[body - 1].append(speaker)
        return inboxes


def task_named(name: str) -> type[Task]:
    """The task of a name, in any case.

    Raises:
        UserError: there is no such task.
    """
    known = TASKS.get(name.lower())
    if known is None:
        raise UserError(f"swarmbench: no task {name!r}{near(name.lower(), list(TASKS))}")
    return known
