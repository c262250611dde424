"""One worker, as the head sees it: what it has to do, has reserved, and which places it holds."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import anyio
import anyio.abc

from swarmmind.errors import Spent
from swarmmind.runtime.budget import Cost
from swarmmind.runtime.journal import Journal
from swarmmind.runtime.remote import messages
from swarmmind.runtime.remote.link import Link, LinkBroken, Outbox
from swarmmind.runtime.remote.messages import (
    Acquire,
    Answered,
    Broken,
    Cancel,
    Crashed,
    Done,
    Durable,
    Granted,
    Placed,
    Ready,
    Release,
    Reserve,
    Rows,
    Settle,
    Withdraw,
)
from swarmmind.runtime.remote.task import Task

_BUDGET_SECONDS = 0.1  # how often workers hear of limits that others have spent


class Place(Protocol):
    """A request's place at an endpoint."""

    def release(self) -> None:
        """It is free."""
        ...


class Gate(Protocol):
    """The one limiter of an endpoint (see `models.limiter`)."""

    def acquire(self, call: Any, tokens: int = 0, priority: int = 0, prefix: bytes = b"") -> Awaitable[Any]:
        """A place for a request, in turn."""
        ...

    def succeeded(self, place: Any, now: float) -> None:
        """The server answered."""
        ...

    def rejected(self, place: Any, now: float, retry_after_seconds: float | None = None) -> None:
        """The server said that it has too much to do."""
        ...


class Office(Protocol):
    """Who has several workers, as one of them sees it."""

    @property
    def journal(self) -> Journal:
        """The run's."""
        ...

    @property
    def gates(self) -> Callable[[str], Gate]:
        """The limiter of an endpoint, by the name that workers know it by."""
        ...

    def deal(self) -> None:
        """A worker can be given something."""
        ...

    def done(self, task: Task, message: Done) -> None:
        """A worker is done with a task."""
        ...

    def fail(self, error: Exception) -> None:
        """A worker cannot work, and no other could."""
        ...


