"""Who is good at what, learned from verdicts: the pheromone of SwarmSys (arXiv 2510.10047), made explicit.

Every worker has a trail in the space of the events' vectors. A verdict on an event evaporates all trails, those of the
workers it does not concern too; acceptance adds the event to the trails of those whose contribution it was. A worker's
competence is drawn towards its trail, and workers are drawn for events by how near their competence lies, busy ones
less, and now and then by chance alone.

    tau <- (1 - rho) tau                     for all; then tau_a += e for the authors of what was accepted
    c <- unit((1 - eta) c + eta tau / (1 + |tau|))
    a ~ softmax((c . e - lambda load) / T)   with probability epsilon uniform
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from swarmmind.spec.values import Strict

Floats: TypeAlias = NDArray[np.float64]

LOAD_DECAY = 0.8
MAX_LEVELS = 32


class Learning(Strict):
    """The constants of allocation, named as in the formulas above."""

    evaporation: float = Field(default=0.02, ge=0, le=1, description="rho: what every trail loses with every verdict.")
    pull: float = Field(default=0.25, ge=0, le=1, description="eta: how far a verdict draws competence to the trail.")
    temperature: float = Field(default=0.15, gt=0, description="T: 0 would always draw the nearest worker.")
    exploration: float = Field(default=0.10, ge=0, le=1, description="epsilon: how often chance alone decides.")
    load: float = Field(default=0.05, ge=0, description="lambda: how much a busy worker is spared.")


class Draw(NamedTuple):
    """Who was drawn for an event.

    Attributes:
        drawn: places of the workers, in the order drawn.
        probabilities: shape (workers,): the chance of each to be drawn first, exploration included; sums to 1.
        explored: whether chance alone decided.
    """

    drawn: tuple[int, ...]
    probabilities: Floats
    explored: bool


class Profiles:
    """The two profiles of all workers: competence (ability and history) and availability (load).

    Args:
        abilities: shape (workers, dimensions): where their ability texts lie; competence begins there.
        learning: the constants.

    Attributes:
        competence: shape (workers, dimensions), unit rows.
        trails: shape (workers, dimensions): what is left of what each was accepted for.
        load: shape (workers,): 1 for every event drawn for, times 0.8 for every event since, anybody's.
    """

    def __init__(self, abilities: ArrayLike, learning: Learning) -> None:
        self.competence: Floats = _unit(np.asarray(abilities, np.float64))
        self.trails: Floats = np.zeros_like(self.competence)
        self.load = np.zeros(len(self.competence))
        self.learning = learning
        self._walked: dict[int, None] = {}  # who has a trail, in the order of their first acceptance

    def nearness(self, events: ArrayLike) -> Floats:
        """Cosine of each event's vector to each worker's competence, shape (events, workers)."""
        return np.asarray(events, np.float64) @ self.competence.T

    def draw(self, nearness: Floats, team: int, rng: random.Random) -> Draw:
        """Draw a team for one event, without replacement, and put the load on it.

        Args:
            nearness: the event's row of `nearness`.
            team: how many; at most all workers.
            rng: chance.
        """
        learning, workers = self.learning, len(self.load)
        logits = (nearness - learning.load * self.load) / learning.temperature
        weights = np.exp(logits - logits.max())
        weights /= weights.sum()
        probabilities = (1 - learning.exploration) * weights + learning.exploration / workers
        explored = rng.random() < learning.exploration
        if explored:
            weights = np.full(workers, 1 / workers)
        drawn: list[int] = []
        for _ in range(min(team, workers)):
            drawn.append(_one(weights, drawn, rng))
            weights[drawn[-1]] = 0.0
        self.load *= LOAD_DECAY
        self.load[drawn] += 1.0
        return Draw(tuple(drawn), probabilities, explored)

    def judged(self, event: ArrayLike, authors: Sequence[int]) -> None:
        """A verdict: every trail evaporates, the authors' grow by the event's vector, all competence follows.

        Args:
            event: the event's vector.
            authors: whose contribution was accepted; nobody's if it was rejected.
        """
        learning = self.learning
        for author in authors:
            self._walked.setdefault(author)
        few = 2 * len(self._walked) < len(self.load)
        rows = list(self._walked) if few else slice(None)  # nothing evaporates where there never was anything
        self.trails[rows] *= 1 - learning.evaporation
        for author in authors:
            self.trails[author] += np.asarray(event, np.float64)
        trails = self.trails[rows]
        lengths = np.sqrt(np.einsum("ij,ij->i", trails, trails))[:, None]
        pulled = (1 - learning.pull) * self.competence[rows] + learning.pull * trails / (1 + lengths)
        self.competence[rows] = _unit(pulled)

    def levels(self, names: Sequence[str], kinds: Mapping[str, Floats]) -> dict[str, float]:
        """The strongest trails towards kinds of events, strongest first: `worker-3 · algebra` to its length there.

        Args:
            names: of the workers.
            kinds: a vector for each kind of event, of any length but 0.
        """
        if not kinds:
            return {}
        strengths = self.trails @ _unit(np.stack(list(kinds.values()))).T
        flat = strengths.ravel()
        best = np.argsort(-flat, kind="stable")[:MAX_LEVELS]
        labels = list(kinds)
        return {
            f"{names[at // len(labels)]} · {labels[at % len(labels)]}": round(float(flat[at]), 4)
            for at in best.tolist()
            if flat[at] > 0
        }


def _one(weights: Floats, taken: Sequence[int], rng: random.Random) -> int:
    """One place in proportion to the weights; among those not taken alike, if the rest weighs nothing."""
    sums = np.cumsum(weights)
    if sums[-1] <= 0:
        return rng.choice([at for at in range(len(weights)) if at not in taken])
    at = int(np.searchsorted(sums, rng.random() * sums[-1], side="right"))
    return at if at < len(weights) and weights[at] > 0 else int(np.flatnonzero(weights)[-1])


def _unit(rows: Floats) -> Floats:
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))[:, None]
    return rows / np.where(lengths > 0, lengths, 1.0)
