"""What a task must say: how a map begins, what a round changes beyond shoving, and what agents are told."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from swarmmind.evals.swarmbench.board import Board

MOVES = ("UP", "DOWN", "LEFT", "RIGHT", "STAY")


class Task:
    """The rules of one task, played on a board; these defaults suit a task in an empty room that never ends early."""

    name: ClassVar[str]
    actions: ClassVar[tuple[str, ...]] = MOVES
    """In the order in which a reply is searched for them."""
    fixed_seed: ClassVar[int | None] = None
    """Set where the original ignores the seed it is given."""
    smallest: ClassVar[int] = 4
    """Shortest side of a map on which the task makes sense."""

    def __init__(self, board: Board, rng: random.Random) -> None:
        """Lay the board out, drawing from `rng` as the original draws."""
        self.board = board

    def update(self, actions: Sequence[str | None]) -> None:
        """What happens after the shoving of a round; `actions` holds one per agent, `None` for none."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return False

    def hidden(self) -> Sequence[bool] | None:
        """Per agent, whether others see it with a dollar; `None` if the task has no such difference."""
        return None

    def things(self) -> dict[int, str]:
        """Symbols of what is no agent and moves, by cell (also off the map)."""
        return {}

    def status(self, agent: int) -> tuple[str, Any] | None:
        """What the agent alone is told about itself, or about the task: a name and a value."""
        return None

    def state(self) -> Mapping[str, Any]:
        """The task's own variables as JSON, for people and for replays; agents never see them."""
        return {}

    @classmethod
    def text(cls, board: Board) -> str:
        """What all agents are told about the task."""
        raise NotImplementedError
