"""So many workers as there are to be, each replaced when it is lost: what all engines have in common."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import anyio

from swarmmind.errors import UserError
from swarmmind.runtime.remote import messages
from swarmmind.runtime.remote.head import Head
from swarmmind.runtime.remote.link import Link, LinkBroken
from swarmmind.runtime.remote.messages import Order

_GOODBYE_SECONDS = 3.0
_STILLBORN = 3  # workers in a row that were lost before they were ready

Hire = Callable[[], AbstractAsyncContextManager[Link]]
"""Starts a worker, and ends it: on the way in, when it can be talked to; on the way out, whatever it is doing."""


class Staff:
    """Workers of one run.

    Args:
        head: who they work for.
        order: what they are told first.
        hire: starts one.
    """

    def __init__(self, head: Head, order: Order, hire: Hire) -> None:
        self._head, self._order, self._hire = head, order, hire
        self._over = False
        self._left = 0

    @asynccontextmanager
    async def working(self) -> AsyncGenerator[None]:
        """For as long as the run goes on; an error from within arrives as it is, not in a group."""
        error: BaseException | None = None
        async with anyio.create_task_group() as group:
            self._left = self._head.workers
            for _ in range(self._head.workers):
                group.start_soon(self._keep_one)
            try:
                yield
            except Exception as raised:
                error = raised
            self._over = True
            self._head.say_goodbye()
            with anyio.move_on_after(_GOODBYE_SECONDS):
                await self._head.alone()
            group.cancel_scope.cancel()
        if error is not None:
            raise error

    async def _keep_one(self) -> None:
        """A worker, and after it the next, until the run is over or there is no use in trying."""
        stillborn = 0
        while not self._over and stillborn < _STILLBORN:
            try:
                async with self._hire() as link:
                    await link.send(messages.encode(self._order))
                    stillborn = 0 if await self._head.serve(link) else stillborn + 1
            except LinkBroken:
                stillborn += 1
            except UserError as error:  # no other attempt would fare better
                self._head.fail(error)
                return
        self._left -= 1
        if not self._over and not self._left:
            self._head.fail(RuntimeError("no worker could be started: each was lost before it was ready"))
