"""The one loop: it advances programs, starts their effects, and sends the results back.

A turn of the loop advances every program that can go on, hands what happened to the journal, and waits for the next
reply or timer. Nothing in it looks at the wall clock or at chance, so a run replays from its journal: an effect whose
result is there is not started, an any/now/quorum is answered with what it was answered with, and when the journal is
dry the run goes on where it was.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from inspect import isawaitable
from math import inf
from typing import Any

import anyio
import anyio.lowlevel
import msgspec

from swarmmind.effects import Ask, Failure, Later, Nested, Outcome, Program, Quorum, Record, Reply, Sleep
from swarmmind.errors import Diverged, Failed, Spent, Stop
from swarmmind.rng import Stage
from swarmmind.runtime.budget import Purse
from swarmmind.runtime.frame import Flight, Frame, Place
from swarmmind.runtime.handler import CANCELLED, Handler, is_kept, is_refused, never_made, refusal, timed_out
from swarmmind.runtime.journal import Found, Timing
from swarmmind.runtime.ledger import Ledger
from swarmmind.runtime.meter import Meter
from swarmmind.runtime.waiting import Waiting
from swarmmind.runtime.walls import Walls
from swarmmind.runtime.world import World
from swarmmind.traces import Embedding

_FRAMES_PER_TURN = 256
_TIMERS_PER_TURN = 256  # jumps of the virtual clock
_MAX_TASKS = 4096  # at once; a task costs some 10 KB, an effect that waits to be started a twentieth of it
_STOPS_PER_FRAME = 3  # times a program may yield on after it was told to stop


class Driver:
    """Runs one root program, and whatever it nests, to its end.

    Raises (from `run`):
        Diverged: the program asks something else than the journal holds.
        JournalError: the journal cannot be written.
        Exception: a program or handler has a bug; it keeps its traceback, and the journal keeps what was paid for.
    """

    def __init__(self, world: World, handlers: Mapping[type, Handler]) -> None:
        self._world, self.handlers = world, handlers
        self.journal, self.clock, self.streams, self.purse, self.meter = world
        self._ready: deque[Frame] = deque()
        self._wake = anyio.Event()
        self._waiting = Waiting(handlers)
        self._tasks = self._replayed = 0  # the latter: results and deliveries that came from the journal
        self._crash: BaseException | None = None
        self._outcome: Outcome | None = None
        self.ledger = Ledger(self.journal, self.clock, lambda: self._wake.set())
        self.ledger.open(self.purse)
        self._walls = Walls(self.clock, self.ledger, partial(self.finish, keep=False))

    def elapsed(self) -> float:
        """Seconds that this run has taken on its clock, earlier sessions included."""
        return self.clock.now() - self.purse.since

    async def run(self, program: Callable[[Place], Program], path: str = "run") -> Outcome:
        """Run a program to its end; the journal is durable when this returns."""
        stage = Stage()
        root = Frame(path, program(Place(path, self.streams, stage)), self.purse, self._finished, stage, self.meter)
        try:
            async with anyio.create_task_group() as group:
                self._spawn = group.start_soon
                try:
                    self._walls.watch(root)
                    self._resume(root, None)
                    await self._loop()
                except Exception as error:  # kept out of the group, so that it arrives in its own clothes
                    self._crash = error
                group.cancel_scope.cancel()
        finally:
            self._abandon(root)
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
        while self._outcome is None and self._crash is None:
            replayed = self._replayed
            for _ in range(min(len(self._ready), _FRAMES_PER_TURN)):
                self._advance(self._ready.popleft())
                if self._crash is not None:
                    return
            if not self._ready or replayed == self._replayed:  # what can be replayed is
                while self._waiting and self._tasks < _MAX_TASKS:
                    self._start(self._waiting.next(), again=True)
            self._hand_over()
            while self.journal.behind():
                await self.journal.synced()
            if self._outcome is not None:
                return
            if self._ready:
                await anyio.lowlevel.checkpoint()
            else:
                await self._idle()

    async def _idle(self) -> None:
        if self._waiting and self._tasks < _MAX_TASKS:
            return  # places came free while the journal was waited for
        if not self._tasks and self.clock.next_at() == inf:
            raise RuntimeError("deadlock: every program waits and nothing is in flight")
        if not self.clock.virtual:
            with anyio.CancelScope(deadline=self.clock.next_at()):
                await self._wake.wait()
            self._wake = anyio.Event()
        elif self._tasks:
            await self._settle()
        else:
            await anyio.lowlevel.checkpoint()
        for _ in range(_TIMERS_PER_TURN):
            if self._ready or self.clock.next_at() == inf:
                break
            self.clock.fire()
            if self._tasks or not self.clock.virtual:
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
        due = frame.timers.pop("due", None)
        if due is not None:
            self.clock.cancel(due)
        self._replayed += frame.expected is not None
        results, keys = frame.take()
        limit = frame.purse.out_of()
        stop = limit if limit and frame.was_refused(keys) else None
        ending = self.purse.broken and (stop or frame.stops)  # a resume with a larger budget goes another way
        if keys is not None and frame.expected is None and not ending:
            self.journal.delivery(frame.path, frame.step, keys)
        for flight in frame.stragglers():
            self._cancel(flight)
        self._resume(frame, results, stop)

    def _resume(self, frame: Frame, results: Any, stop: str | None = None) -> None:
        """Let a program go on to its next yield; `stop` is the limit that refused some of the results."""
        generator = frame.generator
        frame.stops += stop is not None and (not frame.stops or frame.asks > 0)
        try:
            if stop is None:
                awaiting = generator.send(results)
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
            self._begin(frame, awaiting)

    def _begin(self, frame: Frame, awaiting: Any) -> None:
        keyed = frame.begin(awaiting)
        if not isinstance(awaiting, (list, tuple)):
            frame.expect(self.journal.delivered(frame.path, frame.step), keyed)
        dropped = isinstance(awaiting, Quorum) and awaiting.late == "drop"
        for index, (key, effect) in enumerate(keyed):
            if dropped and frame.expected is not None and key not in frame.expected:
                if isinstance(effect, Ask):
                    frame.meter.drop(effect.agent.role, CANCELLED)
                continue
            self._launch(Flight(self._world, frame, key, effect, index))
            if self.journal.full():
                self._hand_over()
        if isinstance(awaiting, Quorum) and awaiting.deadline_seconds is not None and frame.expected is None:
            when = self.clock.now() + awaiting.deadline_seconds
            frame.timers["due"] = self.clock.call_at(when, lambda: self._due(frame))
        if not frame.queued and frame.ready():
            self._queue(frame)

    def _queue(self, frame: Frame) -> None:
        frame.queued = True
        self._ready.append(frame)
        self._wake.set()

    def _due(self, frame: Frame) -> None:
        frame.due = True  # the deadline of its quorum
        if not frame.queued:
            self._queue(frame)

    def _end(self, frame: Frame, outcome: Outcome) -> None:
        self._abandon(frame)
        frame.over(outcome)
        self._wake.set()

    def _abandon(self, frame: Frame) -> None:
        """End a frame: what it left pending is cancelled, in every program below it too."""
        frame.ended = True
        for flight in list(frame.flights.values()):
            self._cancel(flight)
        for timer in frame.timers.values():
            self.clock.cancel(timer)
        try:
            frame.generator.close()
        except Exception as bug:  # it would not end, or has a bug in how it ends
            self._crash = self._crash or bug

    # --- effects -----------------------------------------------------------------------------------------------------

    def _launch(self, flight: Flight) -> None:
        frame, effect = flight.frame, flight.effect
        frame.flights[flight.key] = flight
        if isinstance(effect, Record):
            self.journal.record(flight.key, effect.name, effect.data, final=not self.purse.broken)
            frame.meter.record(frame.path, effect)
            self.finish(flight, None, keep=False)
        elif isinstance(effect, Nested):
            self._nest(flight, effect, lambda outcome: self.finish(flight, outcome, keep=False))
        else:
            if isinstance(effect, Ask):
                frame.meter.begin(effect.agent.role)
            question = self.journal.digest(effect)
            flight.request = question.digest
            found = self.journal.find(flight.key)
            if found is None:
                self.journal.question(effect, question)
                self._start(flight)
            else:
                self._replay(flight, found)

    def _start(self, flight: Flight, *, again: bool = False) -> None:
        effect = flight.effect
        if flight.over:
            return None
        limit = flight.frame.purse.out_of()
        if limit and not getattr(type(effect), "free", False):
            return self.finish(flight, refusal(effect, limit), keep=False)
        if isinstance(effect, Sleep):
            return self._later(flight, flight.started + effect.seconds, None)
        replaying = self.journal.unread and not self.clock.virtual  # it may turn out that nobody waits for it
        if not again and (replaying or self._tasks >= _MAX_TASKS):
            return self._waiting.hold(flight)
        if not self._waiting.admit(flight):
            return None
        flight.earlier = self.journal.attempts(flight.key)
        handler = self._handler(effect)
        try:
            answer = handler(effect, flight)
        except Spent as spent:
            return self.finish(flight, refusal(effect, spent.limit), keep=False)
        if isinstance(answer, Later):
            self._delay(flight, answer)
        elif isinstance(answer, Nested):
            self._nest(flight, answer, lambda outcome: self._answered(flight, handler, outcome))
        elif isawaitable(answer):
            self._tasks += 1
            self._spawn(self._await, flight, answer)
        else:
            self.finish(flight, answer)
        return None

    def _handler(self, effect: Any) -> Handler:
        handler = self.handlers.get(type(effect))
        if handler is None:
            known = ", ".join(sorted(kind.__name__ for kind in self.handlers))
            raise TypeError(f"{type(effect).__name__} is not an effect that this run can execute (known: {known})")
        return handler

    def _delay(self, flight: Flight, answer: Later) -> None:
        when, reply = flight.started + answer.seconds, answer.reply
        if flight.deadline is not None and flight.deadline < when:
            when, reply = flight.deadline, timed_out(reply)
        self._later(flight, when, reply)

    def _later(self, flight: Flight, when: float, result: Any, *, keep: bool = True) -> None:
        flight.timer = self.clock.call_at(when, lambda: self.finish(flight, result, keep=keep))

    def _nest(self, flight: Flight, nested: Nested, over: Callable[[Outcome], None]) -> None:
        purse = flight.frame.purse
        meter = Meter(flight.frame.meter) if is_kept(flight.effect) else flight.frame.meter
        own = nested.limits is not None
        if own:
            purse = Purse(nested.limits, purse)
            self.ledger.open(purse, flight.key)
        stage = Stage(flight.key, nested.chance) if nested.chance else flight.frame.stage
        generator = nested.program(Place(flight.key, self.streams, stage))
        child = flight.child = Frame(flight.key, generator, purse, over, stage, meter)
        if own:
            self._walls.watch(child)
        self._resume(child, None)

    def _answered(self, flight: Flight, handler: Handler, outcome: Outcome) -> None:
        if outcome.failure is not None and outcome.failure.kind == "memory":  # not journaled: nothing may follow
            flight.frame.doomed = outcome
        own = flight.child.meter if flight.child is not None and is_kept(flight.effect) else None
        result = handler.read(flight.effect, outcome, own)
        self.finish(flight, result, keep=own is not None, stopped=is_refused(outcome))

    async def _await(self, flight: Flight, answer: Awaitable[Any]) -> None:
        try:
            with flight.until_deadline() as flight.scope:
                if flight.over:  # dropped before it began
                    flight.scope.cancel()
                try:
                    result = await answer
                except Spent as spent:
                    result = refusal(flight.effect, spent.limit)
                flight.scope = None
                return self.finish(flight, result)
            return self.finish(flight, timed_out(Reply()))
        except Exception as bug:  # a handler's bug ends the run with its own traceback
            self._crash = bug
            return None
        finally:
            self._tasks -= 1
            self._wake.set()
            if not flight.over and self._crash is None:
                self._crash = RuntimeError(f"{flight.key}: its handler was cancelled, and not by the run")

    def _replay(self, flight: Flight, found: Found) -> None:
        effect = flight.effect
        if found.request != flight.request:
            raise Diverged(
                f"{flight.key} asks something else than the journal holds: the task, its code or a library changed "
                "since this run was started; resume it unchanged, or start a new run"
            )
        result = msgspec.json.decode(found.value, type=effect.result)
        if isinstance(effect, Ask):
            self.meter.replayed += 1
        elif is_kept(effect):
            self.journal.skip(flight.key)
        flight.replaying = True
        self._replayed += 1
        if not isinstance(effect, Sleep):
            self._handler(effect).replayed(effect, flight, result)
        if self.clock.virtual and found.seconds > 0:  # simulated time passes again, so that what follows is the same
            self._later(flight, flight.started + found.seconds, result, keep=False)
        else:
            self.finish(flight, result, keep=False)

    def finish(self, flight: Flight, result: Any, *, keep: bool = True, stopped: bool = False) -> None:
        """An effect is over: keep its result, count it, and let its program go on if that was all it waited for.

        `stopped` says that a budget ended the program that answered it.
        """
        if flight.over:
            return
        frame, child = flight.frame, flight.child
        if (stopped or is_refused(result)) and not (child and child.purse is not frame.purse and child.purse.broken):
            frame.refused.add(flight.key)  # not what a program's own purse, which its parent does not share, ended
        self._over(flight)
        if isinstance(result, Reply) and result.failure is not None and flight.paid.calls > result.usage.calls:
            result = msgspec.structs.replace(result, usage=flight.paid)  # given up after requests that cost something
        if isinstance(flight.effect, Ask):
            frame.meter.end(flight.effect.agent.role, result)
        elif isinstance(result, Embedding):
            frame.meter.spend(flight.paid, result.usage)
        if keep and not never_made(result):
            timing = Timing(self.clock.now() - flight.started, flight.queued_seconds)
            self.journal.result(flight.key, flight.effect, flight.request, result, timing)
        if flight.callbacks:
            flight.release()
        if flight.scope is not None:
            flight.scope.cancel()
        frame.arrive(flight, result)
        if not frame.queued and frame.ready():
            self._queue(frame)

    def _cancel(self, flight: Flight) -> None:
        if flight.over:
            return
        if flight.child is not None:
            self._abandon(flight.child)
        self._over(flight)
        if isinstance(flight.effect, Ask):
            flight.frame.meter.end(flight.effect.agent.role, msgspec.structs.replace(CANCELLED, usage=flight.paid))
        flight.release()
        if flight.scope is not None:
            flight.scope.cancel()
        flight.frame.flights.pop(flight.key, None)

    def _over(self, flight: Flight) -> None:
        flight.over, flight.child = True, None
        self._waiting.over(flight)
        if flight.timer is not None:
            self.clock.cancel(flight.timer)
