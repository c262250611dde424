"""A budget is a wall: the worst case is reserved before sending and settled after.

Purses nest. A child's spending is its parent's too, and a reservation must fit every purse up to the root, so children
can never together spend what their parent does not have. A reservation that does not fit *beside what is still in
flight* waits for that to be settled; one that does not fit an otherwise settled purse breaks it: from then on nothing
is sent for its account. A wall holds for a run, not for a process: see `ledger`.
"""

from __future__ import annotations

from typing import Protocol

import anyio
import msgspec

from swarmmind.effects import Limits, Usage
from swarmmind.errors import Spent


class Cost(msgspec.Struct):
    """An amount: calls, prompt plus completion tokens, US dollars."""

    calls: int = 0
    tokens: int = 0
    usd: float = 0.0

    @staticmethod
    def of(usage: Usage, worst: Usage | None = None) -> Cost:
        """What a reply cost; where the server did not say, the worst case that was reserved for it (or 0)."""
        worst = worst or Usage()
        prompt = worst.prompt_tokens if usage.prompt_tokens is None else usage.prompt_tokens
        completion = worst.completion_tokens if usage.completion_tokens is None else usage.completion_tokens
        usd = worst.cost_usd if usage.cost_usd is None else usage.cost_usd
        return Cost(usage.calls, (prompt or 0) + (completion or 0), usd or 0.0)


_EPSILON_USD = 1e-12  # sums of floats; far below the price of a token


class Book(Protocol):
    """Who writes down what purses spend."""

    def touch(self, purse: Purse) -> None:
        """The purse has changed."""
        ...

    async def written(self) -> None:
        """Wait until every change so far is durable."""
        ...


class Purse:
    """What may still be spent, with what is reserved for calls in flight.

    Attributes:
        limits: the walls; `None` is no wall.
        spent: settled so far.
        reserved: the worst case of all calls in flight.
        broken: the limit that could not pay, once that happened.
        book: who writes down what is spent, if anybody does.
        guarded: whether a reservation must be written down before its call is sent.
        path: whose it is, for the book.
        since: when its time began, on the run's clock, earlier sessions counted in.
    """

    __slots__ = (
        "_changed",
        "book",
        "broken",
        "guarded",
        "limits",
        "parent",
        "path",
        "reserved",
        "root",
        "since",
        "spent",
    )

    def __init__(self, limits: Limits | None = None, parent: Purse | None = None) -> None:
        self.limits = limits or Limits()
        self.parent = parent
        self.spent = Cost()
        self.reserved = Cost()
        self.broken: str | None = None
        self.root: Purse = self if parent is None else parent.root
        self.book: Book | None = None
        self.guarded = False
        self.path = ""
        self.since = 0.0
        self._changed: anyio.Event | None = None  # the root's, set when any call is settled

    def nested(self, limits: Limits) -> Purse:
        """A purse that draws on this one, within limits of its own."""
        return Purse(limits, self)

    def out_of(self) -> str | None:
        """The limit that is broken here or further up, if any."""
        purse: Purse | None = self
        while purse is not None:
            if purse.broken:
                return purse.broken
            purse = purse.parent
        return None

    async def reserve(self, worst: Cost) -> None:
        """Set the worst case of one call aside; waits while it would fit once calls in flight are settled.

        Raises:
            Spent: it can never fit; the purse that lacks it is broken from now on.
        """
        while not self.try_reserve(worst):
            await self._room()
        if self.guarded and self.book is not None:
            try:
                await self.book.written()
            except BaseException:
                self.settle(worst, Cost())
                raise

    async def _room(self) -> None:
        """Wait until any call in flight is settled."""
        root = self.root
        if root._changed is None:
            root._changed = anyio.Event()
        await root._changed.wait()

    def try_reserve(self, worst: Cost) -> bool:
        """Set the worst case of one call aside, here and all the way up.

        Returns:
            Whether it was set aside; `False` means that it may fit once calls in flight are settled: try again then.

        Raises:
            Spent: it can never fit; the purse that lacks it is broken from now on.
        """
        wait = False
        purse: Purse | None = self
        while purse is not None:
            if purse.broken:
                raise Spent(purse.broken)
            lacking = purse._lacking(worst, purse.reserved)
            if lacking:
                if purse._lacking(worst, Cost()):
                    purse.broken = lacking
                    if purse.book is not None:
                        purse.book.touch(purse)
                    raise Spent(lacking)
                wait = True
            purse = purse.parent
        if not wait:
            self._add_reserved(worst, 1)
        return not wait

    def _lacking(self, worst: Cost, reserved: Cost) -> str | None:
        limits, spent = self.limits, self.spent
        if limits.calls is not None and spent.calls + reserved.calls + worst.calls > limits.calls:
            return "calls"
        if limits.tokens is not None and spent.tokens + reserved.tokens + worst.tokens > limits.tokens:
            return "tokens"
        if limits.usd is not None and spent.usd + reserved.usd + worst.usd > limits.usd + _EPSILON_USD:
            return "usd"
        return None

    def settle(self, worst: Cost, cost: Cost) -> None:
        """A call is over: give its reservation back and charge what it cost."""
        self._add_reserved(worst, -1)
        self.charge(cost)
        root = self.root
        if root._changed is not None:
            root._changed.set()
            root._changed = None

    def charge(self, cost: Cost) -> None:
        """Charge what was spent without a reservation."""
        purse: Purse | None = self
        while purse is not None:
            purse.spent.calls += cost.calls
            purse.spent.tokens += cost.tokens
            purse.spent.usd += cost.usd
            purse = purse.parent

    def _add_reserved(self, worst: Cost, sign: int) -> None:
        purse: Purse | None = self
        while purse is not None:
            purse.reserved.calls += sign * worst.calls
            purse.reserved.tokens += sign * worst.tokens
            purse.reserved.usd += sign * worst.usd
            if purse.book is not None:
                purse.book.touch(purse)
            purse = purse.parent
