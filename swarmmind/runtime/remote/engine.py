"""What an engine promises: it has workers, starts others for those that are lost, and ends them with the run."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from swarmmind.runtime.remote.head import Head
from swarmmind.runtime.remote.messages import Order


class Engine(Protocol):
    """Runs workers.

    Attributes:
        name: what people know it by.
        workers: how many it wants.
        nodes: on how many machines they are, or were.
    """

    @property
    def name(self) -> str:
        """What people know it by."""
        ...

    @property
    def workers(self) -> int:
        """How many workers there shall be."""
        ...

    @property
    def nodes(self) -> int:
        """On how many machines they are, or were."""
        ...

    def running(self, head: Head, order: Order) -> AbstractAsyncContextManager[Any]:
        """For as long as the run goes on: workers work for the head; at its end all of them are gone.

        Raises:
            UserError: no worker can be started, because of something that a person can change.
            MissingExtra: the engine's package is not installed.
        """
        ...
