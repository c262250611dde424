"""A worker in a process that others call into: it is told batches, and asked for them."""

from __future__ import annotations

import sys

import anyio

from swarmmind.runtime.remote.link import LinkBroken
from swarmmind.runtime.remote.worker import work


class Actor:
    """A worker whose messages are calls (the head's end is `ray_actors.ActorLink`).

    Args:
        paths: where the head's process finds modules; a task's own code may be there.
    """

    def __init__(self, paths: list[str]) -> None:
        sys.path += [path for path in paths if path not in sys.path]
        self._told: list[bytes] = []
        self._said: list[bytes] = []
        self._hears, self._speaks, self._heard = anyio.Event(), anyio.Event(), anyio.Event()
        self._over = False

    async def begin(self) -> None:
        """It is there."""

    async def deliver(self, batch: bytes) -> None:
        """Tell it a batch; the first one makes it begin."""
        self._told.append(batch)
        self._hears.set()

    async def collect(self) -> bytes:
        """The next batch that it says.

        Raises:
            LinkBroken: there will be none.
        """
        while not self._said:
            if self._over:
                raise LinkBroken
            self._speaks = anyio.Event()
            await self._speaks.wait()
        self._heard.set()
        return self._said.pop(0)

    async def work(self) -> None:
        """Work until the head says goodbye."""
        try:
            await work(self)
        finally:
            self._over = True
            self._speaks.set()

    # --- as its own link ----------------------------------------------------------------------------------------------

    async def send(self, batch: bytes) -> None:
        """See `Link.send`; it returns when the batch is on its way, so that later ones gather."""
        self._said.append(batch)
        self._heard = anyio.Event()
        self._speaks.set()
        await self._heard.wait()

    async def receive(self) -> bytes:
        """See `Link.receive`."""
        while not self._told:
            self._hears = anyio.Event()
            await self._hears.wait()
        return self._told.pop(0)
