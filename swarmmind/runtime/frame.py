"""One program in progress, and its effects in flight: what it waits for, what has arrived, who must be told."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from typing import Any
from zlib import crc32

from swarmmind.effects import AnyOf, Delivery, Now, Outcome, Program, Quorum, Record, Reply, Usage
from swarmmind.errors import Diverged
from swarmmind.rng import Stage, Stream, Streams
from swarmmind.runtime.budget import Cost, Purse
from swarmmind.runtime.clock import Timer
from swarmmind.runtime.meter import Meter
from swarmmind.runtime.world import World

_ABSENT = object()  # a result that is not there; `None` is a result


class Place:
    """A program's `Context`: where it stands, and chance that belongs to this place."""

    __slots__ = ("_stage", "_streams", "path")

    def __init__(self, path: str, streams: Streams, stage: Stage) -> None:
        self.path, self._streams, self._stage = path, streams, stage

    def rng(self, name: str) -> random.Random:
        """The start of the stream `<path>:<name>`."""
        return self._streams.rng(f"{self._stage.name(self.path)}:{name}")


class Frame:
    """A generator with its current yield.

    A frame waits for one yield at a time. Results of that yield fill `results` by index; results of earlier yields
    that nobody waited for (`AnyOf`, `Now`, kept stragglers) gather in `arrived`, in the order they come.

    Attributes:
        path: its key.
        purse: who pays for its effects.
        stage: what its chance belongs to.
        step: the number of its current yield, from 1.
        asks: how many effects other than records its current yield started.
        flights: its effects that are not over, by key.
        paused: whether its program has only let others have their turn.
        unlaunched: effects of its current yield that are not launched yet, with their indices and keys; `None` once all
            of them are.
        expected: while replaying an any, now or quorum: the keys it was answered with.
        due: whether the deadline of a quorum has passed.
        refused: what its own purse, or one further up, refused, by key.
        doomed: what it comes to at its next advance, whatever its program would say; `None` if it goes on.
        stops: how often it was told to stop; of the times it only waited for what was under way, the first one counts.
        timers: what it has set on the clock, by what it is for.
        meter: what counts its asks.
    """

    __slots__ = (
        "__weakref__",
        "_keys",
        "_lacking",
        "_placed",
        "arrived",
        "asks",
        "awaiting",
        "doomed",
        "due",
        "ended",
        "expected",
        "flights",
        "generator",
        "meter",
        "missing",
        "over",
        "path",
        "paused",
        "purse",
        "queued",
        "refused",
        "results",
        "stage",
        "step",
        "stops",
        "timers",
        "unlaunched",
    )

    def __init__(
        self,
        path: str,
        generator: Program,
        purse: Purse,
        over: Callable[[Outcome], None],
        stage: Stage,
        meter: Meter,
    ) -> None:
        self.path, self.generator, self.purse, self.over, self.stage = path, generator, purse, over, stage
        self.meter = meter
        self.step = self.asks = self.stops = self.missing = 0
        self.awaiting: Any = ()
        self.results: list[Any] = []
        self._keys: list[str] = []
        self._placed: dict[str, int] = {}  # how often each key was used that is not of a yield, but of a place
        self.flights: dict[str, Flight] = {}
        self.arrived: dict[str, Delivery] = {}
        self.unlaunched: Iterator[tuple[int, str, Any]] | None = None
        self.expected: dict[str, None] | None = None
        self._lacking: set[str] = set()  # those of `expected` that are not there
        self.doomed: Outcome | None = None
        self.timers: dict[str, Timer] = {}
        self.refused: set[str] = set()
        self.due = self.queued = self.ended = self.paused = False

    def begin(self, awaiting: Any, delivered: Callable[[str, int], list[str] | None]) -> None:
        """Take the next yield; its effects are to be launched one by one, in the order asked.

        Args:
            awaiting: what was yielded.
            delivered: what the journal says that a yield of a program was answered with.

        Raises:
            TypeError: a program yielded something that is not a list, `AnyOf`, `Now` or `Quorum`.
        """
        if isinstance(awaiting, (list, tuple)):
            effects: Sequence[Any] = awaiting
        elif isinstance(awaiting, (AnyOf, Now, Quorum)):
            effects = awaiting.effects
        else:
            expected = "a list of effects, AnyOf, Now or Quorum"
            raise TypeError(f"{self.path}: a program must yield {expected}, got {awaiting!r:.80}")
        self.step += 1
        self.awaiting, self.expected = awaiting, None
        self.due = False
        self.missing = 0 if isinstance(awaiting, (AnyOf, Now)) else len(effects)
        self.results = [_ABSENT] * self.missing
        self.asks = sum(not isinstance(effect, Record) for effect in effects)
        self._keys = []
        if not isinstance(awaiting, (list, tuple)):
            known = delivered(self.path, self.step)
            if known is not None:
                self.expected = dict.fromkeys(known)
                self._lacking = {key for key in known if key not in self.arrived}
        self.unlaunched = self._keyed(effects, getattr(awaiting, "places", None))

    def wants(self, key: str) -> bool:
        """Whether an effect that is about to be launched may still be of use; each is asked about once, in order."""
        awaiting = self.awaiting
        if not isinstance(awaiting, Quorum):
            return True
        self._keys.append(key)
        return awaiting.late == "keep" or (not self.due if self.expected is None else key in self.expected)

    def launched(self) -> None:
        """All effects of the current yield are launched.

        Raises:
            Diverged: the journal says that it was answered with something which is not asked for now.
        """
        self.unlaunched = None
        for key in self._lacking if self.expected else ():
            if key not in self.flights:
                raise Diverged(f"{self.path}/{self.step} was answered with {key}, which it does not ask for now")

    def _keyed(self, effects: Sequence[Any], places: Sequence[str] | None) -> Iterator[tuple[int, str, Any]]:
        """The effects with their places in the yield and keys; of equal keys all but the first bear a number."""
        here = repeat(str(self.step), len(effects)) if places is None else places
        seen: dict[str, int] = {} if places is None else self._placed
        for index, (effect, place) in enumerate(zip(effects, here, strict=True)):
            key = f"{self.path}/{place}/{effect.label()}"
            number = seen.get(key, 0) + 1
            seen[key] = number
            if number > 1:
                key = f"{key}#{number}"
                while key in seen:  # somebody is called like that
                    key += "#"
                seen[key] = 1
            yield index, key, effect

    def arrive(self, flight: Flight, result: Any) -> None:
        """An effect of this frame is over."""
        self.flights.pop(flight.key, None)
        asked_now = flight.step == self.step and bool(self.results)
        if asked_now and (self.expected is None or flight.key in self.expected):
            self.results[flight.index] = result
            self.missing -= 1
        else:
            self.arrived[flight.key] = Delivery(flight.effect, result)
        self._lacking.discard(flight.key)

    def ready(self) -> bool:
        """Whether the current yield can be answered: not before all of it is launched."""
        if self.unlaunched is not None:
            return False
        awaiting = self.awaiting
        if isinstance(awaiting, Quorum):
            there = len(self.results) - self.missing
            if self.expected is not None:
                return there >= len(self.expected)
            return self.due or there >= math.ceil(awaiting.share * len(self.results) - 1e-9)
        if isinstance(awaiting, (AnyOf, Now)):
            if self.expected is not None:
                return not self._lacking
            return bool(self.arrived) or not self.flights or isinstance(awaiting, Now)
        return not self.missing

    def take(self) -> tuple[list[Any], list[str] | None]:
        """The answer to the current yield, and the keys it is made of (`None` for a plain list: all of them)."""
        awaiting = self.awaiting
        if isinstance(awaiting, (AnyOf, Now)):
            keys = list(self.arrived if self.expected is None else self.expected)
            return [self.arrived.pop(key) for key in keys], keys
        results, self.results, self.missing = self.results, [], 0
        if isinstance(awaiting, Quorum):
            keys = [key for key, result in zip(self._keys, results, strict=True) if result is not _ABSENT]
            return [None if result is _ABSENT else result for result in results], keys
        return results, None

    def was_refused(self, keys: list[str] | None) -> bool:
        """Whether something of the answer to the current yield was refused; `keys` are those that `take` told."""
        if keys is not None:
            return not self.refused.isdisjoint(keys)
        head = f"{self.path}/{self.step}/"
        return any(key.startswith(head) and key not in self._placed for key in self.refused)

    def stragglers(self) -> list[Flight]:
        """The flights of the current yield that are not over, if it is a quorum that drops them."""
        if not isinstance(self.awaiting, Quorum) or self.awaiting.late != "drop":
            return []
        return [flight for flight in self.flights.values() if flight.step == self.step]


