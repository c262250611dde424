"""A wall holds for a run, not for a process: what each purse has spent is journaled, what is reserved included.

A reservation is written down before its call is sent, so a kill -9 at any moment leaves every call that may have been
paid for charged, at worst. A resumed run begins with what is written down, and charges nothing
for replies that it finds in the journal; calls that were dropped, or failed on the way to a reply, stay charged too.
"""

from __future__ import annotations

from collections.abc import Callable

from swarmmind.runtime.budget import Cost, Purse
from swarmmind.runtime.clock import Clock
from swarmmind.runtime.journal import Journal
from swarmmind.runtime.loop import Bell


class Ledger:
    """Keeps the purses of one run in its journal (satisfies `budget.Book`).

    Args:
        journal: where they are kept.
        clock: the run's.
        wake: has `note` called soon.
    """

    def __init__(self, journal: Journal, clock: Clock, wake: Callable[[], None]) -> None:
        self._journal, self._clock, self._wake = journal, clock, wake
        self._touched: dict[Purse, None] = {}
        self._writers: list[Bell] = []

    def open(self, purse: Purse, path: str = "") -> None:
        """Take in the purse of the program at `path`: what earlier sessions spent of it is spent."""
        calls, tokens, usd, seconds, broken = self._journal.meta(f"spent {path}") or (0, 0, 0.0, 0.0, None)
        purse.book, purse.path, purse.spent = self, path, Cost(calls, tokens, usd)
        virtual, limits = self._clock.virtual, purse.limits
        again = purse.parent is not None or not virtual  # simulated, the run comes to its wall by itself
        if again and broken and broken[1] is not None and getattr(limits, broken[0]) == broken[1]:
            purse.broken = broken[0]  # a program that was stopped there is stopped there again
        purse.since = self._clock.now() - (0.0 if virtual else seconds)  # simulated time passes again in a replay
        purse.guarded = not virtual  # there nothing leaves this process

    def touch(self, purse: Purse) -> None:
        """The purse has changed; it is written down by the next `note`."""
        self._touched[purse] = None

    def note(self) -> None:
        """Hand what has changed to the journal."""
        now = self._clock.now()
        for purse in self._touched:
            spent, reserved = purse.spent, purse.reserved
            calls, tokens = spent.calls + reserved.calls, spent.tokens + reserved.tokens
            broken = purse.broken and [purse.broken, getattr(purse.limits, purse.broken)]
            row = [calls, tokens, spent.usd + reserved.usd, now - purse.since, broken]
            self._journal.note(f"spent {purse.path}", row)
        self._touched.clear()
        for bell in self._writers:
            self._journal.after_kept(bell.ring)
        self._writers.clear()

    async def written(self) -> None:
        """Wait until every change so far is durable; those who wait together are written down together.

        Raises:
            JournalError: it cannot be.
        """
        bell = Bell()
        self._writers.append(bell)
        self._wake()
        await bell.rung()
        self._journal.check()
