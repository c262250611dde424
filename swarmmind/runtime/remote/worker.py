"""A worker: builds what it works with, executes what the head gives it, and ends with the run or with its link."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from typing import Any, Protocol

import anyio

from swarmmind.rng import Streams
from swarmmind.runtime.budget import Purse
from swarmmind.runtime.clock import RealClock, VirtualClock
from swarmmind.runtime.handler import Handler
from swarmmind.runtime.meter import Meter
from swarmmind.runtime.remote import messages
from swarmmind.runtime.remote.desk import Desk
from swarmmind.runtime.remote.host import Host
from swarmmind.runtime.remote.link import Link, LinkBroken, Outbox
from swarmmind.runtime.remote.messages import Broken, Bye, Cancel, Durable, Order, Ready, Work
from swarmmind.runtime.remote.notebook import Notebook
from swarmmind.runtime.world import World

_LAST_WORDS_SECONDS = 5.0


class Servants(Protocol):
    """What answers on a worker."""

    def running(self) -> AbstractAsyncContextManager[Any]:
        """For as long as it works; at the end nothing is in flight, and everything is closed."""
        ...


class Workshop(Protocol):
    """What a worker works with."""

    @property
    def streams(self) -> Streams:
        """The run's chance: an effect draws the same here as at the head, by its key."""
        ...

    @property
    def handlers(self) -> Mapping[type, Handler]:
        """Who executes which effects, those that they come to included."""
        ...

    @property
    def servants(self) -> Servants:
        """Who answers."""
        ...

    @property
    def at_once(self) -> bool:
        """Whether everything is answered from this process, in no time: the clock is virtual then."""
        ...


async def work(link: Link) -> None:
    """Work for the head at the other end of a link; the first thing it says is the `Order`."""
    try:
        order = messages.read_order(await link.receive())
    except LinkBroken:
        return
    outbox = Outbox(link)
    try:
        host, servants, ready = _built(order, outbox)
    except Exception as error:  # whatever is wrong here, the head shall say it
        await _last_words(outbox, error)
        return
    async with anyio.create_task_group() as group:
        group.start_soon(_until_broken, outbox.pump, group.cancel_scope)
        group.start_soon(_until_broken, lambda: _listen(link, host), group.cancel_scope)
        try:
            async with servants.running():
                outbox.put(ready)
                await host.serve()
        except Exception as error:
            await _last_words(outbox, error)
        group.cancel_scope.cancel()


def _built(order: Order, outbox: Outbox) -> tuple[Host, Servants, Ready]:
    module, _, name = order.workshop.partition(":")
    desk, notebook = Desk(outbox), Notebook(outbox)
    shop: Workshop = getattr(import_module(module), name)(order.job, desk)
    clock = VirtualClock() if shop.at_once else RealClock()
    world = World(notebook, clock, shop.streams, Purse(), Meter())
    return Host(world, shop.handlers, desk, notebook), shop.servants, Ready(not shop.at_once)


async def _until_broken(what: Any, scope: anyio.CancelScope) -> None:
    try:
        await what()
    except LinkBroken:  # the head is gone, and nobody wants what is done here
        scope.cancel()


async def _listen(link: Link, host: Host) -> None:
    while True:
        for message in messages.for_worker(await link.receive()):
            match message:
                case Work():
                    host.perform(message)
                case Cancel():
                    host.cancel(message.id)
                case Durable():
                    host.durable(message.number)
                case Broken():
                    host.broken(message)
                case Bye():
                    host.end()
                case _:
                    host.answer(message)


async def _last_words(outbox: Outbox, error: Exception) -> None:
    outbox.put(messages.crashed(error))
    with anyio.move_on_after(_LAST_WORDS_SECONDS, shield=True):
        try:
            await outbox.flush()
        except LinkBroken:
            return
