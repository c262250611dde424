"""Runs against each other: on what they share, in pairs, with what that says, and where they part."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from swarmmind.errors import RunError, UserError
from swarmmind.evals.record import MANIFEST, Recorded, read
from swarmmind.evals.statistics import Layout, layout_of, mean_interval, paired_difference
from swarmmind.evals.table import Difference, Estimate
from swarmmind.intervals import Bounds
from swarmmind.runs import folder as folders
from swarmmind.runs.divergence import Divergence, Stretch, divergence
from swarmmind.runs.evals.grid import digest, essence
from swarmmind.spec import DatasetProblem, EnvironmentProblem, load_task

Scores = Mapping[tuple[str, int], float]


class Side(msgspec.Struct, frozen=True):
    """One of those that are compared.

    Attributes:
        name: the run, and of an eval the arm.
        score: its own mean; `None` if nothing was scored.
        runs: the folders; runs that differ in their seeds alone are one side.
    """

    name: str
    score: Estimate | None
    runs: list[str]


class Parting(msgspec.Struct, frozen=True):
    """Where two sides part; `None` if they never do."""

    first: str
    second: str
    where: str
    found: Divergence | None


class Comparison(msgspec.Struct, frozen=True):
    """Runs against each other.

    Attributes:
        sides: in the order given.
        differences: of a later side to an earlier one.
        partings: where the same pairs part.
        notes: what a person should know.
    """

    sides: list[Side]
    differences: list[Difference]
    partings: list[Parting]
    notes: list[str] = []


class _Entry(NamedTuple):
    run: str
    arm: str  # empty for a plain run
    scores: dict[tuple[str, int], float]
    bounds: Bounds | None
    stretches: dict[tuple[str, int], Stretch]  # by instance and seed; a plain run is one for all
    folders: list[str]
    layout: Layout | None = None

    @property
    def name(self) -> str:
        return " · ".join(filter(None, (self.run, self.arm)))


def compare_runs(runs: Sequence[Path]) -> Comparison:
    """Compare runs, or the arms of evals.

    Of two evals, arms of one name are compared; where there are none such, every arm with every arm. Of a single eval
    its own arms are. Plain runs must be of one problem; those that differ in their seeds alone are taken together.

    Args:
        runs: their folders.

    Raises:
        UserError: there is nothing to compare, or what there is shares no problem and seed.
        RunError: a folder is no run, or cannot be read.
    """
    entries = _named(list(_gathered([entry for run in runs for entry in _entries(run)])))
    pairs = _pairs(entries)
    if not pairs and len(runs) > 1 and not entries[0].arm:
        raise UserError("compare: these runs differ in their seeds alone and are one side; add runs of another task")
    if not pairs:
        raise UserError("compare: needs two runs, or an eval with two arms")
    if len({bool(entry.arm) for entry in entries}) > 1:
        raise UserError("compare: takes runs, or evals, not one of each; an eval of both tasks compares them in pairs")
    differences, partings, notes = list[Difference](), list[Parting](), list[str]()
    for first, second in pairs:
        shared = [key for key in first.scores if key in second.scores]
        if not shared:
            raise UserError(
                f"{second.name} and {first.name} share no problem and seed that both have scores for; "
                "compare runs of one data set, or of the same worlds"
            )
        bounds = first.bounds if first.bounds == second.bounds else None
        names = (second.name, first.name)
        found = paired_difference(
            second.scores, first.scores, bounds=bounds, names=names, layout=_layout(first, second)
        )
        differences.append(found)
        partings.append(_parting(first, second))
        lost = len({*first.scores, *second.scores}) - len(shared)
        if lost:
            notes.append(f"{second.name} and {first.name}: {lost:,} scores without a partner are left out")
    sides = [Side(one.name, _mean(one.scores, one.bounds), one.folders) for one in entries]
    return Comparison(sides, differences, partings, notes)


def _entries(folder: Path) -> Iterator[_Entry]:
    if (folder / MANIFEST).is_file():
        return _arms(folder, read(folder))
    return iter([_plain(folder)])


def _arms(folder: Path, recorded: Recorded) -> Iterator[_Entry]:
    manifest = recorded.manifest
    rows = list(recorded.rows())
    for arm in manifest.arms:
        if arm.kind != "arm":
            continue
        own = [row for row in rows if row.arm is arm and row.played is not None]
        scores = {
            (row.instance.id, row.seed): row.played.score
            for row in own
            if row.played is not None and row.played.score is not None
        }
        places = {(row.instance.id, row.seed): Stretch(folder, f"run/1/{row.label}/") for row in own}
        yield _Entry(folder.name, arm.name, scores, manifest.bounds, places, [str(folder)], layout_of(manifest))


def _plain(folder: Path) -> _Entry:
    """A run; its problem is part of the names of its instances, so that no two problems are taken for one."""
    result = folders.read_json(folder / folders.RESULT)
    origin = folders.read_json(folder / folders.ORIGIN)
    loaded = load_task(folder / folders.TASK, env={}, allow_code=True, folder=Path(origin["folder"]))
    problem, seed = loaded.task.problem, loaded.task.seed
    about = digest([loaded.source.data.get("problem"), origin.get("inputs")])
    scores: dict[tuple[str, int], float] = {}
    if isinstance(problem, DatasetProblem):
        for item in _items(folder / folders.JOURNAL):
            if item.get("score") is not None:
                scores[f"{about}-{item['item']}", seed] = item["score"]
    elif result.get("score") is not None:
        scores[about, seed] = result["score"]
    if not scores:
        raise RunError(f"{folder}: has no scores; nothing can be compared")
    bounds = None if isinstance(problem, EnvironmentProblem) else (0.0, 1.0)
    who = digest(essence(loaded))
    return _Entry(folder.name, "", scores, bounds, {("", 0): Stretch(folder)}, [str(folder), who])


def _gathered(entries: Sequence[_Entry]) -> Iterator[_Entry]:
    """Plain runs that differ in their seeds alone as one."""
    known: dict[str, _Entry] = {}
    for entry in entries:
        if entry.arm:
            yield entry
            continue
        folder, who = entry.folders
        mine = entry._replace(folders=[folder])
        before = known.get(who)
        if before is not None and not {*before.scores} & {*entry.scores}:
            before.scores.update(entry.scores)
            before.folders.append(folder)
            continue
        known[who if before is None else folder] = mine
        yield mine


def _named(entries: Sequence[_Entry]) -> list[_Entry]:
    """Runs by the ends of their folders' names, where that is enough; of a single one the arms alone."""
    runs = list(dict.fromkeys(entry.run for entry in entries))
    short = {run: run.rpartition("-")[2] for run in runs}
    if len(set(short.values())) < len(runs):
        short = {run: run for run in runs}
    return [entry._replace(run=short[entry.run] if len(runs) > 1 or not entry.arm else "") for entry in entries]


