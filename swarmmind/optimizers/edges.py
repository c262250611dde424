"""Learned edges (GPTSwarm, arXiv 2402.16823): REINFORCE over who reads whom, with a leave-one-out baseline.

Each step draws some graphs from the logits and scores them on the same examples with the same chance. A graph becomes
a candidate by logits that leave no doubt, +20 for the edges that were taken and -20 for all others: every topology
that draws from logits then comes to this very graph, whether it samples or takes what is most probable, and equal
graphs are equal candidates. So a utility belongs to a graph and not to a distribution, and the gradient of its
log-probability is taken here, with respect to the logits it was drawn from:

    logits += Adam(mean over graphs of (utility - baseline) * gradient of log p)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import fsum
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
from pydantic import Field

from swarmmind.effects import Program, Record
from swarmmind.errors import UserError
from swarmmind.optimizers.acceptance import differences, not_worse
from swarmmind.optimizers.parameters import EdgesParameter
from swarmmind.optimizers.study import Evaluate, Evaluation, Keep, Most, Optimizer, Study
from swarmmind.ports import Context
from swarmmind.topologies.gptswarm.edges import ARROW, Edge, Edges, Realization, name

Baseline: TypeAlias = Literal["leave-one-out", "moving-average", "none"]
"""What a utility is compared with: the mean of the step's other graphs, that of earlier steps, or nothing."""
Gradient: TypeAlias = Callable[[Edges, str], list[float]]
"""Of the log-probability of decisions with respect to the logits; `Edges.gradient` is the true one."""

CERTAIN = 20.0
"""The logit of an edge that is there; its negative is that of one that is not."""
_REMEMBERED = 0.9  # of a moving average, each step
_FIRST, _SECOND, _EPSILON = 0.9, 0.999, 1e-8  # Adam's


def edges(
    ctx: Context,
    study: Study,
    steps: Annotated[int, Field(ge=1)] = 50,
    samples: Annotated[int, Field(ge=2)] = 4,
    examples: Annotated[int, Field(ge=1)] = 8,
    rate: Annotated[float, Field(gt=0)] = 0.1,
    baseline: Baseline = "leave-one-out",
    check_every: Annotated[int, Field(ge=1)] = 10,
) -> Program:
    """Learn the logits of a study's potential edges; keeps the graph of those with p > 1/2, if validation likes it.

    Each step is recorded as `edges`: logits by edge, and the utilities of the graphs that have a score. What is kept is
    a graph that is certain; the logits behind it stand in the last record.

    Args:
        ctx: the program's place.
        study: with one parameter of edges; its logits in the first start are where learning begins.
        steps: of the learner.
        samples: graphs of a step.
        examples: of the training split that the graphs of a step are scored on; each step draws others.
        rate: Adam's.
        baseline: see `Baseline`; the first by default, for it has no bias and needs no memory.
        check_every: so many steps, and after the last one, the graph of the edges with p > 1/2 is validated.

    Raises:
        UserError: there is not one parameter of edges, or a split is empty.
    """
    parameter = _parameter(study)
    learner = Learner(study.start[0].values[parameter.name], parameter.edges, rate, baseline)
    return (yield from learned(ctx, study, learner, steps, samples, examples, check_every))


