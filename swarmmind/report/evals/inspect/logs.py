"""Writes Inspect's `.eval` files: an archive of JSON, sample by sample, so that its memory is one sample's.

Of Inspect nothing is needed; the format is what `inspect_ai` 0.3.285 reads (log version 2): `_journal/start.json`,
`samples/{id}_epoch_{n}.json`, `summaries.json`, `reductions.json`, `header.json`.
"""

from __future__ import annotations

import json
import math
import re
import secrets
import statistics
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from swarmmind.effects import Usage
from swarmmind.errors import UserError
from swarmmind.evals.record import Arm, Played, Row
from swarmmind.report import text
from swarmmind.report.evals.inspect import samples
from swarmmind.report.evals.inspect.talk import Talk, keys, spent, talk, total
from swarmmind.report.evals.source import Told
from swarmmind.report.read import Source
from swarmmind.version import __version__

_VERSION = 2
_LEVEL = 4
_NAME = re.compile(r"[^A-Za-z0-9.-]+")


def write_logs(given: Told, path: Path) -> list[Path]:
    """Write a log for every row of an eval: `{time}_{eval}_{id}.eval`. The same eval makes the same files.

    Args:
        given: the eval.
        path: a folder, which is made; or, if there is a single row, a file that ends in `.eval`.

    Returns:
        The logs, row by row.

    Raises:
        UserError: one file is asked for, and there are several rows.
        RunError: there is no readable journal in the folder.
        OSError: a log cannot be written; those before it are whole.
    """
    arms = given.recorded.manifest.arms
    single = path.suffix == ".eval" and not path.is_dir()
    if single and len(arms) != 1:
        raise UserError(f"{path}: expected a folder, for {len(arms)} rows make as many logs")
    if not single:
        path.mkdir(parents=True, exist_ok=True)
    source = Source(given.folder)
    try:
        began = _began(source)
        logs = [_Log(given, arm, source, began) for arm in arms]
        return [log.write(path if single else path / log.name) for log in logs]
    finally:
        source.close()


def _began(source: Source) -> float:
    """When the first result was there, in seconds of Unix time; 0 if there is none."""
    row = source.db.execute("SELECT at FROM results ORDER BY id LIMIT 1").fetchone()
    return float(row[0]) if row else 0.0


class _Done(NamedTuple):
    """What the header needs of a sample."""

    id: str
    played: Played
    summary: dict[str, Any]
    usage: dict[str, Usage]
    ended: float | None


