"""A journal without a file: what is written into it goes to the head, and what it holds the head has told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from swarmmind.effects import Reply
from swarmmind.runtime.journal import Found, Journal
from swarmmind.runtime.pen import Pen, Timing
from swarmmind.runtime.remote.desk import Place
from swarmmind.runtime.remote.link import Outbox
from swarmmind.runtime.remote.messages import Held, Rows

_SPENT = "spent "
_MAX_BEHIND = 256  # batches of rows that are not known to be durable; beyond, the driver waits for the disk


class Notebook(Journal):
    """What a worker's driver takes for its journal.

    Args:
        outbox: what is said to the head.
    """

    def __init__(self, outbox: Outbox) -> None:
        Pen.__init__(self)  # of a journal it is the half that writes
        self._outbox = outbox
        self.unread = 0
        self._callbacks = []
        self._works: set[str] = set()
        self._results: dict[str, Found] = {}
        self._tries: dict[str, list[Reply]] = {}
        self._answers: dict[tuple[str, int], list[str]] = {}
        self._notes: dict[str, Any] = {}
        self._freed: list[int] = []
        self._number = self._durable = 0
        self._waiting: list[tuple[int, Callable[[], None]]] = []

    # --- works --------------------------------------------------------------------------------------------------------

    def begin(self, key: str, held: Held) -> None:
        """Take a work on, with what the head's journal holds of it."""
        self._works.add(key)
        for one, request, value, seconds in held.results:
            self._results[one] = Found(request, value, seconds)
        for one, value in held.attempts:
            self._tries.setdefault(one, []).append(msgspec.json.decode(value, type=Reply))
        for program, step, keys in held.deliveries:
            self._answers[program, step] = msgspec.json.decode(keys, type=list[str])
        for name, value in held.notes:
            self._notes[name] = msgspec.json.decode(value)
        self.unread = len(self._results)

    def end(self, key: str) -> list[int]:
        """A work is over: what it did not ask for is of no use any more.

        Returns:
            The tickets of places that are free once its result is durable.
        """
        self._works.discard(key)
        self.skip(key)
        self._tries = {one: known for one, known in self._tries.items() if not _is_of(one, key)}
        self._answers = {at: known for at, known in self._answers.items() if not _is_of(at[0], key)}
        self._notes = {name: known for name, known in self._notes.items() if not _is_of(name[len(_SPENT) :], key)}
        freed, self._freed = self._freed, []
        return freed

    # --- reading ------------------------------------------------------------------------------------------------------

    def find(self, key: str) -> Found | None:
        """See `Journal.find`."""
        if not self.unread:
            return None
        found = self._results.pop(key, None)
        self.unread = len(self._results)
        return found

    def skip(self, key: str) -> None:
        """See `Journal.skip`."""
        if self._results:
            for below in [one for one in self._results if one.startswith(f"{key}/")]:
                del self._results[below]
        self.unread = len(self._results)

    def attempts(self, key: str) -> list[Reply]:
        """See `Journal.attempts`."""
        return self._tries.get(key, []) if self._tries else []

    def delivered(self, program: str, step: int) -> list[str] | None:
        """See `Journal.delivered`."""
        return self._answers.get((program, step))

    def meta(self, name: str) -> Any:
        """See `Journal.meta`."""
        return self._notes.get(name)

    # --- writing ------------------------------------------------------------------------------------------------------

    def result(self, key: str, effect: Any, request: bytes, value: Any, timing: Timing) -> None:
        """See `Journal.result`; a work's own is kept at the head."""
        if key not in self._works:
            super().result(key, effect, request, value, timing)

    def note(self, name: str, value: Any) -> None:
        """See `Journal.note`; what the run as a whole has spent the head knows better."""
        if name != _SPENT:
            super().note(name, value)

    def after_kept(self, callback: Callable[[], None]) -> None:
        """See `Journal.after_kept`; a place is freed at the head, which knows when everything is durable first."""
        place = getattr(callback, "__self__", None)
        if isinstance(place, Place):
            if place.held:
                place.held = False
                self._freed.append(place.ticket)
        else:
            self._callbacks.append(callback)

    def check(self) -> None:
        """See `Journal.check`: what goes wrong at the head, the head says itself."""

    def flush(self) -> None:
        """See `Journal.flush`."""
        if not self._count and not self._callbacks and not self._freed:
            return
        self._number += 1
        urgent = bool(self._freed or self._callbacks)
        self._outbox.put(Rows(self._number, self._take(), self._freed), urgent=urgent)
        self._waiting += [(self._number, callback) for callback in self._callbacks]
        self._callbacks, self._freed = [], []

    def durable(self, number: int) -> None:
        """The head says that everything up to this number is."""
        self._durable = max(self._durable, number)
        due = [callback for at, callback in self._waiting if at <= number]
        self._waiting = [(at, callback) for at, callback in self._waiting if at > number]
        for callback in due:
            callback()

    def behind(self) -> bool:
        """See `Journal.behind`."""
        return self._number - self._durable > _MAX_BEHIND

    def start(self) -> None:
        """Nothing: there is no writer."""

    def close(self) -> None:
        """Nothing: there is no file."""


def _is_of(one: str, key: str) -> bool:
    """Whether a key is another one, or below that."""
    return one == key or one.startswith(f"{key}/")
