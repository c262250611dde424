"""Who judges which pair of answers, and the verdicts as they are kept."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from math import comb, isqrt
from typing import Any, NamedTuple


class Duel(NamedTuple):
    """Two answers, by their authors, before a judge who wrote neither; `first` is shown as A, `second` as B."""

    judge: str
    first: str
    second: str


class Verdict(NamedTuple):
    """Which of two answers a judge found better: ids of agents, `better` one of `first` and `second`."""

    judge: str
    first: str
    second: str
    better: str

    @property
    def worse(self) -> str:
        """The other one."""
        return self.second if self.better == self.first else self.first


class Ballot(NamedTuple):
    """All that was found about the answers to one problem; enough to count it again under other rules.

    Attributes:
        lesson: the problem's place in the data set.
        batch: in which it was worked on; a batch is counted by what was known before it.
        answers: the authors of the answers.
        verdicts: those that arrived.
        marks: scores of the answers by author, if the problem was a calibration item, else `None`.
    """

    lesson: int
    batch: int
    answers: Sequence[str]
    verdicts: Sequence[Verdict]
    marks: Mapping[str, float] | None = None

    def record(self) -> dict[str, Any]:
        """As the journal keeps it, under the name `verdicts`."""
        return self._asdict()

    @staticmethod
    def read(data: Mapping[str, Any]) -> Ballot:
        """From the journal's record."""
        verdicts = [Verdict(*verdict) for verdict in data["verdicts"]]
        return Ballot(data["lesson"], data["batch"], data["answers"], verdicts, data["marks"])


def draw(judges: Sequence[str], authors: Sequence[str], pairs: int, rng: random.Random) -> Iterator[Duel]:
    """For each judge, `pairs` pairs of the others' answers, in a random order of the two.

    A judge sees every pair once before it sees one again. Pairs are drawn blindly, equal answers among them: were
    these passed over, answers that many gave would be judged less often than others, would be known less exactly, and
    would win more often by luck alone: judges who toss coins then elect the majority (.475 instead of .39 with 15
    agents that are right with .4).

    Yields nothing for a judge who has no two answers of others before it.
    """
    for judge in judges:
        others = [author for author in authors if author != judge]
        count = comb(len(others), 2)
        left = pairs if count else 0
        while left > 0:
            for drawn in rng.sample(range(count), min(left, count)):
                upper = (1 + isqrt(1 + 8 * drawn)) // 2
                one, other = others[drawn - comb(upper, 2)], others[upper]
                yield Duel(judge, one, other) if rng.random() < 0.5 else Duel(judge, other, one)
            left -= count