class _Log:
    def __init__(self, given: Told, arm: Arm, source: Source, began: float) -> None:
        self._given, self._arm, self._source, self._began = given, arm, source, began
        manifest = given.recorded.manifest
        mark = f"{manifest.name}\n{arm.id}\n{given.folder.name}".encode("utf-8", "surrogatepass")
        self._id = blake2b(mark, digest_size=11).hexdigest()
        self._rows = [row for row in given.recorded.rows() if row.arm is arm]
        self._ids = samples.ids(manifest)
        self._epochs = {seed: number for number, seed in enumerate(manifest.seeds, 1)}
        time = datetime.fromtimestamp(began, UTC)
        self._created = time.isoformat(timespec="seconds")
        self._time = time.timetuple()[:6] if time.year >= 1980 else (1980, 1, 1, 0, 0, 0)
        task = _NAME.sub("-", manifest.name).strip("-.")[:60] or "eval"
        self.name = f"{_NAME.sub('-', self._created)}_{task}_{self._id}.eval"

    def write(self, path: Path) -> Path:
        part = path.with_name(f".{path.stem[:80]}-{secrets.token_hex(4)}.part")
        try:
            with ZipFile(part, "w", ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
                self._fill(archive)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return path

    def _fill(self, archive: ZipFile) -> None:
        known = keys(self._source)
        done: list[_Done] = []
        models = Models(self._arm)
        for row, played in self._played():
            heard = talk(self._source, known[row.label])
            models.see(heard)
            whole = samples.sample(row, played, self._ids[row.instance.id], self._epochs[row.seed], heard)
            self._put(archive, f"samples/{whole['id']}_epoch_{whole['epoch']}.json", whole)
            done.append(_Done(whole["id"], played, samples.summary(whole), heard.usage, heard.ended))
        spec = self._spec(models.main())
        self._put(archive, "_journal/start.json", {"version": _VERSION, "eval": spec, "plan": self._plan()})
        self._put(archive, "summaries.json", [one.summary for one in done])
        reduced = _reduced(done)
        self._put(archive, "reductions.json", [{"scorer": samples.SCORER, "reducer": "mean", "samples": reduced}])
        self._put(archive, "header.json", self._header(spec, done, reduced))

    def _played(self) -> Iterator[tuple[Row, Played]]:
        yield from ((row, row.played) for row in self._rows if row.played is not None)

    def _put(self, archive: ZipFile, name: str, value: Any) -> None:
        """A member that is the same whenever it is written."""
        info = ZipInfo(name, self._time)
        info.compress_type, info.external_attr = ZIP_DEFLATED, 0o644 << 16
        archive.writestr(info, json.dumps(value, allow_nan=False), compresslevel=_LEVEL)

    def _spec(self, model: str) -> dict[str, Any]:
        manifest, arm = self._given.recorded.manifest, self._arm
        planned = list(dict.fromkeys(self._ids[row.instance.id] for row in self._rows))
        metrics = [{"name": "inspect_ai/mean"}, {"name": "inspect_ai/stderr"}]
        return {
            "eval_id": self._id,
            "run_id": self._given.folder.name,
            "created": self._created,
            "task": manifest.name,
            "task_id": self._id,
            "task_version": 0,
            "task_display_name": f"{manifest.name} \N{MIDDLE DOT} {arm.name}",
            "task_attribs": {},
            "task_args": arm.axes,
            "solver": arm.name,
            "tags": [arm.kind],
            "dataset": {"name": manifest.name, "samples": len(planned), "sample_ids": planned, "shuffled": False},
            "model": model,
            "config": {"epochs": len(manifest.seeds), "epochs_reducer": ["mean"]},
            "packages": {"swarmmind": __version__},
            "metadata": {"arm": arm.id, "kind": arm.kind, "of": arm.of, "seeds": manifest.seeds},
            "scorers": [{"name": samples.SCORER, "metrics": metrics}],
        }

    def _plan(self) -> dict[str, Any]:
        return {"name": "swarmmind", "steps": [{"solver": self._arm.name, "params": {}}]}

    def _header(self, spec: dict[str, Any], done: list[_Done], reduced: list[dict[str, Any]]) -> dict[str, Any]:
        ended = max([self._began, *(one.ended for one in done if one.ended is not None)])
        usage = {model: told for model, one in total(one.usage for one in done).items() if (told := spent(one))}
        return {
            "version": _VERSION,
            "status": "success" if len(done) == len(self._rows) else "cancelled",
            "eval": spec,
            "plan": self._plan(),
            "results": {
                "total_samples": len(self._rows),
                "completed_samples": sum(one.played.score is not None for one in done),
                "scores": [_score([float(one["value"]) for one in reduced], done)] if reduced else [],
                "metadata": {"published": self._given.recorded.manifest.published, "run": self._given.folder.name},
            },
            "stats": {
                "started_at": self._created,
                "completed_at": samples.moment(ended) or "",
                "model_usage": usage,
            },
        }


class Models:
    """Counts whom a row asked."""

    def __init__(self, arm: Arm) -> None:
        self._calls: dict[str, int] = {}
        self._named = text.plain(arm.axes["model"]) if "model" in arm.axes else ""

    def see(self, heard: Talk) -> None:
        """An episode's talk."""
        for model, usage in heard.usage.items():
            self._calls[model] = self._calls.get(model, 0) + usage.calls

    def main(self) -> str:
        """The model of the arm, else the one that was asked most, else `none`."""
        return self._named or max(self._calls, key=lambda model: self._calls[model], default="none")


def _reduced(done: list[_Done]) -> list[dict[str, Any]]:
    """Of each sample the mean over its epochs, as Inspect reduces them."""
    scores: dict[str, list[float]] = {}
    for one in done:
        if one.played.score is not None:
            scores.setdefault(one.id, []).append(one.played.score)
    return [{"value": statistics.fmean(values), "sample_id": name} for name, values in scores.items()]


def _score(means: list[float], done: list[_Done]) -> dict[str, Any]:
    """Mean and standard error over samples, as Inspect's own `mean` and `stderr` count them."""
    stderr = statistics.stdev(means) / math.sqrt(len(means)) if len(means) > 1 else 0.0
    found = {"mean": statistics.fmean(means), "stderr": stderr}
    return {
        "name": samples.SCORER,
        "scorer": samples.SCORER,
        "reducer": "mean",
        "scored_samples": len(means),
        "unscored_samples": 0,
        "metrics": {name: {"name": name, "value": value, "params": {}} for name, value in found.items()},
        "metadata": {"episodes_without_a_score": sum(one.played.score is None for one in done)},
    }
