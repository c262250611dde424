"""SwarmBench as an `Environment`: prompts out, replies in."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from swarmmind.effects import TEXT, Choice, Output, Reply
from swarmmind.errors import UserError
from swarmmind.evals.swarmbench import prompt
from swarmmind.evals.swarmbench.channel import Channel
from swarmmind.evals.swarmbench.cohesion import Cohesion, Embed
from swarmmind.evals.swarmbench.reading import compatible, strict
from swarmmind.evals.swarmbench.tasks import Flocking
from swarmmind.evals.swarmbench.tasks.flocking import picture
from swarmmind.evals.swarmbench.view import Drawing, Labels, View, grid
from swarmmind.evals.swarmbench.world import World, task_named
from swarmmind.ports import Turn


class Observation(msgspec.Struct, frozen=True):
    """Everything one agent may know in one round: its prompt, unrendered. Nothing of the state behind it.

    Attributes:
        task: `Pursuit`, `Synchronization`, `Foraging`, `Flocking` or `Transport`.
        name: the agent's name, `Agent_<id>`.
        id: its own number, under which others see it.
        round: rounds played so far.
        actions: what it may do.
        view: rows of symbols, itself as `Y` in the middle (`len // 2`).
        corner: row and column, on the whole map, of the view's first cell; may be negative.
        position: its own row and column.
        status: its own `light_on` or `carrying_food`, or in Pursuit the swarm's `score`; else `None`.
        heard: texts that arrive within reach (unless late, of the last round), in the speakers' order, its own too.
        history: its own last (action, message) pairs, oldest first, `None` for none.
        past_views: earlier views, newest first.
        speaks: whether the answer is a text that may hold a message; else it is the action alone.
        target: Flocking's picture, one string a row (`A` robot, `.` empty); else empty.
    """

    task: str
    name: str
    id: int
    round: int
    actions: tuple[str, ...]
    view: View
    corner: tuple[int, int]
    position: tuple[int, int]
    status: bool | int | None
    heard: tuple[str, ...]
    history: tuple[tuple[str | None, str | None], ...]
    past_views: tuple[View, ...]
    speaks: bool
    target: tuple[str, ...]


class SwarmBench:
    """One of the five SwarmBench tasks (arXiv 2505.04364), equal to the original code round by round.

    Scores are in the code's units; the paper halves Flocking's.

    Args:
        task: `pursuit`, `synchronization`, `foraging`, `flocking` or `transport`, in any case.
        agents: how many; they are called `Agent_0`, `Agent_1`, ...
        width: columns of the map.
        height: rows of the map.
        size: both, for a square map; overrides them.
        view: side of the square that an agent sees; it hears half as far, rounded down.
        rounds: how many are played at most.
        memory: how many views (the current one included) and how many own past actions a prompt holds.
        mode: how replies are read: `compatible` with the original's traps, or `strict` (see `reading`).
        actions: `text` lets an agent think and speak; `choice` asks for one of the actions alone.
        corruption: the chance that a message is corrupted (see `channel`); the paper's noisy setting has 0.2.
        delay: most rounds that a message comes late, each number as likely; the paper's has 4.
        dynamics: `usual` measures what actions and places tell, `all` also what is said alike (see `Cohesion`).
        embed: turns a message into a vector for `all`; the hashing embedder of the box if left out.

    Raises:
        UserError: a value is unknown or out of range, or the agents do not fit on the map.
    """

    def __init__(
        self,
        task: str,
        agents: int = 12,
        width: int = 10,
        height: int = 10,
        *,
        size: int | None = None,
        view: int = 5,
        rounds: int = 100,
        memory: int = 5,
        mode: Literal["compatible", "strict"] = "compatible",
        actions: Literal["text", "choice"] = "text",
        corruption: float = 0.0,
        delay: int = 0,
        dynamics: Literal["usual", "all"] = "usual",
        embed: Embed | None = None,
    ) -> None:
        if mode not in ("compatible", "strict"):
            raise UserError(f"swarmbench: mode must be 'compatible' or 'strict', got {mode!r}")
        if actions not in ("text", "choice"):
            raise UserError(f"swarmbench: actions must be 'text' or 'choice', got {actions!r}")
        if memory < 1:
            raise UserError(f"swarmbench: memory must be at least 1, got {memory}")
        if not 0 <= corruption <= 1:
            raise UserError(f"swarmbench: corruption must be from 0 to 1, got {corruption}")
        if delay < 0:
            raise UserError(f"swarmbench: delay must be at least 0, got {delay}")
        if dynamics not in ("usual", "all"):
            raise UserError(f"swarmbench: dynamics must be 'usual' or 'all', got {dynamics!r}")
        self.task = task_named(task).name
        self.memory, self._view, self._rounds = memory, view, rounds
        self._width, self._height = (size, size) if size is not None else (width, height)
        self._names = [f"Agent_{agent}" for agent in range(agents)]
        self._read = strict if mode == "strict" else compatible
        self._strict = mode == "strict"
        self._by_choice = actions == "choice"
        self._corruption, self._delay = corruption, delay
        self._measures_all, self._embed = dynamics == "all", embed
        self.reset(0)

    @property
    def agents(self) -> Sequence[str]:
        """`Agent_0`, `Agent_1`, ... including those that have left."""
        return self._names

    @property
    def rounds(self) -> int:
        """How many rounds are played at most."""
        return self._rounds

    @property
    def done(self) -> bool:
        """Whether no further round will be played."""
        return self.world.done

    @property
    def score(self) -> float:
        """The score so far, in the code's units (the paper's are half of it in Flocking)."""
        return float(self.world.board.score)

    def reset(self, seed: int) -> None:
        """Lay the map out anew; Flocking's layout is the same for every seed, as in the original."""
        channel = Channel(self._corruption, self._delay, seed)
        size = (self._width, self._height)
        self.world = World(self.task, seed, len(self._names), *size, self._view, self._rounds, channel)
        self._cohesion = Cohesion(self.world.board, self._view // 2, self._embed) if self._measures_all else None
        board, task = self.world.board, self.world.task
        self._labels = Labels(board)
        self._shared = prompt.shared(self.world, by_choice=self._by_choice, strict=self._strict)
        self._output: Output = Choice(task.actions) if self._by_choice else TEXT
        self._target = tuple(picture(board.agents // 4 + 1)) if isinstance(task, Flocking) else ()
        self._drawings: deque[Drawing] = deque(maxlen=self.memory)
        self._draw()
        self._history: list[tuple[tuple[str | None, str | None], ...]] = [()] * len(self._names)
        self._turns: dict[str, Turn] | None = None

    def turns(self) -> dict[str, Turn]:
        """What each agent that has not left is told now."""
        if self._turns is None:
            heard = self.world.heard()
            self._turns = {
                name: self._turn(agent, name, tuple(text for _, text in heard[agent]))
                for agent, name in enumerate(self._names)
                if not self.world.gone[agent]
            }
        return self._turns

    def step(self, replies: Mapping[str, Reply | None]) -> None:
        """Read the replies, let the map move and the task count; a missing or failed reply is no action.

        Raises:
            UserError: a reply is for a name that is no agent here.
        """
        if not replies.keys() <= set(self._names):
            raise UserError(f"swarmbench: no agent {min(replies.keys() - set(self._names))!r}")
        gone = self.world.gone
        actions: list[str | None] = [None] * len(self._names)
        messages: list[str | None] = [None] * len(self._names)
        for agent, name in enumerate(self._names):
            if gone[agent]:
                continue
            actions[agent], messages[agent] = self._filed(replies.get(name))
            self._history[agent] = (*self._history[agent], (actions[agent], messages[agent]))[-self.memory :]
        self.world.step(actions, messages)
        if self._cohesion is not None:
            self._cohesion.observe(actions, [text for _, text in self.world.said])
        self._draw()
        self._turns = None

    def frame(self) -> dict[str, Any]:
        """The state for people: the map, where everybody is, what was said in the last round, the task's variables."""
        board, scene = self.world.board, self.world.board.scene
        return {
            "task": self.task,
            "round": board.round,
            "score": self.score,
            "grid": grid(board, self.world.task),
            "agents": {name: list(scene.place(scene.at[agent + 1])) for agent, name in enumerate(self._names)},
            "gone": [name for name, gone in zip(self._names, self.world.gone, strict=True) if gone],
            "messages": {self._names[agent]: text for agent, text in self.world.said},
            "state": dict(self.world.task.state()),
        }

    def metrics(self) -> dict[str, float]:
        """Group dynamics, averaged over the rounds so far (see `metrics.Dynamics`, and `Cohesion` for `all`)."""
        return {**self.world.dynamics.means(), **(self._cohesion.means() if self._cohesion else {})}

    def _draw(self) -> None:
        self._drawings.appendleft(Drawing(self.world.board, self.world.task, self._labels, self._view))

    def _filed(self, reply: Reply | None) -> tuple[str | None, str | None]:
        """Action and message of a reply."""
        if reply is None or reply.failure is not None:
            return None, None
        if self._by_choice:
            return (reply.value if reply.value in self.world.task.actions else None), None
        return self._read(reply.text or "", self.world.task.actions)

    def _turn(self, agent: int, name: str, heard: tuple[str, ...]) -> Turn:
        world = self.world
        status = world.task.status(agent)
        history = self._history[agent]
        i, j = world.board.scene.place(world.board.scene.at[agent + 1])
        half = self._view // 2
        views = [drawing.view(agent) for drawing in self._drawings]
        observation = Observation(
            task=self.task,
            name=name,
            id=agent,
            round=world.board.round,
            actions=world.task.actions,
            view=views[0],
            corner=(i - half, j - half),
            position=(i, j),
            status=status[1] if status else None,
            heard=heard,
            history=history,
            past_views=tuple(views[1:]),
            speaks=not self._by_choice,
            target=self._target,
        )
        tail = prompt.private(
            name,
            world.board.round,
            [drawing.text(agent) for drawing in self._drawings],
            f"{status[0]}: {status[1]}" if status else "",
            heard,
            [_line(action, message) for action, message in history],
        )
        return Turn((*self._shared, tail), observation, self._output)


def _line(action: str | None, message: str | None) -> str:
    return f"{action or 'NONE'}, said: {message}" if message else action or "NONE"
