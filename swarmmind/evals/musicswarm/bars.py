"""What a bar of the piece is, which bars go well beside each other, and how a whole piece is measured.

A bar has one class per field: its root (harmony, 12 pitch classes), its rhythm and its section. The tables of what goes
well together are this project's choice: the paper gives none.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

PITCHES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
RHYTHMS = ("whole notes", "half notes", "quarter notes", "eighth notes")
SECTIONS = ("theme", "variation", "contrast", "return")
FIELDS: MappingProxyType[str, tuple[str, ...]] = MappingProxyType(
    {"harmony": PITCHES, "rhythm": RHYTHMS, "section": SECTIONS}
)
"""The three cue fields and their classes, in the order of a bar's values."""

_BY_SEMITONES = (0.4, 0.0, 0.3, 0.5, 0.5, 1.0, 0.0, 1.0, 0.5, 0.5, 0.3, 0.0)
"""How well two roots so far apart follow each other: best a fifth or a fourth, then thirds, then the same once more."""
_BY_DENSITY = (0.5, 1.0, 0.0, 0.0)
"""How well two rhythms so many classes apart follow each other: best the next denser or calmer one."""
_BY_PART = (1.0, 0.5, 0.0, 0.0)
"""How well two section labels so many classes apart follow each other: best the same."""


class Bar(NamedTuple):
    """One bar: the number of its class in each field, and what its author wrote beside it.

    Attributes:
        root: index into `PITCHES`.
        rhythm: index into `RHYTHMS`.
        section: index into `SECTIONS`.
        notes: its melody or a remark, in the author's words; may be empty.
    """

    root: int
    rhythm: int
    section: int
    notes: str = ""

    @property
    def classes(self) -> tuple[int, int, int]:
        """Its class in each field, in the order of `FIELDS`."""
        return self.root, self.rhythm, self.section

    def named(self) -> dict[str, str]:
        """The same in words, by field."""
        return {kind: FIELDS[kind][at] for kind, at in zip(FIELDS, self.classes, strict=True)}


Cues: TypeAlias = dict[str, tuple[float, ...]]
"""Of each field, how welcome each class is, from 0 to 1."""


def welcome(bar: Bar) -> Cues:
    """What goes well beside a bar, by the tables above."""
    return {
        "harmony": tuple(_BY_SEMITONES[(to - bar.root) % 12] for to in range(12)),
        "rhythm": tuple(_BY_DENSITY[abs(to - bar.rhythm)] for to in range(len(RHYTHMS))),
        "section": tuple(_BY_PART[abs(to - bar.section)] for to in range(len(SECTIONS))),
    }


def coherence(bars: Sequence[Bar]) -> float:
    """How well neighboring roots follow each other, on average, in [0, 1]; 1 for a piece of one bar.

    A chain of fifths has 1, random roots about 0.42, one root throughout 0.4.
    """
    pairs = list(pairwise(bars))
    if not pairs:
        return 1.0
    return sum(_BY_SEMITONES[(right.root - left.root) % 12] for left, right in pairs) / len(pairs)


def entropy(bars: Sequence[Bar]) -> float:
    """Entropy of the roots over that of twelve equally frequent ones: 0 for one root throughout, at most 1."""
    counts = Counter(bar.root for bar in bars).values()
    return abs(sum(n / len(bars) * math.log(n / len(bars)) for n in counts)) / math.log(len(PITCHES))


def frequencies(bars: Sequence[Bar]) -> Cues:
    """Of each field, how often each class is in the piece, over how often the most frequent one is."""
    found: Cues = {}
    for at, (kind, classes) in enumerate(FIELDS.items()):
        counts = Counter(bar.classes[at] for bar in bars)
        found[kind] = tuple(counts[value] / max(counts.values()) for value in range(len(classes)))
    return found
