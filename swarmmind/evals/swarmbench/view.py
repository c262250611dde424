"""What agents see: one drawing of the map per round, from which every view is cut (spec section 4)."""

from __future__ import annotations

from collections.abc import Sequence

from swarmmind.evals.swarmbench.board import Board
from swarmmind.evals.swarmbench.tasks.base import Task

View = tuple[tuple[str, ...], ...]
"""Rows of symbols: `.` free, `W` `B` `P` `F` `N` things, `*` off the map, `7` or `$7` an agent, `Y` oneself."""


class Labels:
    """Row and column numbers and the texts of agents' symbols, made once per world."""

    def __init__(self, board: Board) -> None:
        margin = board.scene.margin
        self.plain = [str(agent) for agent in range(board.agents)]
        self.dollar = [f"${agent}" for agent in range(board.agents)]
        self.cell_width = max(4, len(self.dollar[-1]) + 1)
        self.columns = "".join(f"{j:>3}".ljust(self.cell_width) for j in range(-margin, board.width + margin))
        self.rows = [f"{i:>3}  " for i in range(-margin, board.height + margin)]


class Drawing:
    """The map of one round as agents see it; a `view` x `view` square is cut from it on demand, and kept."""

    __slots__ = ("_at", "_labels", "_lines", "_stride", "_symbols", "_texts", "_view", "_views")

    def __init__(self, board: Board, task: Task, labels: Labels, view: int) -> None:
        scene = board.scene
        symbols = board.ground.copy()
        for cell, symbol in task.things().items():
            symbols[cell] = symbol
        self._at = scene.at[1 : board.agents + 1]
        hidden = task.hidden()
        inside = scene.inside
        for agent, cell in enumerate(self._at):
            if inside[cell]:
                symbols[cell] = labels.dollar[agent] if hidden and hidden[agent] else labels.plain[agent]
        self._symbols = tuple(symbols)
        self._stride, self._view, self._labels = scene.stride, view, labels
        self._lines: list[str] | None = None
        self._views: list[View | None] = [None] * board.agents
        self._texts: list[str | None] = [None] * board.agents

    def view(self, agent: int) -> View:
        """What an agent on the map sees; for even sizes one cell more upwards and leftwards."""
        known = self._views[agent]
        if known is not None:
            return known
        size, half, stride, symbols = self._view, self._view // 2, self._stride, self._symbols
        corner = self._at[agent] - half * (stride + 1)
        rows = [symbols[start : start + size] for start in range(corner, corner + size * stride, stride)]
        own = rows[half]
        rows[half] = (*own[:half], "Y", *own[half + 1 :])
        view = self._views[agent] = tuple(rows)
        return view

    def text(self, agent: int) -> str:
        """The same for reading, with the numbers of rows and columns."""
        known = self._texts[agent]
        if known is not None:
            return known
        lines = self._lines
        if lines is None:
            lines = self._lines = self._draw()
        size, half, wide, labels = self._view, self._view // 2, self._labels.cell_width, self._labels.rows
        i, j = divmod(self._at[agent], self._stride)
        i, left = i - half, (j - half) * wide
        right = left + size * wide
        rows = [(labels[row] + lines[row][left:right]).rstrip() for row in range(i, i + size)]
        own, middle = lines[i + half], j * wide
        rows[half] = (labels[i + half] + own[left:middle] + "Y".ljust(wide) + own[middle + wide : right]).rstrip()
        header = "   " + self._labels.columns[left:right].rstrip()
        text = self._texts[agent] = header + "\n" + "\n".join(rows)
        return text

    def _draw(self) -> list[str]:
        wide, stride, symbols = self._labels.cell_width, self._stride, self._symbols
        pads = {symbol: symbol.ljust(wide) for symbol in set(symbols)}
        padded = [pads[symbol] for symbol in symbols]
        return ["".join(padded[start : start + stride]) for start in range(0, len(padded), stride)]


def grid(board: Board, task: Task) -> list[str]:
    """The map for people, one string a row: agents are `A`, or `a` where others see them with a dollar."""
    scene = board.scene
    symbols = board.ground.copy()
    for cell, symbol in task.things().items():
        symbols[cell] = symbol
    hidden: Sequence[bool] = task.hidden() or [False] * board.agents
    for agent, cell in enumerate(scene.at[1 : board.agents + 1]):
        if scene.inside[cell]:
            symbols[cell] = "a" if hidden[agent] else "A"
    starts = (scene.index(i, 0) for i in range(board.height))
    return ["".join(symbols[start : start + board.width]) for start in starts]
