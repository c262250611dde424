"""Where Transport's plug may be: one of eight places, and how far it has been pushed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple

from swarmmind.evals.swarmbench.policies.senses import Place

_ALONG_LOW = {"top": "LEFT", "bottom": "LEFT", "left": "UP", "right": "UP"}
_ALONG_HIGH = {"top": "RIGHT", "bottom": "RIGHT", "left": "DOWN", "right": "DOWN"}
_OUT = {"top": "UP", "bottom": "DOWN", "left": "LEFT", "right": "RIGHT"}
OPPOSITE = {"UP": "DOWN", "DOWN": "UP", "LEFT": "RIGHT", "RIGHT": "LEFT"}

ON_THE_WAY = ((0, 0), (1, 0), (1, 1), (1, 2), (1, 3), (1, 4))
"""How far the plug has slid towards the corner and been pushed out, in the order in which it goes."""
FIGURE = tuple((along, 0) for along in range(4)) + tuple((a, b) for a in range(2, 5) for b in range(1, 4))
"""The plug's cells at first, counted along the wall from the corner and inwards from the wall."""


class Plug(NamedTuple):
    """A plug on a map of `height` x `width`, at the high (bottom or right) or low end of a side."""

    side: str
    high: bool
    height: int
    width: int
    slid: int = 0
    out: int = 0

    @property
    def pushed(self) -> tuple[int, int]:
        """How far it has slid and been pushed out."""
        return self.slid, self.out

    @property
    def along(self) -> str:
        """The action that pushes towards the corner."""
        return (_ALONG_HIGH if self.high else _ALONG_LOW)[self.side]

    @property
    def outward(self) -> str:
        """The action that pushes out."""
        return _OUT[self.side]

    def local(self, place: Place) -> Place:
        """Steps along the wall from the corner, and inwards from the wall; its own inverse is `place`."""
        upright = self.side in ("left", "right")
        length, depth = (self.height, self.width) if upright else (self.width, self.height)
        along, inward = place if upright else (place[1], place[0])
        return (
            length - 1 - along if self.high else along,
            depth - 1 - inward if self.side in ("bottom", "right") else inward,
        )

    def place(self, along: int, inward: int) -> Place:
        """The cell on the map."""
        upright = self.side in ("left", "right")
        length, depth = (self.height, self.width) if upright else (self.width, self.height)
        a = length - 1 - along if self.high else along
        b = depth - 1 - inward if self.side in ("bottom", "right") else inward
        return (a, b) if upright else (b, a)

    def covers(self, place: Place) -> bool:
        """Whether the plug lies on a cell."""
        along, inward = self.local(place)
        return (along + self.slid, inward + self.out) in FIGURE

    def fits(self, boxes: Collection[Place], bare: Collection[Place]) -> bool:
        """Whether it lies on all of `boxes` and on none of `bare`."""
        return all(map(self.covers, boxes)) and not any(map(self.covers, bare))

    def later(self) -> Iterator[Plug]:
        """The same plug from how far it is now to the end of its way."""
        for slid, out in ON_THE_WAY:
            if (slid, out) >= self.pushed:
                yield self._replace(slid=slid, out=out)


def guesses(height: int, width: int, boxes: Collection[Place], bare: Collection[Place]) -> list[Plug]:
    """For each of the eight places that agree with what is seen, the least pushed plug that does."""
    found: list[Plug] = []
    for side in _OUT:
        for high in (False, True):
            fitting = (plug for plug in Plug(side, high, height, width).later() if plug.fits(boxes, bare))
            found.extend(list(fitting)[:1])
    return found
