"""What was measured, so that nothing is paid for twice; small enough for a study of a million answers."""

from __future__ import annotations

import pickle
import zlib
from collections import deque
from collections.abc import ItemsView
from typing import TypeAlias

import msgspec

from swarmmind.optimizers.study import Scored

Key: TypeAlias = tuple[str, str, int]
"""Candidate, example, rep: what is measured once."""

LATEST = 500
"""So many runs keep their steps as they are; those of earlier ones, which few ask for again, are folded."""


class Remembered:
    """Runs by their keys. Reading one gives what was written, whatever became of it in between.

    Args:
        latest: how many keep their steps unfolded.
    """

    def __init__(self, latest: int = LATEST) -> None:
        self._runs: dict[Key, Scored] = {}
        self._folded: dict[Key, bytes] = {}
        self._plain: deque[Key] = deque()
        self._latest = latest

    def __contains__(self, key: Key) -> bool:
        return key in self._runs

    def __getitem__(self, key: Key) -> Scored:
        run, folded = self._runs[key], self._folded.get(key)
        if folded is None:
            return run
        steps = pickle.loads(zlib.decompress(folded))  # noqa: S301  (it was made here)
        return msgspec.structs.replace(run, steps=steps)

    def __setitem__(self, key: Key, run: Scored) -> None:
        self._folded.pop(key, None)
        self._runs[key] = run
        if run.steps:
            self._plain.append(key)
        while len(self._plain) > self._latest:
            self._fold(self._plain.popleft())

    def __delitem__(self, key: Key) -> None:
        del self._runs[key]
        self._folded.pop(key, None)

    def outcomes(self) -> ItemsView[Key, Scored]:
        """All of them in the order they were first written, some without their steps."""
        return self._runs.items()

    def score(self, key: Key) -> float | None:
        """Of a run."""
        return self._runs[key].score

    def _fold(self, key: Key) -> None:
        run = self._runs.get(key)
        if run is not None and run.steps:
            self._folded[key] = zlib.compress(pickle.dumps(run.steps, pickle.HIGHEST_PROTOCOL), 1)
            self._runs[key] = msgspec.structs.replace(run, steps=())
