"""Commands and exit codes.

0 done · 1 the run failed · 2 the user's mistake, one line · 130 interrupted, resumable. A bug keeps its traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click
import typer

from swarmmind.cli import inspecting, running
from swarmmind.errors import Diverged, JournalError, UserError

app = typer.Typer(
    name="swarmmind",
    help="Run, measure and evolve populations of LLM agents from one file.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (running.run, running.resume):
    app.command()(command)
for command in (inspecting.check, inspecting.schema, inspecting.init, inspecting.view):
    app.command()(command)
app.command("list")(inspecting.list_parts)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its code."""
    sys.exit(_main(arguments))


def _main(arguments: Sequence[str] | None) -> int:
    try:
        code: Any = app(args=None if arguments is None else list(arguments), standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except (UserError, Diverged, JournalError) as error:
        message = " ".join(str(error).splitlines())
        sys.stderr.write(f"{message}\n")
        return 2 if isinstance(error, UserError) else 1
    return code if isinstance(code, int) else 0
