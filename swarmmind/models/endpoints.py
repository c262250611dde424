"""The endpoints of one run: those that are there, and those that are started for it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import anyio
import msgspec

from swarmmind.errors import UserError
from swarmmind.models.endpoint import Endpoint, Route
from swarmmind.models.limiter import Limiter
from swarmmind.models.replicas import Replicas
from swarmmind.models.served import Served
from swarmmind.models.vllm.fleet import Fleet
from swarmmind.models.vllm.launch import Serving
from swarmmind.models.vllm.program import find_program
from swarmmind.models.vllm.server import Server
from swarmmind.models.wire import Dialect
from swarmmind.ports import Transport
from swarmmind.spec.model import EndpointLimits

OPENAI_URL = "https://api.openai.com/v1"
_TRANSPORTS = {"aiohttp": "AiohttpTransport", "httpx": "HttpxTransport", "openai": "OpenAITransport"}
"""The class of each transport, in a module of its own that is imported when it is used."""


class Address(NamedTuple):
    """Where a model is, and the key to it (not shown).

    Attributes:
        dialect: how it is spoken to.
        base_url: where it is; several with commas between are replicas.
        key: `None`: none is needed.
    """

    dialect: Dialect
    base_url: str
    key: str | None

    def __repr__(self) -> str:
        return f"Address({self.dialect!r}, {self.base_url!r})"


class Endpoints:
    """The endpoints of one run: one limiter per server and key, one pool of connections per transport on top.

    Replicas have a limiter each. Limits that the user sets hold for all of them together: then they share one.

    Attributes:
        looks: whether servers are asked what they say of themselves.
    """

    looks = True

    def __init__(self) -> None:
        self._limiters: dict[tuple[str, str | None], tuple[EndpointLimits, Limiter]] = {}
        self._endpoints: dict[tuple[str, str | None, str], Endpoint] = {}
        self._routes: dict[tuple[str, str | None, str], Route] = {}
        self._fleets: dict[str, Fleet] = {}

    def endpoint(self, address: Address, transport: str, limits: EndpointLimits) -> Endpoint:
        """The one server at an address; see `route`."""
        endpoint = self._endpoint(address, transport, self._limiter(address, limits))
        endpoint.join(())
        return endpoint

    def route(self, address: Address, transport: str, limits: EndpointLimits) -> Route:
        """The server at an address, or the replicas there.

        Args:
            address: where, and the key to it.
            transport: the name of the client that carries requests.
            limits: what it may be asked at once.

        Raises:
            UserError: two models give it different limits.
            MissingExtra: the transport's package is not installed.
        """
        return self._route(address, transport, limits, ())

    def fleet(self, serving: Serving, replicas: int, environ: Mapping[str, str]) -> Fleet:
        """The servers that are started for a model; models that want the same share them.

        Args:
            serving: what is to be served.
            replicas: by how many.
            environ: our environment variables.

        Raises:
            UserError: there is no vLLM to start.
        """
        name = wanted(serving, replicas)
        known = self._fleets.get(name)
        if known is None:
            known = self._fleets[name] = Fleet(serving, replicas, find_program(environ), environ)
        return known

    def managed(self, fleet: Fleet, transport: str, limits: EndpointLimits) -> Route:
        """The servers of a fleet, or the one there is; see `route`."""
        address = Address("vllm", fleet.address, fleet.key)
        return self._route(address, transport, limits, fleet.servers, fleet.capacity)

    def _route(
        self,
        address: Address,
        transport: str,
        limits: EndpointLimits,
        servers: Sequence[Server],
        capacity: int | None = None,
    ) -> Route:
        place = (address.base_url, address.key, transport)
        shared = self._limiter(address, limits)
        urls = address.base_url.split(",")
        if place not in self._routes:
            alone = len(urls) == 1
            each: list[Endpoint] = []
            for at, url in enumerate(urls):
                one = address._replace(base_url=url)
                limiter = shared if alone or limits != EndpointLimits() else self._limiter(one, limits)
                server = servers[at] if servers else None
                each.append(
                    self._endpoint(one, transport, limiter, server, capacity, looks=alone or limiter is not shared)
                )
            if alone:
                each[0].join(())
            self._routes[place] = each[0] if alone else Replicas(each)
        return self._routes[place]

    def _endpoint(
        self,
        address: Address,
        transport: str,
        limiter: Limiter,
        server: Server | None = None,
        capacity: int | None = None,
        *,
        looks: bool = True,
    ) -> Endpoint:
        place = (*address[1:], transport)
        known = self._endpoints.get(place)
        if known is None:
            carrier = _transport(transport)(address.base_url, address.key)
            known = self._endpoints[place] = Endpoint(
                address.base_url,
                carrier,
                limiter,
                server.pulse if server else None,
                looks=looks and self.looks and address.base_url != OPENAI_URL,
                capacity=capacity,
            )
        return known

    def _limiter(self, address: Address, limits: EndpointLimits) -> Limiter:
        place = (address.base_url, address.key)
        known = self._limiters.get(place)
        if known is None:
            known = self._limiters[place] = (limits, self._new_limiter(str(len(self._limiters)), limits))
        elif known[0] != limits:
            raise UserError(
                f"two models set different limits for one endpoint, {address.base_url}: "
                f"{_shown(known[0])} and {_shown(limits)}; give them the same"
            )
        return known[1]

    def _new_limiter(self, name: str, limits: EndpointLimits) -> Limiter:
        return Limiter(limits.concurrency, limits.requests_per_minute, limits.tokens_per_minute)

    def limiter(self, name: str) -> Limiter:
        """The limiter of a name: its number, in the order in which models came. Plans of one task name alike."""
        return list(self._limiters.values())[int(name)][1]

    def fleets(self) -> dict[str, tuple[str, str | None]]:
        """Of the servers that are started: where they are, with which key, by what they serve."""
        return {name: (fleet.address, fleet.key) for name, fleet in self._fleets.items()}

    @asynccontextmanager
    async def running(self, folder: Path | None = None) -> AsyncGenerator[None]:
        """Start and watch the servers for as long as a run goes on; at its end stop them and close every pool.

        An error from within arrives as it is, not in a group.

        Args:
            folder: where servers that are started write their logs; by default a new one for temporary files.

        Raises:
            UserError: the user wants a flag that a server does not know.
            ServerLost: a server does not come up, or crashes again and again.
        """
        error: BaseException | None = None
        try:
            async with anyio.create_task_group() as group:
                for name, fleet in self._named():
                    group.start_soon(fleet.run, folder or Path(tempfile.mkdtemp(prefix="swarmmind-")), name)
                for _, fleet in self._named():
                    await fleet.up()
                async with anyio.create_task_group() as meetings:
                    for endpoint in self._endpoints.values():
                        meetings.start_soon(endpoint.meet)
                for endpoint in self._endpoints.values():
                    group.start_soon(endpoint.watch)
                try:
                    yield
                except Exception as raised:
                    error = raised
                group.cancel_scope.cancel()
        except BaseExceptionGroup as errors:
            raise _first(errors) from None
        finally:
            with anyio.CancelScope(shield=True):
                await self.close()
        if error is not None:
            raise error

    def _named(self) -> list[tuple[str, Fleet]]:
        fleets = list(self._fleets.values())
        return [("vllm" if len(fleets) == 1 else f"vllm-{at}", fleet) for at, fleet in enumerate(fleets)]

    def served(self) -> list[Served]:
        """What each server has done so far; those that share a limiter together, and those never asked left out."""
        together: dict[int, list[Endpoint]] = {}
        for endpoint in self._endpoints.values():
            together.setdefault(id(endpoint.limiter), []).append(endpoint)
        each = [self._served(endpoints) for endpoints in together.values()]
        return [one for one in each if one.most_in_flight]

    def _served(self, endpoints: Sequence[Endpoint]) -> Served:
        urls = list(dict.fromkeys(endpoint.base_url for endpoint in endpoints))
        started = [server for fleet in self._fleets.values() for server in fleet.servers if server.base_url in urls]
        served = endpoints[0].served()
        return msgspec.structs.replace(
            served,
            url=", ".join(urls),
            server={**served.server, **(started[0].facts if started else {})},
            warnings=[*served.warnings, *(warning for server in started for warning in server.warnings())],
        )

    async def close(self) -> None:
        """Close every pool; nothing is in flight any more."""
        for endpoint in self._endpoints.values():
            await endpoint.transport.close()


def wanted(serving: Serving, replicas: int) -> str:
    """What stands for the servers of a model among those of a run."""
    return json.dumps([*serving, replicas], sort_keys=True)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _transport(name: str) -> Callable[[str, str | None], Transport]:
    module = import_module(f"swarmmind.models.transports.{name}_transport")
    return getattr(module, _TRANSPORTS[name])


def _shown(limits: EndpointLimits) -> str:
    return str(limits.model_dump(exclude_none=True) or "none")
