"""What a worker asks and takes back at once: both may come in one batch."""

from __future__ import annotations

from typing import Any, cast

import anyio

from swarmmind.effects import Limits
from swarmmind.models.limiter import Limiter
from swarmmind.runtime.budget import Cost, Purse
from swarmmind.runtime.remote import messages
from swarmmind.runtime.remote.link import LinkBroken
from swarmmind.runtime.remote.messages import Acquire, Amount, Done, Release, Reserve, Withdraw
from swarmmind.runtime.remote.seat import Seat

WORST = Amount(1, 5, 0.0)


class Says:
    """A link over which a worker says one batch, and a little later nothing any more."""

    def __init__(self, batch: list[Any]) -> None:
        self._batches = [messages.encode(batch)]

    async def send(self, batch: bytes) -> None:
        """To nobody."""

    async def receive(self) -> bytes:
        if self._batches:
            return self._batches.pop()
        await anyio.sleep(0.02)
        raise LinkBroken


class Desk:
    """An office with one endpoint."""

    journal: Any = None

    def __init__(self) -> None:
        self.limiter = Limiter(4)

    def gates(self, name: str) -> Limiter:
        return self.limiter

    def deal(self) -> None: ...

    def done(self, task: Any, message: Done) -> None: ...

    def fail(self, error: Exception) -> None:
        raise error


class Spending:
    """A task, as far as it spends."""

    told: str | None = None

    def __init__(self, limits: Limits) -> None:
        self.purse = Purse(limits)
        self.set = 0

    def set_aside(self, worst: Cost, sign: int) -> None:
        self.set += sign


def says(batch: list[Any], office: Desk, task: Spending | None = None) -> Seat:
    async def main() -> Seat:
        seat = Seat(Says(batch), cast("Any", office))
        if task is not None:
            seat.tasks[7] = cast("Any", task)
        await seat.run()
        return seat

    return anyio.run(main)


def test_a_place_that_is_given_back_at_once_is_not_held() -> None:
    office = Desk()
    says([Acquire(1, "0", 5, 0, b""), Release(1)], office)
    assert (office.limiter.in_flight, office.limiter.waiting) == (0, 0)


def test_a_question_that_is_taken_back_at_once_reserves_nothing() -> None:
    for limits in (Limits(calls=5), Limits(calls=0)):
        task = Spending(limits)
        says([Reserve(1, 7, WORST), Withdraw(1, 7, WORST)], Desk(), task)
        assert task.purse.reserved == Cost()
        assert task.set == 0
        assert task.purse.broken is None


def test_a_work_may_be_over_before_its_question_is_looked_at() -> None:
    task = Spending(Limits(calls=5))
    over = Done(7, b"", None, b"", [], 0.0, 0.0)
    says([Reserve(1, 7, WORST), Withdraw(1, 7, WORST), over], Desk(), task)
    assert task.purse.reserved == Cost()
