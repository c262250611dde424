"""Models of the sentence-transformers package, from a folder or from the hub's cache on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from numpy.typing import NDArray

from swarmmind.models.embed_local import FEW, Encode

PACKAGES, EXTRA = ("sentence_transformers", "torch"), "sentence-transformers"
_THREADS = 1  # more of them wait for each other on a busy machine: 207 ms instead of 15 for one call


def load(model: str) -> Encode:
    """Load a model by its folder, or by its name if the hub's cache has it: nothing is downloaded, no code of it runs.

    Raises:
        OSError: it is not there.
        ValueError: it wants to run code of its own.
    """
    torch: Any = import_module("torch")
    transformer: Any = import_module("sentence_transformers").SentenceTransformer(
        model, local_files_only=True, trust_remote_code=False
    )

    def encode(texts: Sequence[str]) -> NDArray[Any]:
        torch.set_num_threads(_THREADS)  # of this thread; the next batch may get another one
        return transformer.encode(list(texts), batch_size=FEW, convert_to_numpy=True, show_progress_bar=False)

    return encode
