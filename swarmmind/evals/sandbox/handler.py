"""Who executes `RunTests`: one process tree for each, off the event loop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

import anyio.to_thread

from swarmmind.effects import Failure, Outcome
from swarmmind.errors import UserError
from swarmmind.evals.sandbox.tests import Bounds, Ran, RunTests, Walls
from swarmmind.runtime.frame import Flight
from swarmmind.runtime.journal import characters
from swarmmind.runtime.meter import Meter

_GRACE_SECONDS = 15.0
_BOOT = """
import sys, types
for name, path in zip(("swarmmind", "swarmmind.evals", "swarmmind.evals.sandbox"), sys.argv[1:4]):
    module = sys.modules[name] = types.ModuleType(name)
    module.__path__ = [path]
from swarmmind.evals.sandbox.jail import Order, main
import json
main(Order(*json.loads(sys.argv[4])), int(sys.argv[5]), int(sys.argv[6]))
"""  # the packages' own `__init__` would load all of SwarmMind
_HERE = Path(__file__).resolve().parent


class Sandbox:
    """Executes `RunTests` (`runtime.handler.Handler`).

    Args:
        on_loop: execute on the event loop rather than in a worker thread. For the virtual clock, whose time must not
            pass while a thread works.
        without: walls that are left out, for tests of the others.
    """

    def __init__(self, *, on_loop: bool = False, without: Sequence[str] = ()) -> None:
        self._on_loop, self._without = on_loop, without
        self.at_once = os.cpu_count() or 1

    def __call__(self, effect: RunTests, flight: Flight, /) -> Any:
        """The `Ran`, or an awaitable of it."""
        job = _Job(effect, self._without)
        return job.run() if self._on_loop else _in_a_thread(job)

    def replayed(self, effect: RunTests, flight: Flight, result: Ran, /) -> None:
        """Nothing is remembered."""

    def read(self, effect: RunTests, outcome: Outcome, meter: Meter | None, /) -> Ran:
        """The failure of a program that stood in for a sandbox; there is none in the box."""
        return Ran(failure=outcome.failure or Failure("program", "a program is no sandbox"))


async def _in_a_thread(job: _Job) -> Ran:
    try:
        return await anyio.to_thread.run_sync(job.run, abandon_on_cancel=True)
    finally:
        job.kill()


class _Job:
    """One run of tests; it can be killed from another thread."""

    def __init__(self, effect: RunTests, without: Sequence[str]) -> None:
        self._effect, self._without = effect, without
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False

    def run(self) -> Ran:
        """Start it and wait for what comes of it."""
        try:
            with tempfile.TemporaryDirectory(prefix="swarmmind-") as folder:
                return self._run(folder)
        except OSError as error:
            return Ran(failure=Failure("exception", f"sandbox: cannot be started: {error}"))

    def kill(self) -> None:
        """End it, if it is going on."""
        self._killed = True
        process = self._process
        if process is not None and process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)

    def _run(self, folder: str) -> Ran:
        effect, bounds = self._effect, self._effect.bounds
        order = [
            folder,
            bounds.seconds,
            bounds.wall_seconds,
            bounds.memory_mb,
            bounds.walls == "weak",
            list(self._without),
        ]
        packages = [str(_HERE.parents[1]), str(_HERE.parent), str(_HERE)]
        job = {"given": effect.given, "tests": effect.tests, "entry": effect.entry}
        with _file(effect.code) as code, _file(json.dumps(job)) as tests:
            fds = code.fileno(), tests.fileno()
            self._process = process = subprocess.Popen(  # noqa: S603 - our own interpreter, no shell
                [sys.executable, "-PsS", "-X", "utf8", "-c", _BOOT, *packages, json.dumps(order), *map(str, fds)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder,
                env={"PYTHONHASHSEED": "0"},
                pass_fds=fds,
                start_new_session=True,
            )
            try:
                if self._killed:
                    self.kill()
                out, err = process.communicate(timeout=bounds.wall_seconds + _GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                return Ran(failure=Failure("timeout", "sandbox: did not end in time"))
            finally:
                self.kill()
                process.communicate()
        return _ran(out, err, bounds)


def _file(text: str) -> IO[bytes]:
    """A file without a name, to be read from its beginning."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    file.write(text.encode("utf-8", "surrogatepass"))
    file.seek(0)
    return file


def _ran(out: bytes, err: bytes, bounds: Bounds) -> Ran:
    try:
        told = json.loads(out)
    except ValueError:
        last = err.decode("utf-8", "replace").strip().splitlines()[-1:] or ["it said nothing"]
        return Ran(failure=Failure("exception", f"sandbox: broke down: {last[0]:.200}"))
    if "missing" in told:
        return Ran(failure=Failure("exception", f"sandbox: this machine cannot shut code in: {told['missing']:.300}"))
    return Ran(told["passed"], characters(told["reason"]), told["output"])


def run_tests(effect: RunTests, *, without: Sequence[str] = ()) -> Ran:
    """Run tests now, and wait for them.

    Args:
        effect: what is run.
        without: walls that are left out, for tests of the others.
    """
    return _Job(effect, without).run()


@cache
def trouble(walls: Walls) -> str:
    """Why no code can be run on this machine behind such walls; empty if it can. Tried once in a process."""
    tried = run_tests(RunTests("def answer():\n    return 42", ("assert answer() == 42",), bounds=Bounds(walls=walls)))
    return tried.failure.message if tried.failure else tried.reason


def require(walls: Walls) -> None:
    """See that code can be run here.

    Raises:
        UserError: it cannot, or only behind weaker walls.
    """
    found = trouble(walls)
    if found and walls == "strong":
        raise UserError(f"{found}; if you trust the code, `sandbox: weak` does with the walls there are")
    if found:
        raise UserError(found)
