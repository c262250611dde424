"""`swarmmind eval`: arms on cases with seeds; progress on stderr, the table on stdout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from swarmmind import report
from swarmmind.cli.live import Display, Watcher
from swarmmind.cli.running import AllowCode, EngineOption, Json, Runs, Sets, Show, Workers, shown
from swarmmind.errors import UserError
from swarmmind.runs import api
from swarmmind.runs.result import Result


def evaluate(
    suite: Annotated[str, typer.Argument(help="A task file, or a suite: `swarmbench`, `swarmbench/foraging`.")],
    model: Annotated[
        list[str] | None, typer.Option("--model", metavar="MODEL", help="What plays; several are compared.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", metavar="K", min=1, help="Play each instance K times.")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="N instances a column.")] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="AXIS=PATTERN", help="Of an axis, the values that match; may be repeated."),
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option("--grid", metavar="AXIS=[A, B]", help="Compare these values: swarm.topology=[debate, vote]."),
    ] = None,
    compare: Annotated[
        list[str] | None, typer.Option("--compare", metavar="CONTROL", help="Controls at equal tokens: solo, vote.")
    ] = None,
    max_concurrent: Annotated[
        int | None, typer.Option("--max-concurrent", metavar="N", min=1, help="Most episodes at once.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option("--threshold", metavar="X", help="Exit with 100 if an arm scores less.")
    ] = None,
    into: Annotated[
        str | None,
        typer.Option("--into", metavar="RUN", help="Go on in an earlier eval's folder: only what is new is played."),
    ] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option("--output", "-o", metavar="FILE", help="Also write .csv, .json, .xml (JUnit), .md or .eval."),
    ] = None,
    sets: Sets = None,
    runs: Runs = Path(api.RUNS),
    allow_code: AllowCode = False,
    engine: EngineOption = "local",
    workers: Workers = None,
    as_json: Json = False,
    display: Show = Display.auto,
) -> int:
    """Compare models, topologies or anything else on a benchmark, with seeds, intervals and baselines."""
    watcher = Watcher(display)
    given = {"seeds": seeds, "limit": limit, "max_concurrent": max_concurrent, "threshold": threshold}
    overrides = [f"eval.{name}={value}" for name, value in given.items() if value is not None]
    overrides += [*_models(model or []), *_axes(grid or []), *_only(only or [])]
    overrides += [*_controls(compare or []), *(sets or [])]
    formats, ended = _formats(output or []), list[Result]()

    async def main() -> Result:
        options: dict[str, Any] = {"runs": runs, "into": into, "allow_code": allow_code, "watch": watcher.begin}
        options |= {"engine": engine, "workers": workers}
        ended.append(await api.evaluate(suite, overrides=overrides, **options))
        return ended[0]

    code = shown(main, watcher, as_json, allow_code)
    for path, form in formats if ended else ():
        report.export(ended[0].path, form, path, ended[0].eval)
    return code


def _models(names: list[str]) -> list[str]:
    if len(names) == 1:
        return [f"model={json.dumps(names[0])}", "grid.model=null"]
    return [f"model={json.dumps(names[0])}", f"grid.model={json.dumps(names)}"] if names else []


def _controls(given: list[str]) -> list[str]:
    return [f"compare={json.dumps([one for text in given for one in text.split(',')])}"] if given else []


def _formats(output: list[Path]) -> list[tuple[Path, str]]:
    formats = [(path, report.format_of(path)) for path in output]
    for path in output:
        if not path.parent.is_dir():
            raise UserError(f"--output {path}: there is no folder {path.parent}; make it first")
    return formats


def _axes(given: list[str]) -> list[str]:
    return [f"grid.{json.dumps(path)}={values}" for path, values in map(_pair, given, ["--grid"] * len(given))]


def _only(given: list[str]) -> list[str]:
    wanted: dict[str, list[str]] = {}
    for path, pattern in map(_pair, given, ["--only"] * len(given)):
        wanted.setdefault(path, []).append(pattern)
    return [f"eval.only.{json.dumps(path)}={json.dumps(patterns)}" for path, patterns in wanted.items()]


def _pair(text: str, option: str) -> tuple[str, Any]:
    path, equals, value = text.partition("=")
    if not equals or not path or not value:
        raise UserError(f"{option} {text!r}: must be AXIS=VALUE, e.g. swarm.topology=[debate, vote]")
    return path, value
