"""The wire between the head and one worker, whatever it is made of, and how messages are gathered for it."""

from __future__ import annotations

from typing import Any, Protocol

import anyio
import anyio.lowlevel

from swarmmind.runtime.remote import messages

_LINGER_SECONDS = 0.05  # how long a message that nobody waits for may lie before it goes


class LinkBroken(Exception):
    """The other side is gone; what was sent last may not have arrived."""


class Link(Protocol):
    """Carries batches of bytes both ways, each whole and in order."""

    async def send(self, batch: bytes) -> None:
        """Hand a batch over.

        Raises:
            LinkBroken: there is nobody any more.
        """
        ...

    async def receive(self) -> bytes:
        """The next batch.

        Raises:
            LinkBroken: there will be none.
        """
        ...


class Outbox:
    """Gathers messages and sends what there is in one batch, while the next ones gather.

    Args:
        link: what carries them.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._messages: list[Any] = []
        self._some, self._urgent = anyio.Event(), anyio.Event()
        self._sending = anyio.Lock()  # of batches: they stay in order

    def put(self, message: Any, *, urgent: bool = True) -> None:
        """Send a message soon; one that is not urgent may wait some milliseconds for others."""
        self._messages.append(message)
        self._some.set()
        if urgent:
            self._urgent.set()

    async def pump(self) -> None:
        """Send for as long as the link lasts.

        Raises:
            LinkBroken: it does not any more.
        """
        while True:
            await self._some.wait()
            with anyio.move_on_after(_LINGER_SECONDS):
                await self._urgent.wait()
            await anyio.lowlevel.checkpoint()  # whoever can go on says what it has to say
            await self.flush()

    async def flush(self) -> None:
        """Send what there is now.

        Raises:
            LinkBroken: it cannot be.
        """
        async with self._sending:
            gathered, self._messages = self._messages, []
            self._some, self._urgent = anyio.Event(), anyio.Event()
            if gathered:
                await self._link.send(messages.encode(gathered))
