"""What is said between the head and a worker: batches of messages, in order, each batch one MessagePack document."""

from __future__ import annotations

import pickle
import traceback
from typing import Any, TypeAlias

import msgspec

from swarmmind.runtime.budget import Cost


class Amount(msgspec.Struct, frozen=True, array_like=True):
    """A `budget.Cost` on its way."""

    calls: int = 0
    tokens: int = 0
    usd: float = 0.0

    @staticmethod
    def of(cost: Cost) -> Amount:
        """As it travels."""
        return Amount(cost.calls, cost.tokens, cost.usd)

    def cost(self) -> Cost:
        """As it was."""
        return Cost(self.calls, self.tokens, self.usd)


class Order(msgspec.Struct, frozen=True):
    """What every worker of a run is told first.

    Attributes:
        workshop: `package.module:function`, which makes what a worker works with: it is given the job and a
            `desk.Desk`, and returns something like a `worker.Workshop`.
        job: what the function needs, as it likes; keys to endpoints may be in it, so it is not shown.
    """

    workshop: str
    job: bytes

    def __repr__(self) -> str:
        return f"Order({self.workshop!r})"


# --- from the head ----------------------------------------------------------------------------------------------------


class Held(msgspec.Struct, array_like=True):
    """What the journal holds of an effect and of everything below it.

    Attributes:
        results: key, request, value and seconds of each.
        attempts: key and value of each, in order.
        deliveries: program, step and keys.
        notes: name and value; what purses have spent.
    """

    results: list[tuple[str, bytes, str, float]] = []
    attempts: list[tuple[str, str]] = []
    deliveries: list[tuple[str, int, str]] = []
    notes: list[tuple[str, str]] = []


class Work(msgspec.Struct, tag="work", array_like=True):
    """Execute an effect.

    Attributes:
        id: of this work; a work that is given out again has another one.
        key: the effect's key.
        kind: the name of its type.
        effect: itself, as MessagePack.
        cut: of its stage: how much of a key is replaced.
        chance: of its stage: what stands in its place.
        asks: whether the head must be asked before anything is spent.
        seconds: how long it may take; `None` is any time.
        held: what the journal holds of it.
    """

    id: int
    key: str
    kind: str
    effect: bytes
    cut: int
    chance: str
    asks: bool
    seconds: float | None
    held: Held


class Cancel(msgspec.Struct, tag="cancel", array_like=True):
    """Nobody waits for a work any more."""

    id: int


class Granted(msgspec.Struct, tag="granted", array_like=True):
    """The worst case of a request is set aside and written down; or not, for want of `limit`."""

    ticket: int
    limit: str | None = None


class Placed(msgspec.Struct, tag="placed", array_like=True):
    """A request has its place at its endpoint."""

    ticket: int


class Durable(msgspec.Struct, tag="durable", array_like=True):
    """All rows up to this number are on disk."""

    number: int


class Broken(msgspec.Struct, tag="broken", array_like=True):
    """A limit is spent that a work draws on; `run` says whether it is the whole run's."""

    id: int
    limit: str
    run: bool


class Bye(msgspec.Struct, tag="bye", array_like=True):
    """The run is over."""


# --- from a worker ----------------------------------------------------------------------------------------------------


class Ready(msgspec.Struct, tag="ready", array_like=True):
    """It has built what it works with; `real` says whether its clock is."""

    real: bool


class Rows(msgspec.Struct, tag="rows", array_like=True):
    """Rows for the journal.

    Attributes:
        number: of these rows; the head says up to which number they are durable.
        rows: by table.
        freed: tickets of places that are free once these rows are durable.
    """

    number: int
    rows: dict[str, list[Any]]
    freed: list[int]


class Reserve(msgspec.Struct, tag="reserve", array_like=True):
    """Set the worst case of one request aside, for a work; answered with `Granted`."""

    ticket: int
    id: int
    worst: Amount


