"""Whether the event loop turns: how late it is at any moment, and whose code it was that held it up.

While one thing computes on the loop, or waits there without awaiting, every agent of a run stands still. A `Watchdog`
measures that all the time, at the price of 50 timers and 20 wakes of a thread a second:

    with Watchdog() as dog:         # on the loop
        ...
    dog.lag().p99_seconds

A timer is due on the loop every 20 ms, and how late it comes is its lag. Where the loop has not turned for 50 ms, the
thread looks at what the loop's thread is doing (`sys._current_frames`), 50 times a second, and the stall is put down to
what was seen. What the operating system says of that thread tells three cases apart: it computed or waited inside of
some function (that one is named); it wanted to run and got no processor (the machine was busy); it waited for another
thread that would not let go of the interpreter.
"""

from __future__ import annotations

import gc
import os
import sys
import sysconfig
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple, TypeAlias

import anyio.lowlevel

from swarmmind.runtime.lag import BEAT_SECONDS, Culprit, Histogram, Lag

STALL_SECONDS = 0.05
"""The loop stands still if it has not turned for so long."""

_LOOK_SECONDS = 0.02  # between two looks at a loop that stands still; at one that turns, as long as a stall
_SHOWN = 5  # culprits
_Where: TypeAlias = tuple[str, str, int]
"""File, function and line; what is no code has no function."""

_COLLECTION: _Where = ("Python's garbage collection", "", 0)
_OTHER_THREAD: _Where = ("another thread, which did not let go of the interpreter", "", 0)

_OURS = str(Path(__file__).parents[1]) + os.sep
_WAITING = (
    "selectors.py",
    f"asyncio{os.sep}runners.py",
    f"asyncio{os.sep}base_events.py",
    f"uvloop{os.sep}__init__.py",
)
_HOMES = ("stdlib", "platstdlib", "purelib", "platlib")
_LIBRARIES = ("<", *{path + os.sep for name, path in sysconfig.get_paths().items() if name in _HOMES})


class Clocks(NamedTuple):
    """Seconds of the loop's thread so far, of its process, and on the wall.

    Attributes:
        wall: of the monotonic clock.
        ran: that the thread ran.
        waited: that it could have run and got no processor; `None` if the system does not say.
        process: that all threads ran.
        collected: that the thread spent collecting garbage.
    """

    wall: float
    ran: float
    waited: float | None
    process: float
    collected: float


