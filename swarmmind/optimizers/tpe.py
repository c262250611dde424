"""A tree of Parzen estimators over numbers and choices, by Optuna; the search of MIPROv2 (arXiv 2406.11695, section 4).

Each trial is scored on a few training examples only. Every so often the combination with the best average of all its
trials gets a full run on validation, and the best full score wins: what looks best on a few examples was lucky.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import Annotated, Any, cast

from pydantic import Field

from swarmmind.effects import Program, Record
from swarmmind.errors import MissingExtra, UserError
from swarmmind.optimizers.acceptance import strict
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.parameters import ChoiceParameter, NumberParameter
from swarmmind.optimizers.study import Evaluate, Evaluation, Keep, Most, Optimizer, Split, Study
from swarmmind.ports import Context

_START = "start"  # of a trial: the number of the start that it is

Count = Annotated[int, Field(ge=1, le=100_000)]


def tpe(
    ctx: Context,
    study: Study,
    trials: Count = 40,
    batch: Count = 35,
    parallel: Annotated[int, Field(ge=1, le=1000)] = 4,
    full_every: Count = 5,
    startup: Annotated[int, Field(ge=0, le=100_000)] = 10,
) -> Program:
    """Let a model of the scores so far choose what is tried next; keep what does best in full runs.

    Args:
        ctx: the program's place.
        study: its numbers and choices change, everything else stays.
        trials: how many; the first are the study's starts.
        batch: so many training examples a trial.
        parallel: so many trials are proposed at once; each expects that those beside it will do badly.
        full_every: after so many trials the best average that had no full run gets one, on validation or, if there
            is none, on all training examples.
        startup: so many trials are drawn at random before the model is asked.

    Raises:
        MissingExtra: optuna is not installed.
        UserError: there is nothing to choose, or nothing to score on.
    """
    sampler = _Sampler(_load(), study, startup, ctx.rng("tpe").getrandbits(32))
    chance = ctx.rng("batches")
    full = study.validate if study.validate.ids else study.train
    averages: dict[str, list[float]] = {}
    candidates: dict[str, Candidate] = {}
    [kept] = yield [Evaluate(study.start[0], full, full.ids)]
    yield [Keep(study.start[0], kept)]
    judged = {study.start[0].id}
    for begun in range(0, trials, parallel):
        tried = sampler.ask(min(parallel, trials - begun))
        ids = study.train.sample(batch, chance)
        seen = yield [Evaluate(one, study.train, ids, begun // parallel, needed=False) for one in tried]
        sampler.tell(seen)
        for one in (one for one in seen if not math.isnan(one.mean)):
            candidates.setdefault(one.candidate.id, one.candidate)
            averages.setdefault(one.candidate.id, []).append(one.mean)
        done = begun + len(tried)
        if done // full_every > begun // full_every or done == trials:
            kept = yield from _judged(full, candidates, averages, judged, kept)


def _judged(
    full: Split,
    candidates: dict[str, Candidate],
    averages: dict[str, list[float]],
    judged: set[str],
    kept: Evaluation,
) -> Program:
    """A full run of the best average that had none; returns what is kept then."""
    means = {one: math.fsum(found) / len(found) for one, found in averages.items() if one not in judged}
    if not means:
        return kept
    best = max(means, key=lambda one: means[one])
    judged.add(best)
    [seen] = yield [Evaluate(candidates[best], full, full.ids, needed=False)]
    yield [Record("full", {"candidate": best, "average": means[best], "full": seen.mean})]
    if not strict(seen, kept):
        return kept
    yield [Keep(candidates[best], seen)]
    return seen


class _Sampler:
    """Optuna's sampler, asked and told in this process; a function of its seed and of what it is told."""

    def __init__(self, optuna: ModuleType, study: Study, startup: int, seed: int) -> None:
        self._parameters = cast("list[NumberParameter | ChoiceParameter]", study.of("float", "choice"))
        if not self._parameters:
            raise UserError("tpe: expected a number or a choice among the parameters, found none")
        if not study.train.ids:
            raise UserError("tpe: expected training examples, found none")
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # of both arguments, before Optuna 5
            sampler = optuna.samplers.TPESampler(
                multivariate=True, constant_liar=True, n_startup_trials=startup, seed=seed
            )
        self._failed = optuna.trial.TrialState.FAIL
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._spread = {one.name: _distribution(optuna, one) for one in self._parameters}
        for at, start in enumerate(study.start):
            told = {one.name: _told(one, start.values[one.name]) for one in self._parameters}
            self._study.enqueue_trial(told, user_attrs={_START: at})
        self._starts = study.start
        self._asked: list[Any] = []

    def ask(self, count: int) -> list[Candidate]:
        """What to try next."""
        self._asked = [self._study.ask(self._spread) for _ in range(count)]
        return [self._candidate(trial) for trial in self._asked]

    def _candidate(self, trial: Any) -> Candidate:
        if _START in trial.user_attrs:
            return self._starts[trial.user_attrs[_START]]
        values = {one.name: _meant(one, trial.params[one.name]) for one in self._parameters}
        return self._starts[0].child(values)

    def tell(self, seen: Sequence[Evaluation]) -> None:
        """How what was asked for last did, in that order."""
        for trial, one in zip(self._asked, seen, strict=True):
            failed = math.isnan(one.mean)
            self._study.tell(trial, None if failed else one.mean, state=self._failed if failed else None)


def _distribution(optuna: ModuleType, parameter: NumberParameter | ChoiceParameter) -> Any:
    if isinstance(parameter, ChoiceParameter):
        return optuna.distributions.CategoricalDistribution(range(len(parameter.options)))
    low, high, log = parameter.low, parameter.high, parameter.scale == "log"
    if parameter.integer:
        return optuna.distributions.IntDistribution(math.ceil(low), math.floor(high), log=log)
    return optuna.distributions.FloatDistribution(low, high, log=log)


def _told(parameter: NumberParameter | ChoiceParameter, value: Any) -> Any:
    """A value as Optuna knows it: of a choice, the number of the option, which can be any JSON data."""
    if isinstance(parameter, NumberParameter):
        return value
    return next(at for at, one in enumerate(parameter.options) if type(one) is type(value) and one == value)


def _meant(parameter: NumberParameter | ChoiceParameter, value: Any) -> Any:
    return value if isinstance(parameter, NumberParameter) else parameter.options[value]


def tpe_most(
    study: Study, trials: int = 40, batch: int = 35, parallel: int = 4, full_every: int = 5, startup: int = 10
) -> Most:
    """Every trial on its examples, and the full runs: of the start, after so many trials each, and at the end."""
    full = len(study.validate.ids) or len(study.train.ids)
    rounds = [(begun, min(begun + parallel, trials)) for begun in range(0, trials, parallel)]
    runs = sum(done // full_every > begun // full_every or done == trials for begun, done in rounds)
    return Most(trials * min(batch, len(study.train.ids)) + (1 + runs) * full)


def _load() -> ModuleType:
    try:
        import optuna
    except ImportError as error:
        raise MissingExtra("the tpe optimizer", "optuna") from error
    return optuna


OPTIMIZER = Optimizer(tpe, tpe_most, frozenset({"float", "choice"}), asks=False)
