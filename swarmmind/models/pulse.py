"""Whether a server is up: told by whoever sees to it, waited for by those who want to send."""

from __future__ import annotations

from collections.abc import Callable

import anyio


class Pulse:
    """Whether a server is up, for those who want to send to it: as long as it is not, they wait.

    Args:
        up: whether it is.
    """

    def __init__(self, up: bool = True) -> None:
        self.up = up
        self._listeners: list[Callable[[], None]] = []
        self._rose = anyio.Event()
        self._doubted = anyio.Event()

    def rise(self) -> None:
        """It answers: those who wait may send."""
        self.up = True
        self._rose.set()
        self._rose = anyio.Event()
        for listener in self._listeners:
            listener()

    def fall(self) -> None:
        """It does not answer."""
        self.up = False

    async def wait(self) -> None:
        """Until it is up."""
        while not self.up:
            await self._rose.wait()

    def listen(self, listener: Callable[[], None]) -> None:
        """Have somebody told whenever it rises."""
        self._listeners.append(listener)

    def doubt(self) -> None:
        """A request failed in a way in which requests fail when a server is going down.

        Whoever sees to the server looks at it then, and lets the pulse rise or fall; somebody else may have let it fall
        meanwhile.
        """
        self._doubted.set()

    async def doubts(self) -> None:
        """Until somebody has doubts."""
        await self._doubted.wait()
        self._doubted = anyio.Event()
