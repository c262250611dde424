"""Workers in this very process, whose links break when a test says so: what the head sees of a death, in no time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from swarmmind.runtime.remote.head import Head
from swarmmind.runtime.remote.link import Link, LinkBroken
from swarmmind.runtime.remote.messages import Order
from swarmmind.runtime.remote.staff import Staff
from swarmmind.runtime.remote.worker import work

BROKEN = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)


class Wire:
    """One end of a link; it lasts for so many batches that come in."""

    def __init__(
        self, out: MemoryObjectSendStream[bytes], into: MemoryObjectReceiveStream[bytes], life: int | None
    ) -> None:
        self._out, self._into, self._life = out, into, life

    async def send(self, batch: bytes) -> None:
        try:
            await self._out.send(batch)
        except BROKEN as error:
            raise LinkBroken from error

    async def receive(self) -> bytes:
        if self._life is not None:
            if not self._life:
                raise LinkBroken
            self._life -= 1
        try:
            return await self._into.receive()
        except BROKEN as error:
            raise LinkBroken from error

    def close(self) -> None:
        self._out.close()
        self._into.close()


class Near:
    """An engine of workers in this process.

    Args:
        workers: how many.
        lives: of the first workers that are hired: after how many batches each dies; later ones live.
    """

    name, nodes = "near", 1

    def __init__(self, workers: int = 2, lives: Sequence[int] = ()) -> None:
        self.workers = workers
        self.hired = 0
        self._lives = dict(enumerate(lives))
        self._numbers = count()

    def running(self, head: Head, order: Order) -> AbstractAsyncContextManager[Any]:
        return Staff(head, order, self._hire).working()

    @asynccontextmanager
    async def _hire(self) -> AsyncGenerator[Link]:
        self.hired += 1
        there, here = anyio.create_memory_object_stream[bytes](1), anyio.create_memory_object_stream[bytes](1)
        ours = Wire(there[0], here[1], self._lives.get(next(self._numbers)))
        theirs = Wire(here[0], there[1], None)

        async def working() -> None:
            try:
                await work(theirs)
            finally:
                theirs.close()

        async with anyio.create_task_group() as group:
            group.start_soon(working)
            try:
                yield ours
            finally:
                ours.close()
                group.cancel_scope.cancel()
