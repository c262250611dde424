"""A driver that executes effects which were asked for elsewhere."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from math import inf
from typing import Any

import anyio
import msgspec

from swarmmind.effects import Ask, Outcome, Usage
from swarmmind.rng import Stage
from swarmmind.runtime.driver import Driver
from swarmmind.runtime.frame import Flight, Frame
from swarmmind.runtime.handler import Handler
from swarmmind.runtime.meter import Meter
from swarmmind.runtime.remote.branch import Branch
from swarmmind.runtime.remote.carried import unpack
from swarmmind.runtime.remote.counting import counted
from swarmmind.runtime.remote.desk import Desk
from swarmmind.runtime.remote.messages import Broken, Done, Granted, Placed, Work
from swarmmind.runtime.remote.notebook import Notebook
from swarmmind.runtime.world import World


class Berth(Frame):
    """What a work hangs on: a frame without a program.

    Attributes:
        work: the work.
        done: is told of the result.
    """

    def __init__(self, work: Work, purse: Branch, done: Callable[[Berth, Flight, Any], None]) -> None:
        stage = Stage(work.key[: work.cut], work.chance)
        super().__init__(work.key, _nothing(), purse, _never, stage, Meter())
        self.work, self.done, self.branch = work, done, purse

    def arrive(self, flight: Flight, result: Any) -> None:
        """Its one effect is over."""
        self.flights.pop(flight.key, None)
        self.done(self, flight, result)

    def ready(self) -> bool:
        """Never: there is no program that could go on."""
        return False


class Host(Driver):
    """A driver without a program of its own.

    Args:
        world: what it owns on behalf of the head.
        handlers: who executes effects.
        desk: where it asks the head.
        notebook: the world's journal.
    """

    def __init__(self, world: World, handlers: Mapping[type, Handler], desk: Desk, notebook: Notebook) -> None:
        super().__init__(world, handlers)
        self._desk, self._notebook = desk, notebook
        self._kinds = {kind.__name__: kind for kind in handlers}
        self._berths: dict[int, Berth] = {}
        desk.before_asking, desk.after_asking = self._hand_over, self.wake

    async def serve(self) -> None:
        """Execute what comes, until `end`.

        Raises:
            Exception: a program or handler has a bug.
        """
        try:
            await self._loop()
        except Exception as error:  # a bug: what is under way is ended first
            self.crash(error)
        finally:
            for berth in list(self._berths.values()):
                self.abandon(berth)
            with anyio.CancelScope(shield=True):
                await self._execution.close()
            self._bell.silence()
        if self._crash is not None:
            raise self._crash

    def end(self) -> None:
        """The run is over."""
        self._outcome = Outcome()
        self.wake()

    def perform(self, work: Work) -> None:
        """Execute an effect."""
        self._notebook.begin(work.key, work.held)
        berth = Berth(work, Branch(self._desk, work.id, asks=work.asks), self._done)
        self._berths[work.id] = berth
        try:
            effect = unpack(self._kinds[work.kind], work.effect)
            flight = Flight(self._world, berth, work.key, effect, 0)
            if work.seconds is not None:
                flight.deadline = self.clock.now() + work.seconds
            self._execution.take_on(flight)
        except Exception as bug:  # the head hears of it, like of any other
            self.crash(bug)
        self.wake()

    def cancel(self, number: int) -> None:
        """Nobody waits for a work any more; the head is told what it has cost once nothing of it is in flight."""
        berth = self._berths.get(number)
        if berth is None:
            return
        self.abandon(berth)
        if berth.branch.reserved.calls:
            berth.branch.when_settled = lambda: self._later(berth)
        else:
            self._later(berth)
        self.wake()

    def broken(self, message: Broken) -> None:
        """A limit is spent that a work draws on."""
        if message.run:
            self.purse.broken = message.limit
        berth = self._berths.get(message.id)
        if berth is None:
            return
        if message.limit == "seconds":
            self._walls.reached(berth)
        else:
            berth.branch.broken = message.limit
        self.wake()

    def durable(self, number: int) -> None:
        """Rows up to this number are on the head's disk."""
        self._notebook.durable(number)
        self.wake()

    def answer(self, message: Granted | Placed) -> None:
        """The head has answered a question."""
        self._desk.answer(message)

    # --- as a driver --------------------------------------------------------------------------------------------------

    async def _idle(self) -> None:
        waits = self.clock.virtual and self._desk.asking  # time must not pass meanwhile
        if waits or (not self._execution.tasks and self.clock.next_at() == inf):
            await self._bell.rung()
        else:
            await super()._idle()

    def _hand_over(self) -> None:
        self._desk.pay()
        super()._hand_over()

    def _later(self, berth: Berth) -> None:
        """Report a cancelled work in the next turn: who was told that it is settled has yet to count it."""
        berth.branch.when_settled = None
        self.clock.call_at(self.clock.now(), lambda: self._report(berth, None, b""))
        self.wake()

    def _done(self, berth: Berth, flight: Flight, result: Any) -> None:
        kind = type(flight.effect)
        body = pickle.dumps(result) if kind.result is Outcome else msgspec.json.encode(result)
        for timer in berth.timers.values():
            self.clock.cancel(timer)
        self._report(berth, flight, body)

    def _report(self, berth: Berth, flight: Flight | None, body: bytes) -> None:
        work = berth.work
        if self._berths.pop(work.id, None) is None:
            return
        freed = self._notebook.end(work.key)
        self._hand_over()
        asked = work.kind == Ask.__name__  # what the head has asked is counted there
        paid, queued = (flight.paid, flight.queued_seconds) if flight is not None else (berth.meter.usage, 0.0)
        if not asked:
            paid, queued = Usage(), 0.0
        counts = None if asked else counted(berth.meter)
        seconds = 0.0 if flight is None else self.clock.now() - flight.started
        self._desk.outbox.put(Done(work.id, body, counts, msgspec.msgpack.encode(paid), freed, queued, seconds))


def _nothing() -> Any:
    yield []


def _never(outcome: Outcome) -> None:
    raise RuntimeError("a frame without a program has no end")
