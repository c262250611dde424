"""An episode as one of Inspect's samples: the instance is the sample, the seed the epoch."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from swarmmind.evals.record import Manifest, Played, Row
from swarmmind.report import text
from swarmmind.report.evals import figures
from swarmmind.report.evals.inspect.talk import Talk, spent

SCORER = "score"
_UNSAFE = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f]')
_ID_CHARACTERS, _SUMMARY_CHARACTERS = 120, 1000


def ids(manifest: Manifest) -> dict[str, str]:
    """Ids of samples by instance: also names in an archive, so no path, and no two the same in any case of letters."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    cases = {case.id: case for case in manifest.cases}
    for instance in manifest.instances:
        name = figures.called(instance, cases[instance.case])
        plain = _UNSAFE.sub("_", text.visible(name)).strip(". ") or "instance"
        if plain != name or len(plain) > _ID_CHARACTERS or plain.lower() in taken:
            mark = blake2b(instance.id.encode("utf-8", "surrogatepass"), digest_size=5).hexdigest()
            plain = f"{plain[:_ID_CHARACTERS]}-{mark}"
        taken.add(plain.lower())
        found[instance.id] = plain
    return found


def sample(row: Row, played: Played, name: str, epoch: int, heard: Talk) -> dict[str, Any]:
    """The whole of it, as `EvalSample` reads it."""
    model = max(heard.usage, key=lambda one: heard.usage[one].calls, default="none")
    usage = {name: told for name, one in heard.usage.items() if (told := spent(one)) is not None}
    said = {"role": "assistant", "content": played.output, "source": "generate", "model": model}
    choices = [{"message": said, "stop_reason": "stop"}] if played.output else []
    return {
        "id": name,
        "epoch": epoch,
        "input": _input(row),
        "target": row.instance.target,
        "messages": heard.messages,
        "output": {"model": model, "choices": choices, "time": played.seconds},
        "scores": scores(played),
        "metadata": _metadata(row, played, heard),
        "model_usage": usage,
        "started_at": moment(heard.began),
        "completed_at": moment(heard.ended),
        "total_time": played.seconds,
        "working_time": played.seconds,
        "uuid": blake2b(f"{row.arm.id} {row.label}".encode("utf-8", "surrogatepass"), digest_size=11).hexdigest(),
        "error": _error(played),
    }


def summary(whole: dict[str, Any]) -> dict[str, Any]:
    """What lists of samples show, as `EvalSampleSummary` reads it."""
    kept = {name: whole[name] for name in ("id", "epoch", "scores", "model_usage", "started_at", "completed_at")}
    kept |= {name: whole[name] for name in ("total_time", "working_time", "uuid")}
    kept |= {name: whole[name][:_SUMMARY_CHARACTERS] for name in ("input", "target")}
    marks = {name: {**mark, "answer": _short(mark["answer"]), "explanation": _short(mark["explanation"])}
             for name, mark in (whole["scores"] or {}).items()}  # fmt: skip
    failed = None if whole["error"] is None else whole["error"]["message"][:_SUMMARY_CHARACTERS]
    counts = {"message_count": len(whole["messages"]), "completed": True}
    return {**kept, "scores": marks or None, "metadata": {"seed": whole["metadata"]["seed"]}, "error": failed, **counts}


def scores(played: Played) -> dict[str, Any] | None:
    """The mark, or `None`: what has no score is no 0."""
    if played.score is None:
        return None
    mark = {"value": played.score, "answer": played.output, "explanation": played.reason or None}
    return {SCORER: mark | ({"metadata": dict(played.metrics)} if played.metrics else {})}


def moment(seconds: float | None) -> str | None:
    """Unix time as Inspect writes it."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _short(words: str | None) -> str | None:
    return None if words is None else words[:_SUMMARY_CHARACTERS]


def _input(row: Row) -> str:
    """The problem; of a world, where it is played."""
    place = ", ".join(f"{path}: {text.plain(value)}" for path, value in row.case.axes.items())
    return row.instance.text or f"{place or row.case.id}, seed {row.seed}"


def _metadata(row: Row, played: Played, heard: Talk) -> dict[str, Any]:
    known: dict[str, Any] = {"instance": row.instance.id, "seed": row.seed, "case": row.case.id, "axes": row.case.axes}
    known["asks"] = {name: getattr(played, name) for name in ("planned", "finished", "failed", "cancelled")}
    known["usage"] = {name: getattr(played.usage, name) for name in played.usage.__struct_fields__}
    found = {"kind": row.instance.kind, "failures": heard.failures, "messages_left_out": heard.left_out}
    return known | {name: value for name, value in found.items() if value}


def _error(played: Played) -> dict[str, str] | None:
    if played.score is not None:
        return None
    return {"message": played.error or "no score", "traceback": "", "traceback_ansi": ""}
