"""Beam search over a text with critiques of errors as its gradients (ProTeGi: Pryzant et al., arXiv 2305.03495).

    for each member of the beam:  minibatch -> groups of errors -> a critique each -> a rewrite each -> paraphrases
    old beam and successors:      a bandit with a fixed number of evaluations -> the next beam

The old beam competes with its successors, so a round in which nothing got better changes nothing.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from swarmmind.effects import Ask, Program
from swarmmind.optimizers.acceptance import strict
from swarmmind.optimizers.bandits import Bandit, Draws, select
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.parameters import Parameter
from swarmmind.optimizers.reflection import reword, texts
from swarmmind.optimizers.requests import criticize, critiques, edit, edited, propose, unread
from swarmmind.optimizers.study import Case, Evaluate, Evaluation, Keep, Most, Optimizer, Study
from swarmmind.ports import Context

Count = Annotated[int, Field(ge=1, le=100_000)]
Score = Annotated[float, Field(allow_inf_nan=False)]
Few = Annotated[int, Field(ge=0, le=1000)]


def beam(
    ctx: Context,
    study: Study,
    rounds: Count = 6,
    width: Count = 4,
    minibatch: Count = 64,
    groups: Count = 4,
    errors: Count = 4,
    paraphrases: Few = 2,
    successors: Count = 8,
    sampled: Few = 0,
    bandit: Bandit = "auto",
    budget: Count = 2048,
    perfect: Score = 1.0,
) -> Program:
    """Search for better texts; keeps the member of a beam that does best on validation.

    Args:
        ctx: the program's place.
        study: its texts change, those that critiques are about, everything else stays; its starts are the first beam.
        rounds: how many beams are made.
        width: candidates in a beam.
        minibatch: training examples that each member is run on, all members on the same.
        groups: how many groups are drawn from a member's errors; each is criticized, and leads to one rewrite.
        errors: in each group.
        paraphrases: of each rewrite.
        successors: of one member, that many at most go into the next choice, drawn at random.
        sampled: if above `successors`, that many are drawn, run on the member's errors, and the best go on.
        bandit: how the next beam is chosen.
        budget: evaluations that the choice of one beam takes at most.
        perfect: a score below this is an error; a member without errors has no successors.

    Raises:
        UserError: the study has no text, or no examples for training or validation.
    """
    texts(study, study.train, study.validate)
    draws, members = Draws(study.train, ctx.rng("draws")), list(study.start)
    descent = _Descent(study, ctx.rng("errors"), groups, errors, paraphrases)
    best: Evaluation | None = None
    for at in range(rounds + 1):
        for seen in (yield [Evaluate(one, study.validate, study.validate.ids) for one in members]):
            if best is None or strict(seen, best):
                best = seen
                yield [Keep(seen.candidate, seen)]
        if at == rounds:
            return
        ids = study.train.sample(minibatch, ctx.rng(f"minibatch/{at}"))
        ran: list[Evaluation] = yield [Evaluate(one, study.train, ids) for one in members]
        wrong = [seen.failing(perfect) for seen in ran]
        families = yield from descent.children(members, wrong)
        kept = yield from _chosen(study, families, wrong, successors, sampled, ctx.rng(f"successors/{at}"))
        arms = list({one.id: one for one in (*members, *kept)}.values())
        if len(arms) == len(members):  # nothing new
            continue
        draws.anew()
        members = yield from select(arms, draws, budget, width, bandit)


class _Job(NamedTuple):
    """A change to a candidate that an editor is asked for.

    Attributes:
        member: of the beam, by its number, to whose family the child belongs.
        parent: what is changed.
        parameter: of its texts.
    """

    member: int
    parent: Candidate
    parameter: Parameter


class _Descent:
    """How members come to successors: errors, critiques, rewrites, paraphrases; each kind asked for in one list."""

    def __init__(self, study: Study, rng: random.Random, groups: int, errors: int, paraphrases: int) -> None:
        self._study, self._texts, self._rng = study, study.of("text"), rng
        self._groups, self._errors, self._paraphrases = groups, errors, paraphrases

    def children(self, members: Sequence[Candidate], wrong: Sequence[Sequence[Case]]) -> Program:
        """Successors of each member, in the order of the members, each once; none of one without errors."""
        groups = [
            (at, self._rng.sample(cases, min(self._errors, len(cases))))
            for at, cases in enumerate(wrong)
            for _ in range(self._groups if cases else 0)
        ]
        jobs: list[tuple[_Job, Ask]] = []
        asks = [criticize(self._study, self._texts, members[at], cases) for at, cases in groups]
        for (at, cases), reply in zip(groups, (yield asks) if asks else [], strict=True):
            said = critiques(reply, self._texts, cases)
            if said:
                parameter = self._study.parameter(said[0].parameter)
                about = [one for one in said if one.parameter == parameter.name]
                jobs.append((_Job(at, members[at], parameter), edit(self._study, parameter, members[at], about)))
            elif not reply.ok or reply.value["critiques"]:  # of nothing that can be changed
                yield [unread("a critique of errors", reply)]
        rewrites = yield from self._made(jobs)
        again = [_Job(job.member, child, job.parameter) for job, child in rewrites for _ in range(self._paraphrases)]
        paraphrases = yield from self._made([(job, reword(self._study, job.parameter, job.parent)) for job in again])
        families: list[dict[str, Candidate]] = [{} for _ in members]
        for job, child in (*rewrites, *paraphrases):
            families[job.member].setdefault(child.id, child)
        return [list(family.values()) for family in families]

    def _made(self, jobs: Sequence[tuple[_Job, Ask]]) -> Program:
        """The jobs that led to a child, with it."""
        found: list[tuple[_Job, Candidate]] = []
        for (job, _), reply in zip(jobs, (yield [ask for _, ask in jobs]) if jobs else [], strict=True):
            change = edited(reply, job.parameter)
            if change is None:
                yield [unread(f"an edit of {job.parameter.name}", reply)]
                continue
            child = yield from propose(self._study, job.parent, {job.parameter.name: change.value}, change.note)
            if child is not None:
                found.append((job, child))
        return found


def _chosen(
    study: Study,
    families: Sequence[Sequence[Candidate]],
    wrong: Sequence[Sequence[Case]],
    most: int,
    sampled: int,
    rng: random.Random,
) -> Program:
    """Of each family `most` at random or, if more are `sampled`, those of them that do best on the member's errors."""
    drawn = [rng.sample(family, min(max(most, sampled), len(family))) for family in families]
    if sampled <= most or not any(drawn):
        return [one for family in drawn for one in family]
    ids = [tuple(case.id for case in cases) for cases in wrong]
    wanted = [Evaluate(one, study.train, ids[at], needed=False) for at, family in enumerate(drawn) for one in family]
    seen: Iterator[Evaluation] = iter((yield wanted))
    best: list[Candidate] = []
    for family in drawn:
        ran = [next(seen) for _ in family]
        ran.sort(key=lambda one: math.inf if math.isnan(one.mean) else -one.mean)
        best += [one.candidate for one in ran[:most]]
    return best


def beam_most(
    study: Study,
    rounds: int = 6,
    width: int = 4,
    minibatch: int = 64,
    groups: int = 4,
    paraphrases: int = 2,
    successors: int = 8,
    sampled: int = 0,
    budget: int = 2048,
    **_: Any,
) -> Most:
    """What `beam` takes at most: every member has errors, and every choice takes its whole budget."""
    members = len(study.start) + (rounds - 1) * max(width, len(study.start))
    ran = min(minibatch, len(study.train.ids))
    family = min(groups * (1 + paraphrases), sampled if sampled > successors else 0)
    validated = (members + max(width, len(study.start))) * len(study.validate.ids)
    asks = members * groups * (2 + paraphrases)
    return Most(validated + members * ran * (1 + family) + rounds * budget, asks)


OPTIMIZER = Optimizer(beam, beam_most, frozenset({"text"}))
