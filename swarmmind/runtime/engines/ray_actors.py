"""Workers that are Ray's actors: on this machine, or on every node of a cluster (the only module that knows Ray).

Ray places the processes, starts others where there is room, and notices when one is gone; batches of messages are
arguments and results of its calls. Everything else is ours, and the same as for any other engine.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

import anyio

from swarmmind.errors import MissingExtra, UserError
from swarmmind.runtime.engines.actor import Actor
from swarmmind.runtime.remote.head import Head
from swarmmind.runtime.remote.link import Link, LinkBroken
from swarmmind.runtime.remote.messages import Order
from swarmmind.runtime.remote.staff import Staff

_ROOM_SECONDS = 120.0  # how long a worker may wait for room in the cluster
_LOOPBACK = "127.0.0.1"
_KNOCK_SECONDS = 10.0
_QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""Nothing leaves the machine but to the endpoints that a task names."""


class ActorLink:
    """A link to an actor (satisfies `link.Link`).

    Args:
        actor: Ray's handle of it.
        lost: the errors that say it is gone.
    """

    def __init__(self, actor: Any, lost: tuple[type[Exception], ...]) -> None:
        self._actor, self._lost = actor, lost

    async def send(self, batch: bytes) -> None:
        """See `Link.send`; it has arrived when this returns, so batches stay in order."""
        try:
            await self._actor.deliver.remote(batch)
        except self._lost as error:
            raise LinkBroken from error

    async def receive(self) -> bytes:
        """See `Link.receive`."""
        try:
            return await self._actor.collect.remote()
        except self._lost as error:
            raise LinkBroken from error


class RayActors:
    """Workers that are Ray's actors (satisfies `engine.Engine`); see `connected`.

    Args:
        ray: the package.
        workers: how many.

    Attributes:
        workers: the same.
        nodes: how many machines the cluster has.
    """

    name = "ray"

    def __init__(self, ray: Any, workers: int) -> None:
        self._ray, self.workers = ray, workers
        self.nodes = sum(node["Alive"] and node["Resources"].get("CPU", 0) > 0 for node in ray.nodes())
        self._lost = (ray.exceptions.RayError,)

    def running(self, head: Head, order: Order) -> AbstractAsyncContextManager[Any]:
        """See `Engine.running`."""
        return Staff(head, order, self._hire).working()

    @asynccontextmanager
    async def _hire(self) -> AsyncGenerator[Link]:
        made = self._ray.remote(num_cpus=1, max_restarts=0, scheduling_strategy="SPREAD")(Actor)
        actor = made.remote(list(sys.path))
        try:
            with anyio.move_on_after(_ROOM_SECONDS) as waiting:
                try:
                    await actor.begin.remote()
                except self._lost as error:
                    raise LinkBroken from error
            if waiting.cancelled_caught:
                raise LinkBroken("there was no room for it")
            actor.work.remote()
            yield ActorLink(actor, self._lost)
        finally:
            self._ray.kill(actor)


@contextmanager
def connected(workers: int | None = None, environ: Mapping[str, str] | None = None) -> Generator[RayActors]:
    """Ray, for as long as a run goes on.

    It is used as it is if this process is connected to it, or if `RAY_ADDRESS` says where a cluster is, and left as it
    was; otherwise one is started on this machine alone, and ended.

    Args:
        workers: how many workers; one per CPU that is there, by default.
        environ: the environment variables.

    Raises:
        MissingExtra: Ray is not installed.
        UserError: the cluster cannot be reached, or has no CPU.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import ray  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise MissingExtra("the engine 'ray'", "ray") from error
    address = (os.environ if environ is None else environ).get("RAY_ADDRESS")
    ours = not ray.is_initialized()
    if ours:
        _connect(ray, address)
    try:
        there = int(ray.cluster_resources().get("CPU", 0))
        if not there:
            raise UserError("the Ray cluster has no CPU to work with")
        yield RayActors(ray, workers or there)
    finally:
        if ours:
            ray.shutdown()


def _connect(ray: Any, address: str | None) -> None:
    ray._private.worker.print_to_stdstream = _unprinted  # it would be on stdout, where a run's record goes
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address:
            _knock(address)
            ray.init(address, **quiet)
        else:
            ray.init("local", include_dashboard=False, _node_ip_address=_LOOPBACK, **quiet)
    except (OSError, RuntimeError, ValueError) as error:
        where = f"the Ray cluster at {address}" if address else "Ray on this machine"
        raise UserError(f"{where} does not answer: {str(error).splitlines()[0]:.200}") from error


def _knock(address: str) -> None:
    """See whether anybody is there; Ray itself would try for minutes.

    Raises:
        OSError: nobody is.
    """
    host, _, port = address.rpartition(":")
    if host and "/" not in host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), _KNOCK_SECONDS).close()


def _unprinted(data: Any, ignore_prefix: bool) -> None:
    """What becomes of Ray's news of lost workers: they are in its logs, and the head has noticed by itself."""
