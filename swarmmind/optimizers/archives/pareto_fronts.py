"""Candidates that win something: per validation example, those with the best score of all (GEPA, arXiv 2507.19457).

A candidate with a poor mean that alone solves a hard example stays in the pool and has children: that is the way out
of a dead end. What makes it work is the pruning: a candidate each of whose wins is shared by another survivor says
nothing new, and copies of one idea would otherwise fill the urn from which parents are drawn.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from swarmmind.optimizers.acceptance import strict
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.study import Evaluation


class ParetoFronts:
    """All members in the order they were added, and who wins which example. A missing score wins nothing.

    Attributes:
        members: evaluations on validation, one per candidate; those with the same values are added once.
        best: the member that no other beat when both were compared on the examples they share; the earliest of equals.
    """

    def __init__(self) -> None:
        self.members: list[Evaluation] = []
        self.best: Evaluation | None = None
        self._at: dict[str, int] = {}
        self._fronts: dict[str, tuple[float, list[int]]] = {}

    def __contains__(self, candidate: Candidate) -> bool:
        return candidate.id in self._at

    def of(self, id_: str) -> Evaluation | None:
        """The member of this candidate's id."""
        return self.members[self._at[id_]] if id_ in self._at else None

    def add(self, evaluation: Evaluation) -> bool:
        """Add a member, once; returns whether it is the best now."""
        if evaluation.candidate in self:
            return False
        at = self._at[evaluation.candidate.id] = len(self.members)
        self.members.append(evaluation)
        for example, score in evaluation.scores.items():
            if score is None:
                continue
            record, winners = self._fronts.get(example, (score, []))
            if score >= record:
                self._fronts[example] = (score, [at] if score > record else [*winners, at])
        if self.best is None or strict(evaluation, self.best):
            self.best = evaluation
            return True
        return False

    def fronts(self, pruned: bool = True, among: Sequence[Evaluation] | None = None) -> dict[str, list[Evaluation]]:
        """By example, its winners, of `among` only; examples that none of these wins are left out.

        Pruned, only those stay without whom an example would have no winner. Candidates are considered for removal
        worst mean first, and of equals the earliest.
        """
        allowed = None if among is None else {one.candidate.id for one in among}
        winners: dict[str, list[int]] = {}
        for example, (_, won) in self._fronts.items():
            found = [at for at in won if allowed is None or self.members[at].candidate.id in allowed]
            if found:
                winners[example] = found
        if pruned:
            self._prune(winners)
        return {example: [self.members[at] for at in won] for example, won in winners.items()}

    def _prune(self, winners: dict[str, list[int]]) -> None:
        wins: dict[int, list[list[int]]] = {}
        for won in winners.values():
            for at in won:
                wins.setdefault(at, []).append(won)
        # one pass will do: once a candidate could not be spared, those that go after it make it no easier to spare
        for at in sorted(wins, key=lambda at: (self.members[at].mean, at)):
            if all(len(won) > 1 for won in wins[at]):
                for won in wins[at]:
                    won.remove(at)

    def survivors(self) -> list[Evaluation]:
        """Who is left after pruning, in the order they were added."""
        left = {one.candidate.id for won in self.fronts().values() for one in won}
        return [one for one in self.members if one.candidate.id in left]

    def draw(
        self, rng: random.Random, pruned: bool = True, among: Sequence[Evaluation] | None = None
    ) -> Evaluation | None:
        """A winner (see `fronts`), as likely as it wins examples; `None` if there is none."""
        tickets = [one for won in self.fronts(pruned, among).values() for one in won]
        return rng.choice(tickets) if tickets else None
