"""Budgets of seconds: at the wall nothing more is sent, and what waits is ended, so that its program hears of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from swarmmind.effects import Sleep
from swarmmind.runtime.clock import Clock
from swarmmind.runtime.frame import Flight, Frame
from swarmmind.runtime.handler import refusal
from swarmmind.runtime.ledger import Ledger

GRACE_SECONDS = 5.0  # after the wall, for calls in flight to land
_BEAT_SECONDS = 1.0  # how much of its time a kill may give back to a program


class Walls:
    """Time budgets of the programs of one run.

    Args:
        clock: the run's.
        ledger: keeps how much time is gone, across sessions.
        refuse: ends a flight with the result it is given.
    """

    def __init__(self, clock: Clock, ledger: Ledger, refuse: Callable[[Flight, Any], None]) -> None:
        self._clock, self._ledger, self._refuse = clock, ledger, refuse

    def watch(self, frame: Frame) -> None:
        """Hold a program to the seconds of its own purse."""
        purse, seconds = frame.purse, frame.purse.limits.seconds
        if seconds is None:
            return
        when = purse.since + seconds
        if when <= self._clock.now():  # reached in an earlier session
            purse.broken = "seconds"
            return
        frame.timers["wall"] = self._clock.call_at(when, lambda: self.reached(frame))
        if not self._clock.virtual:
            self._beat(frame)

    def _beat(self, frame: Frame) -> None:
        self._ledger.touch(frame.purse)
        when = self._clock.now() + _BEAT_SECONDS
        frame.timers["beat"] = self._clock.call_at(when, lambda: self._beat(frame))

    def reached(self, frame: Frame) -> None:
        """The time of a program is over."""
        frame.purse.broken = "seconds"
        self._ledger.touch(frame.purse)
        self._end_waiting(frame, sleeping_only=True)
        when = self._clock.now() + GRACE_SECONDS
        frame.timers["wall"] = self._clock.call_at(when, lambda: self._end_waiting(frame, sleeping_only=False))

    def _end_waiting(self, frame: Frame, *, sleeping_only: bool) -> None:
        for flight in list(frame.flights.values()):
            if flight.child is not None:
                self._end_waiting(flight.child, sleeping_only=sleeping_only)
            elif isinstance(flight.effect, Sleep) or not sleeping_only:
                self._refuse(flight, refusal(flight.effect, "seconds"))
