"""An effect on its way through the workers."""

from __future__ import annotations

from typing import Any

import anyio

from swarmmind.runtime.budget import Cost, Purse
from swarmmind.runtime.frame import Flight
from swarmmind.runtime.remote.messages import Held


class Task:
    """An effect on its way through the workers.

    Attributes:
        id: of the work that it is now; another one each time it is given out.
        effect: the effect.
        flight: its flight at the head.
        slots: how many of its kind a worker has at once; the others wait at the head.
        home: the number of the worker it should go to, if that is there.
        held: what the journal holds of it.
        reserved: what is set aside for its requests in flight.
        told: the limit that its worker knows to be spent.
        losses: how many workers were lost in a row while they had it.
        gone: whether nobody waits for it any more.
        over: set when there is a result or an error.
        result: what it came to.
        error: a bug.
    """

    __slots__ = (
        "effect",
        "error",
        "flight",
        "gone",
        "held",
        "home",
        "id",
        "losses",
        "over",
        "reserved",
        "result",
        "slots",
        "told",
    )

    def __init__(self, effect: Any, flight: Flight, slots: int, home: int | None, held: Held) -> None:
        self.effect, self.flight, self.slots, self.home, self.held = effect, flight, slots, home, held
        self.id = self.losses = 0
        self.reserved = Cost()
        self.told: str | None = None
        self.over = anyio.Event()
        self.gone = False
        self.result: Any = None
        self.error: Exception | None = None

    @property
    def purse(self) -> Purse:
        """Who pays for it."""
        return self.flight.frame.purse

    @property
    def limited(self) -> bool:
        """Whether anything that it spends could be refused."""
        purse: Purse | None = self.purse
        while purse is not None:
            limits = purse.limits
            if limits.calls is not None or limits.tokens is not None or limits.usd is not None:
                return True
            purse = purse.parent
        return False

    def set_aside(self, worst: Cost, sign: int) -> None:
        """Add to what is reserved for its requests in flight, or (-1) take off."""
        reserved = self.reserved
        reserved.calls += sign * worst.calls
        reserved.tokens += sign * worst.tokens
        reserved.usd += sign * worst.usd

    def lose(self) -> None:
        """Its worker is lost: what was reserved for its requests may have been paid."""
        reserved, self.reserved = self.reserved, Cost()
        if reserved.calls:
            self.purse.settle(reserved, reserved)

    def fail(self, error: Exception) -> None:
        """It is over, with a bug."""
        self.error = error
        self.over.set()
