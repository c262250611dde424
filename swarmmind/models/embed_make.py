"""From a task's words to an embedder; like models, it takes keys and endpoints by argument."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from swarmmind.errors import UserError
from swarmmind.models import embed_endpoint, embed_onnx, embed_sentence_transformers
from swarmmind.models.chat import Patience
from swarmmind.models.embed_endpoint import EndpointEmbedder
from swarmmind.models.embed_hashing import DIMENSIONS, Hashing
from swarmmind.models.embed_local import LocalEmbedder
from swarmmind.models.make import Address, Sources, locate
from swarmmind.models.prices import Price
from swarmmind.models.redact import Redactor
from swarmmind.models.sending import Sender
from swarmmind.ports import Embedder
from swarmmind.spec.embedder import EmbedderSpec


def make_embedder(spec: EmbedderSpec, sources: Sources, folder: Path, price: Price | None = None) -> Embedder:
    """The embedder that a spec describes; a model in this process is loaded when it is first needed.

    Args:
        spec: what the task says.
        sources: endpoints and environment.
        folder: the task's folder.
        price: what tokens cost; `None`: unknown.

    Raises:
        UserError: a key is missing or cannot be sent, or a folder is not there, not allowed, or holds no model.
        MissingExtra: an optional package is not installed.
    """
    if spec.remote:
        return _remote(spec, sources, price)
    try:
        path = spec.folder(folder)
    except ValueError as error:
        raise UserError(str(error)) from error
    if spec.kind == "sentence-transformers":
        load = partial(embed_sentence_transformers.load, spec.model if path is None else str(path))
        return LocalEmbedder(spec.name, load, embed_sentence_transformers.PACKAGES, embed_sentence_transformers.EXTRA)
    if path is not None:
        embed_onnx.check(path)
        return LocalEmbedder(spec.name, partial(embed_onnx.load, path), embed_onnx.PACKAGES, embed_onnx.EXTRA)
    return Hashing(spec.dimensions or DIMENSIONS)


def locate_embedder(spec: EmbedderSpec, environ: Mapping[str, str]) -> Address:
    """Where a remote embedder is reached, and with which key: as for models, but for one thing.

    Its own `base_url` goes before `OPENAI_BASE_URL` and `VLLM_BASE_URL`: these name the server that chats, and a vLLM
    serves one model.

    Raises:
        UserError: a key is missing or cannot be sent, or the base URL is none.
    """
    if spec.base_url is not None:
        environ = {name: value for name, value in environ.items() if not name.endswith("_BASE_URL")}
    return locate(spec.endpoint(), environ)


def _remote(spec: EmbedderSpec, sources: Sources, price: Price | None) -> EndpointEmbedder:
    address = locate_embedder(spec, sources.environ)
    sender = Sender(
        embed_endpoint.PATH,
        sources.endpoints.route(address, spec.transport, spec.limits),
        price,
        Patience(spec.attempts, spec.deadline_seconds),
        Redactor([address.key] if address.key else []),
    )
    return EndpointEmbedder(spec.name, sender, spec.dimensions, truncates=spec.kind == "vllm")
