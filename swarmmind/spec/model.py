"""How a task names its models: provider and name, endpoint, limits, sampling. Keys are named, never written down."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias, cast
from urllib.parse import urlsplit

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from swarmmind import effects
from swarmmind.errors import near
from swarmmind.spec import serving
from swarmmind.spec.source import show
from swarmmind.spec.values import Distribution, Strict

Provider: TypeAlias = Literal["openai", "vllm", "scripted", "builtin"]

PROVIDERS: tuple[Provider, ...] = ("openai", "vllm", "scripted", "builtin")
_OWN_FIELDS = (
    "model",
    "messages",
    "stream",
    "seed",
    "n",
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "stop",
)


class SamplingSpec(Strict):
    """Sampling parameters; what is left out is taken from the level above (agent, group, card, task)."""

    temperature: float | None = Field(default=None, ge=0, description="0 is greedy; higher is more varied.")
    top_p: float | None = Field(
        default=None, gt=0, le=1, description="Sample from the likeliest tokens that sum up to this."
    )
    max_tokens: int | None = Field(default=None, ge=1, description="The longest answer, in tokens.")
    stop: list[str] | None = Field(default=None, max_length=4, description="Texts that end an answer, at most 4.")

    def over(self, base: effects.Sampling) -> effects.Sampling:
        """`base` with what is given here replaced."""
        return effects.Sampling(
            base.temperature if self.temperature is None else self.temperature,
            base.top_p if self.top_p is None else self.top_p,
            base.max_tokens if self.max_tokens is None else self.max_tokens,
            base.stop if self.stop is None else tuple(self.stop),
        )


class EndpointLimits(Strict):
    """What an endpoint may be asked at once; what is left out adapts to the server."""

    concurrency: int | None = Field(default=None, ge=1, description="Most requests in flight.")
    requests_per_minute: float | None = Field(default=None, gt=0, description="Most requests started per minute.")
    tokens_per_minute: float | None = Field(
        default=None, gt=0, description="Most tokens, read and written, per minute."
    )


class ModelSpec(Strict):
    """A model and how to reach it."""

    model_config = ConfigDict(json_schema_extra=lambda schema: _either(schema, "name", "vllm"))

    name: str = Field(min_length=1, description="provider/model, e.g. vllm/Qwen/Qwen3-8B, openai/gpt-4o, scripted.")
    vllm: str | None = Field(default=None, min_length=1, description="In place of a name: vllm/<this>.")
    base_url: str | list[str] | None = Field(
        default=None, description="The endpoint, e.g. http://127.0.0.1:8000/v1; a list of them are replicas."
    )
    manage: bool = Field(default=False, description="vllm: start a server for it, and stop it at the end.")
    replicas: int = Field(default=1, ge=1, le=64, description="manage: how many servers to start.")
    flags: dict[str, Any] = Field(
        default={}, description="manage: flags of `vllm serve` without the --, e.g. max-num-seqs: 64."
    )
    api_key_env: str | None = Field(
        default=None, description="The NAME of the environment variable that holds the key."
    )
    transport: Literal["aiohttp", "httpx", "openai"] = Field(default="aiohttp", description="Which HTTP client to use.")
    limits: EndpointLimits = Field(default=EndpointLimits(), description="What the endpoint may be asked at once.")
    deadline_seconds: float = Field(
        default=600, gt=0, description="How long one request may take at the server before it counts as failed."
    )
    attempts: int = Field(
        default=5, ge=1, description="How often one request is tried when it fails in a way that may pass."
    )
    reasks: int = Field(default=2, ge=0, description="How often an answer that cannot be read is asked for again.")
    extra: dict[str, Any] = Field(default={}, description="Further fields of the request, as the server knows them.")
    accuracy: float | None = Field(default=None, ge=0, le=1, description="scripted: the share of right answers.")
    latency_seconds: Annotated[float, Field(ge=0)] | Distribution | None = Field(
        default=None, description="scripted: how long an answer takes, on the run's clock."
    )

    @property
    def provider(self) -> Provider:
        """`openai`, `vllm`, `scripted` or `builtin`."""
        return cast("Provider", self.name.partition("/")[0])

    @property
    def model(self) -> str:
        """The name without its provider: what the server, or the table of policies, knows it by; may be empty."""
        return self.name.partition("/")[2]

    @field_validator("name")
    @classmethod
    def _known_provider(cls, name: str) -> str:
        return normal_name(name)

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("vllm"), str):
            return data
        name = f"vllm/{data['vllm']}"
        if data.get("name", name) != name:
            raise ValueError(f"is named twice: {show(name)} by 'vllm', and {show(data['name'])} by 'name'")
        return {**data, "name": name}

    @field_validator("base_url")
    @classmethod
    def _is_url(cls, given: str | list[str] | None) -> str | list[str] | None:
        if given is None or isinstance(given, str):
            return None if given is None else _url(given)
        if not given or len(set(given)) != len(given):
            raise ValueError("must be a URL, or a list of different ones")
        return [_url(one) for one in given]

    @field_validator("flags")
    @classmethod
    def _are_flags(cls, flags: serving.Flags) -> serving.Flags:
        return serving.checked(flags)

    @field_validator("api_key_env")
    @classmethod
    def _is_variable(cls, name: str | None) -> str | None:
        if name is not None and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is None:
            raise ValueError(
                "must be the NAME of an environment variable, e.g. OPENAI_API_KEY, never the key (value not shown)"
            )
        return name

    @field_validator("extra")
    @classmethod
    def _not_ours(cls, extra: dict[str, Any]) -> dict[str, Any]:
        for field in _OWN_FIELDS:
            if field in extra:
                raise ValueError(f"must not hold {field!r}, which is set elsewhere (sampling, seed, model)")
        return extra

    @model_validator(mode="after")
    def _fits_provider(self) -> ModelSpec:
        local = self.provider in ("scripted", "builtin")
        for field in ("base_url", "api_key_env") if local else ():
            if getattr(self, field) is not None:
                raise ValueError(f"{field!r} makes no sense for {self.name!r}, which needs no server")
        for field in ("manage", "replicas", "flags") if self.provider != "vllm" else ():
            if field in self.model_fields_set:
                raise ValueError(f"{field!r} is for 'vllm' models only, not {self.name!r}")
        for field in ("base_url", "api_key_env") if self.manage else ():
            if getattr(self, field) is not None:
                raise ValueError(f"{field!r} makes no sense with 'manage': the server is started, and found, for you")
        for field in ("replicas", "flags") if not self.manage else ():
            if field in self.model_fields_set:
                raise ValueError(f"{field!r} goes with 'manage: true' only")
        for field in ("accuracy", "latency_seconds") if self.provider != "scripted" else ():
            if getattr(self, field) is not None:
                raise ValueError(f"{field!r} is for 'scripted' models only, not {self.name!r}")
        return self


def _url(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or re.search(r"[\s,]", url):
        raise ValueError("must be a URL such as http://127.0.0.1:8000/v1")
    if parts.username or parts.query or parts.fragment:
        raise ValueError("must be a URL without user, query and fragment")
    return url.rstrip("/")


def _either(schema: dict[str, Any], *names: str) -> None:
    """One of these fields is there, whichever it is: a model is known by its `name`, or as `vllm`."""
    schema["required"] = [name for name in schema["required"] if name not in names]
    schema["anyOf"] = [{"required": [name]} for name in names]


def normal_name(name: str) -> str:
    """`provider/model` from what a user wrote (`vllm:model` is accepted).

    Raises:
        ValueError: the provider is unknown, or a provider that needs a model's name has none.
    """
    match = re.match(r"[^/:]*", name)
    provider, rest = (match[0] if match else ""), name[len(match[0]) + 1 if match else 0 :]
    if provider not in PROVIDERS:
        raise ValueError(
            f"must be provider/model, e.g. 'vllm/Qwen/Qwen3-8B'; unknown provider {show(provider)}"
            f"{near(provider, PROVIDERS)}"
        )
    if not rest and provider != "scripted":
        raise ValueError(f"{provider!r} needs a name after it, e.g. '{provider}/{_EXAMPLES[provider]}'")
    return f"{provider}/{rest}" if rest else provider


_EXAMPLES: dict[str, str] = {"openai": "gpt-4o", "vllm": "Qwen/Qwen3-8B", "builtin": "random"}


def _model(value: Any) -> Any:
    if isinstance(value, str):
        return {"name": value}
    if not isinstance(value, (dict, ModelSpec)):
        raise ValueError(f"must be a model such as 'vllm/Qwen/Qwen3-8B', or a mapping with its name, got {show(value)}")
    return value


ModelField: TypeAlias = Annotated[ModelSpec, BeforeValidator(_model, json_schema_input_type=str | ModelSpec)]
"""A `ModelSpec`; a text stands for `{name: text}`."""