class Withdraw(msgspec.Struct, tag="withdraw", array_like=True):
    """Nobody waits for the answer to a `Reserve` any more."""

    ticket: int
    id: int
    worst: Amount


class Settle(msgspec.Struct, tag="settle", array_like=True):
    """A request of a work is over: what was set aside for it, and what it cost."""

    id: int
    worst: Amount
    actual: Amount


class Acquire(msgspec.Struct, tag="acquire", array_like=True):
    """A place at an endpoint; answered with `Placed`."""

    ticket: int
    endpoint: str
    tokens: int
    priority: int
    prefix: bytes


class Answered(msgspec.Struct, tag="answered", array_like=True):
    """What the server said to the request that holds a place."""

    ticket: int
    refused: bool = False
    retry_after_seconds: float | None = None


class Release(msgspec.Struct, tag="release", array_like=True):
    """A place is free, or not waited for any more."""

    ticket: int


class Counted(msgspec.Struct, array_like=True):
    """What a meter has counted.

    Attributes:
        roles: planned, finished, failed and cancelled asks of each.
        usage: as MessagePack.
        replayed: replies that came from the journal.
        failures: by kind: how many, and an example.
        latest: records by name, as MessagePack.
    """

    roles: dict[str, tuple[int, int, int, int]]
    usage: bytes
    replayed: int
    failures: dict[str, tuple[int, str]]
    latest: bytes


class Done(msgspec.Struct, tag="done", array_like=True):
    """A work is over, or was cancelled and nothing of it is in flight any more.

    Attributes:
        id: of the work.
        result: as JSON, or pickled if it is an `Outcome`; empty if it was cancelled.
        counted: what its programs asked; `None` if it is counted at the head.
        paid: what its own requests have cost, as MessagePack.
        freed: tickets of places that are free once the result is durable.
        queued_seconds: how long it waited for places.
        seconds: how long it took, on the worker's clock.
    """

    id: int
    result: bytes
    counted: Counted | None
    paid: bytes
    freed: list[int]
    queued_seconds: float
    seconds: float


class Crashed(msgspec.Struct, tag="crashed", array_like=True):
    """There is a bug; the worker is at its end."""

    error: bytes
    text: str


ToWorker: TypeAlias = Work | Cancel | Granted | Placed | Durable | Broken | Bye
ToHead: TypeAlias = Ready | Rows | Reserve | Withdraw | Settle | Acquire | Answered | Release | Done | Crashed

_to_worker = msgspec.msgpack.Decoder(list[ToWorker])
_to_head = msgspec.msgpack.Decoder(list[ToHead])
encode = msgspec.msgpack.Encoder().encode


def read_order(batch: bytes) -> Order:
    """Read the first thing that a worker is told."""
    return msgspec.msgpack.decode(batch, type=Order)


def for_worker(batch: bytes) -> list[ToWorker]:
    """Read what the head said."""
    return _to_worker.decode(batch)


def for_head(batch: bytes) -> list[ToHead]:
    """Read what a worker said."""
    return _to_head.decode(batch)


def crashed(error: BaseException) -> Crashed:
    """What is said of a bug: the error itself if it can travel, and its traceback."""
    text = "".join(traceback.format_exception(error)).rstrip()
    try:
        packed = pickle.dumps(error)
        pickle.loads(packed)  # noqa: S301 - our own: some errors are pickled and cannot be made again
    except Exception:  # whatever its class does when it is pickled: the text says it all
        packed = b""
    return Crashed(packed, text)


def error_of(crashed: Crashed) -> Exception:
    """The error of a worker, with its traceback there as a note.

    It is unpickled: head and workers are one program in processes that trust each other.
    """
    try:
        error = pickle.loads(crashed.error) if crashed.error else None  # noqa: S301
    except Exception:  # its class is not known here
        error = None
    if not isinstance(error, Exception):
        error = RuntimeError(crashed.text.rpartition("\n")[2])
    error.add_note(f"on a worker:\n{crashed.text}")
    return error
