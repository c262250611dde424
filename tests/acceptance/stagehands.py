"""Real processes for experiments: the fake endpoint, and the command line against it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

SWARMMIND = [sys.executable, "-m", "swarmmind"]


class Server(NamedTuple):
    """A fake endpoint in a process of its own."""

    base_url: str
    log: Path

    def counts(self) -> tuple[int, int]:
        """Requests received and answered so far, by its own log."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        received = sum(line.startswith("received") for line in lines)
        return received, len(lines) - received


@contextmanager
def endpoint(folder: Path, *options: str) -> Generator[Server]:
    """A fake endpoint with an empty log."""
    log = folder / "requests.log"
    log.unlink(missing_ok=True)
    command = [sys.executable, "-m", "swarmmind.testing.endpoint", "--log", str(log), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Server(process.stdout.readline().strip(), log)
        finally:
            process.kill()


def start(folder: Path, server: Server, *arguments: str) -> subprocess.Popen[str]:
    """The command line in a folder, pointed at a server."""
    env = {**os.environ, "VLLM_BASE_URL": server.base_url}
    return subprocess.Popen(
        [*SWARMMIND, *arguments], cwd=folder, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def finish(process: subprocess.Popen[str], timeout_seconds: float = 300) -> dict[str, Any]:
    """The record that a command with `--json` prints.

    Raises:
        AssertionError: it failed.
    """
    out, err = process.communicate(timeout=timeout_seconds)
    assert process.returncode == 0, (process.returncode, err[-2000:])
    return json.loads(out)
