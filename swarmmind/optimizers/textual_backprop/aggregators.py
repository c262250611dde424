"""Which of several settings a layer works best with, learned from what came of each (arXiv 2506.09046, section 3.1).

The paper lets a language model select each layer's aggregation function. Here the options are those of choice
parameters, and their credits are means that can be looked at.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import fsum

from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.forms import words
from swarmmind.optimizers.parameters import ChoiceParameter
from swarmmind.optimizers.requests import Critique
from swarmmind.optimizers.study import Evaluation


class Aggregators:
    """Epsilon-greedy choice among the options of choice parameters, each for itself.

    Args:
        parameters: what is chosen.
        explore: the probability of an option at random; each option is tried once before any is preferred.
        rng: chance.
    """

    def __init__(self, parameters: Sequence[ChoiceParameter], explore: float, rng: random.Random) -> None:
        self._parameters, self._explore, self._rng = tuple(parameters), explore, rng
        self._credits: dict[str, list[list[float]]] = {p.name: [[] for _ in p.options] for p in parameters}
        self._untried = {p.name: list(range(len(p.options))) for p in parameters}

    def trial(self, candidate: Candidate) -> Candidate:
        """The candidate with the options that should be tried now."""
        return self._with(candidate, [self._pick(p, candidate) for p in self._parameters])

    def best(self, candidate: Candidate) -> Candidate:
        """The candidate with the options that did best so far; where several did, its own if it is one of them."""
        return self._with(candidate, [self._top(p, candidate) for p in self._parameters])

    def credit(self, seen: Evaluation, said: Sequence[Critique]) -> None:
        """Learn from how a trial went.

        An option's credit in a case is the case's score, less 1 if a critique blames its parameter for the case: so a
        layer pays less for what went wrong elsewhere.
        """
        for parameter in self._parameters:
            blamed = {case for one in said if one.parameter == parameter.name for case in one.cases}
            known = [score - (case in blamed) for case, score in seen.scores.items() if score is not None]
            at = _place(parameter, seen.candidate)
            self._untried[parameter.name] = [one for one in self._untried[parameter.name] if one != at]
            if known:
                self._credits[parameter.name][at].append(fsum(known) / len(known))

    def _pick(self, parameter: ChoiceParameter, candidate: Candidate) -> int:
        untried = self._untried[parameter.name]
        if untried:
            return self._rng.choice(untried)
        if self._rng.random() < self._explore:
            return self._rng.randrange(len(parameter.options))
        return self._top(parameter, candidate)

    def _top(self, parameter: ChoiceParameter, candidate: Candidate) -> int:
        own = _place(parameter, candidate)
        means = [fsum(credit) / len(credit) if credit else None for credit in self._credits[parameter.name]]
        best = max((mean for mean in means if mean is not None), default=None)
        if best is None or means[own] is None or means[own] == best:
            return own
        return means.index(best)

    def _with(self, candidate: Candidate, places: Sequence[int]) -> Candidate:
        chosen = zip(self._parameters, places, strict=True)
        changed = {p.name: p.options[at] for p, at in chosen if at != _place(p, candidate)}
        note = ", ".join(f"{name}: {words(value)}" for name, value in changed.items())
        return candidate.child(changed, note) if changed else candidate


def _place(parameter: ChoiceParameter, candidate: Candidate) -> int:
    """Of its option; values that are equal and of different types (1 and true) are different options."""
    value = candidate.values[parameter.name]
    return next(at for at, one in enumerate(parameter.options) if type(one) is type(value) and one == value)
