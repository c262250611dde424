"""What drives an optimizer: it turns evaluations into runs, remembers them, and says when the study is over.

It is a program like any other, so the runtime's promises hold for a study too: replies are journaled one by one, a
killed study goes on where it was, results come in the order asked however many workers there are, and a budget is a
wall. On top of these it prices each list before it is started: what does not fit is not begun.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from swarmmind.effects import Ask, Limits, Nested, Outcome, Program, Record, Usage
from swarmmind.errors import Failed, Stop
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.remembered import Key, Remembered
from swarmmind.optimizers.study import Case, Evaluate, Evaluation, Evaluator, Keep, Scored, Split, Study, Trial
from swarmmind.ports import Context

OUTAGES = 3
"""So many lists in a row without a single score are no bad luck: they end a study."""


IDLE = 1000
"""So many lists in a row that want nothing but what is known are an optimizer that goes round in circles."""


class Stops(NamedTuple):
    """When a study ends, unless its optimizer ends it first.

    Attributes:
        examples: a wall: candidates times examples that are run; what is remembered is free.
        patience: so many new candidates in a row without a new best one end it.
        target: a best candidate with this mean ends it.
        limits: of calls, tokens and money; each list is priced against them before it is started.
        tested: so many examples will be run after the study.
        aside: what `limits` already leave for them; where examples turn out to cost more, more is left.
    """

    examples: int | None = None
    patience: int | None = None
    target: float | None = None
    limits: Limits = Limits()
    tested: int = 0
    aside: Limits = Limits()


class Conclusion(NamedTuple):
    """What a study came to.

    Attributes:
        best: the last candidate kept; the first start if none was.
        evaluation: what spoke for it; `None` if nothing was kept.
        reason: `finished` (by the optimizer), `target`, `patience`, `idle` (see `IDLE`), or the limit that was reached:
            `examples`, `calls`, `tokens`, `usd`, `seconds`; `failed` if all that was run at once failed (see `error`).
        tried: how many different candidates were evaluated.
        examples: how many were run.
        missing: how many of these have no score.
        candidates: all that were evaluated, by id, in order.
        scores: theirs, by example, each the mean of its measurements.
        error: why it failed; empty if it did not.
    """

    best: Candidate
    evaluation: Evaluation | None
    reason: str
    tried: int
    examples: int
    missing: int
    candidates: Mapping[str, Candidate]
    scores: Mapping[str, Mapping[str, float]]
    error: str = ""


def conduct(
    ctx: Context,
    study: Study,
    program: Callable[[Context, Study], Program],
    evaluator: Evaluator,
    stops: Stops | None = None,
) -> Program:
    """Drive an optimizer to its end, or to where the study stops; returns a `Conclusion`.

    Args:
        ctx: the program's place.
        study: what the optimizer is given.
        program: the optimizer, its parameters filled in.
        evaluator: scores candidates.
        stops: when it ends.

    Raises:
        Failed: an evaluation has no score at all, because everything it ran failed, and nothing was kept before; or
            memory failed (an embedder, a store), which a resumed run tries again.
        ValueError: the optimizer asks for what it has no right to, or evaluates what is not a candidate: a bug in it.
    """
    conductor = _Conductor(study, evaluator, stops or Stops())
    generator = program(ctx, study)
    results: list[Any] | None = None
    while True:
        try:
            wanted = generator.send(results)
        except StopIteration:
            return conductor.conclusion("finished")
        try:
            reason, results = yield from conductor.serve(wanted)
        except Stop as stop:
            reason = stop.limit
        except Failed as failed:
            generator.close()
            if failed.kind == "memory" or not conductor.has_kept:
                raise
            return conductor.conclusion("failed", str(failed))
        if reason is not None:
            generator.close()
            return conductor.conclusion(reason)


def measured(evaluator: Evaluator, candidates: Sequence[Candidate], split: Split, rep: int = 0) -> Program:
    """Score candidates on a whole split, outside any search; returns an `Evaluation` for each.

    Raises:
        Failed: one of them has no score at all.
    """
    conductor = _Conductor(None, evaluator, Stops())
    wanted = [Evaluate(candidate, split, split.ids, rep) for candidate in candidates]
    return (yield from conductor.serve(wanted))[1]


class _Conductor:
    def __init__(self, study: Study | None, evaluator: Evaluator, stops: Stops) -> None:
        self._study, self._evaluator, self._stops = study, evaluator, stops
        self._known = Remembered()
        self._candidates: dict[str, Candidate] = {}
        self._splits = {id(s): frozenset(s.ids) for s in (study.train, study.validate)} if study else {}
        self._kept: Keep | None = None
        self._keeps = self._since = self._examples = self._missing = self._asks = self._outages = self._idle = 0
        self._evaluating, self._asking = Usage(), Usage()

    @property
    def has_kept(self) -> bool:
        """Whether there is a best candidate."""
        return self._kept is not None

    def conclusion(self, reason: str, error: str = "") -> Conclusion:
        assert self._study is not None
        best, evaluation = self._kept or (self._study.start[0], None)
        counts = (len(self._candidates), self._examples, self._missing)
        return Conclusion(best, evaluation, reason, *counts, self._candidates, self._scores(), error)

    def _scores(self) -> dict[str, dict[str, float]]:
        found: dict[str, dict[str, list[float]]] = {one: {} for one in self._candidates}
        for (one, example, _), run in self._known.outcomes():
            if run.score is not None:
                found[one].setdefault(example, []).append(run.score)
        return {one: {at: math.fsum(s) / len(s) for at, s in scores.items()} for one, scores in found.items()}

    def serve(self, wanted: Sequence[Any]) -> Iterator[Any]:
        """Answer one list; returns why the study ends, if it does, and the results."""
        kept = [self._keep(effect) for effect in wanted if isinstance(effect, Keep)]
        plain = [effect for effect in wanted if not isinstance(effect, (Evaluate, Keep))]
        fresh = self._fresh(wanted)
        asks = sum(isinstance(effect, Ask) for effect in plain)
        self._idle = 0 if fresh or asks else self._idle + 1
        over = self._over() or self._lacking(fresh, asks)
        if over is not None:
            yield [*kept, Record("study", self._state())]
            return over, None
        new = [record for effect in wanted if isinstance(effect, Evaluate) for record in self._admitted(effect)]
        begun = {key: self._evaluator(*arguments) for key, arguments in fresh.items()}
        runs = {key: run for key, run in begun.items() if isinstance(run, Scored)}
        nested = {key: self._nested(key, run) for key, run in begun.items() if not isinstance(run, Scored)}
        answers = yield [*plain, *nested.values(), *kept, *new]
        said, ran = answers[: len(plain)], answers[len(plain) : len(plain) + len(nested)]
        runs |= dict(zip(nested, map(_scored, ran), strict=True))
        runs = {key: _finite(run) for key, run in runs.items()}
        self._note(runs)
        for effect, result in zip(plain, said, strict=True):
            if isinstance(effect, Ask):
                self._asks, self._asking = self._asks + 1, self._asking + result.usage
        rest = iter(said)
        found = [score is not None for score in self._asked_for(wanted)]
        self._outages = 0 if any(found) else self._outages + bool(found)
        results = [self._result(effect, rest) for effect in wanted]
        for key, run in runs.items():
            if run.score is None:  # tried again, if it is asked for again
                del self._known[key]
        evaluations = [result for result in results if isinstance(result, Evaluation)]
        state = [] if self._study is None else [Record("study", self._state())]
        yield [*map(_told, evaluations), *state]
        return None, results

    # --- before a list is started ------------------------------------------------------------------------------------

    def _admitted(self, effect: Evaluate) -> list[Record]:
        """The record of a candidate that is new.

        Raises:
            ValueError: the split or its examples are not the optimizer's to use, or the candidate has problems.
        """
        candidate, study = effect.candidate, self._study
        if study is not None:
            allowed = self._splits.get(id(effect.split))
            if allowed is None or not allowed.issuperset(effect.ids):
                raise ValueError(f"an optimizer may not evaluate on these examples of {effect.split.name!r}")
        if not effect.ids:
            raise ValueError("an evaluation needs examples")
        known = self._candidates.get(candidate.id)
        if known is not None and known.values != candidate.values:
            raise ValueError(f"two candidates have the id {candidate.id!r}")
        if study is None or known is not None:
            return []
        problems = study.problems(candidate.values)
        if problems:
            raise ValueError(f"not a candidate: {problems}")
        self._candidates[candidate.id] = candidate
        self._since += 1
        data = {"id": candidate.id, "parents": candidate.parents, "note": candidate.note, "values": candidate.values}
        return [Record("candidate", {**data, "values": dict(candidate.values)})]

    def _fresh(self, wanted: Sequence[Any]) -> dict[Key, tuple[Candidate, str, int]]:
        found: dict[Key, tuple[Candidate, str, int]] = {}
        for effect in wanted:
            for example in effect.ids if isinstance(effect, Evaluate) else ():
                key = (effect.candidate.id, example, effect.rep)
                if key not in self._known:
                    found[key] = (effect.candidate, example, effect.rep)
        return found

    def _lacking(self, fresh: Mapping[Key, tuple[Candidate, str, int]], asks: int) -> str | None:
        """The limit that a list does not fit, by what its like has cost so far."""
        stops, n = self._stops, len(fresh)
        if stops.examples is not None and self._examples + n > stops.examples:
            return "examples"
        if stops.limits == Limits():
            return None
        known = max(self._examples, 1)
        each = [self._evaluator.calls(candidate) for candidate, _, _ in fresh.values()]
        calls = sum(self._evaluating.calls / known if one is None else one for one in each) + asks
        ran, asked, spent = self._evaluating, self._asking, self._evaluating + self._asking
        tokens = _scaled(_tokens(ran), n, known) + _scaled(_tokens(asked), asks, max(self._asks, 1))
        usd = _scaled(ran.cost_usd, n, known) + _scaled(asked.cost_usd, asks, max(self._asks, 1))
        left = stops.aside
        for name, wall, cost, one, aside in (
            ("calls", stops.limits.calls, spent.calls + calls, ran.calls, left.calls),
            ("tokens", stops.limits.tokens, (_tokens(spent) or 0) + tokens, _tokens(ran), left.tokens),
            ("usd", stops.limits.usd, (spent.cost_usd or 0.0) + usd, ran.cost_usd, left.usd),
        ):
            lacking = max(0.0, _scaled(one, stops.tested, known) - (aside or 0))
            if wall is not None and cost + lacking > wall:
                return name
        return None

    def _nested(self, key: Key, run: Trial | Callable[[Context], Program]) -> Nested | Trial:
        if isinstance(run, Trial):
            return run
        candidate, example, rep = key
        return Nested(run, f"{candidate}.{example}.{rep}", chance=f"example/{example}/{rep}")

    # --- after it ----------------------------------------------------------------------------------------------------

    def _note(self, runs: Mapping[Key, Scored]) -> None:
        for key, run in runs.items():
            self._known[key] = run
            self._evaluating = self._evaluating + run.usage
            self._missing += run.score is None
        self._examples += len(runs)

    def _keep(self, keep: Keep) -> Record:
        """The record of it.

        Raises:
            ValueError: it was never evaluated.
        """
        known = self._candidates.get(keep.candidate.id)
        if known is None or known.values != keep.candidate.values:
            raise ValueError("an optimizer may keep only what was evaluated")
        if self._kept is None or self._kept.candidate.id != keep.candidate.id:  # else it is only better known
            self._keeps, self._since = self._keeps + 1, 0
        self._kept = keep
        return Record("best", {"id": keep.candidate.id, "mean": keep.evaluation.mean, "split": keep.evaluation.split})

    def _asked_for(self, wanted: Sequence[Any]) -> Iterator[float | None]:
        for effect in wanted:
            for example in effect.ids if isinstance(effect, Evaluate) else ():
                yield self._known.score((effect.candidate.id, example, effect.rep))

    def _result(self, effect: Any, said: Iterator[Any]) -> Any:
        if isinstance(effect, Evaluate):
            return self._evaluation(effect)
        return None if isinstance(effect, Keep) else next(said)

    def _evaluation(self, effect: Evaluate) -> Evaluation:
        """What is known of a candidate on the examples asked for.

        Raises:
            Failed: nothing is.
        """
        runs = {example: self._known[effect.candidate.id, example, effect.rep] for example in effect.ids}
        if (effect.needed or self._outages >= OUTAGES) and all(run.score is None for run in runs.values()):
            first = next(iter(runs.values())).error
            raise Failed(f"none of {len(runs)} examples could be scored; the first: {first}")
        cases = tuple(Case(example, run) for example, run in runs.items()) if effect.split.quotable else ()
        scores = {example: run.score for example, run in runs.items()}
        return Evaluation(effect.candidate, effect.split.name, scores, _averaged(list(runs.values())), cases)

    def _state(self) -> dict[str, Any]:
        """For whoever watches."""
        spent = self._evaluating + self._asking
        return {
            "best": None if self._kept is None else self._kept.evaluation.mean,
            "kept": self._keeps,
            "tried": len(self._candidates),
            "examples": self._examples,
            "missing": self._missing,
            "asks": self._asks,
            "calls": spent.calls,
            "tokens": _tokens(spent),
            "usd": spent.cost_usd,
            "asking": {"calls": self._asking.calls, "tokens": _tokens(self._asking), "usd": self._asking.cost_usd},
        }

    def _over(self) -> str | None:
        stops = self._stops
        if stops.target is not None and self._kept is not None and self._kept.evaluation.mean >= stops.target:
            return "target"
        if self._idle >= IDLE:
            return "idle"
        return "patience" if stops.patience is not None and self._since >= stops.patience else None


def _told(evaluation: Evaluation) -> Record:
    """How a candidate did, for the report."""
    known = [score for score in evaluation.scores.values() if score is not None]
    mean = evaluation.mean if known else None
    data = {"candidate": evaluation.candidate.id, "split": evaluation.split, "mean": mean, "n": len(known)}
    spread = {"sd": _deviation(known) if len(known) > 1 else None, "asked": len(evaluation.scores)}
    return Record("evaluation", {**data, **spread, "measures": evaluation.measures})


def _deviation(values: Sequence[float]) -> float:
    """The sample standard deviation; `statistics.stdev` reckons with fractions, and takes half of a study's time."""
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _scored(outcome: Outcome) -> Scored:
    if outcome.failure is not None and outcome.failure.kind == "memory":  # not journaled: nothing may follow
        raise Failed(outcome.failure.message, "memory")
    if outcome.failure is not None:
        return Scored(None, error=outcome.failure.message)
    return outcome.value


def _finite(run: Scored) -> Scored:
    """A score that is no number would stand above and below all others: it is missing."""
    if run.score is None or math.isfinite(run.score):
        return run
    return msgspec.structs.replace(run, score=None, error=f"the score is {run.score}")


def _tokens(usage: Usage) -> int | None:
    if usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    return usage.prompt_tokens + usage.completion_tokens


def _scaled(amount: float | None, times: int, of: int) -> float:
    return (amount or 0.0) * times / of


def _averaged(runs: Sequence[Scored]) -> dict[str, float]:
    names = dict.fromkeys(name for run in runs for name in run.measures)
    found = {name: [run.measures[name] for run in runs if name in run.measures] for name in names}
    return {name: math.fsum(values) / len(values) for name, values in found.items()}
