"""`swarmmind run` and `swarmmind resume`: progress on stderr, the result on stdout."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Coroutine
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer

from swarmmind import report
from swarmmind.cli import evals, studies
from swarmmind.cli.live import Display, Watcher
from swarmmind.errors import UserError
from swarmmind.runs import api
from swarmmind.runs.job import EngineName
from swarmmind.runs.result import Result

Sets = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a value: swarm.topology=debate.")
]
Inputs = Annotated[
    list[str] | None, typer.Option("--input", metavar="NAME=VALUE", help="Give a value for one of the task's inputs.")
]
Runs = Annotated[Path, typer.Option("--runs", envvar="SWARMMIND_RUNS", help="Where run folders are kept.")]
Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON record on stdout.")]
AllowCode = Annotated[bool, typer.Option("--allow-code", help="Let the task run Python code that it names.")]
EngineOption = Annotated[
    EngineName,
    typer.Option("--engine", help="What executes it: this process (local), several (processes), or a Ray cluster."),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", metavar="N", min=1, help="Of processes or ray: how many; by default all processors."),
]
Show = Annotated[Display, typer.Option("--display", help="Progress on stderr: live, plain lines, or none.")]


_MOST_READ_AGAIN = 10_000
"""Of the calls of a run, whose contexts are told on the terminal too; of a larger one only the page tells."""


def run(
    task: Annotated[Path, typer.Argument(help="The task file.")],
    sets: Sets = None,
    inputs: Inputs = None,
    runs: Runs = Path(api.RUNS),
    allow_code: AllowCode = False,
    engine: EngineOption = "local",
    workers: Workers = None,
    as_json: Json = False,
    display: Show = Display.auto,
) -> int:
    """Run a task file to its result."""
    watcher = Watcher(display)

    async def main() -> Result:
        return await api.run(
            task,
            inputs=parse_inputs(inputs or []),
            overrides=sets or [],
            runs=runs,
            allow_code=allow_code,
            watch=watcher.begin,
            engine=engine,
            workers=workers,
        )

    return shown(main, watcher, as_json, allow_code)


def resume(
    run: Annotated[str, typer.Argument(help="The run: its folder, its id, or `last`.")],
    sets: Sets = None,
    runs: Runs = Path(api.RUNS),
    allow_code: AllowCode = False,
    engine: EngineOption = "local",
    workers: Workers = None,
    as_json: Json = False,
    display: Show = Display.auto,
) -> int:
    """Go on with a run that was interrupted, killed or stopped by its budget."""
    watcher = Watcher(display)

    async def main() -> Result:
        options: dict[str, Any] = {"allow_code": allow_code, "engine": engine, "workers": workers}
        return await api.resume(run, overrides=sets or [], runs=runs, watch=watcher.begin, **options)

    return shown(main, watcher, as_json, allow_code)


def shown(main: Callable[[], Coroutine[Any, Any, Result]], watcher: Watcher, as_json: bool, allow_code: bool) -> int:
    """Run something to its result, print that, and return the exit code; Ctrl-C says how to go on."""
    try:
        with watcher, redirect_stdout(sys.stderr):  # stdout is the result's alone; some libraries, like Ray, talk
            result = anyio.run(main, backend_options={"use_uvloop": find_spec("uvloop") is not None})
    except KeyboardInterrupt:
        if watcher.folder is not None:
            words = ["swarmmind", "resume", str(watcher.folder), *(["--allow-code"] if allow_code else [])]
            sys.stderr.write(f"\ninterrupted; nothing is lost. Go on with:\n  {shlex.join(words)}\n")
        return 130
    data = result.to_dict()
    if as_json:
        sys.stdout.write(json.dumps(data, ensure_ascii=True) + "\n")
        for warning in result.warnings:
            sys.stderr.write(f"warning: {warning}\n")
    elif result.eval is not None:
        sys.stdout.write("\n".join(evals.lines(result)) + "\n")
    elif result.study is not None:
        sys.stdout.write("\n".join(studies.lines(data, allow_code=allow_code)) + "\n")
    else:
        few = result.coverage.planned <= _MOST_READ_AGAIN
        context = report.context(result.path) if few else ""
        sys.stdout.write("\n".join(report.lines(data, context)) + "\n")
    if result.eval is not None and result.eval.below and result.status == "finished":
        return 100
    return 1 if result.status == "failed" else 0


def parse_inputs(given: list[str]) -> dict[str, Any]:
    """`NAME=VALUE` options as a mapping.

    Raises:
        UserError: one is not of that form.
    """
    values: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UserError(f"--input {text!r}: must be NAME=VALUE")
        values[name] = value
    return values
