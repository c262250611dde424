"""A process with all its children, which never outlives this one (see `guard`), and a look at its HTTP."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio
from anyio.abc import Process

GUARD = Path(__file__).with_name("guard.py")
_MOST_BYTES = 2**20
_TAIL_BYTES = 2**16


class Guarded:
    """A command that is running under a guard.

    Args:
        process: the guard.
    """

    def __init__(self, process: Process) -> None:
        self._process = process

    @staticmethod
    async def start(command: Sequence[str], environ: Mapping[str, str], folder: Path, log: Path) -> Guarded:
        """Start a command.

        Args:
            command: the program and its arguments; no shell reads them.
            environ: its environment.
            folder: where it works.
            log: what it writes is added to this file.

        Raises:
            OSError: the log cannot be written.
        """
        with log.open("ab") as written:
            process = await anyio.open_process(
                [sys.executable, "-I", "-S", str(GUARD), *command],
                stdin=subprocess.PIPE,
                stdout=written,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=dict(environ),  # uvloop takes no other mapping
                start_new_session=True,  # a Ctrl-C at the terminal is for us: we end it in order
            )
        return Guarded(process)

    async def wait(self) -> int:
        """Until it and all its children have ended; its exit code, 128 + n if signal n ended it."""
        return await self._process.wait()

    async def stop(self) -> None:
        """End it and all its children, and wait until they are gone."""
        if self._process.stdin is not None:
            await self._process.stdin.aclose()
        await self._process.wait()


async def get(port: int, path: str, seconds: float, key: str | None = None) -> tuple[int, bytes] | None:
    """The status and body of a page on this machine; `None` if nobody is there.

    Args:
        port: on 127.0.0.1.
        path: of the page.
        seconds: how long it may take.
        key: sent as a bearer token.

    Raises:
        TimeoutError: somebody is there, but did not answer in time.
    """
    extra = f"Authorization: Bearer {key}\r\n" if key else ""
    asked = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{extra}Connection: close\r\n\r\n"
    answer = bytearray()
    try:
        with anyio.fail_after(seconds):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(asked.encode())
                async for chunk in stream:
                    answer += chunk
                    if len(answer) > _MOST_BYTES:
                        break
    except (OSError, anyio.BrokenResourceError) as error:
        if isinstance(error, TimeoutError):
            raise
        return None
    head, _, body = bytes(answer).partition(b"\r\n\r\n")
    words = head.split(maxsplit=2)
    return (int(words[1]), body) if len(words) > 1 and words[1].isdigit() else None


def tail(log: Path, lines: int) -> list[str]:
    """The last lines of a log that say something; none if it is not there."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line for line in map(str.strip, text.splitlines()) if line][-lines:]
