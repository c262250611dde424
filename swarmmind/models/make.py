"""From a task's words to a model: provider, endpoint, key and limits. Nothing here is global; keys come by argument.

Precedence is flag, environment, file, default (users.md 3e): `OPENAI_API_KEY`, `OPENAI_BASE_URL`, `VLLM_API_KEY`,
`VLLM_BASE_URL`.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from typing import NamedTuple
from urllib.parse import urlsplit

import anyio

from swarmmind.effects import Agent
from swarmmind.errors import UserError, near
from swarmmind.models.chat import ChatModel, Patience
from swarmmind.models.endpoint import Endpoint
from swarmmind.models.limiter import Limiter
from swarmmind.models.local import Latency, PolicyModel, Scripted
from swarmmind.models.prices import Price
from swarmmind.models.redact import Redactor
from swarmmind.models.served import Served
from swarmmind.models.wire import Dialect, Writer
from swarmmind.ports import Model, Policy, Transport
from swarmmind.rng import Streams
from swarmmind.spec.model import EndpointLimits, ModelSpec
from swarmmind.spec.values import Distribution

_DEFAULT_BASE_URLS: dict[Dialect, str] = {"openai": "https://api.openai.com/v1", "vllm": "http://127.0.0.1:8000/v1"}
_TRANSPORTS = {"aiohttp": "AiohttpTransport", "httpx": "HttpxTransport", "openai": "OpenAITransport"}
"""The class of each transport, in a module of its own that is imported when it is used."""


class Address(NamedTuple):
    """Where a model is, and the key to it (not shown)."""

    dialect: Dialect
    base_url: str
    key: str | None

    def __repr__(self) -> str:
        return f"Address({self.dialect!r}, {self.base_url!r})"


class Endpoints:
    """The endpoints of one run: one limiter per base URL and key, one pool of connections per transport on top."""

    def __init__(self) -> None:
        self._limiters: dict[tuple[str, str | None], tuple[EndpointLimits, Limiter]] = {}
        self._endpoints: dict[tuple[str, str | None, str], Endpoint] = {}

    def endpoint(self, address: Address, transport: str, limits: EndpointLimits) -> Endpoint:
        """The server at an address.

        Args:
            address: where, and the key to it.
            transport: the name of the client that carries requests.
            limits: what it may be asked at once.

        Raises:
            UserError: two models give it different limits.
            MissingExtra: the transport's package is not installed.
        """
        place = (address.base_url, address.key, transport)
        limiter = self._limiter(address, limits)
        known = self._endpoints.get(place)
        if known is None:
            carrier = _transport(transport)(address.base_url, address.key)
            known = self._endpoints[place] = Endpoint(address.base_url, carrier, limiter)
        return known

    def _limiter(self, address: Address, limits: EndpointLimits) -> Limiter:
        place = (address.base_url, address.key)
        known = self._limiters.get(place)
        if known is None:
            made = Limiter(limits.concurrency, limits.requests_per_minute, limits.tokens_per_minute)
            known = self._limiters[place] = (limits, made)
        elif known[0] != limits:
            raise UserError(
                f"two models set different limits for one endpoint, {address.base_url}: "
                f"{_shown(known[0])} and {_shown(limits)}; give them the same"
            )
        return known[1]

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Watch the servers for as long as a run goes on, and close every pool at its end.

        An error from within arrives as it is, not in a group.
        """
        error: BaseException | None = None
        try:
            async with anyio.create_task_group() as group:
                for endpoint in self._endpoints.values():
                    group.start_soon(endpoint.watch)
                try:
                    yield
                except Exception as raised:
                    error = raised
                group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self.close()
        if error is not None:
            raise error

    def served(self) -> list[Served]:
        """What each server has done so far, those that were never asked left out."""
        each = [endpoint.served() for endpoint in self._endpoints.values()]
        return [one for one in each if one.most_in_flight]

    async def close(self) -> None:
        """Close every pool; nothing is in flight any more."""
        for endpoint in self._endpoints.values():
            await endpoint.transport.close()


