"""Merging two members of Pareto fronts that changed different texts of a common ancestor (GEPA's system-aware merge).

Of each text the merged candidate takes the version that changed; where both did, the better parent's.
"""

from __future__ import annotations

import random
from itertools import combinations
from typing import NamedTuple

from swarmmind.optimizers.archives.pareto_fronts import ParetoFronts
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.study import Evaluation

_STRATA = 3


class Merge(NamedTuple):
    """Two members and what both come from.

    Attributes:
        one: not older than its ancestor, nor an ancestor or descendant of `other`; likewise
        other: the other one.
        child: what merging them makes.
    """

    one: Evaluation
    other: Evaluation
    child: Candidate


def merges(pool: ParetoFronts, names: list[str]) -> list[Merge]:
    """What may be merged, each child once and none that the pool holds, in the pool's order.

    Args:
        pool: whose survivors are merged; lineage is followed within it.
        names: of the texts that changed hands; at least one of them was changed on one side alone.
    """
    found: dict[str, Merge] = {}
    ancestors = {one.candidate.id: _ancestors(pool, one.candidate) for one in pool.survivors()}
    for one, other in combinations(pool.survivors(), 2):
        mine, theirs = ancestors[one.candidate.id], ancestors[other.candidate.id]
        if one.candidate.id in theirs or other.candidate.id in mine:
            continue
        for id_, ancestor in mine.items():
            if id_ not in theirs or ancestor.mean > min(one.mean, other.mean):
                continue
            child = _merged(one, other, ancestor, names)
            if child is not None and child not in pool:
                found.setdefault(child.id, Merge(one, other, child))
    return list(found.values())


def stratified(one: Evaluation, other: Evaluation, rng: random.Random, count: int = 5) -> tuple[str, ...]:
    """Examples to compare a merged candidate on: where the one is better, the other is, and neither, in equal parts."""
    shared = {id_: (score, other.scores.get(id_)) for id_, score in one.scores.items()}
    known = {id_: a - b for id_, (a, b) in shared.items() if a is not None and b is not None}
    better = [id_ for id_, gap in known.items() if gap > 0]
    worse = [id_ for id_, gap in known.items() if gap < 0]
    tied = [id_ for id_, gap in known.items() if gap == 0]
    drawn: list[str] = []
    for stratum in (better, worse, tied):
        share = min(len(stratum), -(-count // _STRATA), count - len(drawn))
        drawn += rng.sample(stratum, share)
    rest = [id_ for id_ in known if id_ not in drawn]
    return (*drawn, *rng.sample(rest, min(len(rest), count - len(drawn))))


def _ancestors(pool: ParetoFronts, candidate: Candidate) -> dict[str, Evaluation]:
    found: dict[str, Evaluation] = {}
    ahead = list(candidate.parents)
    while ahead:
        id_ = ahead.pop()
        member = pool.of(id_)
        if member is not None and id_ not in found:
            found[id_] = member
            ahead += member.candidate.parents
    return found


def _merged(one: Evaluation, other: Evaluation, ancestor: Evaluation, names: list[str]) -> Candidate | None:
    """The child of a merge; `None` if neither changed a text that the other left alone."""
    better = other if other.mean > one.mean else one
    changes: dict[str, str] = {}
    complementary = False
    for name in names:
        old, mine, theirs = (each.candidate.values[name] for each in (ancestor, one, other))
        complementary |= mine != theirs and old in (mine, theirs)
        changes[name] = theirs if mine == old else mine if theirs == old else better.candidate.values[name]
    return one.candidate.child(changes, "merged", other.candidate) if complementary else None
