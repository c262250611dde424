"""How a task names its embedder: what turns texts into vectors for memories that look things up by meaning."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, cast

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator

from swarmmind.errors import near
from swarmmind.spec import paths
from swarmmind.spec.model import EndpointLimits, ModelSpec
from swarmmind.spec.source import show
from swarmmind.spec.values import Strict

EmbedderKind: TypeAlias = Literal["hashing", "openai", "vllm", "sentence-transformers", "onnx"]

EMBEDDERS: tuple[EmbedderKind, ...] = ("hashing", "openai", "vllm", "sentence-transformers", "onnx")
_EXAMPLES = {
    "openai": "text-embedding-3-small",
    "vllm": "BAAI/bge-small-en-v1.5",
    "sentence-transformers": "all-MiniLM-L6-v2",
    "onnx": "models/minilm",
}
_REMOTE = ("base_url", "api_key_env", "transport", "limits", "attempts", "deadline_seconds")
_MEANT_FOR: dict[str, tuple[EmbedderKind, ...]] = {
    **dict.fromkeys(_REMOTE, ("openai", "vllm")),
    "batch": ("openai", "vllm", "sentence-transformers", "onnx"),
    "dimensions": ("hashing", "openai", "vllm"),
}


class EmbedderSpec(Strict):
    """An embedder and how to reach it."""

    name: str = Field(
        min_length=1,
        description="hashing, vllm/<model>, openai/<model>, sentence-transformers/<name or ./folder>, onnx/<folder>.",
    )
    base_url: str | None = Field(
        default=None, description="The endpoint, e.g. http://127.0.0.1:8001/v1; goes before the environment's."
    )
    api_key_env: str | None = Field(
        default=None, description="The NAME of the environment variable that holds the key."
    )
    transport: Literal["aiohttp", "httpx"] = Field(default="aiohttp", description="Which HTTP client to use.")
    limits: EndpointLimits = Field(default=EndpointLimits(), description="What the endpoint may be asked at once.")
    deadline_seconds: float = Field(
        default=120, gt=0, description="How long one request may take at the server before it counts as failed."
    )
    attempts: int = Field(
        default=5, ge=1, description="How often one request is tried when it fails in a way that may pass."
    )
    batch: int = Field(default=64, ge=1, le=512, description="Most texts in one request.")
    dimensions: int | None = Field(
        default=None, ge=8, le=65536, description="Of each vector: 256 for hashing; what a server is asked to cut to."
    )

    @property
    def kind(self) -> EmbedderKind:
        """`hashing`, `openai`, `vllm`, `sentence-transformers` or `onnx`."""
        return cast("EmbedderKind", self.name.partition("/")[0])

    @property
    def model(self) -> str:
        """The name without its kind: what the server knows it by, or a folder."""
        return self.name.partition("/")[2]

    @property
    def remote(self) -> bool:
        """Whether it is behind an endpoint."""
        return self.kind in ("openai", "vllm")

    @property
    def at_once(self) -> bool:
        """Whether it answers in no time: without network and without waiting for a model."""
        return self.kind == "hashing"

    def endpoint(self) -> ModelSpec:
        """The endpoint of a remote one, in the words of models: where it is and how it may be used."""
        return ModelSpec(
            name=self.name,
            base_url=self.base_url,
            api_key_env=self.api_key_env,
            transport=self.transport,
            limits=self.limits,
            deadline_seconds=self.deadline_seconds,
            attempts=self.attempts,
        )

    def folder(self, task: Path) -> Path | None:
        """The folder that holds its model; `None` if it has none (a server's, or one known by name).

        An absolute path is taken as it is, for models lie outside of projects and only data of theirs is read; a
        relative one stays inside the task's folder.

        Args:
            task: the task's folder.

        Raises:
            ValueError: it leads out of the task's folder, or is not there.
        """
        text = self.model
        if self.kind == "sentence-transformers" and not text.startswith((".", "/", "~")):
            return None
        if self.kind not in ("sentence-transformers", "onnx"):
            return None
        folder = Path(text) if text.startswith("/") and "\0" not in text else paths.inside(task, text)
        if not os.path.isdir(folder):  # a name that is too long is no error to it
            raise ValueError(f"no such folder: {text[:100]!r}")
        return folder

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        kind, _, rest = name.partition("/")
        if kind not in EMBEDDERS:
            raise ValueError(
                f"must be an embedder such as 'hashing' or 'vllm/BAAI/bge-small-en-v1.5'; unknown kind {show(kind)}"
                f"{near(kind, EMBEDDERS)}"
            )
        if kind == "hashing" and rest:
            raise ValueError(f"'hashing' has no models, got {show(rest)} after it; set its 'dimensions' instead")
        if kind != "hashing" and not rest:
            raise ValueError(f"{kind!r} needs a name after it, e.g. '{kind}/{_EXAMPLES[kind]}'")
        return name if rest else kind

    @field_validator("base_url", "api_key_env")
    @classmethod
    def _as_for_models(cls, value: str | None, info: ValidationInfo) -> str | None:
        field = str(info.field_name)
        try:
            return getattr(ModelSpec.model_validate({"name": "vllm/any", field: value}), field)
        except ValidationError as error:
            message = str(error.errors(include_url=False)[0]["msg"])
            raise ValueError(re.sub("^Value error, ", "", message)) from None

    @model_validator(mode="after")
    def _fits_kind(self) -> EmbedderSpec:
        for field, kinds in _MEANT_FOR.items():
            if field in self.model_fields_set and self.kind not in kinds:
                raise ValueError(f"{field!r} makes no sense for {self.name!r}; it is for {', '.join(kinds)}")
        return self


def _embedder(value: Any) -> Any:
    if isinstance(value, str):
        return {"name": value}
    if not isinstance(value, (dict, EmbedderSpec)):
        raise ValueError(f"must be an embedder such as 'hashing', or a mapping with its name, got {show(value)}")
    return value


EmbedderField: TypeAlias = Annotated[
    EmbedderSpec, BeforeValidator(_embedder, json_schema_input_type=str | EmbedderSpec)
]
"""An `EmbedderSpec`; a text stands for `{name: text}`."""
