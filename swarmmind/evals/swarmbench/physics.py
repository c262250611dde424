"""Shoving: four passes a round, in each of which the largest set that the pushes can carry moves by one cell.

A pusher brings a force of 2. Whoever moves needs its weight (1 for an agent), and 2 more while it pushes the other
way. Force is handed on only forwards, by contact. Lines of single cells are scanned from rear to front; whatever
touches a larger body is settled by `flow.movers`. A pass costs what its pushers' lines are long, not what the map is
large.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from swarmmind.evals.swarmbench.flow import movers

UP, DOWN, LEFT, RIGHT, IDLE = range(5)
DIRECTIONS = ("UP", "DOWN", "LEFT", "RIGHT")
EMPTY, WALL, FIXTURE = 0, -1, -2

# What a single cell adds to its line's surplus in a pass, by its choice: push 2 - weight 1, or the weight, or weight
# and brake. Choices of one axis differ in the lowest bit.
_GAIN = tuple(
    tuple(1 if choice == direction else -3 if choice < IDLE and choice == direction ^ 1 else -1 for choice in range(5))
    for direction in range(4)
)


class Scene:
    """Bodies on a grid of `height` x `width` cells with `margin` cells of nowhere around it.

    Cells are indices into `cells`, which holds `EMPTY`, a negative number for what never moves (`WALL`, `FIXTURE`) or
    the number of a body. Bodies 1 to `singles` have one cell and weigh 1; those above may have any shape and weight.
    A body with no cell on the map is on no cell. `margin` must exceed the extent of every body.
    """

    def __init__(self, height: int, width: int, margin: int, singles: int) -> None:
        self.height, self.width, self.margin, self.singles = height, width, margin, singles
        self.stride = width + 2 * margin
        self.cells = [EMPTY] * (self.stride * (height + 2 * margin))
        self.inside = bytearray(len(self.cells))
        for i in range(height):
            start = self.index(i, 0)
            self.inside[start : start + width] = b"\1" * width
        self.offsets = (-self.stride, self.stride, -1, 1)
        self.at = [0] * (singles + 1)
        """Per single body its cell, on the map or just outside."""
        self.shapes: dict[int, list[int]] = {}
        """Per larger body its cells."""
        self.weights: dict[int, int] = {}

    def index(self, i: int, j: int) -> int:
        """The cell in row `i` and column `j` of the map."""
        return (i + self.margin) * self.stride + j + self.margin

    def place(self, cell: int) -> tuple[int, int]:
        """Row and column of a cell."""
        i, j = divmod(cell, self.stride)
        return i - self.margin, j - self.margin

    def put(self, body: int, cell: int) -> None:
        """Set a single body, or something immovable (a negative number), on an empty cell."""
        self.cells[cell] = body
        if body > 0:
            self.at[body] = cell

    def put_shape(self, body: int, cells: Iterable[int], weight: int) -> None:
        """Set a larger body on empty cells."""
        self.shapes[body] = list(cells)
        self.weights[body] = weight
        for cell in self.shapes[body]:
            self.cells[cell] = body

    def on_map(self, body: int) -> bool:
        """Whether a single body is on the map."""
        return bool(self.inside[self.at[body]])

    def play(self, choices: Sequence[int]) -> tuple[list[int], list[int], list[int], list[int]]:
        """Resolve one round.

        Args:
            choices: per single body its direction or `IDLE`; `choices[0]` is unused.

        Returns:
            per pass, in the order of `DIRECTIONS`, the bodies that moved, in no particular order.
        """
        pushers: tuple[list[int], ...] = ([], [], [], [], [])
        for body, choice in enumerate(choices):
            pushers[choice].append(body)
        up, down, left, right = (self._pass(d, [b for b in pushers[d] if b], choices) for d in range(4))
        return up, down, left, right

    def _pass(self, direction: int, pushers: list[int], choices: Sequence[int]) -> list[int]:
        if not pushers:
            return []
        settled: set[int] = set()
        moved: list[int] = []
        for body in list(self.shapes):
            if body not in settled and self.cells[self.shapes[body][0]] == body:
                moved += self._around(body, direction, choices, settled)
        segments = self._lines(direction, pushers, choices, settled)
        self._move(moved, direction)
        offset = self.offsets[direction]
        cells, at, inside = self.cells, self.at, self.inside
        for rear, front in segments:
            cell = front
            while True:
                body = cells[cell]
                ahead = cell + offset
                at[body] = ahead
                if inside[ahead]:
                    cells[ahead] = body
                moved.append(body)
                if cell == rear:
                    break
                cell -= offset
            cells[rear] = EMPTY
        return moved

    def _lines(
        self, direction: int, pushers: Iterable[int], choices: Sequence[int], settled: set[int]
    ) -> list[tuple[int, int]]:
        """Rear and front cell of every part of a line of single bodies that moves."""
        cells, at, singles = self.cells, self.at, self.singles
        offset, gain = self.offsets[direction], _GAIN[direction]
        segments: list[tuple[int, int]] = []
        for pusher in pushers:
            if pusher in settled:
                continue
            cell = at[pusher]
            if cells[cell] != pusher:  # it left the map in an earlier pass
                continue
            while 0 < cells[cell - offset] <= singles:
                cell -= offset
            rear, surplus = cell, 0
            body = cells[cell]
            while 0 < body <= singles:
                force = gain[choices[body]]
                if force > 0:
                    settled.add(body)
                surplus += force
                cell += offset
                if surplus < 0:
                    rear, surplus = cell, 0
                body = cells[cell]
            if body == EMPTY and rear != cell:
                segments.append((rear, cell - offset))
        return segments

    def _around(self, body: int, direction: int, choices: Sequence[int], settled: set[int]) -> list[int]:
        """Those that move among all that touch a larger body, directly or not, along the direction's axis."""
        cells, offset = self.cells, self.offsets[direction]
        number = {body: 0}
        queue = [body]
        ahead: list[set[int]] = []
        stuck: list[bool] = []
        for this in queue:
            others: set[int] = set()
            held = False
            for cell in self.shapes[this] if this > self.singles else (self.at[this],):
                front, back = cells[cell + offset], cells[cell - offset]
                if front < 0:
                    held = True
                elif front and front != this:
                    if front not in number:
                        number[front] = len(queue)
                        queue.append(front)
                    others.add(number[front])
                if back > 0 and back not in number:
                    number[back] = len(queue)
                    queue.append(back)
            ahead.append(others)
            stuck.append(held)
        settled.update(queue)
        table = _GAIN[direction]
        gains = [-self.weights[b] if b > self.singles else table[choices[b]] for b in queue]
        if max(gains) <= 0:
            return []
        moves = movers(gains, [sorted(others) for others in ahead], stuck)
        return [b for b, move in zip(queue, moves, strict=True) if move]

    def _move(self, bodies: Sequence[int], direction: int) -> None:
        """Shift bodies of any kind at once."""
        offset = self.offsets[direction]
        for body in bodies:
            for cell in self.shapes[body] if body > self.singles else (self.at[body],):
                self.cells[cell] = EMPTY
        for body in bodies:
            if body <= self.singles:
                self.at[body] += offset
                if self.inside[self.at[body]]:
                    self.cells[self.at[body]] = body
                continue
            shape = self.shapes[body] = [cell + offset for cell in self.shapes[body]]
            if any(self.inside[cell] for cell in shape):
                for cell in shape:
                    self.cells[cell] = body
