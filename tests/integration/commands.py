"""Commands that are going on beside a test."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WORDS = [sys.executable, "-m", "swarmmind"]


@contextmanager
def swarmmind(folder: Path, environ: Mapping[str, str], *words: str) -> Generator[subprocess.Popen[str]]:
    """A command that is going on; what it says of itself is in `stderr`, and it ends with the block."""
    with (folder / "stderr").open("w") as told:
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": told, "text": True}
        with subprocess.Popen([*WORDS, *words], cwd=folder, env=environ, **pipes) as process:
            try:
                yield process
            finally:
                process.kill()  # if it has not ended, a test has failed; its guards end its servers


def said(folder: Path) -> str:
    """The last of what a command said of itself."""
    return (folder / "stderr").read_text()[-3000:]


def answers(folder: Path) -> int:
    """What the progress lines said last."""
    told = [line for line in (folder / "stderr").read_text().splitlines() if " answers · " in line]
    return int(told[-1].partition(" of ")[0].rpartition("· ")[2].replace(",", "")) if told else 0


def result_of(run: subprocess.Popen[str], folder: Path, seconds: float) -> dict[str, Any]:
    """The result of a run that ends well within some time."""
    out, _ = run.communicate(timeout=seconds)
    assert run.returncode == 0, said(folder)
    return json.loads(out)
