"""What an embedder promises, as a function that fails loudly when it does not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from swarmmind.ports import Embedder
from swarmmind.runtime.budget import Cost
from swarmmind.testing.calls import LooseCall
from swarmmind.traces import Embedding

_TEXTS = ("the ant found food", "a trail leads home", "Straße, 東京, 😀", ".", "word " * 400)
_TOLERANCE = 1e-3  # servers that batch differently round differently


async def check_embedder(embedder: Embedder) -> None:
    """Check an embedder that is ready to answer.

    Args:
        embedder: the embedder; it is asked a few times and not closed.

    Raises:
        AssertionError: it broke a promise of `ports.Embedder`.
    """
    call = LooseCall()
    assert embedder.name, "an embedder needs a name: it says which vectors these are"
    found = await _embed(embedder, _TEXTS, call)
    assert found.failure is None, f"expected vectors, got {found.failure}"
    vectors = found.vectors()
    assert vectors.shape == (len(_TEXTS), found.dimensions), f"expected a row per text, got {vectors.shape}"
    lengths = np.linalg.norm(vectors, axis=1)
    assert np.allclose(lengths, 1, atol=1e-5), f"vectors must have unit length, got {lengths}"
    turned = (await _embed(embedder, _TEXTS[::-1], call)).vectors()
    assert np.allclose(turned[::-1], vectors, atol=_TOLERANCE), "vectors must be in the order of the texts"
    alone = (await _embed(embedder, _TEXTS[:1], call)).vectors()
    assert np.allclose(alone[0], vectors[0], atol=_TOLERANCE), "a text's vector must not depend on other texts"
    assert call.purse.reserved == Cost(), f"something stayed reserved: {call.purse.reserved}"


async def _embed(embedder: Embedder, texts: Sequence[str], call: LooseCall) -> Embedding:
    answer = embedder.embed(texts, call)
    found = answer if isinstance(answer, Embedding) else await answer
    call.kept()
    return found
