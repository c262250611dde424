"""Commands and exit codes.

0 done · 1 the run failed · 2 the user's mistake, one line · 100 an eval's threshold was not reached · 130 interrupted,
resumable. A bug keeps its traceback.
"""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import typer

from swarmmind.cli import comparing, evaluating, inspecting, optimizing, running, serving
from swarmmind.errors import Diverged, JournalError, ServerLost, UserError
from swarmmind.report.text import visible

app = typer.Typer(
    name="swarmmind",
    help="Run, measure and evolve populations of LLM agents from one file.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _exits(command: Callable[..., int]) -> Callable[..., None]:
    """A command whose return value becomes the exit code."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> None:
        try:
            code = command(*args, **options)
            sys.stdout.flush()
        except BrokenPipeError:  # `swarmmind list | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return
        if code:
            raise typer.Exit(code)

    return run


for name, command in {
    "run": running.run,
    "eval": evaluating.evaluate,
    "optimize": optimizing.optimize,
    "resume": running.resume,
    "compare": comparing.compare,
    "export": comparing.export,
    "check": inspecting.check,
    "list": inspecting.list_parts,
    "schema": inspecting.schema,
    "init": inspecting.init,
    "view": inspecting.view,
    "vllm": serving.vllm,
}.items():
    app.command(name)(_exits(command))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its code."""
    gc.freeze()  # what is imported stays; and a run makes many short-lived values that refer to no circle
    gc.set_threshold(50_000, 20, 100)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(
            errors="replace"
        )  # drawings, and what agents say, on a terminal that lacks their letters
    try:
        app(args=None if arguments is None else list(arguments))
    except (UserError, Diverged, JournalError, ServerLost) as error:
        sys.stderr.write(visible(" ".join(str(error).splitlines())) + "\n")
        sys.exit(2 if isinstance(error, UserError) else 1)
