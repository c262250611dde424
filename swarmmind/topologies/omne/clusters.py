"""Which problems are of one kind: those that lie near each other."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np

from swarmmind.ports import Memory
from swarmmind.topologies.recall import Steps, embedded
from swarmmind.topologies.society import Lesson
from swarmmind.traces import Query, Trace, Vector

UNKNOWN = "problems"
"""The kind of all problems, where neither the data set nor a vector tells them apart."""


class Clusters:
    """Kinds by their centers, the mean of what came near; those of earlier runs are found through the memory.

    Args:
        memory: where patterns and episodes with their keys lie.
        alike: the least inner product with a center that makes a problem one of its kind.
    """

    def __init__(self, memory: Memory, alike: float) -> None:
        self._memory, self._alike = memory, alike
        self._keys: list[str] = []
        self._sums: list[Vector] = []

    def keys(self, lessons: Sequence[Lesson], vectors: Sequence[Vector | None]) -> Steps[list[str]]:
        """The kind of each: what the data set says, else the nearest, else a new one named after the problem.

        Raises:
            Failed: the embedder failed.
        """
        open_ones = [at for at, lesson in enumerate(lessons) if not lesson.kind and vectors[at] is not None]
        yield from self._learn([vectors[at] for at in open_ones])
        keys = [lesson.kind or UNKNOWN for lesson in lessons]
        for at in open_ones:
            vector = vectors[at]
            assert vector is not None
            keys[at] = self._place(vector, lessons[at].text)
        return keys

    def _learn(self, vectors: Sequence[Vector | None]) -> Steps[None]:
        """Kinds that earlier runs knew and this one has not met yet."""
        strangers: dict[str, Trace] = {}
        for vector in vectors:
            query = Query(vector=vector, kinds=("pattern", "episode"), limit=1)
            for trace in self._memory.sense("", query)[:1]:
                if trace.key and trace.key not in self._keys:
                    strangers.setdefault(trace.key, trace)
        heads = [trace.text.partition("\n=> ")[0] for trace in strangers.values()]
        for key, vector in zip(strangers, (yield from embedded(heads)), strict=True):
            self._keys.append(key)
            self._sums.append(vector)

    def _place(self, vector: Vector, text: str) -> str:
        if self._sums:
            sums = np.stack(self._sums)
            near = (sums @ vector) / np.linalg.norm(sums, axis=1)
            best = int(near.argmax())
            if near[best] >= self._alike:
                self._sums[best] = self._sums[best] + vector
                return self._keys[best]
        key = f"like-{blake2b(text.encode('utf-8', 'replace'), digest_size=6).hexdigest()}"
        self._keys.append(key)
        self._sums.append(vector)
        return key
