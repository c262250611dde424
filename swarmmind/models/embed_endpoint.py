"""An embedder behind an OpenAI-compatible `/v1/embeddings` endpoint: OpenAI, vLLM (`--runner pooling`) and others."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from swarmmind.effects import Usage
from swarmmind.models import wire
from swarmmind.models.embed_vectors import packed
from swarmmind.models.sending import Sender
from swarmmind.ports import Call
from swarmmind.traces import Embedding

PATH = "embeddings"
_TEXT_OVERHEAD_TOKENS = 8  # what a tokenizer puts round a text; generous


class EndpointEmbedder:
    """An embedder behind an endpoint (satisfies `ports.Embedder`).

    Vectors are asked for as base64, a quarter of the bytes of numbers and exact; a server that sends numbers all the
    same is understood.

    Args:
        name: the task's name of it, e.g. `vllm/BAAI/bge-small-en-v1.5`.
        sender: sends the requests; its `path` is `embeddings`.
        dimensions: what the server is asked to cut its vectors to; `None` leaves them whole.
        truncates: whether the server is asked to cut a text that is too long for the model, as vLLM can; otherwise it
            may refuse it.
    """

    def __init__(self, name: str, sender: Sender, dimensions: int | None = None, truncates: bool = False) -> None:
        self.name = name if dimensions is None else f"{name}@{dimensions}"
        self.sender, self._dimensions = sender, dimensions
        self._head: dict[str, Any] = {"model": name.partition("/")[2], "encoding_format": "base64"}
        if dimensions is not None:
            self._head["dimensions"] = dimensions
        if truncates:
            self._head["truncate_prompt_tokens"] = -1

    def __repr__(self) -> str:
        return f"EndpointEmbedder({self.name!r}, {self.sender.route!r})"

    def embed(self, texts: Sequence[str], call: Call) -> Awaitable[Embedding]:
        """The vectors of the texts, by one request (tried again where that may help).

        Raises:
            Spent: the budget cannot pay for the (next) attempt; it was not sent.
        """
        return self._embed(texts, call)

    async def close(self) -> None:
        """Nothing: the transport belongs to the endpoint, which models may share."""

    async def _embed(self, texts: Sequence[str], call: Call) -> Embedding:
        body = msgspec.json.encode({**self._head, "input": list(texts)})
        tokens = sum(len(text.encode()) + _TEXT_OVERHEAD_TOKENS for text in texts)  # no token is less than a byte
        read = partial(_read, count=len(texts), dimensions=self._dimensions)
        sent = await self.sender.send(body, Usage(1, tokens, 0, 0), read, call)
        if sent.failure is not None:
            return Embedding(failure=sent.failure, usage=sent.usage)
        return msgspec.structs.replace(sent.value, usage=sent.usage)


class _Row(msgspec.Struct):
    index: int
    embedding: str | list[float]


class _Tokens(msgspec.Struct):
    prompt_tokens: int | None = None


class _Answer(msgspec.Struct):
    data: list[_Row]
    usage: _Tokens | None = None


_answers = msgspec.json.Decoder(_Answer)


def _read(body: bytes, count: int, dimensions: int | None) -> tuple[Embedding, Usage]:
    """The vectors in a 2xx body, in the order of their index.

    Raises:
        wire.Unreadable: it is no list of `count` vectors of one dimension, each with a direction.
    """
    try:
        answer = _answers.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise wire.Unreadable(f"not a list of embeddings: {error}") from error
    tokens = answer.usage.prompt_tokens if answer.usage else None
    usage = wire.UNKNOWN if tokens is None or tokens < 0 else Usage(1, tokens, 0, 0, None)
    rows = {row.index: row.embedding for row in answer.data}
    if len(answer.data) != count or set(rows) != set(range(count)):
        raise wire.Unreadable(f"{len(answer.data)} embeddings for {count} texts, or not one for each", usage)
    try:
        vectors = [_vector(rows[index]) for index in range(count)]
        sizes = {vector.size for vector in vectors}
        if len(sizes) > 1 or (dimensions is not None and sizes != {dimensions}):
            wanted = "as many" if dimensions is None else dimensions
            raise ValueError(f"vectors of {', '.join(map(str, sorted(sizes)))} dimensions, not {wanted} each")
        return packed(np.stack(vectors)), usage
    except ValueError as error:
        raise wire.Unreadable(f"not usable as embeddings: {error}", usage) from error


def _vector(given: str | list[float]) -> NDArray[Any]:
    """One vector.

    Raises:
        ValueError: it is not base64 of float32 numbers.
    """
    if not isinstance(given, str):
        return np.array(given, np.float64)
    try:
        return np.frombuffer(b64decode(given, validate=True), "<f4")
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from error
