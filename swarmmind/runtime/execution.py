"""The execution of effects: started, handed to who executes them, kept when they are over, and cancelled if need be.

An effect whose result is in the journal is not started. What its program makes of a result is none of its business.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from inspect import isawaitable
from typing import Any, Protocol

import msgspec

from swarmmind.effects import Ask, Later, Nested, Outcome, Record, Reply, Sleep
from swarmmind.errors import Diverged, Spent
from swarmmind.runtime.frame import Flight, Frame
from swarmmind.runtime.handler import CANCELLED, Handler, is_kept, is_refused, never_made, refusal, timed_out
from swarmmind.runtime.journal import Found, Timing
from swarmmind.runtime.loop import Cancelled, Crew, canceller
from swarmmind.runtime.waiting import Waiting
from swarmmind.runtime.world import World
from swarmmind.traces import Embedding

_MAX_TASKS = 4096  # at once; a task costs some 10 KB, an effect that waits to be started a twentieth of it


class Programs(Protocol):
    """Who advances programs, as the execution of their effects sees it."""

    def nest(self, flight: Flight, nested: Nested, over: Callable[[Outcome], None]) -> None:
        """Run a program as a part of the one that an effect belongs to; `over` is told what it came to."""
        ...

    def queue(self, frame: Frame) -> None:
        """Advance a program soon: its current yield can be answered."""
        ...

    def abandon(self, frame: Frame) -> None:
        """End a program and all that is below it."""
        ...

    def crash(self, error: BaseException) -> None:
        """End the run: there is a bug."""
        ...

    def wake(self) -> None:
        """Have the loop look what there is to do."""
        ...


class Execution:
    """Executes the effects of one run.

    Args:
        world: what the run owns.
        handlers: who executes effects, by their type.
        programs: who waits for the results.

    Attributes:
        tasks: how many of its tasks there are.
        replayed: how many results came from the journal.
    """

    def __init__(self, world: World, handlers: Mapping[type, Handler], programs: Programs) -> None:
        self._world, self._handlers, self._programs = world, handlers, programs
        self._journal, self._clock = world.journal, world.clock
        self._waiting = Waiting(handlers)
        self._crew = Crew()
        self.tasks = self.replayed = 0

    def launch(self, flight: Flight) -> None:
        """Take an effect in: it is done at once, replayed, started, or started when there is a place."""
        frame, effect = flight.frame, flight.effect
        frame.flights[flight.key] = flight
        if isinstance(effect, Record):
            self._journal.record(flight.key, effect.name, effect.data, final=not self._world.purse.broken)
            frame.meter.record(frame.path, effect)
            self.finish(flight, None, keep=False)
        elif isinstance(effect, Nested):
            self._programs.nest(flight, effect, lambda outcome: self.finish(flight, outcome, keep=False))
        else:
            if isinstance(effect, Ask):
                frame.meter.begin(effect.agent.role)
            question = self._journal.digest(effect)
            flight.request = question.digest
            found = self._journal.find(flight.key)
            if found is None:
                self._journal.question(effect, question)
                self._start(flight)
            else:
                self._replay(flight, found)

    def take_on(self, flight: Flight) -> None:
        """Start an effect that was asked for elsewhere: its question and its result are kept there."""
        flight.frame.flights[flight.key] = flight
        if isinstance(flight.effect, Ask):
            flight.frame.meter.begin(flight.effect.agent.role)
        self._start(flight, again=True)

    def startable(self) -> bool:
        """Whether something waits to be started, and there is a place for it."""
        return bool(self._waiting) and self.tasks < _MAX_TASKS

    def start_next(self) -> None:
        """Start what has waited longest; there must be something (see `startable`)."""
        self._start(self._waiting.next(), again=True)

    def _start(self, flight: Flight, *, again: bool = False) -> None:
        effect = flight.effect
        if flight.over:
            return None
        limit = flight.frame.purse.out_of()
        if limit and not getattr(type(effect), "free", False):
            return self.finish(flight, refusal(effect, limit), keep=False)
        if isinstance(effect, Sleep):
            return self._later(flight, flight.started + effect.seconds, None)
        known = self._journal.unread or flight.frame.expected is not None
        replaying = known and not self._clock.virtual  # it may turn out that nobody waits for it
        if not again and (replaying or self.tasks >= _MAX_TASKS):
            return self._waiting.hold(flight)
        if not self._waiting.admit(flight):
            return None
        flight.earlier = self._journal.attempts(flight.key)
        handler = self._handler(effect)
        try:
            answer = handler(effect, flight)
        except Spent as spent:
            return self.finish(flight, refusal(effect, spent.limit), keep=False)
        if isinstance(answer, Later):
            self._delay(flight, answer)
        elif isinstance(answer, Nested):
            self._programs.nest(flight, answer, lambda outcome: self._answered(flight, handler, outcome))
        elif isawaitable(answer):
            self.tasks += 1
            self._crew.start(self._await(flight, answer))
        else:
            self.finish(flight, answer)
        return None

    def _handler(self, effect: Any) -> Handler:
        handler = self._handlers.get(type(effect))
        if handler is None:
            known = ", ".join(sorted(kind.__name__ for kind in self._handlers))
            raise TypeError(f"{type(effect).__name__} is not an effect that this run can execute (known: {known})")
        return handler

    def _delay(self, flight: Flight, answer: Later) -> None:
        when, reply = flight.started + answer.seconds, answer.reply
        if flight.deadline is not None and flight.deadline < when:
            when, reply = flight.deadline, timed_out(reply)
        self._later(flight, when, reply)

    def _later(self, flight: Flight, when: float, result: Any, *, keep: bool = True) -> None:
        flight.timer = self._clock.call_at(when, lambda: self.finish(flight, result, keep=keep))

    def _answered(self, flight: Flight, handler: Handler, outcome: Outcome) -> None:
        if outcome.failure is not None and outcome.failure.kind == "memory":  # not journaled: nothing may follow
            flight.frame.doomed = outcome
        own = flight.child.meter if flight.child is not None and is_kept(flight.effect) else None
        result = handler.read(flight.effect, outcome, own)
        self.finish(flight, result, keep=own is not None, stopped=is_refused(outcome))

    async def _await(self, flight: Flight, answer: Awaitable[Any]) -> None:
        try:
            result = await _unless_over(flight, answer)
            flight.cancel = None
            self.finish(flight, result)
        except Spent as spent:
            flight.cancel = None
            self.finish(flight, refusal(flight.effect, spent.limit))
        except Cancelled:
            flight.cancel = None
            if flight.late:
                self.finish(flight, timed_out(Reply()))
        except Exception as bug:  # a handler's bug ends the run with its own traceback
            self._programs.crash(bug)
        finally:
            flight.cancel = None
            self.tasks -= 1
            self._programs.wake()
            if not flight.over:
                self._programs.crash(RuntimeError(f"{flight.key}: its handler was cancelled, and not by the run"))

    def _replay(self, flight: Flight, found: Found) -> None:
        effect = flight.effect
        if found.request != flight.request:
            raise Diverged(
                f"{flight.key} asks something else than the journal holds: the task, its code or a library changed "
                "since this run was started; resume it unchanged, or start a new run"
            )
        result = msgspec.json.decode(found.value, type=effect.result)
        if isinstance(effect, Ask):
            self._world.meter.replayed += 1
        elif is_kept(effect):
            self._journal.skip(flight.key)
        flight.replaying = True
        self.replayed += 1
        if not isinstance(effect, Sleep):
            self._handler(effect).replayed(effect, flight, result)
        if self._clock.virtual and found.seconds > 0:  # simulated time passes again, so that what follows is the same
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
            seconds = self._clock.now() - flight.started if flight.seconds is None else flight.seconds
            timing = Timing(seconds, flight.queued_seconds)
            self._journal.result(flight.key, flight.effect, flight.request, result, timing)
        if flight.callbacks:
            flight.release()
        if flight.cancel is not None:
            flight.cancel()
        frame.arrive(flight, result)
        if not frame.queued and frame.ready():
            self._programs.queue(frame)

    def cancel(self, flight: Flight) -> None:
        """Nobody waits for an effect any more: it is dropped, and all that is below it."""
        if flight.over:
            return
        if flight.child is not None:
            self._programs.abandon(flight.child)
        self._over(flight)
        if isinstance(flight.effect, Ask):
            flight.frame.meter.end(flight.effect.agent.role, msgspec.structs.replace(CANCELLED, usage=flight.paid))
        flight.release()
        if flight.cancel is not None:
            flight.cancel()
        flight.frame.flights.pop(flight.key, None)

    async def close(self) -> None:
        """End its tasks; all effects are over."""
        await self._crew.close()

    def _over(self, flight: Flight) -> None:
        flight.over, flight.child = True, None
        self._waiting.over(flight)
        if flight.timer is not None:
            self._clock.cancel(flight.timer)


async def _unless_over(flight: Flight, answer: Awaitable[Any]) -> Any:
    """Wait for an answer, at most until the deadline of its effect.

    Raises:
        Cancelled: the effect is over, or too late.
    """
    flight.cancel = canceller()
    if flight.over:  # dropped before it began
        flight.cancel()
    elif flight.deadline is not None:
        flight.set_deadline()
    return await answer
