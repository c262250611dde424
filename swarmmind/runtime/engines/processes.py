"""Workers that are processes of this machine, each at the other end of a socket pair."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from subprocess import DEVNULL
from threading import Thread
from typing import Any

import anyio
from anyio.abc import SocketStream

from swarmmind.runtime.remote.head import Head
from swarmmind.runtime.remote.link import Link, LinkBroken
from swarmmind.runtime.remote.messages import Order
from swarmmind.runtime.remote.staff import Staff
from swarmmind.runtime.remote.worker import work

_SIZE_BYTES = 8
_STDERR = 2  # of the head: what is printed on a worker; stdout is the result's alone
_BEGIN = """import signal; signal.signal(signal.SIGINT, lambda *_: None)
import anyio; from {} import main; anyio.run(main, {})"""
"""A worker's program. Ctrl-C reaches all processes of a terminal: the head alone decides what becomes of a run."""
_ORPHAN_SECONDS = 2.0  # that a worker whose head is gone has to end by itself


class SocketLink:
    """A link over a stream socket: each batch with its size before it (satisfies `link.Link`)."""

    def __init__(self, stream: SocketStream) -> None:
        self._stream = stream
        self._read = bytearray()

    async def send(self, batch: bytes) -> None:
        """See `Link.send`."""
        try:
            await self._stream.send(len(batch).to_bytes(_SIZE_BYTES, "big") + batch)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise LinkBroken from error

    async def receive(self) -> bytes:
        """See `Link.receive`."""
        size = int.from_bytes(await self._exactly(_SIZE_BYTES), "big")
        return await self._exactly(size)

    async def _exactly(self, size: int) -> bytes:
        while len(self._read) < size:
            try:
                self._read += await self._stream.receive(max(65536, size - len(self._read)))
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
                raise LinkBroken from error
        found = bytes(self._read[:size])
        del self._read[:size]
        return found


class Processes:
    """Workers that are processes of this machine (satisfies `engine.Engine`).

    Args:
        workers: how many.

    Attributes:
        workers: the same.
        pids: of those that are alive.
    """

    name = "processes"
    nodes = 1

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.pids: list[int] = []

    def running(self, head: Head, order: Order) -> AbstractAsyncContextManager[Any]:
        """See `Engine.running`."""
        return Staff(head, order, self._hire).working()

    @asynccontextmanager
    async def _hire(self) -> AsyncGenerator[Link]:
        ours, theirs = socket.socketpair()
        with closing(theirs):
            command = [sys.executable, "-c", _BEGIN.format(__name__, theirs.fileno())]
            process = await anyio.open_process(
                command, stdin=DEVNULL, stdout=_STDERR, stderr=None, pass_fds=[theirs.fileno()]
            )
        self.pids.append(process.pid)
        try:
            async with await SocketStream.from_socket(ours) as stream:
                yield SocketLink(stream)
        finally:
            self.pids.remove(process.pid)
            with anyio.CancelScope(shield=True):
                if process.returncode is None:
                    process.kill()
                await process.wait()


async def main(descriptor: int) -> None:
    """Be a worker at the socket that was inherited; it ends with its head, even amid code that never ends."""
    Thread(target=_end_with, args=[os.getppid()], daemon=True).start()
    async with await SocketStream.from_socket(descriptor) as stream:
        await work(SocketLink(stream))


def _end_with(head: int) -> None:
    while os.getppid() == head:
        time.sleep(0.5)
    time.sleep(_ORPHAN_SECONDS)
    os._exit(1)
