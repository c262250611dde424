"""From a task's words to a model: provider, endpoint, key and limits. Nothing here is global; keys come by argument.

Precedence is flag, environment, file, default (users.md 3e): `OPENAI_API_KEY`, `OPENAI_BASE_URL`, `VLLM_API_KEY`,
`VLLM_BASE_URL`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from swarmmind.effects import Agent
from swarmmind.errors import UserError, near
from swarmmind.models.chat import ChatModel, Patience
from swarmmind.models.endpoints import OPENAI_URL, Address, Endpoints
from swarmmind.models.local import Latency, PolicyModel, Scripted
from swarmmind.models.prices import Price
from swarmmind.models.redact import Redactor
from swarmmind.models.vllm.launch import Serving
from swarmmind.models.wire import Dialect, Writer
from swarmmind.ports import Model, Policy
from swarmmind.rng import Streams
from swarmmind.spec.model import ModelSpec
from swarmmind.spec.serving import model_folder
from swarmmind.spec.values import Distribution

_DEFAULT_BASE_URLS: dict[Dialect, str] = {"openai": OPENAI_URL, "vllm": "http://127.0.0.1:8000/v1"}


class Sources(NamedTuple):
    """What models are made from beside their spec.

    Attributes:
        endpoints: owned, and closed, by the run.
        environ: the environment variables, or what stands for them.
        policies: makes the policies behind `builtin/<name>`, by name.
        streams: the run's chance.
        answers: the right answers by problem, for `scripted`.
        base_url: a flag that goes before everything else.
        folder: the task's, which the folders of models to be served are relative to.
    """

    endpoints: Endpoints
    environ: Mapping[str, str] = {}
    policies: Mapping[str, Callable[[Agent], Policy]] = {}
    streams: Streams = Streams(0)
    answers: Mapping[str, str] = {}
    base_url: str | None = None
    folder: Path = Path()


def make_model(spec: ModelSpec, sources: Sources, price: Price | None = None) -> Model:
    """The model that a spec describes.

    Raises:
        UserError: a key is missing or cannot be sent, a base URL is none, a policy is unknown, two models set
            different limits for one endpoint, or a server should be started and there is none.
        MissingExtra: the transport's package is not installed.
    """
    if spec.provider == "scripted":
        accuracy = 1.0 if spec.accuracy is None else spec.accuracy
        return Scripted(accuracy, _latency(spec.latency_seconds), sources.answers)
    if spec.provider == "builtin":
        return PolicyModel(_policy(spec.model, sources.policies), sources.streams.child(spec.name))
    if spec.manage:
        served = serving(spec, sources.folder)
        fleet = sources.endpoints.fleet(served, spec.replicas, sources.environ)
        route = sources.endpoints.managed(fleet, spec.transport, spec.limits)
        address = Address("vllm", fleet.address, fleet.key)
    else:
        address = locate(spec, sources.environ, sources.base_url)
        route = sources.endpoints.route(address, spec.transport, spec.limits)
    field = "max_completion_tokens" if address.base_url == OPENAI_URL else "max_tokens"
    return ChatModel(
        Writer(spec.model, address.dialect, field, spec.extra),
        route,
        price,
        Patience(spec.attempts, spec.deadline_seconds),
        Redactor([address.key] if address.key else []),
    )


def serving(spec: ModelSpec, folder: Path) -> Serving:
    """What a managed model wants served.

    Args:
        spec: of the model.
        folder: the task's.

    Raises:
        UserError: the model's folder is not there.
    """
    try:
        path = model_folder(spec.model, folder)
    except ValueError as error:
        raise UserError(f"model {spec.name!r}: {error}") from error
    flags = dict(spec.flags)
    template = flags.get("chat-template")
    if isinstance(template, str):  # it works elsewhere than in the task's folder
        flags["chat-template"] = str((folder / template).absolute())
    return Serving(str(path) if path else spec.model, spec.model, flags)


def locate(spec: ModelSpec, environ: Mapping[str, str], base_url: str | None = None) -> Address:
    """Where an `openai/` or `vllm/` model is reached, and with which key.

    The usual variables' keys go to the provider, to this machine, or to where the environment points; a host that
    only the task file names gets a key only if the file names its variable too (`api_key_env`; `check` shows both).
    A managed model is at no place yet; what stands for its address says what would be started.

    Raises:
        UserError: a key is missing or cannot be sent, or the base URL is none.
    """
    dialect: Dialect = "vllm" if spec.provider == "vllm" else "openai"
    if spec.manage:
        return Address("vllm", f"managed vllm serve {spec.model} {json.dumps(spec.flags, sort_keys=True)}", None)
    upper, own = dialect.upper(), spec.base_url if isinstance(spec.base_url, str) else ",".join(spec.base_url or ())
    told = base_url or environ.get(f"{upper}_BASE_URL")
    url = told or own or _DEFAULT_BASE_URLS[dialect]
    variable = spec.api_key_env or f"{upper}_API_KEY"
    key = environ.get(variable, "").strip() or None
    usual = all(_here(one) or one == _DEFAULT_BASE_URLS[dialect] for one in url.split(","))
    if spec.api_key_env is None and not told and not usual:
        key = None  # a task file alone must not send the user's usual key to a host of its choice
    if key is None and (spec.api_key_env or (dialect == "openai" and url == OPENAI_URL)):
        raise UserError(f"model {spec.name!r} needs a key: set the environment variable {variable}")
    if key is not None and not (key.isascii() and key.isprintable()):
        raise UserError(f"the environment variable {variable} cannot be a key: it holds characters no header may hold")
    return Address(dialect, ",".join(dict.fromkeys(map(_normal, url.split(",")))), key)


def identity(spec: ModelSpec, address: Address) -> str:
    """All that shapes a model's answers beside the request, for `Cached`; no key."""
    return repr((address.dialect, address.base_url, spec.model, sorted(spec.extra.items())))


def _normal(url: str) -> str:
    url = url.strip()
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username and parts.port != 0
    except ValueError:
        fine, parts = False, urlsplit("")
    if not fine or parts.query or parts.fragment:
        raise UserError("a base URL must be like http://127.0.0.1:8000/v1, without user, query and fragment")
    return url.rstrip("/") if parts.path.strip("/") else f"{url.rstrip('/')}/v1"


def _here(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:  # some other name, whatever it looks like
        return False


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