class Flight:
    """What a handler, and through it a model, sees of the effect it works on (`ports.Call`).

    Attributes:
        key: its path in the program.
        index: its place in the yield, from 0.
        step: the yield it belongs to.
        request: the digest of what it asks.
        earlier: paid replies of an interrupted run that did not settle this ask, oldest first.
        cancel: cancels the task that works on it, if there is one.
        late: whether its deadline has passed.
        child: the frame that answers it, if a program does.
        paid: what its requests have cost so far.
        replaying: its result came from the journal and is paid for.
        seconds: how long it took on the clock of whoever executed it, if that was not the run's.
        timer: what it has set on the clock.
    """

    __slots__ = (
        "_seed",
        "_world",
        "callbacks",
        "cancel",
        "child",
        "deadline",
        "earlier",
        "effect",
        "frame",
        "index",
        "key",
        "late",
        "over",
        "paid",
        "queued_seconds",
        "replaying",
        "request",
        "seconds",
        "started",
        "step",
        "timer",
    )

    def __init__(self, world: World, frame: Frame, key: str, effect: Any, index: int) -> None:
        self._world, self.frame, self.key, self.effect, self.index = world, frame, key, effect, index
        self.step = frame.step
        self.request = b""
        self._seed: int | None = None
        self.earlier: list[Reply] = []
        self.callbacks: list[Callable[[], None]] = []
        self.cancel: Callable[[], object] | None = None
        self.child: Frame | None = None
        self.timer: Timer | None = None
        self.over = self.late = self.replaying = False
        self.paid = Usage()
        self.queued_seconds = 0.0
        self.seconds: float | None = None
        self.started = world.clock.now()
        seconds = getattr(effect, "deadline_seconds", None)
        self.deadline: float | None = None if seconds is None else self.started + seconds

    def begin(self) -> None:
        """It has waited for a place, and its time begins now."""
        self.started = self._world.clock.now()

    def set_deadline(self) -> None:
        """Have the task that works on it cancelled at its deadline, on the run's clock."""
        assert self.deadline is not None
        self.timer = self._world.clock.call_at(self.deadline, self._too_late)

    def _too_late(self) -> None:
        self.late = True
        if self.cancel is not None:
            self.cancel()

    def rng(self, name: str = "") -> random.Random:
        """The start of a random stream that belongs to this effect alone."""
        base = self.seed()
        return Stream((base << 32) | crc32(name.encode()) if name else base)

    def seed(self, number: int = 0) -> int:
        """The seed that a server gets for the number-th request of this effect, in [0, 2**63)."""
        if number:
            return self._world.streams.derive(f"{self.stage.name(self.key)}#{number}")
        if self._seed is None:
            self._seed = self._world.streams.derive(self.stage.name(self.key))
        return self._seed

    @property
    def stage(self) -> Stage:
        """See `ports.Call.stage`."""
        return self.frame.stage

    def now(self) -> float:
        """The run's clock, in seconds."""
        return self._world.clock.now()

    async def sleep(self, seconds: float) -> None:
        """Wait on the run's clock."""
        await self._world.clock.sleep(seconds)

    def queued(self, seconds: float) -> None:
        """Add to the time spent waiting for a place at an endpoint."""
        self.queued_seconds += seconds

    def try_reserve(self, worst: Usage) -> bool:
        """See `ports.Call.try_reserve`."""
        if self.replaying:
            return True
        purse = self.frame.purse
        return not purse.guarded and purse.try_reserve(Cost.of(worst))

    async def reserve(self, worst: Usage) -> None:
        """See `ports.Call.reserve`."""
        if not self.replaying:
            await self.frame.purse.reserve(Cost.of(worst))

    def settle(self, worst: Usage, actual: Usage) -> None:
        """See `ports.Call.settle`."""
        if self.replaying:
            return
        self.frame.purse.settle(Cost.of(worst), Cost.of(actual, worst))
        if self.over:  # it was cancelled while this was on the wire
            self.frame.meter.spend(actual)
        else:
            self.paid = self.paid + actual if self.paid.calls else actual

    def after_kept(self, callback: Callable[[], None]) -> None:
        """See `ports.Call.after_kept`."""
        if self.over:
            callback()
        else:
            self.callbacks.append(callback)

    def keep(self, number: int, reply: Reply) -> None:
        """Keep a paid reply that did not settle this ask; places held until now are given back when it is durable.

        It is handed over at once: if all that is in flight waits for such a place, no reply makes the driver do so.
        """
        self._world.journal.attempt(self.key, number, reply)
        self.release()
        self._world.journal.flush()

    def release(self) -> None:
        """Have the callbacks run once everything handed to the journal so far is durable."""
        callbacks, self.callbacks = self.callbacks, []
        for callback in callbacks:
            self._world.journal.after_kept(callback)
