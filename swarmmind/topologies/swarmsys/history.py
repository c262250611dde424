"""What is remembered of the verdicts: who was accepted for what, and how the allocation did."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

from swarmmind.agents.prompts import quoted
from swarmmind.topologies.swarmsys.events import Event
from swarmmind.topologies.swarmsys.profiles import Floats

_KINDS_TOLD = 8


class History:
    """Counts over one run; constant work per verdict.

    Attributes:
        kinds: the sum of the vectors of all events of each kind of competence.
        reopened: how often an event was rejected and worked on again.
    """

    def __init__(self) -> None:
        self.kinds: dict[str, Floats] = {}
        self._records: dict[str, dict[str, tuple[int, int]]] = {}
        self._chances: list[float] = []  # of the authors of each accepted contribution, to be drawn
        self._credit: dict[str, int] = {}
        self.reopened = 0

    def added(self, event: Event) -> None:
        """An event, new or changed, has its vector."""
        known = self.kinds.get(event.requires)
        self.kinds[event.requires] = event.vector if known is None else known + event.vector

    def judged(self, event: Event, chances: Mapping[str, float], authors: Sequence[str], accepted: bool) -> None:
        """A verdict on a contribution.

        Args:
            event: what it was about.
            chances: of each member of the team, to be drawn first.
            authors: those whose contribution was judged.
            accepted: the verdict.
        """
        for author in authors:
            records = self._records.setdefault(author, {})
            accepts, judged = records.get(event.requires, (0, 0))
            records[event.requires] = (accepts + accepted, judged + 1)
            self._credit[author] = self._credit.get(author, 0) + accepted
        if accepted:
            self._chances.append(fmean(chances[author] for author in authors))

    def profile(self, worker: str) -> str:
        """What a worker is told of its own record."""
        records = sorted(self._records.get(worker, {}).items(), key=lambda one: (-one[1][1], one[0]))[:_KINDS_TOLD]
        lines = [f"{kind}: {accepts} of {judged} accepted" for kind, (accepts, judged) in records]
        return quoted(worker, "\n".join(lines), "your profile") if lines else ""

    def metrics(self, events: Sequence[Event], workers: int) -> dict[str, float]:
        """For people and reports.

        `allocation_early` and `allocation_late` are the mean chance that a draw gave to the authors of what was then
        accepted, over the first and the last third of all accepted contributions; without learning both are about
        1 / workers. `entropy` is that of the accepted contributions over workers, 1 if all have equally many.
        """
        third = -(-len(self._chances) // 3)
        early = fmean(self._chances[:third] or [0.0])
        late = fmean(self._chances[-third:] if third else [0.0])
        shares = [credit for credit in self._credit.values() if credit]
        total = sum(shares)
        entropy = -sum(credit / total * math.log(credit / total) for credit in shares)
        return {
            "events": float(len(events)),
            "validated": float(sum(event.status == "validated" for event in events)),
            "reopened": float(self.reopened),
            "failed": float(sum(event.status == "failed" for event in events)),
            "allocation_early": round(early, 4),
            "allocation_late": round(late, 4),
            "allocation_gain": round(late - early, 4),
            "entropy": round(entropy / math.log(workers), 4) if workers > 1 else 0.0,
        }
