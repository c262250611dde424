"""One program in progress: its generator, what it waits for, and what has arrived."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from swarmmind.effects import AnyOf, Delivery, Now, Outcome, Program, Quorum
from swarmmind.rng import Streams
from swarmmind.runtime.budget import Purse

if TYPE_CHECKING:
    from swarmmind.runtime.flight import Flight

_ABSENT = object()  # a result that is not there; `None` is a result


class Place:
    """A program's `Context`: where it stands, and chance that belongs to this place."""

    __slots__ = ("_streams", "path")

    def __init__(self, path: str, streams: Streams) -> None:
        self.path, self._streams = path, streams

    def rng(self, name: str) -> random.Random:
        """The start of the stream `<path>:<name>`."""
        return self._streams.rng(f"{self.path}:{name}")


class Frame:
    """A generator with its current yield.

    A frame waits for one yield at a time. Results of that yield fill `results` by index; results of earlier yields
    that nobody waited for (`AnyOf`, `Now`, kept stragglers) gather in `arrived`, in the order they come.

    Attributes:
        path: its key.
        purse: who pays for its effects.
        step: the number of its current yield, from 1.
        flights: its effects that are not over, by key.
        refused: whether something of the current yield was refused for lack of budget.
        expected: while replaying an any, now or quorum: the keys it was answered with.
        due: whether the deadline of a quorum has passed.
        stops: how often it was told to stop.
    """

    __slots__ = (
        "_keys",
        "arrived",
        "awaiting",
        "due",
        "ended",
        "expected",
        "flights",
        "generator",
        "missing",
        "over",
        "path",
        "purse",
        "queued",
        "refused",
        "results",
        "step",
        "stops",
    )

    def __init__(self, path: str, generator: Program, purse: Purse, over: Callable[[Outcome], None]) -> None:
        self.path, self.generator, self.purse, self.over = path, generator, purse, over
        self.step = self.stops = self.missing = 0
        self.awaiting: Any = ()
        self.results: list[Any] = []
        self._keys: list[str] = []
        self.flights: dict[str, Flight] = {}
        self.arrived: dict[str, Delivery] = {}
        self.expected: list[str] | None = None
        self.refused = self.due = self.queued = self.ended = False

    def begin(self, awaiting: Any) -> list[tuple[str, Any]]:
        """Take the next yield; returns its effects with their keys, in the order asked.

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
        self.refused = self.due = False
        self.missing = 0 if isinstance(awaiting, (AnyOf, Now)) else len(effects)
        self.results = [_ABSENT] * self.missing
        keyed = self._keyed(effects)
        self._keys = [key for key, _ in keyed] if isinstance(awaiting, Quorum) else []
        return keyed

    def _keyed(self, effects: Sequence[Any]) -> list[tuple[str, Any]]:
        head = f"{self.path}/{self.step}/"
        keyed: list[tuple[str, Any]] = []
        seen: dict[str, int] = {}
        for effect in effects:
            label = effect.label()
            number = seen.get(label, 0) + 1
            seen[label] = number
            keyed.append((head + label if number == 1 else f"{head}{label}#{number}", effect))
        return keyed

    def arrive(self, flight: Flight, result: Any) -> None:
        """An effect of this frame is over."""
        self.flights.pop(flight.key, None)
        asked_now = flight.step == self.step and bool(self.results)
        if asked_now and (self.expected is None or flight.key in self.expected):
            self.results[flight.index] = result
            self.missing -= 1
        else:
            self.arrived[flight.key] = Delivery(flight.effect, result)

    def ready(self) -> bool:
        """Whether the current yield can be answered."""
        awaiting = self.awaiting
        if isinstance(awaiting, Quorum):
            there = len(self.results) - self.missing
            if self.expected is not None:
                return there >= len(self.expected)
            return self.due or there >= math.ceil(awaiting.share * len(self.results) - 1e-9)
        if isinstance(awaiting, (AnyOf, Now)):
            if self.expected is not None:
                return all(key in self.arrived for key in self.expected)
            return bool(self.arrived) or not self.flights or isinstance(awaiting, Now)
        return not self.missing

    def take(self) -> tuple[list[Any], list[str] | None]:
        """The answer to the current yield, and the keys it is made of (`None` for a plain list: all of them)."""
        awaiting = self.awaiting
        if isinstance(awaiting, (AnyOf, Now)):
            keys = list(self.arrived) if self.expected is None else self.expected
            return [self.arrived.pop(key) for key in keys], keys
        results, self.results = self.results, []
        if isinstance(awaiting, Quorum):
            keys = [key for key, result in zip(self._keys, results, strict=True) if result is not _ABSENT]
            return [None if result is _ABSENT else result for result in results], keys
        return results, None

    def stragglers(self) -> list[Flight]:
        """The flights of the current yield that are not over, if it is a quorum that drops them."""
        if not isinstance(self.awaiting, Quorum) or self.awaiting.late != "drop":
            return []
        return [flight for flight in self.flights.values() if flight.step == self.step]
