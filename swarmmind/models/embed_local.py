"""Embedders whose model runs in this process: in a worker thread, one batch at a time, one core each by default."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from importlib.util import find_spec
from typing import Any, TypeAlias

import anyio
import anyio.to_thread
from numpy.typing import NDArray

from swarmmind.effects import Failure
from swarmmind.errors import MissingExtra
from swarmmind.models.embed_vectors import packed
from swarmmind.models.redact import Redactor
from swarmmind.ports import Call
from swarmmind.traces import Embedding

Encode: TypeAlias = Callable[[Sequence[str]], NDArray[Any]]
"""From texts to vectors of shape (texts, dimensions), of any length."""

FEW = 16
"""So many texts go through a model at once, those of a length together: the longest of them pads them all."""


class LocalEmbedder:
    """An embedder whose model is loaded when it is first needed (satisfies `ports.Embedder`).

    Args:
        name: the task's name of it.
        load: loads the model; it is called once, in the worker thread.
        packages: what `load` imports.
        extra: the optional packages' name as an extra of this one.

    Raises:
        MissingExtra: a package is not installed.
    """

    def __init__(self, name: str, load: Callable[[], Encode], packages: Sequence[str], extra: str) -> None:
        if any(find_spec(package) is None for package in packages):
            raise MissingExtra(f"the embedder {name!r}", extra)
        self.name, self._load = name, load
        self._encode: Encode | None = None
        self._one_at_a_time = anyio.CapacityLimiter(1)

    def embed(self, texts: Sequence[str], call: Call) -> Awaitable[Embedding]:
        """The vectors of the texts, in their order; whatever the model's library raises is a failure."""
        return anyio.to_thread.run_sync(self._embedded, texts, limiter=self._one_at_a_time)

    async def close(self) -> None:
        """Let the model go."""
        self._encode = None

    def _embedded(self, texts: Sequence[str]) -> Embedding:
        try:
            if self._encode is None:
                self._encode = self._load()
            return packed(self._encode(texts))
        except Exception as error:  # its library's own kinds, which cannot be named without importing it
            message = Redactor().message(f"{self.name}: {type(error).__name__}: {error}")
            return Embedding(failure=Failure("exception", message))
