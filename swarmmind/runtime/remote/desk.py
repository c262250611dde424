"""A worker's questions to the head: may this be spent, is there a place."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import anyio

from swarmmind.errors import Spent
from swarmmind.runtime.budget import Cost
from swarmmind.runtime.remote.link import Outbox
from swarmmind.runtime.remote.messages import (
    Acquire,
    Amount,
    Answered,
    Granted,
    Placed,
    Release,
    Reserve,
    Settle,
    Withdraw,
)


class _Question:
    __slots__ = ("answer", "answered")

    def __init__(self) -> None:
        self.answered = anyio.Event()
        self.answer: str | None = None


class Place:
    """A request's place at an endpoint, held at the head (see `models.limiter.Place`)."""

    __slots__ = ("_desk", "held", "ticket")

    def __init__(self, desk: Desk, ticket: int) -> None:
        self._desk, self.ticket, self.held = desk, ticket, True

    def release(self) -> None:
        """Let the next caller in."""
        if self.held:
            self.held = False
            self._desk.outbox.put(Release(self.ticket))

    def answered(self, *, refused: bool = False, retry_after_seconds: float | None = None) -> None:
        """Say what the server said to the request that holds it."""
        self._desk.outbox.put(Answered(self.ticket, refused, retry_after_seconds), urgent=refused)


class Desk:
    """Where a worker asks.

    Args:
        outbox: what is said to the head.

    Attributes:
        asking: how many questions are open.
        before_asking: hands over what has happened so far, which the head must know before it answers.
        after_asking: is told of every answer.
    """

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.asking = 0
        self.before_asking: Callable[[], None] = _nothing
        self.after_asking: Callable[[], None] = _nothing
        self._tickets = count(1)
        self._open: dict[int, _Question] = {}
        self._owed: dict[int, Cost] = {}

    async def place(self, endpoint: str, tokens: int, priority: int, prefix: bytes) -> Place:
        """A place at an endpoint, in turn with all other workers' requests; being cancelled while waiting is safe.

        Args:
            endpoint: the name that head and workers know it by.
            tokens: the most that the request can cost.
            priority: of its agent; lower is earlier.
            prefix: which requests it shares the head of its prompt with.
        """
        ticket = next(self._tickets)
        try:
            await self._ask(ticket, Acquire(ticket, endpoint, tokens, priority, prefix))
        except BaseException:
            self.outbox.put(Release(ticket))
            raise
        return Place(self, ticket)

    async def reserve(self, work: int, worst: Cost) -> None:
        """Set the worst case of a request aside in the purses of the head.

        Raises:
            Spent: it can never fit.
        """
        self.before_asking()
        ticket, amount = next(self._tickets), Amount.of(worst)
        try:
            limit = await self._ask(ticket, Reserve(ticket, work, amount))
        except BaseException:
            self.outbox.put(Withdraw(ticket, work, amount))
            raise
        if limit is not None:
            raise Spent(limit)

    def settle(self, work: int, worst: Cost, actual: Cost) -> None:
        """A request is over: what was set aside for it at the head, and what it cost."""
        self.outbox.put(Settle(work, Amount.of(worst), Amount.of(actual)), urgent=False)

    def owe(self, work: int, cost: Cost) -> None:
        """Something was spent that nobody had to be asked for."""
        owed = self._owed.setdefault(work, Cost())
        owed.calls += cost.calls
        owed.tokens += cost.tokens
        owed.usd += cost.usd

    def pay(self) -> None:
        """Tell the head what was spent without asking."""
        for work, owed in self._owed.items():
            self.settle(work, Cost(), owed)
        self._owed.clear()

    def answer(self, message: Granted | Placed) -> None:
        """The head has answered."""
        question = self._open.get(message.ticket)
        if question is not None:
            question.answer = message.limit if isinstance(message, Granted) else None
            question.answered.set()

    async def _ask(self, ticket: int, message: Any) -> str | None:
        question = self._open[ticket] = _Question()
        self.asking += 1
        self.outbox.put(message)
        try:
            await question.answered.wait()
        finally:
            del self._open[ticket]
            self.asking -= 1
            self.after_asking()
        return question.answer


def _nothing() -> None:
    """There is no host yet."""
