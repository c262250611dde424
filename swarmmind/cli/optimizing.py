"""`swarmmind optimize`: a task improves itself; the price first, progress on stderr, the result on stdout."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from swarmmind.cli.live import Display, Watcher
from swarmmind.cli.running import AllowCode, EngineOption, Json, Runs, Sets, Show, Workers, shown
from swarmmind.cli.studies import price_lines
from swarmmind.runs import api
from swarmmind.runs.result import Result
from swarmmind.runs.studies.plan import StudyPlan
from swarmmind.runs.studies.price import StudyPrice, concerns


def optimize(
    task: Annotated[Path, typer.Argument(help="A task file with `optimize`.")],
    sets: Sets = None,
    runs: Runs = Path(api.RUNS),
    allow_code: AllowCode = False,
    engine: EngineOption = "local",
    workers: Workers = None,
    as_json: Json = False,
    display: Show = Display.auto,
) -> int:
    """Improve a task by its own `optimize`; the winner is written as parts that run."""
    watcher = Watcher(display)

    async def main() -> Result:
        return await api.optimize(
            task,
            overrides=sets or [],
            runs=runs,
            allow_code=allow_code,
            watch=watcher.begin,
            engine=engine,
            workers=workers,
            priced=_tell,
        )

    return shown(main, watcher, as_json, allow_code)


def _tell(study: StudyPlan, price: StudyPrice) -> None:
    """Say what it will take, before anything is paid for."""
    told = [*price_lines(study, price), *(f"warning: {concern}" for concern in concerns(study, price))]
    sys.stderr.write("\n".join(told) + "\n")
    sys.stderr.flush()
