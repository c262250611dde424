"""The head: gives effects to workers, and again to others if their worker is lost."""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Any
from zlib import crc32

import anyio
import msgspec

from swarmmind.effects import Ask, Outcome, Usage
from swarmmind.runtime.frame import Flight
from swarmmind.runtime.handler import Handler, is_refused
from swarmmind.runtime.journal import Journal
from swarmmind.runtime.remote.carried import pack
from swarmmind.runtime.remote.counting import add_up
from swarmmind.runtime.remote.link import Link
from swarmmind.runtime.remote.messages import Bye, Done, Held, Work
from swarmmind.runtime.remote.seat import Gate, Seat
from swarmmind.runtime.remote.task import Task

_LOSSES = 3  # workers that one work may take with it
_ASKS_PER_WORKER = 4096


class Head:
    """Has effects executed by workers.

    Args:
        journal: the run's.
        gates: the limiter of an endpoint, by the name that workers know it by.
        workers: how many there are to be.

    Attributes:
        lost: how many were lost so far.
        done_so_far: how many effects are.
    """

    def __init__(self, journal: Journal, gates: Callable[[str], Gate], workers: int) -> None:
        self.journal, self.gates, self.workers = journal, gates, workers
        self._queue: deque[Task] = deque()
        self._seats: dict[int, Seat] = {}
        self._ids = count(1)
        self._error: Exception | None = None
        self.lost = self.done_so_far = 0
        self._over = False
        self._alone = anyio.Event()

    async def perform(self, effect: Any, flight: Flight, slots: int, home: int | None = None) -> Any:
        """Have an effect executed, and wait for its result; being cancelled cancels it.

        Args:
            effect: the effect.
            flight: its flight here.
            slots: how many of its kind a worker has at once.
            home: which worker should have it, if it is there.

        Raises:
            Exception: a bug on a worker, with its traceback there as a note.
        """
        if self._error is not None:
            raise self._error
        task = Task(effect, flight, slots, home, self._held(effect, flight))
        self._queue.append(task)
        self.deal()
        try:
            await task.over.wait()
        except BaseException:
            self._drop(task)
            raise
        if task.error is not None:
            raise task.error
        return task.result

    async def serve(self, link: Link) -> bool:
        """Work with a worker until its link is broken; what it leaves undone goes to others.

        Returns:
            Whether it ever was ready.
        """
        number = next(number for number in range(len(self._seats) + 1) if number not in self._seats)
        seat = self._seats[number] = Seat(link, self)
        try:
            await seat.run()
        finally:
            was_ready = seat.ready
            self.lost += was_ready and not self._over
            del self._seats[number]
            with anyio.CancelScope(shield=True):
                await self._lost(seat.leave())
            if not self._seats:
                self._alone.set()
        return was_ready

    async def alone(self) -> None:
        """Wait until no worker is left."""
        while self._seats:
            self._alone = anyio.Event()
            await self._alone.wait()

    def fail(self, error: Exception) -> None:
        """There will be no workers: whoever waits for one hears of it."""
        self._error = self._error or error
        for task in [*self._queue, *(task for seat in self._seats.values() for task in seat.tasks.values())]:
            task.fail(self._error)
        self._queue.clear()

    def say_goodbye(self) -> None:
        """Tell all workers that the run is over."""
        self._over = True
        for seat in self._seats.values():
            seat.outbox.put(Bye())

    def done(self, task: Task, message: Done) -> None:
        """A worker is done with a task."""
        flight = task.flight
        if message.counted is not None:
            add_up(message.counted, flight.frame.meter)
        paid = msgspec.msgpack.decode(message.paid, type=Usage)
        if task.gone:
            flight.frame.meter.spend(paid)
            return
        flight.paid = paid
        if type(task.effect).result is Outcome:
            task.result = pickle.loads(message.result)  # noqa: S301 - from our own process on another machine
        else:
            task.result = msgspec.json.decode(message.result, type=type(task.effect).result)
        flight.queued(message.queued_seconds)
        flight.seconds = message.seconds
        task.over.set()
        self.done_so_far += 1
        self.deal()

    def _held(self, effect: Any, flight: Flight) -> Held:
        """What earlier sessions left of an effect; it is read there, and no longer here."""
        if isinstance(effect, Ask):
            return Held(attempts=[(flight.key, msgspec.json.encode(reply).decode()) for reply in flight.earlier])
        held = Held(*self.journal.below(flight.key))
        self.journal.unread = max(0, self.journal.unread - len(held.results))
        return held

    # --- giving out ---------------------------------------------------------------------------------------------------

    def deal(self) -> None:
        """Give out what can be given out, in the order asked."""
        if not any(seat.ready for seat in self._seats.values()):
            return
        left: deque[Task] = deque()
        while self._queue:
            task = self._queue.popleft()
            if task.gone:
                continue
            seat = self._seat_for(task)
            if seat is None:
                left.append(task)
                if task.home is None and not task.losses:
                    break  # those behind it want the same
            else:
                self._give(task, seat)
        left.extend(self._queue)
        self._queue = left

    def _seat_for(self, task: Task) -> Seat | None:
        """The worker with the least to do; one that may be killed by a task has nothing else to do."""
        if task.home is not None:
            home = self._seats.get(task.home)
            if home is not None and home.ready:
                return home
        slots = 1 if task.losses == _LOSSES - 1 else task.slots
        free = [seat for seat in self._seats.values() if seat.ready and len(seat.tasks) < slots and not seat.alone]
        return min(free, key=lambda seat: len(seat.tasks), default=None)

    def _give(self, task: Task, seat: Seat) -> None:
        task.id = next(self._ids)
        task.told = None
        flight = task.flight
        left = None if flight.deadline is None else flight.deadline - flight.now()
        stage = flight.stage
        kind, body, asks = type(task.effect).__name__, pack(task.effect), seat.real or task.limited
        work = Work(task.id, flight.key, kind, body, stage.cut, stage.chance, asks, left, task.held)
        task.held = Held()
        seat.alone = task.losses == _LOSSES - 1
        seat.tasks[task.id] = task
        seat.outbox.put(work)

    def _drop(self, task: Task) -> None:
        """Nobody waits for it any more; its worker still says what it has cost."""
        task.gone = True
        for seat in self._seats.values():
            seat.cancel(task)

    async def _lost(self, tasks: list[Task]) -> None:
        """Give what a lost worker had to others, with what the journal holds of it by now."""
        for task in tasks:
            task.lose()
        await self.journal.synced()
        for task in reversed(tasks):
            task.losses += task.home is None  # an ask runs nobody's code: it kills no worker
            if task.gone or task.over.is_set():
                continue
            if task.losses >= _LOSSES:
                task.fail(RuntimeError(f"{task.flight.key}: {_LOSSES} workers in a row were lost while they had it"))
            else:
                task.held = Held(*self.journal.below(task.flight.key))
                self._queue.appendleft(task)
        self.deal()


