"""A swarm: where its particles are, what was best so far, and what each tried in vain."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from swarmmind.optimizers.acceptance import not_worse
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.study import Evaluation

Flaw: TypeAlias = tuple[str, str, str]
"""What a flaw is about (`Critique.key`): parameter, kind, subject."""


class Attempt(NamedTuple):
    """An adjustment that was written into a position.

    Attributes:
        flaw: what it was to mend.
        adjustment: in words.
        excerpt: words by which it is known in the position, literally.
        there: whether the position holds them because of it, or no longer does.
    """

    flaw: Flaw
    adjustment: str
    excerpt: str
    there: bool = True

    def stands(self, position: Candidate) -> bool:
        """Whether a position has the adjustment."""
        return holds(position.values[self.flaw[0]], self.excerpt) == self.there


class Particle:
    """One system on its way.

    Args:
        position: where it starts.
        memory: how many failed adjustments of one flaw are remembered, the latest ones; `None`: all.

    Attributes:
        position: where it is.
        seen: how it does there; of the last `Swarm.observe`.
        best: how it did where it did best, example by example.
        stale: so many moves in a row led to where it does worse than there.
        refused: what was wrong with its last move if that was not made; empty if it was.
        tried: what was written into its positions.
    """

    def __init__(self, position: Candidate, memory: int | None = None) -> None:
        self.position, self._memory = position, memory
        self.seen: Evaluation | None = None
        self.best: Evaluation | None = None
        self.stale = 0
        self.refused = ""
        self.tried: list[Attempt] = []
        self._failed: dict[Flaw, list[str]] = {}

    def back(self) -> None:
        """Return to where it did best; without such a place it stays."""
        if self.best is not None:
            self.seen, self.position, self.stale = self.best, self.best.candidate, 0

    def blame(self, flaws: Sequence[Flaw]) -> None:
        """These flaws are there: the adjustments of theirs that stand in the position have failed, and no others."""
        for attempt in self.tried:
            if attempt.flaw in flaws and attempt.stands(self.position):
                failed = self._failed.setdefault(attempt.flaw, [])
                if attempt.adjustment in failed:
                    failed.remove(attempt.adjustment)  # again, and so the latest
                failed.append(attempt.adjustment)

    def failed(self, flaw: Flaw) -> list[str]:
        """The adjustments that are known to have failed for a flaw, oldest first."""
        known = self._failed.get(flaw, [])
        return known[0 if self._memory is None else max(len(known) - self._memory, 0) :]


class Swarm:
    """Particles that know the best of themselves and of all.

    Args:
        positions: where they start.
        memory: see `Particle`.
        restart: after so many moves in a row that led to where it does worse, a particle goes back to where it did
            best; `None`: never.

    Attributes:
        particles: in the order of `positions`.
        best: the best evaluation of all; `None` before the first.
    """

    def __init__(self, positions: Sequence[Candidate], memory: int | None = None, restart: int | None = None) -> None:
        self.particles = [Particle(position, memory) for position in positions]
        self.best: Evaluation | None = None
        self._restart = restart

    def observe(self, evaluations: Sequence[Evaluation]) -> None:
        """Note how the particles do where they are; ties move the bests.

        Where nothing could be scored, nothing is known: a particle goes back to where it did best, if it ever did.
        """
        for particle, seen in zip(self.particles, evaluations, strict=True):
            particle.seen = seen
            if all(score is None for score in seen.scores.values()):
                particle.back()
                continue
            if particle.best is None or not_worse(seen, particle.best):
                particle.best, particle.stale = seen, 0
            else:
                particle.stale += 1
            if self._restart is not None and particle.stale >= self._restart:
                particle.back()
            if self.best is None or not_worse(seen, self.best):
                self.best = seen


def holds(value: Any, excerpt: str) -> bool:
    """Whether a text, or a text within JSON data, holds an excerpt; case, spacing and punctuation aside."""
    wanted = plain(excerpt)
    return bool(wanted) and f" {wanted} " in f" {plain(_flat(value))} "


def plain(text: str) -> str:
    """The words of a text, in lower case, with a blank between them."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def _flat(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
