"""Parts of a program side by side, each going on as soon as what it waits for itself is there (dataflow).

    values = yield from flow({"a-b": edge("a", "b"), "a-c": edge("a", "c")})

A part is a generator like any program, save that it may also yield a `Signal`, which another part sets. A part that
waits holds nobody else up, so the makespan is that of the longest chain of parts. What a part asks is keyed by the
part's name and the part's own steps: which of them was done first changes no key, and so no seed. A flow within a part
is a program of its own: yield a `Nested`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, TypeAlias

from swarmmind.effects import AnyOf, Record
from swarmmind.errors import Stop
from swarmmind.runtime.handler import is_refused, refusal
from swarmmind.topologies.recall import Steps

Part: TypeAlias = Generator[Any, Any, Any]
_STOPS_PER_PART = 3  # times a part may ask on after it was told to stop


class Signal:
    """A value that one part of a flow sets, once, and others wait for by yielding it."""

    __slots__ = ("_waiting", "done", "value")

    def __init__(self) -> None:
        self.done = False
        self.value: Any = None
        self._waiting: list[_Strand] = []

    def set(self, value: Any) -> None:
        """Let everybody who waits go on with this value.

        Raises:
            RuntimeError: it was set before.
        """
        if self.done:
            raise RuntimeError("a signal is set once")
        self.done, self.value = True, value
        for strand in self._waiting:
            strand.wake(value)
        self._waiting.clear()

    def waits(self, strand: _Strand) -> None:
        """Wake this strand when there is a value."""
        self._waiting.append(strand)


class _Strand:
    """One part, and what it waits for."""

    __slots__ = ("_missing", "_ready", "_results", "inbox", "name", "part", "refused", "step", "stops")

    def __init__(self, name: str, part: Part, ready: deque[_Strand]) -> None:
        self.name, self.part, self._ready = name, part, ready
        self.step = self._missing = self.stops = 0
        self.refused = False
        self.inbox: Any = None
        self._results: list[Any] = []

    def wake(self, value: Any) -> None:
        """Let it go on with this value."""
        self.inbox = value
        self._ready.append(self)

    def asks(self, count: int) -> None:
        """It waits for so many results."""
        self.step += 1
        self._missing, self._results = count, [None] * count

    def arrive(self, at: int, result: Any) -> None:
        """One of the results it waits for is there."""
        self._results[at] = result
        self._missing -= 1
        if not self._missing:
            self.wake(self._results)


def flow(parts: Mapping[str, Part]) -> Steps[dict[str, Any]]:
    """Run parts side by side; returns what each of them returned, by name.

    Args:
        parts: generators by name; names are parts of keys: no `/`.

    Raises:
        Stop: the budget is spent. What was under way has then arrived, and its parts went on until they asked for
            something that was refused: a part gets a `Stop` too, with what was not.
        TypeError: a part yielded something that is neither a list of effects nor a `Signal`.
        ValueError: a name is empty or holds a `/`.
        RuntimeError: parts wait for signals that nobody will set.
    """
    for name in parts:
        if not name or "/" in name:
            raise ValueError(f"a part of a flow needs a name without '/', got {name!r:.80}")
    return (yield from _Flow(parts).run())


class _Flow:
    def __init__(self, parts: Mapping[str, Part]) -> None:
        self._ready: deque[_Strand] = deque()
        self._ready.extend(_Strand(name, part, self._ready) for name, part in parts.items())
        self._left = len(self._ready)
        self._values: dict[str, Any] = dict.fromkeys(parts)
        self._asked: dict[int, list[tuple[Any, _Strand, int]]] = {}  # by the identity of the effect
        self._fresh: list[Any] = []
        self._places: list[str] = []
        self._stopped: str | None = None

    def run(self) -> Steps[dict[str, Any]]:
        while True:
            while self._ready:
                self._advance(self._ready.popleft())
            if not self._asked:
                break
            fresh, places = self._fresh, self._places
            self._fresh, self._places = [], []
            try:
                deliveries = yield AnyOf(fresh, places)
            except Stop as stop:
                self._stopped, deliveries = stop.limit, stop.results
            for effect, result in deliveries:
                self._deliver(effect, result)
        if self._stopped is not None:
            raise Stop(self._stopped)
        if self._left:
            raise RuntimeError(f"{self._left} parts of a flow wait for signals that nobody will set")
        return self._values

    def _deliver(self, effect: Any, result: Any) -> None:
        asked = self._asked.get(id(effect))
        if asked is None:
            return  # its program asked for it before this flow began; no part waits for it
        _, strand, at = asked.pop(0)
        if not asked:
            del self._asked[id(effect)]
        strand.refused = strand.refused or (self._stopped is not None and is_refused(result))
        strand.arrive(at, result)

    def _advance(self, strand: _Strand) -> None:
        value: Any = strand.inbox
        go_on: Callable[[Any], Any] = strand.part.send
        if strand.refused and self._stopped is not None:
            value, go_on = self._stop(strand, strand.inbox), strand.part.throw
            strand.refused = False
        while True:
            try:
                wanted = go_on(value)
            except StopIteration as end:
                self._values[strand.name] = end.value
                self._left -= 1
                return
            except Stop:
                if self._stopped is None:
                    raise
                return
            go_on = strand.part.send
            if isinstance(wanted, Signal):
                if not wanted.done:
                    wanted.waits(strand)
                    return
                value = wanted.value
            elif not isinstance(wanted, (list, tuple)):
                expected = "a list of effects or a Signal (a flow within it, or another kind of awaiting, as a Nested)"
                raise TypeError(f"part {strand.name!r} of a flow must yield {expected}, got {wanted!r:.80}")
            elif not wanted:
                value = []
            elif self._stopped is None or all(isinstance(effect, Record) for effect in wanted):
                self._start(strand, wanted)
                return
            elif strand.stops < _STOPS_PER_PART:
                refused = [refusal(effect, self._stopped) for effect in wanted]
                value, go_on = self._stop(strand, refused), strand.part.throw
            else:
                strand.part.close()
                return

    def _stop(self, strand: _Strand, results: list[Any]) -> Stop:
        assert self._stopped is not None
        strand.stops += 1
        return Stop(self._stopped, results)

    def _start(self, strand: _Strand, effects: Sequence[Any]) -> None:
        strand.asks(len(effects))
        for at, effect in enumerate(effects):
            self._asked.setdefault(id(effect), []).append((effect, strand, at))
            self._fresh.append(effect)
            self._places.append(f"{strand.name}/{strand.step}")