class RemoteHandler:
    """Has effects of one type executed by workers (`runtime.handler.Handler`).

    Args:
        head: gives them to workers.
        local: what would execute them here; it is told of results as if they had been replayed.
        slots: how many of them a worker has at once; as many as `local` would have under way, if left out.

    Attributes:
        at_once: how many may be under way, on all workers together.
    """

    def __init__(self, head: Head, local: Handler, slots: int | None = None) -> None:
        self._head, self._local = head, local
        self._slots: int = slots or getattr(local, "at_once", _ASKS_PER_WORKER)
        self.at_once = self._slots * head.workers

    async def __call__(self, effect: Any, flight: Flight) -> Any:
        """The result, from a worker."""
        result = await self._head.perform(effect, flight, self._slots)
        if not is_refused(result):
            self._local.replayed(effect, flight, result)
        return result

    def replayed(self, effect: Any, flight: Flight, result: Any) -> None:
        """See `Handler`."""
        self._local.replayed(effect, flight, result)

    def read(self, effect: Any, outcome: Outcome, meter: Any) -> Any:
        """See `Handler`."""
        return self._local.read(effect, outcome, meter)


class RemoteAsks:
    """Has asks to models behind endpoints executed by the workers that their agents belong to.

    Models that live in this process are asked here: they may remember.

    Args:
        head: gives them to workers.
        local: asks here.
        models: the names, among agents, of those behind endpoints.
    """

    def __init__(self, head: Head, local: Handler, models: frozenset[str]) -> None:
        self._head, self._local, self._models = head, local, models

    def __call__(self, ask: Ask, flight: Flight) -> Any:
        """The reply, from a worker or from here."""
        if ask.agent.model not in self._models:
            return self._local(ask, flight)
        home = crc32(ask.agent.id.encode()) % self._head.workers
        return self._head.perform(ask, flight, _ASKS_PER_WORKER, home)

    def replayed(self, ask: Ask, flight: Flight, result: Any) -> None:
        """See `Handler`."""
        self._local.replayed(ask, flight, result)

    def read(self, ask: Ask, outcome: Outcome, meter: Any) -> Any:
        """See `Handler`."""
        return self._local.read(ask, outcome, meter)
