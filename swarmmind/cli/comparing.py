"""`swarmmind compare` and `swarmmind export`: what runs say beside each other, and an eval for other programs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from swarmmind import report
from swarmmind.cli.running import Json, Runs
from swarmmind.report.text import number, visible
from swarmmind.runs import api
from swarmmind.runs import folder as folders
from swarmmind.runs.compare import Comparison, Parting, compare_runs

_SHORT = 300  # characters of a text on the terminal


def compare(
    runs: Annotated[list[str], typer.Argument(help="Runs, or evals: folders, ids, or `last`.")],
    folder: Runs = Path(api.RUNS),
    as_json: Json = False,
) -> int:
    """Compare runs in pairs on what they share, say what that says, and show where they part."""
    found = compare_runs([folders.find(run, folder) for run in runs])
    if as_json:
        sys.stdout.write(json.dumps(msgspec.to_builtins(found)) + "\n")
    else:
        sys.stdout.write("\n".join(visible(line) for line in _lines(found)) + "\n")
    return 0


def export(
    run: Annotated[str, typer.Argument(help="An eval: its folder, its id, or `last`.")],
    form: Annotated[str, typer.Option("--format", "-f", help=f"One of: {', '.join(report.EXPORTS)}.")] = "inspect",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to; the run's folder.")] = None,
    runs: Runs = Path(api.RUNS),
    as_json: Json = False,
) -> int:
    """Write an eval as CSV, JSON, JUnit, Markdown, or logs that Inspect opens."""
    made = report.export(folders.find(run, runs), form, output)
    told = [str(path) for path in made]
    sys.stdout.write((json.dumps({"files": told}) if as_json else "\n".join(visible(path) for path in told)) + "\n")
    return 0


def _lines(found: Comparison) -> list[str]:
    width = max(len(side.name) for side in found.sides)
    out: list[str] = []
    for side in found.sides:
        score = side.score
        ends = "" if score is None or score.low is None else f" [{score.low:.3f}, {score.high:.3f}]"
        told = "no score" if score is None else f"{score.mean:.3f}{ends}  n={number(score.n)}"
        more = f"  ({len(side.runs)} runs)" if len(side.runs) > 1 else ""
        out.append(f"{side.name:<{width}}  {told}{more}")
    out.append("")
    out += [one.words for one in found.differences]
    out.append("")
    for parting in found.partings:
        out += _parting(parting)
    return out + [f"note: {note}" for note in found.notes]


def _parting(parting: Parting) -> list[str]:
    found = parting.found
    head = f"{parting.first} and {parting.second}"
    if found is None:
        return [f"{head}: all agents were told, and said, the same"]
    what = {
        "asked": f"{found.agent} is told something else",
        "answered": f"{found.agent} is told the same and says something else",
        "missing": f"only one of them asks {found.agent}",
    }[found.what]
    where = f" ({parting.where})" if parting.where else ""
    return [
        f"{head} part{where} after {number(found.alike)} equal answers, at {found.key}: {what}",
        f"  {parting.first}: {_short(found.first)}",
        f"  {parting.second}: {_short(found.second)}",
    ]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return (line if len(line) <= _SHORT else f"{line[:_SHORT]}...") or "(nothing)"
