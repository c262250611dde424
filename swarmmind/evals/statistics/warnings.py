"""What a person should know about the numbers of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from swarmmind.evals.record import Manifest
from swarmmind.evals.statistics.estimates import FEW_CLUSTERS
from swarmmind.evals.table import Difference, Line

_MANY = 10  # comparisons of arms; by chance alone one in twenty shows what is not there


def warnings(manifest: Manifest, lines: Sequence[Line], differences: Sequence[Difference]) -> list[str]:
    """One sentence each, the gravest first."""
    return [
        *_missing(lines),
        *_floors(lines, differences),
        *_few(manifest, lines),
        *_unknown(lines),
        *_many(differences),
    ]


def _missing(lines: Sequence[Line]) -> Iterator[str]:
    for line in lines:
        total = line.total
        if total.missing:
            yield (
                f"{line.arm.name}: {total.missing:,} of {total.planned:,} episodes have no score; they are left out, "
                "and what is left may be easier than the whole"
            )
        empty = [name for name, cell in line.columns.items() if cell.score is None]
        if empty and len(empty) < len(line.columns):
            yield f"{line.arm.name}: no score at all in {', '.join(empty)}: its total is not comparable"


def _floors(lines: Sequence[Line], differences: Sequence[Difference]) -> Iterator[str]:
    names = {line.arm.id: line.arm.name for line in lines}
    for one in differences:
        if one.why == "floor" and one.verdict != "better":
            yield f"{names[one.first]} is not shown to be better than the floor {names[one.second]}"


def _few(manifest: Manifest, lines: Sequence[Line]) -> Iterator[str]:
    if len(manifest.seeds) == 1:
        yield "one seed: nobody can say how much of a score is luck of the draw, nor how often answers flip"
    found = [cell.score.clusters for line in lines for cell in (line.columns.values() or [line.total]) if cell.score]
    if found and min(found) < FEW_CLUSTERS:
        yield (
            f"as few as {min(found)} independent problems or seeds in a cell: intervals are wide, "
            "and of skewed scores they hold the truth less often than they say"
        )


def _unknown(lines: Sequence[Line]) -> Iterator[str]:
    silent = [line.arm.name for line in lines if line.total.tokens is None and line.total.missing < line.total.planned]
    if silent:
        yield f"a server did not say what it spent: the tokens of {', '.join(silent)} are unknown"


def _many(differences: Sequence[Difference]) -> Iterator[str]:
    count = sum(one.why in ("arm", "control") for one in differences)
    if count >= _MANY:
        yield f"{count} comparisons: of arms that are equal, about one in twenty seems to differ"
