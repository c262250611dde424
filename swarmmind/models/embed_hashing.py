"""The embedder that needs nothing: feature hashing, the same bytes on every machine.

Weinberger et al., "Feature Hashing for Large Scale Multitask Learning" (arXiv 0902.2206, section 2): every feature of a
text adds its weight, with a sign of its own, to one of `dimensions` places, so that inner products of features are kept
on average. Features are words, pairs of neighboring words, and runs of 3 to 5 characters within a word and its
boundaries, so that `forages` lies near `foraging`. It knows words, not meanings: synonyms are strangers to it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import sqrt
from unicodedata import normalize
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from swarmmind.ports import Call
from swarmmind.traces import Embedding

DIMENSIONS = 256

_WORD = re.compile(r"\w+")
_SPACE = ord(" ")
_LONG_WORD, _LONG_WEIGHT = 4, 2  # a word of so many characters says more than `the` or `of`
_PAIR_WEIGHT = 1
_WEIGHT, _SIGN, _PLACE = np.uint64(3), np.uint64(4), np.uint64(3)  # of a feature's hash: two bits, one bit, the rest
_SCALE = 64  # weights are whole multiples of 1/64: sums of whole numbers come out the same in any order
_FACTOR, _MIX_A, _MIX_B = (np.uint64(n) for n in (0x100000001B3, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
_SALTS = [np.uint64(n * 0x9E3779B97F4A7C15 % 2**64) for n in range(8)]  # so that features of two kinds never agree


class Hashing:
    """An embedder that answers at once, costs nothing, and never changes (satisfies `ports.Embedder`).

    Args:
        dimensions: of each vector; more of them, fewer features share a place.
    """

    def __init__(self, dimensions: int = DIMENSIONS) -> None:
        self.dimensions = dimensions
        self.name = f"hashing@{dimensions}"

    def embed(self, texts: Sequence[str], call: Call) -> Embedding:
        """The vectors of the texts, in their order; a text without characters lies in the first direction."""
        return Embedding(self.dimensions, b"".join(map(self.vector, texts)))

    async def close(self) -> None:
        """Nothing is open."""

    def vector(self, text: str) -> bytes:
        """The vector of one text, float32, little endian.

        Whole numbers until the last square root and division, which are correctly rounded everywhere: equal texts have
        equal bytes whatever the machine.
        """
        features = _features(text)
        if not features.size:
            return _first(self.dimensions)
        features.sort()
        starts = np.flatnonzero(np.concatenate(([True], features[1:] != features[:-1])))
        known, counts = features[starts], np.diff(starts, append=features.size)
        weights = (known & _WEIGHT).astype(float)
        weights *= np.rint(np.sqrt(counts) * _SCALE)  # said twice is not meant twice as much
        weights[known & _SIGN != 0] *= -1
        places = ((known >> _PLACE) % np.uint64(self.dimensions)).astype(np.intp)
        summed = np.bincount(places, weights, self.dimensions).astype(np.int64)
        length = sqrt(int(summed @ summed))
        return (summed / length).astype("<f4").tobytes() if length else _first(self.dimensions)


def _first(dimensions: int) -> bytes:
    vector = np.zeros(dimensions, "<f4")
    vector[0] = 1.0
    return vector.tobytes()


def _features(text: str) -> NDArray[np.uint64]:
    """A hash for each feature, as often as it occurs; its two lowest bits are the feature's weight."""
    text = text.lower() if text.isascii() else normalize("NFKC", text).casefold()
    words = _WORD.findall(text) or text.split()  # signs and symbols, if there is nothing else
    if not words:
        return np.empty(0, np.uint64)
    whole = np.array([crc32(word.encode("utf-8", "replace")) for word in words], np.uint64)
    weights = [_LONG_WEIGHT if len(word) >= _LONG_WORD else 1 for word in words] + [_PAIR_WEIGHT] * (len(words) - 1)
    runs = _runs(f" {' '.join(words)} ")
    hashes = _mixed(np.concatenate([whole ^ _SALTS[0], whole[:-1] * _FACTOR + whole[1:] ^ _SALTS[1], *runs]))
    hashes |= _WEIGHT
    hashes[: len(weights)] ^= _WEIGHT ^ np.array(weights, np.uint64)
    hashes[len(weights) :] ^= _WEIGHT ^ np.uint64(1)
    return hashes


def _runs(text: str) -> list[NDArray[np.uint64]]:
    """Unmixed hashes of all runs of 3, 4 and 5 characters with no space but at their ends."""
    characters = np.frombuffer(text.encode("utf-32-le", "replace"), "<u4").astype(np.uint64)
    letter = characters != _SPACE
    hashes = characters[:-1] * _FACTOR + characters[1:]
    inner = np.ones(hashes.size, bool)
    found: list[NDArray[np.uint64]] = []
    for size in (3, 4, 5):
        hashes = hashes[:-1] * _FACTOR + characters[size - 1 :]
        inner = inner[:-1] & letter[size - 2 : -1]
        found.append(hashes[inner] ^ _SALTS[size])
    return found


def _mixed(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread over all 64 bits (the finalizer of SplitMix64)."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * _MIX_A
    hashes = (hashes ^ (hashes >> np.uint64(27))) * _MIX_B
    return hashes ^ (hashes >> np.uint64(31))
