"""Keeps a server from outliving whoever started it. A script of its own: `python -I -S guard.py COMMAND [ARGUMENT...]`.

Its standard input is a pipe that nobody writes to and whose other end only its starter holds: it is over when that
process closes it, or is gone, by whatever death. Then the guard ends the server and everything that the server has
started; it does the same when the server itself ends. On Linux orphans of the server become children of the guard, so
that none can hide, and a guard that is killed takes the server with it.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

POLL_SECONDS = 0.1
GRACE_SECONDS = 10.0
ORPHANS_GRACE_SECONDS = 2.0
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LINUX = sys.platform == "linux"


class Guard:
    """One server and all its descendants.

    Args:
        command: the server's; it gets a session of its own.
    """

    def __init__(self, command: list[str]) -> None:
        self._asked = False
        self.code: int | None = None
        if _LINUX:
            _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        self._server = subprocess.Popen(  # noqa: S603 - argv items; no shell reads them
            command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent if _LINUX else None,
        )

    def ask_to_end(self, signum: int, frame: FrameType | None) -> None:
        """A signal handler: end the server."""
        self._asked = True

    def watch(self) -> None:
        """Until the server ends, or should."""
        while self.code is None and not self._asked:
            readable, _, _ = select.select([sys.stdin], [], [], POLL_SECONDS)
            if readable and not os.read(sys.stdin.fileno(), 1):
                return
            self._reap()

    def end(self) -> None:
        """End everything: politely first, by force after a while; what outlives the server itself has less of it."""
        self._signal(signal.SIGTERM)
        deadline, alone = time.monotonic() + GRACE_SECONDS, False
        while self._left() and time.monotonic() < deadline:
            if self.code is not None and not alone:
                deadline, alone = min(deadline, time.monotonic() + ORPHANS_GRACE_SECONDS), True
            time.sleep(POLL_SECONDS / 2)
        forced = time.monotonic()
        while self._left() and time.monotonic() < forced + GRACE_SECONDS:
            self._signal(signal.SIGKILL)
            time.sleep(POLL_SECONDS / 2)

    def _left(self) -> bool:
        self._reap()
        return bool(_descendants(os.getpid())) if _LINUX else self.code is None

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                if pid == self._server.pid:
                    self.code = os.waitstatus_to_exitcode(status)

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._server.pid, number)
        for pid in _descendants(os.getpid()) if _LINUX else ():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)


def _descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError, ValueError):
                # "pid (name) state parent ...": the name may hold spaces and brackets
                fields = Path("/proc", entry.name, "stat").read_text(errors="replace").rpartition(")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, ahead = [], [pid]
    while ahead:
        below = children.get(ahead.pop(), [])
        found += below
        ahead += below
    return found


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _die_with_parent() -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def main() -> None:
    """Guard the command in the arguments; exit with its code."""
    guard = Guard(sys.argv[1:])
    signal.signal(signal.SIGTERM, guard.ask_to_end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    guard.watch()
    guard.end()
    code = guard.code or 0
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
