"""The process tree of one run of tests: walls go up, code and tests are started behind them, and a verdict comes out.

Started by `handler.py` as a program of its own, with the standard library alone. It prints one line of JSON: `passed`,
`reason` and `output`, or `missing`: what this machine cannot do.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import resource
import selectors
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from swarmmind.evals.sandbox.examiner import LOST, examine
from swarmmind.evals.sandbox.landlock import landlock
from swarmmind.evals.sandbox.seccomp import filter_calls, renounce
from swarmmind.evals.sandbox.solution import serve
from swarmmind.evals.sandbox.tree import DEVICES, SCRATCH, libraries, move_in, part

_MAX_OUTPUT = 2000
_MAX_FILE_BYTES = 16 << 20
_MAX_STACK_BYTES = 64 << 20
_MAX_THREADS = 32
_GRACE_SECONDS = 0.5  # in which the examiner says itself that it was late
_FORBIDDEN = "forbidden: it tried to start a process, to open a socket, or to signal or trace another process"
_DEATH_SIGNAL = 1


class Order(NamedTuple):
    """What is to be done.

    Attributes:
        folder: an empty directory of this run's own.
        seconds: of processor time.
        wall_seconds: on the clock.
        memory_mb: of address space.
        weak: whether walls may be missing.
        without: walls that are left out, for tests of the others.
    """

    folder: str
    seconds: int
    wall_seconds: float
    memory_mb: int
    weak: bool
    without: Sequence[str] = ()


class _State:
    """Which walls stand.

    Attributes:
        parted: there are namespaces.
        moved: the tree is the new one.
        alone: nobody else is this user.
        troubles: what could not be done, by wall.
    """

    def __init__(self, order: Order) -> None:
        self.order = order
        self.parted = self.moved = self.alone = False
        self.troubles: dict[str, str] = {}

    def attempt(self, wall: str, build: Callable[[], None]) -> bool:
        """Whether a wall could be built."""
        if wall in self.order.without:
            self.troubles[wall] = "left out"
            return False
        try:
            build()
        except (OSError, AttributeError, ValueError) as error:  # no such function; a limit above the allowed
            self.troubles[wall] = str(error) or type(error).__name__
            return False
        return True

    def told(self) -> str:
        """What could not be done, in one line."""
        return "; ".join(f"{wall}: {trouble}" for wall, trouble in self.troubles.items())


def main(order: Order, code: int, tests: int) -> None:
    """Run tests on code; both are read from open descriptors. Never returns."""
    _die_with_parent()
    os.umask(0o022)  # another user has to pass the directories that are made for it
    state = _State(order)
    state.parted = state.attempt("namespaces", part)
    if os.fork() == 0:
        result = _inner(state, code, tests)
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()
        os._exit(0)
    os._exit(0 if os.wait()[1] == 0 else 1)


def _inner(state: _State, code: int, tests: int) -> dict[str, Any]:
    """The first process of the new namespaces; when it ends, so do all in them."""
    order = state.order
    if state.parted:
        state.moved = state.attempt("file tree", lambda: move_in(order.folder, platform.machine()))
    state.alone = state.attempt("user", lambda: _drop(order.folder, parted=state.parted, moved=state.moved))
    _die_with_parent()
    there, back, printed, verdict = os.pipe(), os.pipe(), os.pipe(), os.pipe()
    gates = os.pipe(), os.pipe()
    wall = order.wall_seconds
    solver = _child(state, [back[0], there[1], code], printed[1], gates[0][1], lambda: serve(5, 3, 4))
    asker = _child(
        state, [there[0], back[1], tests, verdict[1]], printed[1], gates[1][1], lambda: examine(5, 3, 4, 6, wall)
    )
    for fd in (*there, *back, printed[1], verdict[1], gates[0][1], gates[1][1], code, tests):
        os.close(fd)
    missing = [text for gate in gates if (text := _all_of(gate[0]))]
    if missing:
        _ended(solver)
        _ended(asker)
        return {"missing": missing[0]}
    said, output, in_time = _watched(verdict[0], printed[0], time.monotonic() + wall + _GRACE_SECONDS)
    how = _ended(solver), _ended(asker)
    passed, reason = _concluded(said, how, order, in_time=in_time)
    return {"passed": passed, "reason": reason, "output": output.decode("utf-8", "replace")}


def _child(state: _State, keep: list[int], printed: int, gate: int, work: Callable[[], None]) -> int:
    """Start a process behind the walls, `keep` as its descriptors from 3 on; it says at the gate what is missing."""
    parent = os.getpid()
    child = os.fork()
    if child:
        return child
    try:
        _die_with_parent()  # where there is no namespace that ends with its first process
        if os.getppid() != parent:
            os._exit(1)
        _arrange([*keep, gate], printed)
        gate = 3 + len(keep)
        missing = _sealed(state)
        if missing:
            os.write(gate, missing.encode())
            os._exit(1)
        os.close(gate)
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        work()
    except BaseException as error:  # the other process sees that this one is gone
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    os._exit(0)


def _arrange(keep: list[int], printed: int) -> None:
    """These descriptors become 3, 4, ...; there is nothing to read, prints go to a pipe, all others are closed."""
    high = [os.dup(fd) for fd in keep]
    floor = max(high) + 1
    moved = [os.dup2(fd, floor + at) for at, fd in enumerate(high)]
    out = os.dup2(printed, floor + len(moved))
    os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    for at, fd in enumerate(moved):
        os.dup2(fd, 3 + at)
    os.closerange(3 + len(moved), 4096)


def _sealed(state: _State) -> str:
    """Put up the walls that a process has for itself; what is missing, if that must not be."""
    order = state.order
    state.attempt("limits", lambda: _limit(order, threads=state.alone))
    renounced = state.attempt("privileges", renounce)
    readable = ["/"] if state.moved else libraries()
    writable = [SCRATCH] if state.moved else [order.folder] if order.weak else []  # only the scratch is small
    locked = renounced and state.attempt("Landlock", lambda: landlock(readable, DEVICES, writable))
    filtered = renounced and state.attempt("system call filter", lambda: filter_calls(threads=state.alone))
    hidden, root, limited = state.moved or locked, os.geteuid() == 0, "limits" not in state.troubles
    stands = hidden or not root if order.weak else hidden and not root and limited and filtered
    return "" if stands else state.told()


def _limit(order: Order, *, threads: bool) -> None:
    for limit, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, _MAX_FILE_BYTES),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_STACK, _MAX_STACK_BYTES),
        (resource.RLIMIT_AS, order.memory_mb << 20),
        (resource.RLIMIT_NPROC, _MAX_THREADS if threads else 0),
    ):
        hard = resource.getrlimit(limit)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (order.seconds, order.seconds + 1))


def _drop(folder: str, *, parted: bool, moved: bool) -> None:
    """Become a user whom nobody else is, without privileges.

    Raises:
        OSError: this is somebody's own user, outside of a namespace.
    """
    if os.geteuid():
        if not parted:
            raise OSError(errno.EPERM, "is the run's own")
        header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
        if ctypes.CDLL(None, use_errno=True).capset(header, nothing):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return
    if not moved:
        closed = next((path for path in libraries() if not _open_to_all(path)), None)
        if closed:
            raise OSError(errno.EACCES, f"only root may read {closed}, where Python is")
    own = 0x70000000 + int.from_bytes(os.path.basename(folder).encode()[-3:], "big")  # two at once hardly share it
    for user in (own, 65534):  # the second where this machine is a container without such numbers
        try:
            if not moved:
                os.chown(folder, user, user)
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
        except OSError:
            continue
        return
    raise OSError(errno.EPERM, "there is no other user to become")


def _open_to_all(path: str) -> bool:
    """Whether every user may read a directory and pass those above it."""
    above = path
    while above != "/":
        if not os.stat(above).st_mode & 0o001:
            return False
        above = os.path.dirname(above)
    return bool(os.stat(path).st_mode & 0o004)


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)


def _all_of(fd: int) -> str:
    with open(fd, "rb") as file:
        return file.read().decode("utf-8", "replace")


def _watched(verdict: int, printed: int, deadline: float) -> tuple[bytes, bytes, bool]:
    """The verdict, the beginning of what was printed, and whether the verdict came before the deadline."""
    said, output = b"", b""
    with selectors.DefaultSelector() as selector:
        selector.register(verdict, selectors.EVENT_READ)
        selector.register(printed, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                part = os.read(key.fd, 1 << 16)
                if key.fd == printed:
                    output += part[: _MAX_OUTPUT - len(output)]
                    if not part:
                        selector.unregister(printed)
                elif part:
                    said += part
                else:
                    return said, output, True
    return said, output, False


def _ended(child: int) -> int:
    """How a process ended, by itself or now: its wait status, or -1 if it was still there."""
    deadline = time.monotonic() + 0.05
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return -1
        time.sleep(0.005)


def _concluded(said: bytes, how: tuple[int, int], order: Order, *, in_time: bool) -> tuple[bool | None, str]:
    try:
        verdict: dict[str, Any] = json.loads(said)
    except ValueError:
        verdict = {}
    solver, asker = how
    if verdict and verdict["reason"] != LOST:
        return verdict["passed"], verdict["reason"]
    if not in_time:
        return False, f"time: more than {order.wall_seconds:g} s"
    if not verdict and asker > 0 and os.WIFSIGNALED(asker) and os.WTERMSIG(asker) == signal.SIGSYS:
        return None, "the tests need what the sandbox does not allow: processes, sockets or signals"
    who, status = ("the code", solver) if verdict else ("the tests", asker)
    return False, _fate(who, status, order)


def _fate(who: str, status: int, order: Order) -> str:
    if status < 0:
        return f"{who} stopped answering"
    if not os.WIFSIGNALED(status):
        return f"{who} ended the process (exit status {os.WEXITSTATUS(status)}) before the tests were over"
    number = os.WTERMSIG(status)
    if number == signal.SIGSYS:
        return _FORBIDDEN
    if number in (signal.SIGXCPU, signal.SIGKILL):
        return f"time: more than {order.seconds} s of processor time"
    return f"{who} crashed ({signal.Signals(number).name})"