class Watchdog:
    """Watches the event loop that it is entered on, until it is left there.

    Args:
        watching: whether it does anything; on a virtual clock nobody waits for the loop.
    """

    def __init__(self, watching: bool = True) -> None:
        self._watching = watching
        self._all, self._own = Histogram(), Histogram()
        self._blame = _Blame()
        self._over = threading.Event()
        self._due = self._since = self._until = self._collected = self._collecting_since = 0.0
        self._turned = (0.0, 0.0, 0.0)  # of the last stall: when the loop should have turned, when it did, and had run
        self._timer: Any = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Watchdog:
        if not self._watching:
            return self
        self._loop: Any = anyio.lowlevel.current_token().native_token
        self._reader = _Reader(lambda: self._collected)
        self._ident = threading.get_ident()
        self._ran = self._reader.ran()
        self._since = time.monotonic()
        self._next()
        gc.callbacks.append(self._collecting)
        self._thread = threading.Thread(target=self._look, name="watchdog", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is None:
            return
        self._over.set()
        self._thread.join()
        self._thread = None
        self._timer.cancel()
        gc.callbacks.remove(self._collecting)
        self._count(time.monotonic())
        self._until = time.monotonic()
        self._reader.close()

    def lag(self) -> Lag | None:
        """What was measured; `None` if nothing was."""
        if not self._since:
            return None
        own, blame = self._own, self._blame
        return Lag(
            round(self._all.percentile(0.5), 4),
            round(self._all.percentile(0.99), 4),
            round(self._all.worst, 4),
            round(own.percentile(0.99), 4),
            round(blame.stalled, 3),
            round(blame.busy, 3),
            round((self._until or time.monotonic()) - self._since, 3),
            blame.culprits(),
        )

    # --- on the loop ------------------------------------------------------------------------------------------------

    def _next(self) -> None:
        self._due = time.monotonic() + BEAT_SECONDS
        self._timer = self._loop.call_later(BEAT_SECONDS, self._beat)

    def _beat(self) -> None:
        self._count(time.monotonic())
        self._next()

    def _count(self, now: float) -> None:
        late, ran = now - self._due, self._reader.ran()
        self._all.stood(late)
        self._own.stood(min(late, ran - self._ran))
        self._ran = ran
        if late >= STALL_SECONDS:
            self._turned = (self._due, now, ran)

    def _collecting(self, phase: str, _: dict[str, int]) -> None:
        if threading.get_ident() == self._ident:  # a collection runs on whatever thread it befalls
            if phase == "start":
                self._collecting_since = time.monotonic()
            else:
                self._collected += time.monotonic() - self._collecting_since

    # --- on a thread of its own ---------------------------------------------------------------------------------------

    def _look(self) -> None:
        stall: _Stall | None = None
        before, pause = self._reader(), STALL_SECONDS
        while not self._over.wait(pause):
            now, due = self._reader(), self._due
            if stall is not None and stall.due != due:
                stall.end(*self._turned)
                self._blame.over(stall, now)
                stall = None
            if now.wall - due >= STALL_SECONDS:
                stall = stall or _Stall(due, before)
                frame = sys._current_frames().get(self._ident)  # pyright: ignore[reportPrivateUsage]
                stall.look(frame, now, late=now.wall - before.wall - pause)
            before, pause = now, STALL_SECONDS if stall is None else _LOOK_SECONDS
        if stall is not None:
            self._blame.over(stall, self._reader())


class _Look(NamedTuple):
    """What was seen of a stall: where its thread was, for how long, and how much of that it ran."""

    place: _Where | None
    seconds: float
    ran: float


class _Stall:
    """One time that the loop stood still, as it was seen.

    Args:
        due: when it should have turned.
        before: the clocks as they were last read before that.
    """

    def __init__(self, due: float, before: Clocks) -> None:
        self.due, self.looks = due, list[_Look]()
        self._first = self._last = before

    def look(self, frame: FrameType | None, now: Clocks, late: float) -> None:
        """See what its thread does, and what it has done since the last look; this one comes so late itself."""
        last, self._last = self._last, now
        seconds = now.wall - max(last.wall, self.due)
        ran = min(now.ran - last.ran, seconds)
        place = _COLLECTION if now.collected - last.collected > seconds / 2 else _place(frame)
        if seconds - ran > seconds / 2 and late > seconds / 2:  # nor could the watchdog run
            others = now.process - last.process - ran
            place = _OTHER_THREAD if others > seconds / 2 else None  # else the process was stopped, or the machine
        self.looks.append(_Look(place, seconds, ran))

    def end(self, due: float, wall: float, ran: float) -> None:
        """The loop turned at last: what passed since the last look is of the kind that was seen then."""
        if due == self.due and wall > self._last.wall:
            seconds = wall - self._last.wall
            self.looks.append(_Look(self.looks[-1].place, seconds, min(max(0.0, ran - self._last.ran), seconds)))

    def own(self, now: Clocks) -> Iterator[tuple[_Where | None, float]]:
        """Where its thread was, and for how long, without the time that it waited for a processor.

        Args:
            now: the clocks since it has run again: the system counts a wait when it is over.
        """
        idle = sum(look.seconds - look.ran for look in self.looks)
        if now.waited is None or self._first.waited is None:
            share = 0.0  # nobody knows why it did not run
        else:
            share = max(0.0, 1 - (now.waited - self._first.waited) / idle) if idle > 0 else 0.0
        for place, seconds, ran in self.looks:
            yield place, ran + share * (seconds - ran)


class _Blame:
    """Who held the loop up, over all stalls."""

    def __init__(self) -> None:
        self.stalled = self.busy = 0.0
        self._seconds: dict[tuple[str, str], float] = {}
        self._lines: dict[tuple[str, str], Counter[int]] = {}

    def over(self, stall: _Stall, now: Clocks) -> None:
        """The loop turns again. What would have been no stall on an idle machine is nobody's fault."""
        found = list(stall.own(now))
        own = sum(seconds for place, seconds in found if place is not None)
        own = own if own >= STALL_SECONDS else 0.0
        self.stalled += own
        self.busy += sum(look.seconds for look in stall.looks) - own
        for place, seconds in found:
            if place is not None and own:
                file, function, line = place
                self._seconds[file, function] = self._seconds.get((file, function), 0.0) + seconds
                self._lines.setdefault((file, function), Counter())[line] += 1

    def culprits(self) -> list[Culprit]:
        """The worst first."""
        worst = sorted(self._seconds.items(), key=lambda found: -found[1])[:_SHOWN]
        return [Culprit(self._name(*key), round(seconds, 3)) for key, seconds in worst]

    def _name(self, file: str, function: str) -> str:
        if not function:
            return file
        [(line, _)] = self._lines[file, function].most_common(1)
        return f"{_shown(file)}:{line} {function}"


def _place(frame: FrameType | None) -> _Where | None:
    """Where a thread is: the innermost code of the user's that we, or the loop, called; or else the innermost of ours.

    `None` if it is in the loop itself, which waits for something to happen.
    """
    if frame is None or frame.f_code.co_filename.endswith(_WAITING):
        return None
    if frame.f_code is Watchdog._collecting.__code__:  # pyright: ignore[reportPrivateUsage]
        return _COLLECTION
    users: FrameType | None = None
    ours: FrameType | None = None
    found, at = frame, frame
    while at is not None:
        file = at.f_code.co_filename
        if file.startswith(_OURS):
            if ours is None:
                ours = found = users or at
        elif not file.startswith(_LIBRARIES):
            if ours is None and users is None:  # what called us has no part in it
                users = found = at
        elif f"{os.sep}asyncio{os.sep}" in file or f"{os.sep}uvloop{os.sep}" in file:
            break
        at = at.f_back
    return found.f_code.co_filename, found.f_code.co_qualname, found.f_lineno


def _shown(file: str) -> str:
    """A file's path for people: from the package, or from the working folder, if it lies there."""
    if file.startswith(_OURS):
        return f"swarmmind/{Path(file[len(_OURS) :]).as_posix()}"
    path, here = Path(file), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else file


class _Reader:
    """The clocks of the thread that makes it; any thread may read them."""

    def __init__(self, collected: Callable[[], float]) -> None:
        self._collected = collected
        clock_of = getattr(time, "pthread_getcpuclockid", None)  # not on macOS: there it is the process's
        self._clock: int = time.CLOCK_PROCESS_CPUTIME_ID if clock_of is None else clock_of(threading.get_ident())
        self._schedule: int | None = None
        path = f"/proc/self/task/{threading.get_native_id()}/schedstat"
        if os.path.exists(path):  # Linux: nanoseconds that it ran, that it waited to run, and how often it ran
            self._schedule = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __call__(self) -> Clocks:
        waited = None if self._schedule is None else int(os.pread(self._schedule, 128, 0).split()[1]) / 1e9
        return Clocks(time.monotonic(), self.ran(), waited, time.process_time(), self._collected())

    def ran(self) -> float:
        """Seconds that the thread ran."""
        return time.clock_gettime(self._clock)

    def close(self) -> None:
        """No more reading."""
        if self._schedule is not None:
            os.close(self._schedule)