class _Request:
    """A request of a worker's, as a limiter sees it (see `ports.Call`)."""

    deadline: float | None = None

    def now(self) -> float:
        """Seconds; workers of one run measure their own waiting."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await anyio.sleep(seconds)

    def queued(self, seconds: float) -> None:
        """Its worker measures that."""


class Seat:
    """One worker at work.

    Args:
        link: the wire to it.
        office: who else there is.

    Attributes:
        outbox: what is said to it.
        tasks: what it has to do, by id.
        ready: whether it can be given something.
        alone: whether it has something that may kill it, and gets nothing else.
        real: whether its clock is.
    """

    def __init__(self, link: Link, office: Office) -> None:
        self._link, self._office = link, office
        self.outbox = Outbox(link)
        self.tasks: dict[int, Task] = {}
        self.ready = self.alone = False
        self.real = True
        self._places: dict[int, tuple[Gate, Place]] = {}
        self._asking: dict[int, anyio.CancelScope] = {}
        self._denied: set[int] = set()
        self._request = _Request()
        self._group: anyio.abc.TaskGroup
        self._reads: dict[type, Callable[[Any], object]] = {
            Ready: self._is_ready,
            Rows: self._keep,
            Reserve: lambda message: self._group.start_soon(self._reserve, message, self._open(message)),
            Withdraw: self._withdraw,
            Settle: self._settle,
            Acquire: lambda message: self._group.start_soon(self._acquire, message, self._open(message)),
            Answered: self._answered,
            Release: self._release,
            Done: self._done,
            Crashed: self._crashed,
        }

    async def run(self) -> None:
        """Until the link is broken."""
        async with anyio.create_task_group() as self._group:
            self._group.start_soon(self._pump)
            self._group.start_soon(self._watch_budget)
            try:
                while True:
                    for message in messages.for_head(await self._link.receive()):
                        self._reads[type(message)](message)
            except LinkBroken:
                self._group.cancel_scope.cancel()

    def leave(self) -> list[Task]:
        """It is gone: its places are free; returns what it leaves undone, in the order given."""
        self.ready = False
        for _, place in self._places.values():
            place.release()
        self._places.clear()
        tasks = list(self.tasks.values())
        self.tasks.clear()
        return tasks

    def cancel(self, task: Task) -> None:
        """Nobody waits for a task any more; it still says what that has cost."""
        if task.id in self.tasks:
            self.outbox.put(Cancel(task.id))

    async def _pump(self) -> None:
        try:
            await self.outbox.pump()
        except LinkBroken:
            self._group.cancel_scope.cancel()

    # --- what it says -------------------------------------------------------------------------------------------------

    def _is_ready(self, message: Ready) -> None:
        self.ready, self.real = True, message.real
        self._office.deal()

    def _keep(self, message: Rows) -> None:
        journal = self._office.journal
        journal.take_in(message.rows)
        places = [self._places.pop(ticket)[1] for ticket in message.freed if ticket in self._places]

        def durable() -> None:
            for place in places:
                place.release()
            self.outbox.put(Durable(message.number), urgent=False)

        journal.after_kept(durable)
        journal.flush()

    def _done(self, message: Done) -> None:
        task = self.tasks.pop(message.id)
        self.alone = False
        for ticket in message.freed:
            known = self._places.pop(ticket, None)
            if known is not None:
                task.flight.after_kept(known[1].release)
        self._office.done(task, message)

    def _crashed(self, message: Crashed) -> None:
        error = messages.error_of(message)
        if not self.tasks:
            self._office.fail(error)
        for task in self.tasks.values():
            task.fail(error)

    # --- budget -------------------------------------------------------------------------------------------------------

    def _open(self, message: Reserve | Acquire) -> anyio.CancelScope:
        """A question is open from when it is read: what takes it back may be the very next message."""
        scope = self._asking[message.ticket] = anyio.CancelScope()
        return scope

    async def _reserve(self, message: Reserve, scope: anyio.CancelScope) -> None:
        task = self.tasks.get(message.id)
        worst, limit = message.worst.cost(), None
        with scope:
            if task is None or scope.cancel_called:
                return
            try:
                await task.purse.reserve(worst)
                if scope.cancel_called:  # it was taken back at the very moment
                    task.purse.settle(worst, Cost())
                    return
                task.set_aside(worst, 1)
            except Spent as spent:
                limit = spent.limit
                self._denied.add(message.ticket)
            self._asking.pop(message.ticket, None)
            self.outbox.put(Granted(message.ticket, limit))
        if limit is not None:
            self._tell_broken()

    def _withdraw(self, message: Withdraw) -> None:
        asking = self._asking.pop(message.ticket, None)
        if asking is not None:
            asking.cancel()
        elif message.ticket not in self._denied:
            self._settle(Settle(message.id, message.worst, messages.Amount()))

    def _settle(self, message: Settle) -> None:
        task = self.tasks[message.id]
        worst = message.worst.cost()
        task.set_aside(worst, -1)
        task.purse.settle(worst, message.actual.cost())

    async def _watch_budget(self) -> None:
        while True:
            await anyio.sleep(_BUDGET_SECONDS)
            self._tell_broken()

    def _tell_broken(self) -> None:
        """What others have spent is spent for its tasks, too."""
        for task in self.tasks.values():
            limit = task.purse.out_of()
            if limit is not None and limit != task.told:
                task.told = limit
                self.outbox.put(Broken(task.id, limit, run=task.purse.root.broken is not None))

    # --- places at endpoints ------------------------------------------------------------------------------------------

    async def _acquire(self, message: Acquire, scope: anyio.CancelScope) -> None:
        with scope:
            if scope.cancel_called:
                return
            gate = self._office.gates(message.endpoint)
            place = await gate.acquire(self._request, message.tokens, message.priority, message.prefix)
            if scope.cancel_called:  # it was taken back at the very moment
                place.release()
                return
            del self._asking[message.ticket]
            self._places[message.ticket] = gate, place
            self.outbox.put(Placed(message.ticket))

    def _answered(self, message: Answered) -> None:
        known = self._places.get(message.ticket)
        if known is None:
            return
        gate, place = known
        if message.refused:
            gate.rejected(place, self._request.now(), message.retry_after_seconds)
        else:
            gate.succeeded(place, self._request.now())

    def _release(self, message: Release) -> None:
        asking, known = self._asking.pop(message.ticket, None), self._places.pop(message.ticket, None)
        if asking is not None:
            asking.cancel()
        if known is not None:
            known[1].release()


__all__ = ["Cost", "Gate", "Office", "Place", "Seat"]
