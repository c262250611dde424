"""The state of a particle swarm: where each particle is, how fast it goes, and where it was best.

Numbers lie in [0, 1] on their parameter's scale. Of a choice, a particle holds a distribution over the options, and
what is evaluated is drawn from it (Strasser, Goodman, Sheppard & Butcher, "A New Discrete Particle Swarm Optimization
Algorithm", GECCO 2016). Both move by the same rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from swarmmind.optimizers.candidate import Values
from swarmmind.optimizers.parameters import ChoiceParameter, NumberParameter
from swarmmind.optimizers.study import Evaluation

Neighborhood: TypeAlias = Literal["global", "ring"]
_Floats: TypeAlias = NDArray[np.float64]

PULL = 0.75
"""A best's distribution keeps this share of itself; the rest goes to the options that were drawn."""
DOUBT = 2
"""So many measurements of a best weigh as much as what is known of all bests."""
_REBOUND = -0.5  # of its velocity, what a number has left after it was stopped by a wall


class Motion(NamedTuple):
    """How particles move.

    Attributes:
        inertia: of the velocity, what is kept.
        cognitive: how strongly a particle is drawn to where itself was best.
        social: how strongly it is drawn to where the best of its neighbors was best.
        clamp: the greatest speed per step and dimension, of the whole range.
        neighborhood: everybody, or the particles before and after it.
    """

    inertia: float
    cognitive: float
    social: float
    clamp: float
    neighborhood: Neighborhood


class Particles:
    """A swarm over numbers and choices.

    Args:
        parameters: what may change, numbers and choices.
        starts: where the first particles begin; all others begin anywhere.
        count: how many there are.
        chance: what everything is drawn from, in one order.

    Attributes:
        position: shape (particles, dimensions); a number takes one dimension, a choice one per option.
        velocity: of the same shape.
        best: the positions that did best, of the same shape.
        fitness: how well each best did, shape (particles,); higher is better; to be set by who measures.
    """

    def __init__(
        self,
        parameters: Sequence[NumberParameter | ChoiceParameter],
        starts: Sequence[Values],
        count: int,
        chance: np.random.Generator,
    ) -> None:
        self._chance = chance
        ends = np.cumsum([_width(parameter) for parameter in parameters]).tolist()
        self._blocks = [(p, slice(end - _width(p), end)) for p, end in zip(parameters, ends, strict=True)]
        choice = np.concatenate([np.full(_width(p), isinstance(p, ChoiceParameter)) for p in parameters])
        self._choices = [(p, block) for p, block in self._blocks if isinstance(p, ChoiceParameter)]
        self._is_number = ~choice
        self.position = chance.random((count, ends[-1]))
        self._spread_evenly()
        self.velocity = (chance.random(self.position.shape) - self.position) / 2 * self._is_number
        self._drawn = self.position.copy()
        self._draw()
        for at, values in enumerate(starts[:count]):
            self._begin(at, values)
        self.best = self.position.copy()
        self.fitness = np.full(count, -np.inf)

    def _spread_evenly(self) -> None:
        for parameter, block in self._choices:
            self.position[:, block] = 1 / len(parameter.options)

    def _begin(self, at: int, values: Values) -> None:
        for parameter, block in self._blocks:
            value = values[parameter.name]
            if isinstance(parameter, NumberParameter):
                self._drawn[at, block] = self.position[at, block] = parameter.to_unit(value)
            else:
                self._drawn[at, block] = [
                    type(option) is type(value) and option == value for option in parameter.options
                ]
        self.position[at] = self._pulled(at)

    def _pulled(self, at: int) -> _Floats:
        """A position whose distributions are pulled to what was drawn from them."""
        pulled = PULL * self.position[at] + (1 - PULL) * self._drawn[at]
        return np.where(self._is_number, self.position[at], pulled)

    def _draw(self) -> None:
        self._drawn = self.position.copy()
        for _, block in self._choices:
            upto = np.cumsum(self.position[:, block], axis=1)
            at = (upto < self._chance.random((len(upto), 1)) * upto[:, -1:]).sum(axis=1)
            self._drawn[:, block] = np.eye(upto.shape[1])[at]

    def values(self, at: int) -> dict[str, Any]:
        """What a particle's place comes to: JSON data by parameter; whole numbers are rounded, options drawn."""
        row = self._drawn[at]
        return {
            p.name: p.from_unit(float(row[block][0]))
            if isinstance(p, NumberParameter)
            else p.options[int(row[block].argmax())]
            for p, block in self._blocks
        }

    def improved(self, at: int) -> None:
        """A particle did better than ever, with what `values` said."""
        self.best[at] = self._pulled(at)

    def leader(self, at: int, neighborhood: Neighborhood) -> int:
        """Who of a particle's neighbors, itself included, did best; the first of equals."""
        count = len(self.fitness)
        if neighborhood == "global":
            return int(self.fitness.argmax())
        return max(sorted({(at - 1) % count, at, (at + 1) % count}), key=lambda other: self.fitness[other])

    def move(self, motion: Motion) -> None:
        """One step of all (Clerc & Kennedy, "The Particle Swarm", 2002), each dimension with chance of its own."""
        x, shape = self.position, self.position.shape
        leaders = [self.leader(at, motion.neighborhood) for at in range(shape[0])]
        own = motion.cognitive * self._chance.random(shape) * (self.best - x)
        social = motion.social * self._chance.random(shape) * (self.best[leaders] - x)
        v = np.clip(motion.inertia * self.velocity + own + social, -motion.clamp, motion.clamp)
        moved = x + v
        inside = np.clip(moved, 0.0, 1.0)
        self.velocity = np.where((moved != inside) & self._is_number, _REBOUND * v, v)
        self.position = inside
        for _, block in self._choices:
            total = inside[:, block].sum(axis=1, keepdims=True)
            even = np.full_like(inside[:, block], 1 / inside[:, block].shape[1])
            inside[:, block] = np.divide(inside[:, block], total, out=even, where=total > 0)
        self._draw()


class Best:
    """Where a particle did best, with all measurements of it.

    Attributes:
        candidate: who.
        times: how often it was measured.
        mean: of all measurements, each example counting once; minus infinity while all of them failed.
    """

    def __init__(self, seen: Evaluation) -> None:
        self.candidate, self.times, self.mean = seen.candidate, 0, 0.0
        self._seen = seen
        self._scores: dict[str, list[float]] = {}
        self.add(seen)

    def add(self, seen: Evaluation) -> None:
        """Another measurement."""
        self.times += 1
        for example, score in seen.scores.items():
            if score is not None:
                self._scores.setdefault(example, []).append(score)
        self.mean = self.evaluation.mean if self._scores else -math.inf

    @property
    def evaluation(self) -> Evaluation:
        """With the average of each example's scores."""
        averages = {example: sum(scores) / len(scores) for example, scores in self._scores.items()}
        return self._seen._replace(scores={**averages})


def trusted(best: Sequence[Best]) -> _Floats:
    """How good the bests are: their means, drawn to the mean of all the more, the fewer measurements there are.

    Of two means that are equal the one that is less likely to be luck leads (as by Stein's estimator, the noise not
    being known); where all were measured equally often, this changes no order.
    """
    means = np.array([one.mean for one in best])
    known = np.isfinite(means)
    weights = np.array([one.times / (one.times + DOUBT) for one in best])
    middle = means[known].mean() if known.any() else 0.0
    return np.where(known, middle + weights * (np.where(known, means, middle) - middle), -np.inf)


def _width(parameter: NumberParameter | ChoiceParameter) -> int:
    return 1 if isinstance(parameter, NumberParameter) else len(parameter.options)