class Sources(NamedTuple):
    """What models are made from beside their spec.

    Attributes:
        endpoints: owned, and closed, by the run.
        environ: the environment variables, or what stands for them.
        policies: makes the policies behind `builtin/<name>`, by name.
        streams: the run's chance.
        answers: the right answers by problem, for `scripted`.
        base_url: a flag that goes before everything else.
    """

    endpoints: Endpoints
    environ: Mapping[str, str] = {}
    policies: Mapping[str, Callable[[Agent], Policy]] = {}
    streams: Streams = Streams(0)
    answers: Mapping[str, str] = {}
    base_url: str | None = None


def make_model(spec: ModelSpec, sources: Sources, price: Price | None = None) -> Model:
    """The model that a spec describes.

    Raises:
        UserError: a key is missing or cannot be sent, a base URL is none, a policy is unknown, or two models set
            different limits for one endpoint.
        MissingExtra: the transport's package is not installed.
    """
    if spec.provider == "scripted":
        accuracy = 1.0 if spec.accuracy is None else spec.accuracy
        return Scripted(accuracy, _latency(spec.latency_seconds), sources.answers)
    if spec.provider == "builtin":
        return PolicyModel(_policy(spec.model, sources.policies), sources.streams.child(spec.name))
    address = locate(spec, sources.environ, sources.base_url)
    field = "max_completion_tokens" if address.base_url == _DEFAULT_BASE_URLS["openai"] else "max_tokens"
    return ChatModel(
        Writer(spec.model, address.dialect, field, spec.extra),
        sources.endpoints.endpoint(address, spec.transport, spec.limits),
        price,
        Patience(spec.attempts, spec.deadline_seconds),
        Redactor([address.key] if address.key else []),
    )


def locate(spec: ModelSpec, environ: Mapping[str, str], base_url: str | None = None) -> Address:
    """Where an `openai/` or `vllm/` model is reached, and with which key.

    The usual variables' keys go to the provider, to this machine, or to where the environment points; a host that
    only the task file names gets a key only if the file names its variable too (`api_key_env`; `check` shows both).

    Raises:
        UserError: a key is missing or cannot be sent, or the base URL is none.
    """
    dialect: Dialect = "vllm" if spec.provider == "vllm" else "openai"
    upper = dialect.upper()
    url = base_url or environ.get(f"{upper}_BASE_URL") or spec.base_url or _DEFAULT_BASE_URLS[dialect]
    variable = spec.api_key_env or f"{upper}_API_KEY"
    key = environ.get(variable, "").strip() or None
    if spec.api_key_env is None and url == spec.base_url and not _here(url):
        key = None  # a task file alone must not send the user's usual key to a host of its choice
    if key is None and (spec.api_key_env or (dialect == "openai" and url == _DEFAULT_BASE_URLS["openai"])):
        raise UserError(f"model {spec.name!r} needs a key: set the environment variable {variable}")
    if key is not None and not (key.isascii() and key.isprintable()):
        raise UserError(f"the environment variable {variable} cannot be a key: it holds characters no header may hold")
    return Address(dialect, _normal(url), key)


def identity(spec: ModelSpec, address: Address) -> str:
    """All that shapes a model's answers beside the request, for `Cached`; no key."""
    return repr((address.dialect, address.base_url, spec.model, sorted(spec.extra.items())))


def _transport(name: str) -> Callable[[str, str | None], Transport]:
    module = import_module(f"swarmmind.models.transports.{name}_transport")
    return getattr(module, _TRANSPORTS[name])


def _normal(url: str) -> str:
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username and parts.port != 0
    except ValueError:
        fine, parts = False, urlsplit("")
    if not fine or parts.query or parts.fragment:
        raise UserError("a base URL must be like http://127.0.0.1:8000/v1, without user, query and fragment")
    return url.rstrip("/") if parts.path.strip("/") else f"{url.rstrip('/')}/v1"


def _here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def _latency(given: float | Distribution | None) -> Latency:
    if isinstance(given, Distribution):
        distribution = given

        def draw(rng: random.Random) -> float:
            return max(0.0, float(distribution.draw(rng)))

        return draw
    return given or 0.0


def _policy(name: str, policies: Mapping[str, Callable[[Agent], Policy]]) -> Callable[[Agent], Policy]:
    factory = policies.get(name)
    if factory is None:
        known: Sequence[str] = sorted(policies)
        raise UserError(f"unknown policy 'builtin/{name}'{near(name, known)}")
    return factory


def _shown(limits: EndpointLimits) -> str:
    return str(limits.model_dump(exclude_none=True) or "none")
