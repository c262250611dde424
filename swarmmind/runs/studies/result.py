"""What a study came to, with how sure it is."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from swarmmind.effects import Outcome, Usage
from swarmmind.intervals import Bounds, inflation, interval, paired
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.conduct import Conclusion
from swarmmind.optimizers.study import Evaluation, Split
from swarmmind.runs.execute import Session, result_of
from swarmmind.runs.result import Means, Result, Spending, Status, StudyResult, Winner
from swarmmind.runs.studies.plan import StudyPlan
from swarmmind.runs.studies.program import Findings

_WALLS = ("calls", "tokens", "usd", "seconds")


def study_result(
    study: StudyPlan, session: Session, outcome: Outcome | None, status: Status, error: str | None
) -> Result:
    """The result of a study's session (see `runs.execute.result_of`)."""
    plain = None if outcome is None else Outcome(None, outcome.failure, outcome.stopped)
    result = result_of(session, plain, status, error)
    findings = outcome.value if outcome is not None else None
    told = _told(study, session, findings, result)
    if not isinstance(findings, Findings):
        return msgspec.structs.replace(result, study=told)
    conclusion = findings.conclusion
    stopped = conclusion.reason if conclusion.reason in _WALLS else result.stopped
    failed = conclusion.reason == "failed"
    means = told.held_out or told.validate or told.train
    return msgspec.structs.replace(
        result,
        status="failed" if failed else "stopped" if stopped else result.status,
        stopped=stopped,
        undone="the optimizer was not done; a larger budget lets it go on" if stopped else None,
        error=conclusion.error or result.error,
        score=means.best.mean if means and means.best else None,
        warnings=[*result.warnings, *_warnings(study, findings, told)],
        study=told,
    )


def _told(study: StudyPlan, session: Session, findings: Any, result: Result) -> StudyResult:
    start = study.study.start[0]
    state: Mapping[str, Any] = session.meter.latest.get("study") or {}
    asking = Spending(**state["asking"]) if "asking" in state else Spending(0, 0, 0.0)
    common = StudyResult(
        study.optimizer,
        [parameter.name for parameter in study.study.parameters],
        result.status,
        _winner(start),
        tried=state.get("tried", 0),
        kept=state.get("kept", 0),
        examples=state.get("examples", 0),
        missing=state.get("missing", 0),
        evaluating=_rest(result.usage, asking),
        asking=asking,
    )
    if not isinstance(findings, Findings):
        return common
    conclusion = findings.conclusion
    best, train, validate = conclusion.best, study.study.train, study.study.validate
    bounds = (0.0, 1.0) if study.base.society.environment is None else None  # worlds have units of their own
    return msgspec.structs.replace(
        common,
        reason=conclusion.reason,
        best=_winner(best),
        changed=[name for name, value in best.values.items() if value != start.values[name]],
        train=_means(conclusion, train, start, best, bounds),
        validate=_means(conclusion, validate, start, best, bounds),
        held_out=_held_out(findings, bounds),
        inflation=_inflation(conclusion, validate if validate.ids else train),
        tried=conclusion.tried,
        examples=conclusion.examples,
        missing=conclusion.missing,
    )


def _winner(one: Candidate) -> Winner:
    return Winner(one.id, dict(one.values), one.note, list(one.parents))


def _rest(usage: Usage, asking: Spending) -> Spending:
    tokens = usage.prompt_tokens, usage.completion_tokens
    known = asking.tokens is not None and tokens[0] is not None and tokens[1] is not None
    return Spending(
        usage.calls - asking.calls,
        (tokens[0] or 0) + (tokens[1] or 0) - (asking.tokens or 0) if known else None,
        usage.cost_usd - asking.usd if usage.cost_usd is not None and asking.usd is not None else None,
    )


def _means(
    conclusion: Conclusion, split: Split, start: Candidate, best: Candidate, bounds: Bounds | None
) -> Means | None:
    """On what was measured of a split, of both on the same examples; `None` if there are none."""
    before, after = (
        {i: s for i, s in conclusion.scores.get(one.id, {}).items() if i in split.ids} for one in (start, best)
    )
    if before and after:
        both = [example for example in before if example in after]
        before, after = ({example: scores[example] for example in both} for scores in (before, after))
    return _compared(before, after, bounds) if before or after else None


def _held_out(findings: Findings, bounds: Bounds | None) -> Means | None:
    if findings.start is None or findings.best is None:
        return None
    return _compared(_known(findings.start), _known(findings.best), bounds)


def _known(seen: Evaluation) -> dict[str, float]:
    return {example: score for example, score in seen.scores.items() if score is not None}


def _compared(before: Mapping[str, float], after: Mapping[str, float], bounds: Bounds | None) -> Means:
    both = [example for example in before if example in after]
    gain = paired([before[one] for one in both], [after[one] for one in both], bounds=bounds)
    start, best = (interval(list(scores.values()), bounds=bounds) for scores in (before, after))
    return Means(start, best, gain)


def _inflation(conclusion: Conclusion, split: Split) -> float | None:
    """How much of the winner's score on the examples it was chosen by is luck, on average, were all equally good."""
    here = {one: [s for i, s in scores.items() if i in split.ids] for one, scores in conclusion.scores.items()}
    count = len(here.get(conclusion.best.id, []))
    if count < 2:
        return None
    rivals = [scores for scores in here.values() if len(scores) >= count]
    sd = math.sqrt(statistics.fmean(statistics.variance(scores) for scores in rivals))
    return inflation(len(rivals), sd, count)


def _warnings(study: StudyPlan, findings: Findings, told: StudyResult) -> Sequence[str]:
    found: list[str] = []
    by, means = ("validation", told.validate) if told.validate else ("training", told.train)
    gain = means.gain.mean if means and means.gain else 0.0
    if told.inflation and told.changed and told.inflation >= gain / 2:
        how = f"{told.inflation:.3g} too high from luck alone"
        found.append(f"the winner, the best of {told.tried} candidates, may read {how} on the {by} examples")
    if findings.untested:
        found.append(f"the held-out test was not made: {findings.untested}")
    elif not study.examples.test.ids:
        found.append("no held-out test: set 'optimize.test', or nobody can tell a gain from luck")
    if study.examples.shared:
        found.append(f"{study.examples.shared} problems of the test are also among the others")
    if told.missing:
        found.append(f"{told.missing} of {told.examples} runs have no score: servers failed")
    return found
