"""The rule-based composer: what the piece is worth without a language model."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import MappingProxyType

import msgspec

from swarmmind.effects import Agent
from swarmmind.evals.musicswarm.bars import FIELDS, PITCHES, RHYTHMS, SECTIONS
from swarmmind.evals.musicswarm.prompt import Observation
from swarmmind.ports import Policy

_SAME_AS_LAST = 0.25
_SAME_AS_LAST_BUT_ONE = 0.125
_LEAST_GAIN = 0.05
_NOISE = 0.1
_REPEATING = frozenset({"harmony", "rhythm"})
"""Fields in which repetition is dull; a section is meant to last."""


class Composer:
    """Goes where the cues at its bar are strongest, shuns repetition, and moves only if that gains something.

    Of each field it takes the class that scores best: its cue, plus a critic's word for it, less 0.25 if the bar
    before has it, less 0.125 if the one before that has it, give or take up to 0.1 of noise. It writes that bar if the
    mean gain over the three fields is above 0.05, and keeps its own otherwise. It draws equally many random numbers
    whatever it sees, so that two runs on one seed share their noise.
    """

    def __init__(self, agent: Agent) -> None:
        pass

    def __call__(self, observation: Observation, rng: random.Random) -> str:
        """A bar and its keep mark, as JSON; its cues are left to the tables of `bars`."""
        best: list[int] = []
        gain = 0.0
        for at, kind in enumerate(FIELDS):
            scores = [value + rng.uniform(-_NOISE, _NOISE) for value in self._scores(observation, at, kind)]
            best.append(max(range(len(scores)), key=scores.__getitem__))
            gain += (max(scores) - scores[observation.own[at]]) / len(FIELDS)
        keep = gain <= _LEAST_GAIN
        root, rhythm, section = observation.own if keep else best
        bar = {"keep": keep, "root": PITCHES[root], "rhythm": RHYTHMS[rhythm], "section": SECTIONS[section]}
        return msgspec.json.encode(bar).decode()

    def _scores(self, seen: Observation, at: int, kind: str) -> list[float]:
        scores = list(seen.sensed.get(kind) or [0.0] * len(FIELDS[kind]))
        for value, frequency in enumerate(seen.critic.get(kind, ())):
            scores[value] += frequency
        if kind in _REPEATING:
            for classes, cost in zip(seen.before, (_SAME_AS_LAST, _SAME_AS_LAST_BUT_ONE), strict=False):
                scores[classes[at]] -= cost
        return scores


POLICIES: MappingProxyType[str, Callable[[Agent], Policy]] = MappingProxyType({"musicswarm": Composer})
