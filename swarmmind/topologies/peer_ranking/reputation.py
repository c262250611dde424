"""Whose verdicts count how much: earned on problems whose answer is known, which no judge can tell from the others.

Reputation R is a moving average, .85 R + .15 of the share of right verdicts on one problem, and a verdict weighs R^2
(Fortytwo, arXiv 2510.24801; the constants are those of an independent re-implementation). It begins at 0: whoever comes
new, or comes back under k names, has to pass the calibrations k times over before it weighs anything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Literal, NamedTuple, TypeAlias

from swarmmind.topologies.bradley_terry import strengths
from swarmmind.topologies.peer_ranking.ballots import Ballot

Rule: TypeAlias = Literal["none", "agreement", "calibration"]
"""Where reputation comes from: nowhere, from agreement with the outcome, or from calibration items.

`agreement` is there to be compared with: it collapses as soon as colluders win a few problems.
"""

_KEPT = 0.85  # of a reputation, when there is news


class Ranking(NamedTuple):
    """The answers to one problem, ranked.

    Attributes:
        lesson: the problem's place in the data set.
        strengths: by author, with geometric mean 1.
        errors: by author, the standard error of the strength's logarithm.
    """

    lesson: int
    strengths: Mapping[str, float]
    errors: Mapping[str, float]

    @property
    def winner(self) -> str | None:
        """The author of the best answer, the first one on ties; `None` if nobody whose verdicts count gave any."""
        return max(self.strengths, key=lambda author: self.strengths[author], default=None)


class Reputation:
    """What each judge's verdicts weigh, learned batch by batch.

    Args:
        rule: where it comes from.

    Attributes:
        of: by judge, in [0, 1]; who was never tested is not in it, and has 0.
    """

    def __init__(self, rule: Rule) -> None:
        self._rule: Rule = rule
        self.of: dict[str, float] = {}

    def weight(self, judge: str) -> float:
        """What a verdict of this judge weighs now; 1 as long as nobody has any reputation."""
        return self.of.get(judge, 0.0) ** 2 if any(self.of.values()) else 1.0

    def settle(self, ballots: Sequence[Ballot]) -> list[Ranking]:
        """Rank the answers of one batch by the weights before it, then learn from its verdicts, lesson by lesson.

        So no mark of a problem has a say in who wins that problem.
        """
        judges = {verdict.judge for ballot in ballots for verdict in ballot.verdicts}
        weights = {judge: self.weight(judge) for judge in judges}
        rankings = [_rank(ballot, weights) for ballot in ballots]
        for ballot, ranking in sorted(zip(ballots, rankings, strict=True), key=lambda pair: pair[0].lesson):
            marks = {"none": None, "agreement": ranking.strengths, "calibration": ballot.marks}[self._rule]
            for judge, share in _held(ballot, marks or {}).items():
                self.of[judge] = _KEPT * self.of.get(judge, 0.0) + (1 - _KEPT) * share
        return rankings


def recount(ballots: Iterable[Ballot], rule: Rule) -> Iterator[tuple[list[Ranking], dict[str, float]]]:
    """Count journaled ballots once more, under any rule; verdicts do not depend on weights, so nobody is asked again.

    `calibration` needs ballots with marks: those of a run under that rule.

    Args:
        ballots: of all records named `verdicts` (see `Ballot.read`), in any order.
        rule: where reputation comes from.

    Yields:
        Batch by batch, the rankings, and every judge's reputation after it.
    """
    reputation = Reputation(rule)
    for _, batch in groupby(sorted(ballots, key=_batch), _batch):
        rankings = reputation.settle(list(batch))
        yield rankings, dict(reputation.of)


def _batch(ballot: Ballot) -> int:
    return ballot.batch


def _rank(ballot: Ballot, weights: Mapping[str, float]) -> Ranking:
    place = {author: at for at, author in enumerate(ballot.answers)}
    heard = [verdict for verdict in ballot.verdicts if weights[verdict.judge] > 0]
    if not heard:
        return Ranking(ballot.lesson, {}, {})
    winners, losers = ([place[one] for one in side] for side in zip(*((v.better, v.worse) for v in heard), strict=True))
    found = strengths(len(place), winners, losers, [weights[verdict.judge] for verdict in heard])
    values, errors = (dict(zip(place, map(float, each), strict=True)) for each in (found.values, found.errors))
    return Ranking(ballot.lesson, values, errors)


def _held(ballot: Ballot, marks: Mapping[str, float]) -> dict[str, float]:
    """By judge, the share of verdicts that hold by these marks; two answers with equal marks test nobody."""
    tested: dict[str, list[bool]] = defaultdict(list)
    for verdict in ballot.verdicts if marks else ():
        better, worse = marks[verdict.better], marks[verdict.worse]
        if better != worse:
            tested[verdict.judge].append(better > worse)
    return {judge: sum(held) / len(held) for judge, held in tested.items()}
