"""Counters of a run in progress: integers that the driver turns and anybody may read; nothing is called back."""

from __future__ import annotations

from typing import Any

import msgspec

from swarmmind.effects import Failure, Record, Reply, Usage


class Tally(msgspec.Struct):
    """Asks of one role: planned = finished + failed + cancelled, once the run is over."""

    planned: int = 0
    finished: int = 0
    failed: int = 0
    cancelled: int = 0


class Grievance(msgspec.Struct):
    """Failures of one kind: how many, and the first message."""

    kind: str
    count: int
    example: str


class Meter:
    """What has happened so far.

    Args:
        parent: counts everything that is counted here, too.

    Attributes:
        parent: the same.
        roles: a tally per role.
        usage: the sum over all replies, journaled ones included.
        replayed: replies that came from the journal.
        in_flight: asks that were started and are not over.
        failures: by kind.
        latest: the last `Record` of each name, for a live display.
        outermost: the same of the outermost program alone.
    """

    def __init__(self, parent: Meter | None = None) -> None:
        self.parent = parent
        self.roles: dict[str, Tally] = {}
        self.usage = Usage()
        self.replayed = 0
        self.in_flight = 0
        self.failures: dict[str, Grievance] = {}
        self.latest: dict[str, Any] = {}
        self.outermost: dict[str, Any] = {}

    def begin(self, role: str) -> None:
        """An ask was planned."""
        tally = self.roles.get(role)
        if tally is None:
            tally = self.roles[role] = Tally()
        tally.planned += 1
        self.in_flight += 1
        if self.parent is not None:
            self.parent.begin(role)

    def end(self, role: str, reply: Reply) -> None:
        """An ask is over: finished, failed, or cancelled (not made: dropped, out of budget, the run ended)."""
        self.in_flight -= 1
        tally = self.roles[role]
        if reply.usage.calls:
            self.usage += reply.usage
        if reply.failure is None:
            tally.finished += 1
        elif reply.failure.kind in ("cancelled", "budget"):
            tally.cancelled += 1
        else:
            tally.failed += 1
            self._grieve(reply.failure)
        if self.parent is not None:
            self.parent.end(role, reply)

    def drop(self, role: str, reply: Reply) -> None:
        """An ask was planned and will not be made."""
        self.begin(role)
        self.end(role, reply)

    def record(self, program: str, record: Record) -> None:
        """A program recorded something."""
        self.latest[record.name] = record.data
        if "/" not in program:
            self.outermost[record.name] = record.data
        if self.parent is not None:
            self.parent.record(program, record)

    def spend(self, *known: Usage) -> None:
        """Something that is nobody's ask was paid for, e.g. an embedding: the most calls of what is known of it."""
        usage = max(known, key=lambda usage: usage.calls)
        if usage.calls:
            self.usage += usage
        if self.parent is not None:
            self.parent.spend(usage)

    def _grieve(self, failure: Failure) -> None:
        known = self.failures.get(failure.kind)
        if known is None:
            self.failures[failure.kind] = Grievance(failure.kind, 1, failure.message)
        else:
            known.count += 1

    def total(self) -> Tally:
        """All roles together."""
        total = Tally()
        for tally in self.roles.values():
            total.planned += tally.planned
            total.finished += tally.finished
            total.failed += tally.failed
            total.cancelled += tally.cancelled
        return total
