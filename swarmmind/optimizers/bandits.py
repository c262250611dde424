"""Finding the best of many candidates with a fixed number of evaluations: best-arm identification.

Every bandit is a program that yields evaluations and returns its arms, best first; it never pulls more often than its
budget says. A pull is a training example: all arms get the same ones in the same order, so that they are compared in
pairs, and none gets one twice: when the examples run out, they are measured afresh.

Where the budget does not even pay for a pull of each arm, the order in which the arms were given stands.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

from swarmmind.effects import Program
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.study import Evaluate, Split

Bandit: TypeAlias = Literal["auto", "successive-rejects", "ucb", "halving", "uniform"]

FEW_PULLS = 20
"""With fewer pulls an arm than this, upper confidence bounds are no better than uniform pulls."""

_ROUNDS = 32  # of ucb, about: it decides anew after every so-and-so-manieth part of its budget


class Draws:
    """The examples that arms are pulled on: epochs of a split, each in an order of its own and with a `rep` of its own.

    Args:
        split: whose examples.
        rng: chance of the orders.
    """

    def __init__(self, split: Split, rng: random.Random) -> None:
        self.split, self._rng = split, rng
        self._epochs: list[tuple[str, ...]] = []
        self._first = 0

    def anew(self) -> None:
        """Begin with examples that nobody was pulled on: what was lucky once has to be so again."""
        self._first = len(self._epochs)

    def take(self, start: int, count: int) -> list[tuple[int, tuple[str, ...]]]:
        """`count` draws from the `start`-th on, as reps (from 1) and ids; equal arguments give equal draws."""
        size = len(self.split.ids)
        found: list[tuple[int, tuple[str, ...]]] = []
        while count > 0:
            epoch, at = self._first + start // size, start % size
            while epoch >= len(self._epochs):
                self._epochs.append(self.split.sample(size, self._rng))
            ids = self._epochs[epoch][at : at + count]
            found.append((epoch + 1, ids))
            start, count = start + len(ids), count - len(ids)
        return found


class _Arms:
    """What is known of each arm.

    Attributes:
        count: how many arms there are.
        spent: pulls of all arms together; one whose score is missing was made all the same.
        pulled: how often each arm was.
    """

    def __init__(self, candidates: Sequence[Candidate], draws: Draws) -> None:
        self._candidates, self._draws = candidates, draws
        self.count = len(candidates)
        self.pulled = [0] * self.count
        self._scores: list[list[float]] = [[] for _ in candidates]

    @property
    def spent(self) -> int:
        return sum(self.pulled)

    def pull(self, wanted: Mapping[int, int]) -> Program:
        """Pull some arms, each so many times; all in one list."""
        split = self._draws.split
        made = [
            (at, Evaluate(self._candidates[at], split, ids, rep, needed=False))
            for at, count in wanted.items()
            for rep, ids in self._draws.take(self.pulled[at], count)
        ]
        results = (yield [effect for _, effect in made]) if made else []
        for (at, effect), seen in zip(made, results, strict=True):
            self.pulled[at] += len(effect.ids)
            self._scores[at] += [score for score in seen.scores.values() if score is not None]

    def mean(self, at: int) -> float:
        """Of an arm's scores; below everything without any."""
        return math.fsum(self._scores[at]) / len(self._scores[at]) if self._scores[at] else -math.inf

    def bound(self, at: int, exploration: float) -> float:
        """What an arm may be worth: mean + exploration sqrt(ln t / n); without limit if nothing is known."""
        n = len(self._scores[at])
        return self.mean(at) + exploration * math.sqrt(math.log(self.spent) / n) if n else math.inf

    def best(self, among: Sequence[int], keep: int) -> list[int]:
        """The best of these, in order; of equals those that were given first."""
        return sorted(among, key=lambda at: (-self.mean(at), at))[:keep]


def select(candidates: Sequence[Candidate], draws: Draws, budget: int, keep: int, bandit: Bandit = "auto") -> Program:
    """The best candidates, best first.

    Args:
        candidates: the arms, those first that are to stand if nothing speaks against them.
        draws: what they are pulled on.
        budget: pulls of all together, at most.
        keep: how many are wanted; with no more candidates than that nothing is pulled.
        bandit: which; `auto` is `successive-rejects` with fewer than 20 pulls an arm, and otherwise `ucb`.
    """
    arms = _Arms(candidates, draws)
    if arms.count > keep:
        if bandit == "auto":
            bandit = "successive-rejects" if budget < FEW_PULLS * arms.count else "ucb"
        best: list[int] = yield from _BANDITS[bandit](arms, budget, keep)
    else:
        best = list(range(arms.count))
    return [candidates[at] for at in best]


def _successive_rejects(arms: _Arms, budget: int, keep: int) -> Program:
    """Audibert & Bubeck (2010); the worst arm goes after each phase, until `keep` are left.

    n_k = ceil((E - K) / (L (K + 1 - k))) pulls of each arm by the end of phase k, and for one survivor
    L = 1/2 + sum of 1/i for i = 2..K. For m of them it is m/(m+1) + sum of 1/i for i = m+1..K, by the same reckoning:
    all phases together cost E at most.
    """
    left, total = list(range(arms.count)), arms.count
    share = keep / (keep + 1) + math.fsum(1 / i for i in range(keep + 1, total + 1))
    for phase in range(1, total - keep + 1):
        each = max(math.ceil((budget - total) / (share * (total + 1 - phase))), 0)
        yield from arms.pull({at: each - arms.pulled[at] for at in left})
        left = sorted(arms.best(left, len(left) - 1))
    return arms.best(left, keep)


def _ucb(arms: _Arms, budget: int, keep: int, exploration: float = 1.0) -> Program:
    """Upper confidence bounds: again and again a few more pulls for the quarter of the arms that may be worth most."""
    each, wide = max(budget // (_ROUNDS * arms.count // 4), 1), max(arms.count // 4, 1)
    if budget < arms.count * each:
        return list(range(keep))
    yield from arms.pull(dict.fromkeys(range(arms.count), each))
    while budget > arms.spent:
        wide = min(wide, budget - arms.spent)
        each = min(each, (budget - arms.spent) // wide)
        promising = sorted(range(arms.count), key=lambda at: (-arms.bound(at, exploration), at))
        yield from arms.pull(dict.fromkeys(promising[:wide], each))
    return arms.best(range(arms.count), keep)


def _halving(arms: _Arms, budget: int, keep: int) -> Program:
    """Sequential halving (Karnin et al., 2013): equal shares of the budget, each for half of the arms of the last."""
    left, rounds = list(range(arms.count)), math.ceil(math.log2(arms.count / keep))
    for _ in range(rounds):
        yield from arms.pull(dict.fromkeys(left, budget // (rounds * len(left))))
        left = sorted(arms.best(left, max(keep, math.ceil(len(left) / 2))))
    return arms.best(left, keep)


def _uniform(arms: _Arms, budget: int, keep: int) -> Program:
    """The same number of pulls for every arm."""
    yield from arms.pull(dict.fromkeys(range(arms.count), budget // arms.count))
    return arms.best(range(arms.count), keep)


_BANDITS: dict[str, Callable[[_Arms, int, int], Program]] = {
    "successive-rejects": _successive_rejects,
    "ucb": _ucb,
    "halving": _halving,
    "uniform": _uniform,
}
