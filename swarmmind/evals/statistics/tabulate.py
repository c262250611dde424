"""From an eval's episodes to its table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from swarmmind.evals.published import published
from swarmmind.evals.record import Arm, Manifest, Played, Recorded
from swarmmind.evals.statistics.cells import Episodes, cell, headline, measured, scores
from swarmmind.evals.statistics.differences import Side, difference
from swarmmind.evals.statistics.layout import Layout, Scores, of
from swarmmind.evals.statistics.warnings import warnings
from swarmmind.evals.table import Cell, Difference, Line, Point, Table

_ROUNDING = 1e-9  # of means of many numbers


class _Ranks(NamedTuple):
    """The lines by what they are for."""

    arms: list[Line]
    controls: list[Line]
    baselines: list[Line]
    floors: list[Line]


def tabulate(recorded: Recorded) -> Table:
    """The table of an eval, which may still go on: what is missing is counted, and is never a 0.

    Differences come arm by arm: with its controls, each baseline, each floor, and the first arm.

    Raises:
        KeyError: the manifest names published results that there are none of.
    """
    manifest = recorded.manifest
    layout = of(manifest)
    episodes: dict[str, dict[tuple[str, int], Played | None]] = {arm.id: {} for arm in manifest.arms}
    for row in recorded.rows():
        episodes[row.arm.id][row.instance.id, row.seed] = row.played
    cuts = _cuts(manifest)
    lines = _ordered([_line(manifest, layout, cuts, arm, episodes[arm.id]) for arm in manifest.arms])
    differences = list(_differences(layout, lines, episodes))
    columns = [name for name in layout.weights if name]
    counts = _counts(recorded)
    below = [line.arm.id for line in lines if line.arm.kind == "arm" and _is_below(line, manifest.threshold)]
    return Table(
        name=manifest.name,
        columns=columns,
        headline=manifest.headline,
        lines=lines,
        differences=differences,
        published=published(manifest.published) if manifest.published else [],
        seeds=len(manifest.seeds),
        instances=len(manifest.instances),
        planned=sum(counts),
        finished=counts[0],
        failed=counts[1],
        cancelled=counts[2],
        threshold=manifest.threshold,
        below=below,
        guess=manifest.guess,
        warnings=[*manifest.notes, *warnings(manifest, lines, differences)],
    )


def _line(manifest: Manifest, layout: Layout, cuts: Mapping[float, Layout], arm: Arm, episodes: Episodes) -> Line:
    known = scores(episodes)
    found = measured(layout, known)
    parted: dict[str, dict[tuple[str, int], Played | None]] = {}
    for key, one in episodes.items():
        parted.setdefault(layout.place[key[0]][0], {})[key] = one
    columns: dict[str, Cell] = {}
    for name, own in parted.items():
        if name:
            alone = layout._replace(weights={name: manifest.units.get(name, 1.0)})
            score = headline(alone, {name: found[name]}) if name in found else None
            columns[name] = cell(manifest, alone, own, score)
    score = headline(layout, found)
    curve = list(_curve(cuts, known))
    at = _number(arm.axes.get(manifest.curve))
    if not cuts and at is not None and score is not None:  # the arms differ in it: each has one point
        curve = [Point(at, score)]
    return Line(arm, cell(manifest, layout, episodes, score), columns, curve)


def _cuts(manifest: Manifest) -> dict[float, Layout]:
    """The layout of the cases of each value of the curve's axis, in the order of the values."""
    axis = manifest.curve
    values = {number for case in manifest.cases if (number := _number(case.axes.get(axis))) is not None}
    return {at: of(manifest, lambda case, at=at: _number(case.axes.get(axis)) == at) for at in sorted(values)}


def _curve(cuts: Mapping[float, Layout], found: Scores) -> Iterator[Point]:
    for at, cut in cuts.items():
        score = headline(cut, measured(cut, {key: value for key, value in found.items() if key[0] in cut.place}))
        if score is not None:
            yield Point(at, score)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _ordered(lines: Sequence[Line]) -> list[Line]:
    """Each arm with its controls below it, then baselines, then floors."""
    ranks = _ranked(lines)
    arms = {line.arm.id for line in ranks.arms}
    stray = [line for line in ranks.controls if line.arm.of not in arms]
    led = [one for line in ranks.arms for one in (line, *(own for own in ranks.controls if own.arm.of == line.arm.id))]
    return [*led, *stray, *ranks.baselines, *ranks.floors]


def _ranked(lines: Sequence[Line]) -> _Ranks:
    def of_kind(kind: str) -> list[Line]:
        return [line for line in lines if line.arm.kind == kind]

    return _Ranks(of_kind("arm"), of_kind("control"), of_kind("baseline"), of_kind("floor"))


def _differences(layout: Layout, lines: Sequence[Line], episodes: Mapping[str, Episodes]) -> Iterator[Difference]:
    ranks = _ranked(lines)
    sides = {
        line.arm.id: Side(line.arm.id, line.arm.name, scores(episodes[line.arm.id]), line.total.tokens)
        for line in lines
    }
    for line in ranks.arms:
        others: list[tuple[Literal["arm", "control", "baseline", "floor"], Line]] = [
            *(("control", one) for one in ranks.controls if one.arm.of == line.arm.id),
            *(("baseline", one) for one in ranks.baselines),
            *(("floor", one) for one in ranks.floors),
            *(("arm", one) for one in ranks.arms[:1] if one is not line),
        ]
        for why, other in others:
            found = difference(layout, sides[line.arm.id], sides[other.arm.id], why)
            if found is not None:
                yield found


def _counts(recorded: Recorded) -> tuple[int, int, int]:
    """Episodes that were finished, failed and cancelled; one that arms share counts once."""
    finished = failed = cancelled = 0
    for played in recorded.planned().values():
        finished += played is not None and played.score is not None
        failed += played is not None and played.score is None
        cancelled += played is None
    return finished, failed, cancelled


def _is_below(line: Line, threshold: float | None) -> bool:
    return threshold is not None and (line.total.score is None or line.total.score.mean < threshold - _ROUNDING)