def edges_most(
    study: Study, steps: int = 50, samples: int = 4, examples: int = 8, check_every: int = 10, **others: Any
) -> Most:
    """No two graphs of a step are the same, and no two that are validated."""
    checks = 1 + steps // check_every + (steps % check_every > 0)
    train = len(study.train.ids)
    size = max(min(examples, train), 1)
    epochs, more = divmod(steps, -(-train // size) or 1)
    drawn = epochs * train + min(more * size, train)  # the last batch of an epoch may be smaller
    return Most(samples * drawn + checks * len(study.validate.ids))


class Learner:
    """Logits of potential edges, and how they move.

    Args:
        logits: to begin with, by name of the edge.
        names: of all edges, in the order in which they are walked.
        rate: Adam's.
        baseline: see `Baseline`.
        gradient: another one than the true one shows what a wrong one does.
    """

    def __init__(
        self,
        logits: Mapping[str, float],
        names: Sequence[str],
        rate: float = 0.1,
        baseline: Baseline = "leave-one-out",
        gradient: Gradient = Edges.gradient,
    ) -> None:
        pairs = tuple((u, v) for u, _, v in (edge.partition(ARROW) for edge in names))
        self.chances = Edges(pairs, tuple(float(logits[edge]) for edge in names))
        self._baseline, self._gradient, self._rate = baseline, gradient, rate
        self._average: float | None = None
        self._first, self._second, self._steps = np.zeros(len(pairs)), np.zeros(len(pairs)), 0

    def learn(self, drawn: Sequence[Realization], utilities: Sequence[float]) -> None:
        """Move the logits by one step, uphill.

        Args:
            drawn: from the logits as they are now, two or more.
            utilities: what each of these came to, measured alike.
        """
        slopes = np.array([self._gradient(self.chances, one.decisions) for one in drawn])
        step = self._adam(np.array(self._advantages(utilities)) @ slopes / len(drawn))
        moved = np.array(self.chances.logits) + step
        self.chances = msgspec.structs.replace(self.chances, logits=tuple(moved.tolist()))

    def _advantages(self, utilities: Sequence[float]) -> list[float]:
        mean, others = fsum(utilities) / len(utilities), len(utilities) - 1
        before = mean if self._average is None else self._average
        self._average = _REMEMBERED * before + (1 - _REMEMBERED) * mean
        if self._baseline == "leave-one-out":
            return [u - (mean * len(utilities) - u) / others for u in utilities]
        return [u - (before if self._baseline == "moving-average" else 0.0) for u in utilities]

    def _adam(self, slope: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """A step uphill (Kingma and Ba, arXiv 1412.6980, algorithm 1)."""
        self._steps += 1
        self._first = _FIRST * self._first + (1 - _FIRST) * slope
        self._second = _SECOND * self._second + (1 - _SECOND) * slope**2
        first, second = self._first / (1 - _FIRST**self._steps), self._second / (1 - _SECOND**self._steps)
        return self._rate * first / (np.sqrt(second) + _EPSILON)


def learned(
    ctx: Context, study: Study, learner: Learner, steps: int, samples: int, examples: int, check_every: int
) -> Program:
    """The loop of `edges`, whatever learns."""
    edges_of, start = _parameter(study).name, study.start[0]
    rng, batches = ctx.rng("edges"), study.train.batches(examples, ctx.rng("batches"))
    [kept] = yield [Evaluate(start, study.validate, study.validate.ids)]
    yield [Keep(start, kept)]
    for step in range(1, steps + 1):
        drawn = [learner.chances.realize(rng) for _ in range(samples)]
        ids = next(batches)
        graphs = [
            start.child({edges_of: certain(learner.chances, one.edges)}, f"drawn in step {step}") for one in drawn
        ]
        found: list[Evaluation] = yield [Evaluate(one, study.train, ids, step, needed=False) for one in graphs]
        scored = [(one, seen) for one, seen in zip(drawn, found, strict=True) if differences(seen, seen)]
        utilities = shared([seen for _, seen in scored])
        if len(utilities) > 1:
            learner.learn([one for one, _ in scored], utilities)
        yield [Record("edges", {"step": step, "utilities": utilities, "logits": learner.chances.named()})]
        if step % check_every == 0 or step == steps:
            there = certain(learner.chances, learner.chances.above())
            likely = start.child({edges_of: there}, f"p > 1/2 after step {step}")
            [seen] = yield [Evaluate(likely, study.validate, study.validate.ids, needed=False)]
            if likely.id != kept.candidate.id and differences(seen, kept) and not_worse(seen, kept):
                kept = seen
                yield [Keep(likely, kept)]


def certain(chances: Edges, there: Sequence[Edge]) -> dict[str, float]:
    """Logits from which no other graph is drawn than the one of these edges (but once in a hundred million edges)."""
    taken = frozenset(there)
    return {name(pair): CERTAIN if pair in taken else -CERTAIN for pair in chances.pairs}


def shared(found: Sequence[Evaluation]) -> list[float]:
    """The mean scores on those examples that all have a score for; empty if there are no such examples."""
    ids = [one for one in (found[0].scores if found else ()) if all(seen.scores.get(one) is not None for seen in found)]
    return [fsum(seen.scores[one] or 0.0 for one in ids) / len(ids) for seen in found] if ids else []


def _parameter(study: Study) -> EdgesParameter:
    """The parameter to be learned.

    Raises:
        UserError: there is none, or there are several, or a split is empty.
    """
    found = [one for one in study.parameters if isinstance(one, EdgesParameter)]
    if len(found) != 1:
        raise UserError(f"edges learns one parameter of edges (a gptswarm topology's), found {len(found)}")
    if not study.train.ids or not study.validate.ids:
        raise UserError("edges needs examples to learn from and others to choose by")
    return found[0]


OPTIMIZER = Optimizer(edges, edges_most, frozenset({"edges"}), asks=False)
