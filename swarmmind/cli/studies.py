"""What is said of a study on the terminal: its price before it starts, its line while it runs, its result."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from swarmmind.report.text import bill_line, coverage_line, duration, number, usd, visible, workers_lines
from swarmmind.runs.studies.plan import StudyPlan
from swarmmind.runs.studies.price import StudyPrice

_SHORT = 60
_MOST_TOLD = 8  # changed parameters


def price_lines(study: StudyPlan, price: StudyPrice) -> list[str]:
    """What a study will take at most."""
    train, validate, test = (len(ids.ids) for ids in (study.study.train, study.study.validate, study.examples.test))
    names = [parameter.name for parameter in study.study.parameters]
    told = ", ".join(names[:_MOST_TOLD]) + (f" and {len(names) - _MOST_TOLD} more" if len(names) > _MOST_TOLD else "")
    about = "" if price.counted else "about "
    each = f"{about or 'up to '}{number(price.calls_each)} call{'' if price.calls_each == 1 else 's'}"
    found = [
        f"study: {study.optimizer} changes {told}",
        f"examples: {number(train)} to learn from, {number(validate)} to choose by, {number(test)} held out",
    ]
    if price.calls is None:
        found.append(
            f"takes: nobody says how many runs, of {each}; and {number(price.held_out)} runs for the held-out test"
        )
    else:
        asks = f"{number(price.asks)} asks of critic and editor, " if price.asks else ""
        runs = f"{number(price.examples)} runs of {each}, {asks}{number(price.held_out)} held-out runs"
        bound = "if none has to be repeated" if price.counted else "and more if the team grows"
        found.append(f"takes at most: {runs}: {about}{number(price.calls)} calls, {bound}")
        tokens = f"{number(price.prompt_tokens)} tokens read, {number(price.completion_tokens)} written"
        found.append(f"that is about {tokens}, {usd(price.cost_usd)}")
    walls = list(_walls(study))
    found.append(f"ends early at: {', '.join(walls) if walls else 'no wall is set'}")
    return [visible(line) for line in found]


def _walls(study: StudyPlan) -> Iterator[str]:
    stops, budget = study.stops, study.base.task.budget.limits()
    if stops.target is not None:
        yield f"a score of {number(stops.target)}"
    if stops.patience is not None:
        yield f"{number(stops.patience)} candidates in a row that are no better"
    if stops.examples is not None:
        yield f"{number(stops.examples)} runs"
    for name, wall in (("calls", budget.calls), ("tokens", budget.tokens)):
        if wall is not None:
            yield f"{number(wall)} {name}"
    if budget.usd is not None:
        yield usd(budget.usd)
    if budget.seconds is not None:
        yield duration(budget.seconds)


def progress_line(state: Mapping[str, Any]) -> str:
    """How far a study is, from its last record."""
    spent = [f"{number(state.get('calls'))} calls", f"{number(state.get('tokens'))} tokens", usd(state.get("usd"))]
    missing = f", {number(state['missing'])} missing" if state.get("missing") else ""
    return " · ".join(
        (
            f"best {number(state['best']) if state.get('best') is not None else 'none yet'}",
            f"{number(state.get('kept'))} kept of {number(state.get('tried'))} tried",
            f"{number(state.get('examples'))} runs{missing}",
            f"{number(state.get('asks'))} asks",
            ", ".join(spent),
        )
    )


def lines(result: Mapping[str, Any], *, allow_code: bool = False) -> list[str]:
    """The last words of a study.

    Args:
        result: what `result.json` holds.
        allow_code: whether the winner's task needs to be allowed its code.
    """
    study: Mapping[str, Any] = result["study"]
    found = [f"{result['name']}: {result['status']} ({_reason(study['reason'])}) in {duration(result['seconds'])}"]
    found += _gain(study)
    found += _changes(study)
    found.append(
        f"tried: {number(study['tried'])} candidates in {number(study['examples'])} runs, {number(study['kept'])} kept"
    )
    found.append(f"coverage: {coverage_line(result['coverage'])}")
    found.append(f"bill: {bill_line(result['usage'])}")
    found += workers_lines(result.get("workers"))
    if study["evaluating"] and study["asking"]:
        shares = ((study["evaluating"], "running candidates"), (study["asking"], "critic and editor"))
        found += [
            f"  {what}: {number(s['calls'])} calls, {number(s['tokens'])} tokens, {usd(s['usd'])}" for s, what in shares
        ]
    if result["error"]:
        found.append(f"error: {result['error']}")
    if result["undone"]:
        found.append(f"left undone: {result['undone']}")
    found += [f"warning: {warning}" for warning in result["warnings"]]
    if study["parts"]:
        words = ["swarmmind", "run", f"{study['parts']}/task.yaml", *(["--allow-code"] if allow_code else [])]
        found += [f"parts: {study['parts']} (what changed: best.diff)", f"run it: {shlex.join(words)}"]
    found.append(f"report: {result['folder']}/optimize-report.html")
    if result["status"] in ("stopped", "interrupted", "crashed"):
        found.append(f"resume: swarmmind resume {shlex.quote(result['folder'])} --set budget.calls=...")
    return [visible(line) for line in found]


_REASONS = {
    "finished": "the optimizer was done",
    "target": "the target was reached",
    "idle": "the optimizer asked for nothing new any more",
    "patience": "nothing better came for long enough",
    "failed": "everything that was run at once failed",
}


def _reason(reason: str) -> str:
    return _REASONS.get(reason, f"limit reached: {reason}")


def _gain(study: Mapping[str, Any]) -> Iterator[str]:
    """The held-out test in full, or why there is nothing to tell; then what the winner was chosen by."""
    if study["best"] is None:
        return
    changed = bool(study["changed"])
    if not changed:
        yield "nothing was found that is better than the start"
    held = study["held_out"]
    if held is not None:
        if changed and held["gain"] is not None:
            count = number(held["gain"]["n"])
            yield f"gain on {count} held-out examples, with its 95 % interval: {_mean(held['gain'], '+.3f')}"
        yield from (f"  {who}: {_mean(held[who], '.3f')}" for who in ("start", "best")[: 1 + changed] if held[who])
    for what, means in (("validation", study["validate"]), ("training", study["train"])):
        both = [means[who] for who in ("start", "best")[: 1 + changed]] if means else []
        if both and all(both):
            many = "example" if both[0]["n"] == 1 else "examples"
            yield f"{what}, {number(both[0]['n'])} {many}: {' -> '.join(_mean(one, '.3f') for one in both)}"


def _mean(interval: Mapping[str, Any], form: str) -> str:
    return f"{interval['mean']:{form}}{_ends(interval, form)}"


def _ends(interval: Mapping[str, Any], form: str) -> str:
    if interval["low"] is None:
        return ""
    return f" [{interval['low']:{form}}, {interval['high']:{form}}]"


def _changes(study: Mapping[str, Any]) -> Iterator[str]:
    if not study["changed"]:
        return
    start, best = study["start"]["values"], study["best"]["values"]
    for name in study["changed"][:_MOST_TOLD]:
        old, new = start[name], best[name]
        plain = all(isinstance(value, (str, int, float)) and len(str(value)) <= _SHORT for value in (old, new))
        yield f"changed: {name} {number(old)} -> {number(new)}" if plain else f"changed: {name}"
    if len(study["changed"]) > _MOST_TOLD:
        yield f"  and {number(len(study['changed']) - _MOST_TOLD)} more"
    note = " ".join(study["best"]["note"].split())
    if note:
        yield f"why: {note[:200]}"
