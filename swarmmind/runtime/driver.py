"""The one loop: it advances programs, starts their effects, and sends the results back.

A turn of the loop advances every program that can go on, hands what happened to the journal, and waits for the next
reply or timer. Nothing in it looks at the wall clock or at chance, so a run replays from its journal: an effect whose
result is there is not started, an any/now/quorum is answered with what it was answered with, and when the journal is
dry the run goes on where it was.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from math import inf
from typing import Any

import anyio
import anyio.lowlevel

from swarmmind.effects import PAUSE, Ask, Failure, Nested, Outcome, Program, Quorum
from swarmmind.errors import Failed, Stop
from swarmmind.rng import Stage
from swarmmind.runtime.execution import Execution
from swarmmind.runtime.frame import Flight, Frame, Place
from swarmmind.runtime.handler import CANCELLED, Handler, is_kept
from swarmmind.runtime.ledger import Ledger
from swarmmind.runtime.loop import Bell
from swarmmind.runtime.meter import Meter
from swarmmind.runtime.walls import Walls
from swarmmind.runtime.world import World

_FRAMES_PER_TURN = 256
_TIMERS_PER_TURN = 256  # jumps of the virtual clock
_TURN_SECONDS = 0.005  # of the real clock, before others on the event loop have theirs
_STOPS_PER_FRAME = 3  # times a program may yield on after it was told to stop


class Driver:
    """Runs one root program, and whatever it nests, to its end.

    Raises (from `run`):
        Diverged: the program asks something else than the journal holds.
        JournalError: the journal cannot be written.
        Exception: a program or handler has a bug; it keeps its traceback, and the journal keeps what was paid for.
    """

    def __init__(self, world: World, handlers: Mapping[type, Handler]) -> None:
        self._world = world
        self.journal, self.clock, self.streams, self.purse, self.meter = world
        self._ready: deque[Frame] = deque()
        self._launching: deque[Frame] = deque()  # whose yields are too long for one turn
        self._turn_ends = inf
        self._bell = Bell()
        self._execution = Execution(world, handlers, self)
        self._delivered = 0  # deliveries that came from the journal
        self._crash: BaseException | None = None
        self._outcome: Outcome | None = None
        self._ended_at: float | None = None
        self.ledger = Ledger(self.journal, self.clock, self.wake)
        self.ledger.open(self.purse)
        self._stood_at = self._wall()  # where an earlier session was stopped
        self._walls = Walls(self.clock, self.ledger, partial(self._execution.finish, keep=False))

    def elapsed(self) -> float:
        """Seconds on its clock from the first effect to the last, or until now; earlier sessions included."""
        now = self.clock.now() if self._ended_at is None else self._ended_at
        return now - self.purse.since

    async def run(self, program: Callable[[Place], Program], path: str = "run") -> Outcome:
        """Run a program to its end; the journal is durable when this returns."""
        stage = Stage()
        root = Frame(path, program(Place(path, self.streams, stage)), self.purse, self._finished, stage, self.meter)
        try:
            self._walls.watch(root)
            self._begin_turn()
            self._resume(root, None)
            await self._loop()
        except Exception as error:  # a bug: what is under way is ended first
            self._crash = error
        finally:
            self.abandon(root)
            with anyio.CancelScope(shield=True):
                await self._execution.close()
            self._bell.silence()
            self._ended_at = self.clock.now()
            self.ledger.touch(self.purse)
            self.ledger.note()
        if self._crash is not None:
            raise self._crash
        await self.journal.synced()
        assert self._outcome is not None
        return self._outcome

    def _finished(self, outcome: Outcome) -> None:
        self._outcome = outcome

    # --- the loop ----------------------------------------------------------------------------------------------------

    async def _loop(self) -> None:
        execution = self._execution
        while self._outcome is None and self._crash is None:
            self._begin_turn()
            replayed = self._replayed()
            self._advance_some()
            if self._crash is not None:
                return
            dry = replayed == self._replayed() and not self._launches_known()
            if dry or not (self._ready or self._launching):  # what can be replayed is
                while execution.startable():
                    execution.start_next()
                    if self._turn_over():
                        break
            self._hand_over()
            while self.journal.behind():
                await self.journal.synced()
            if self._outcome is not None:
                return
            if self._ready or self._launching or execution.startable():
                await anyio.lowlevel.checkpoint()
            else:
                await self._idle()

    def _advance_some(self) -> None:
        """Advance programs, and launch what earlier turns left over, until the turn is over or nothing is left."""
        for _ in range(min(len(self._ready), _FRAMES_PER_TURN)):
            self._advance(self._ready.popleft())
            if self._crash is not None or self._turn_over():
                break
        for _ in range(len(self._launching)):
            self._launch(self._launching.popleft())
            if self._turn_over():
                break

    def _begin_turn(self) -> None:
        if self.clock.virtual:
            return
        now = self.clock.now()
        self._turn_ends = now + _TURN_SECONDS
        if self.clock.next_at() <= now:  # however much there is to do, deadlines are kept
            self.clock.fire()

    def _turn_over(self) -> bool:
        """Whether others on the event loop shall have their turn; on the virtual clock nobody waits for one."""
        return self._turn_ends is not inf and self.clock.now() >= self._turn_ends

    def _launches_known(self) -> bool:
        """Whether something is being launched whose results, or what came of them, may be in the journal."""
        if self.journal.unread:
            return bool(self._launching)
        return any(frame.expected is not None for frame in self._launching)

    def _replayed(self) -> int:
        return self._delivered + self._execution.replayed

    async def _idle(self) -> None:
        tasks = self._execution.tasks
        if not tasks and self.clock.next_at() == inf:
            raise RuntimeError("deadlock: every program waits and nothing is in flight")
        if not self.clock.virtual:
            await self._bell.rung(self.clock.next_at())
        elif tasks:
            await self._settle()
        else:
            await anyio.lowlevel.checkpoint()
        for _ in range(_TIMERS_PER_TURN):
            if self._ready or self.clock.next_at() == inf:
                break
            self.clock.fire()
            if self._execution.tasks or not self.clock.virtual:
                break

    async def _settle(self) -> None:
        """On the virtual clock: let tasks run until each of them waits."""
        for _ in range(3):
            await anyio.lowlevel.checkpoint()
            if self._ready:
                return
        await anyio.wait_all_tasks_blocked()

    def _hand_over(self) -> None:
        self.ledger.note()  # what happened goes to the journal together with what it cost
        self.journal.flush()

    # --- programs ----------------------------------------------------------------------------------------------------

    def _advance(self, frame: Frame) -> None:
        frame.queued = False
        if frame.ended or not frame.ready():
            return
        if frame.doomed is not None:
            self._end(frame, frame.doomed)
            return
        if frame.paused:
            frame.paused = False
            self._resume(frame, [])
            return
        due = frame.timers.pop("due", None)
        if due is not None:
            self.clock.cancel(due)
        self._delivered += frame.expected is not None
        results, keys = frame.take()
        limit = frame.purse.out_of()
        stop = limit if limit and frame.was_refused(keys) else None
        ending = self.purse.broken and (stop or frame.stops)  # a resume with a larger budget goes another way
        if keys is not None and frame.expected is None:
            at = (-frame.step, [self._wall(), *keys]) if ending else (frame.step, keys)
            self.journal.delivery(frame.path, *at)
        for flight in frame.stragglers():
            self._execution.cancel(flight)
        frame.awaiting = ()  # 10,000 asks are let go of before there are 10,000 more
        self._resume(frame, results, stop)

    def _resume(self, frame: Frame, results: Any, stop: str | None = None) -> None:
        """Let a program go on to its next yield; `stop` is the limit that refused some of the results."""
        generator = frame.generator
        frame.stops += stop is not None and (not frame.stops or frame.asks > 0)
        try:
            if stop is None:
                awaiting = generator.send(results)
                while awaiting is PAUSE and not self._turn_over():
                    awaiting = generator.send([])
            elif frame.stops <= _STOPS_PER_FRAME:
                awaiting = generator.throw(Stop(stop, results))
            else:
                generator.close()
                raise Stop(stop)
        except StopIteration as end:
            self._end(frame, Outcome(end.value, stopped=frame.purse.out_of() if frame.stops else None))
        except Stop as stopped:
            self._end(frame, Outcome(failure=Failure("budget", str(stopped)), stopped=stopped.limit))
        except Failed as failed:
            limit = frame.purse.out_of() if frame.stops else None
            self._end(frame, Outcome(failure=Failure(failed.kind, str(failed)), stopped=limit))
        except Exception as bug:  # a program's bug ends the run with its own traceback; the journal is kept
            self._crash = bug
        else:
            if awaiting is PAUSE:
                frame.paused = True
                self.queue(frame)
            else:
                self._begin(frame, awaiting)

    def _wall(self) -> str:
        broken = self.purse.broken
        return f"{broken} {getattr(self.purse.limits, broken)}" if broken else ""

    def _delivered_before(self, program: str, step: int) -> list[str] | None:
        """What a yield was answered with in an earlier session; at a wall, as long as that stands where it stood."""
        keys = self.journal.delivered(program, step)
        if keys is None and self._stood_at:
            wall, *keys_there = self.journal.delivered(program, -step) or [""]
            keys = keys_there if wall == self._stood_at else None
        return keys

    def _begin(self, frame: Frame, awaiting: Any) -> None:
        frame.begin(awaiting, self._delivered_before)
        if isinstance(awaiting, Quorum) and awaiting.deadline_seconds is not None and frame.expected is None:
            when = self.clock.now() + awaiting.deadline_seconds
            frame.timers["due"] = self.clock.call_at(when, lambda: self._due(frame))
        self._launch(frame)

    def _launch(self, frame: Frame) -> None:
        """Launch the effects of a yield, as many as there is time for in this turn."""
        if frame.unlaunched is None:
            return
        for index, key, effect in frame.unlaunched:
            if frame.wants(key):
                self._execution.launch(Flight(self._world, frame, key, effect, index))
            elif isinstance(effect, Ask):
                frame.meter.drop(effect.agent.role, CANCELLED)
            if self.journal.full():
                self._hand_over()
                if self.clock.virtual:  # there a turn has no end, and what a whole population is told would pile up
                    self.journal.catch_up()
            if self._turn_over():
                self._launching.append(frame)
                return
        frame.launched()
        if not frame.queued and frame.ready():
            self.queue(frame)

    def _due(self, frame: Frame) -> None:
        frame.due = True  # the deadline of its quorum
        if not frame.queued:
            self.queue(frame)

    def _end(self, frame: Frame, outcome: Outcome) -> None:
        self.abandon(frame)
        frame.over(outcome)
        self._bell.ring()

    # --- what the execution of effects asks for (see `execution.Programs`) -------------------------------------------

    def queue(self, frame: Frame) -> None:
        """Advance a program soon: its current yield can be answered."""
        frame.queued = True
        self._ready.append(frame)
        self._bell.ring()

    def nest(self, flight: Flight, nested: Nested, over: Callable[[Outcome], None]) -> None:
        """Run a program as a part of the one that an effect belongs to; `over` is told what it came to."""
        purse = flight.frame.purse
        meter = Meter(flight.frame.meter) if is_kept(flight.effect) else flight.frame.meter
        own = nested.limits is not None
        if nested.limits is not None:
            purse = purse.nested(nested.limits)
            self.ledger.open(purse, flight.key)
        stage = Stage(flight.key, nested.chance) if nested.chance else flight.frame.stage
        generator = nested.program(Place(flight.key, self.streams, stage))
        child = flight.child = Frame(flight.key, generator, purse, over, stage, meter)
        if own:
            self._walls.watch(child)
        self._resume(child, None)

    def abandon(self, frame: Frame) -> None:
        """End a frame: what it left pending is cancelled, in every program below it too."""
        frame.ended = True
        for flight in list(frame.flights.values()):
            self._execution.cancel(flight)
        for _, _, effect in frame.unlaunched or ():  # planned, and never made
            if isinstance(effect, Ask):
                frame.meter.drop(effect.agent.role, CANCELLED)
        frame.unlaunched = None
        for timer in frame.timers.values():
            self.clock.cancel(timer)
        try:
            frame.generator.close()
        except Exception as bug:  # it would not end, or has a bug in how it ends
            self.crash(bug)

    def crash(self, error: BaseException) -> None:
        """End the run with an error; the first one counts."""
        self._crash = self._crash or error

    def wake(self) -> None:
        """Have the loop look what there is to do."""
        self._bell.ring()