def _pairs(entries: Sequence[_Entry]) -> list[tuple[_Entry, _Entry]]:
    runs = {entry.run for entry in entries}
    both = list(combinations(entries, 2))
    if len(runs) < 2:
        return both
    across = [(first, second) for first, second in both if first.run != second.run]
    named = [(first, second) for first, second in across if first.arm and first.arm == second.arm]
    return named or across


def _items(journal: Path) -> Iterator[dict[str, Any]]:
    try:
        with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
            for (data,) in db.execute("SELECT data FROM records WHERE name='item' ORDER BY id"):
                yield msgspec.json.decode(data)
    except (sqlite3.Error, msgspec.MsgspecError) as error:
        raise RunError(f"{journal}: cannot be read ({error})") from error


def _parting(first: _Entry, second: _Entry) -> Parting:
    """Where two sides part: in the first episode, or run, in which they do."""
    for place, stretch in first.stretches.items():
        other = second.stretches.get(place)
        if other is not None:
            found = divergence(stretch, other)
            if found is not None:
                where = f"seed {place[1]} of {place[0]}" if place[0] else ""
                return Parting(first.name, second.name, where, found)
    return Parting(first.name, second.name, "", None)


def _layout(first: _Entry, second: _Entry) -> Layout | None:
    """Columns, cases and units of an eval that knows all that is shared; of plain runs there are none."""
    shared = {instance for instance, seed in first.scores if (instance, seed) in second.scores}
    known = first.layout if second.layout is not None else None
    return known if known is not None and shared <= {*known.place} else None


def _mean(scores: Scores, bounds: Bounds | None) -> Estimate | None:
    clusters: dict[str, list[float]] = {}
    for (instance, _), score in scores.items():
        clusters.setdefault(instance, []).append(score)
    return mean_interval(clusters if len(clusters) > 1 else [[one] for one in scores.values()], bounds)
