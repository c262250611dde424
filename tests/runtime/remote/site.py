"""A run whose pieces are executed by workers: what the head and the workers of these tests have in common."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import anyio
import msgspec

from swarmmind.agents.asker import Asker
from swarmmind.effects import AnyOf, Ask, Failure, Limits, Nested, Now, Outcome, Program, Quorum, Record, Sleep
from swarmmind.errors import UserError
from swarmmind.models.distant import DistantEndpoints
from swarmmind.models.embed_hashing import Hashing
from swarmmind.models.embedding import Embeddings
from swarmmind.models.endpoints import Endpoints
from swarmmind.models.local import ScriptedFunction
from swarmmind.models.make import Sources, make_model
from swarmmind.ports import Context, Model
from swarmmind.rng import Streams
from swarmmind.runtime.budget import Purse
from swarmmind.runtime.clock import RealClock, VirtualClock
from swarmmind.runtime.driver import Driver
from swarmmind.runtime.frame import Flight
from swarmmind.runtime.handler import Handler, is_refused
from swarmmind.runtime.journal import Journal
from swarmmind.runtime.meter import Meter
from swarmmind.runtime.remote.engine import Engine
from swarmmind.runtime.remote.head import Head, RemoteHandler
from swarmmind.runtime.remote.messages import Order
from swarmmind.runtime.world import World
from swarmmind.spec.model import EndpointLimits, ModelSpec
from swarmmind.testing.fake_endpoint import FakeEndpoint
from swarmmind.testing.play import MODEL, echo
from swarmmind.traces import Embed
from tests.runtime.stage import ask


class Made(msgspec.Struct, frozen=True):
    """What came of a piece."""

    said: list[str] = []
    calls: int = 0
    failure: Failure | None = None


class Piece(msgspec.Struct, frozen=True):
    """A piece of work, kept like an episode."""

    result: ClassVar[Any] = Made
    kept: ClassVar[bool] = True

    name: str
    seed: int = 0

    def label(self) -> str:
        return f"{self.name}.{self.seed}"


class Pieces:
    """Executes pieces, each with a program of every kind of awaiting."""

    at_once = 4

    def __init__(self, program: Callable[[Context, Piece], Program]) -> None:
        self._program = program
        self.known = 0

    def __call__(self, piece: Piece, flight: Flight) -> Nested:
        def program(ctx: Context) -> Program:
            return self._program(ctx, piece)

        return Nested(program, "piece", chance=f"piece/{piece.seed}")

    def replayed(self, piece: Piece, flight: Flight, result: Made) -> None:
        self.known += 1

    def read(self, piece: Piece, outcome: Outcome, meter: Meter | None) -> Made:
        assert meter is not None
        if is_refused(outcome):
            return Made(failure=Failure("budget", "not made to its end"))
        said = outcome.value if outcome.ok else [str(outcome.failure)]
        return Made(said, meter.total().planned)


def child(ctx: Context) -> Program:
    replies = yield [ask(f"c{number}", str(ctx.rng("c").random())) for number in range(2)]
    return [reply.text for reply in replies]


def every_kind(ctx: Context, piece: Piece) -> Program:
    said: list[str] = [f"{ctx.rng('start').random()}"]
    for number in range(3):
        replies = yield Quorum([ask(f"q{i}", f"{number} {len(said)}") for i in range(4)], share=0.5)
        said += [str(reply and reply.text) for reply in replies]
        yield [Record("round", {"number": number, "piece": piece.name}), Sleep(0.01)]
        outcomes = yield [Nested(child, "n", Limits(calls=5)), Nested(child, "m")]
        said += [str(outcome.value) for outcome in outcomes]
        arrived = yield AnyOf([ask("x", repr(said[-1])), ask("y", piece.name)])
        said += [str(delivery.result.text) for delivery in arrived]
        said += [str(delivery.result.text) for delivery in (yield Now())]
    return said


def steps(ctx: Context, piece: Piece) -> Program:
    said: list[str] = []
    for number in range(3):
        replies = yield [ask(f"q{i}", f"{piece.name} {number} {len(said)}") for i in range(3)]
        said += [str(reply.text or reply.failure) for reply in replies]
        outcome = (yield [Nested(child, "n", Limits(calls=20))])[0]  # calls that a death may have cost are charged
        said.append(str(outcome.value))
    return said


def root(pieces: list[Piece], ctx: Context) -> Program:
    made = yield pieces
    return [one.said for one in made]


class Shop(NamedTuple):
    """See `worker.Workshop`."""

    streams: Streams
    handlers: Mapping[type, Handler]
    servants: Any
    at_once: bool


class Nobody:
    """Servants that need no care."""

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        yield


def shop(model: Model, program: Callable[[Context, Piece], Program], *, at_once: bool) -> Shop:
    executes: dict[type, Handler] = {
        Ask: Asker({MODEL: model}),
        Embed: Embeddings(Hashing()),
        Piece: Pieces(program),
    }
    return Shop(Streams(7), executes, Nobody(), at_once)


class Setting(msgspec.Struct):
    """The job of a run against a server."""

    base_url: str
    concurrency: int | None = None
    program: str = "steps"


def buggy(ctx: Context, piece: Piece) -> Program:
    yield [ask("a")]
    if piece.name == "p3":
        raise ZeroDivisionError("in p3")
    return ["fine"]


def deadly(ctx: Context, piece: Piece) -> Program:
    yield [ask("a")]
    if piece.name == "p3":
        os.kill(os.getpid(), signal.SIGKILL)
    return ["fine"]


def hanging(ctx: Context, piece: Piece) -> Program:
    """One piece, the first time, keeps its worker from everything else until a file is there."""
    yield [ask("a")]
    if piece.name == "p0":
        while not Path(os.environ["GO_ON"]).exists():
            time.sleep(0.01)
    yield [ask("b")]
    return ["fine"]


def loud(ctx: Context, piece: Piece) -> Program:
    print("said", flush=True)
    os.write(1, b"written\n")
    yield [ask("a")]
    return ["fine"]


PROGRAMS = {"steps": steps, "buggy": buggy, "deadly": deadly, "hanging": hanging, "loud": loud}


def real(job: bytes, desk: Any) -> Shop:
    """The workshop of a run against a server."""
    setting = msgspec.json.decode(job, type=Setting)
    endpoints = Endpoints() if desk is None else DistantEndpoints(desk, {})
    limits = EndpointLimits(concurrency=setting.concurrency)
    spec = ModelSpec(name="vllm/m", base_url=setting.base_url, limits=limits)
    model = make_model(spec, Sources(endpoints))
    return shop(model, PROGRAMS[setting.program], at_once=False)._replace(servants=endpoints)


def spoiled(job: bytes, desk: Any) -> Shop:
    """A workshop that cannot be built where the workers are."""
    if desk is not None:
        raise UserError("the folder is not there")
    return rehearsal(job, desk)


def named(job: bytes, desk: Any) -> Shop:
    """The workshop of a rehearsed run of another program."""
    return shop(ScriptedFunction(echo, latency), PROGRAMS[job.decode()], at_once=True)


def latency(rng: Any) -> float:
    return rng.uniform(0.01, 0.1)


def rehearsal(job: bytes, desk: Any) -> Shop:
    """The workshop of a rehearsed run."""
    return shop(ScriptedFunction(echo, latency), every_kind, at_once=True)


class Ran(NamedTuple):
    """What a run came to."""

    outcome: Outcome
    meter: Meter
    purse: Purse
    handler: Pieces
    servants: Any


def run(
    journal: Path,
    pieces: list[Piece],
    workshop: Callable[[bytes, Any], Shop],
    *,
    job: bytes = b"",
    engine: Engine | None = None,
    limits: Limits | None = None,
    server: FakeEndpoint | None = None,
    concurrency: int | None = None,
    program: str = "steps",
    beside: Callable[[Head, Any], Any] | None = None,
) -> Ran:
    """Have pieces made: here, or by the workers of an engine; `beside` is run with the head."""

    async def main() -> Ran:
        record = Journal(journal)
        record.look_up()
        record.start()
        if server is not None:
            await server.start()
        told = msgspec.json.encode(Setting(server.base_url, concurrency, program)) if server else job
        here = workshop(told, None)
        local: Any = here.handlers[Piece]
        purse, meter = Purse(limits), Meter()
        try:
            clock = RealClock() if engine is not None or not here.at_once else VirtualClock()
            handlers = dict(here.handlers)
            if engine is None:
                driver = Driver(World(record, clock, here.streams, purse, meter), handlers)
                async with here.servants.running():
                    outcome = await driver.run(partial(root, pieces))
            else:
                head = Head(record, lambda name: here.servants.limiter(name), engine.workers)
                handlers[Piece] = RemoteHandler(head, local)
                driver = Driver(World(record, clock, here.streams, purse, meter), handlers)
                order = Order(f"{workshop.__module__}:{workshop.__qualname__}", told)
                async with here.servants.running(), engine.running(head, order):
                    if beside is None:
                        outcome = await driver.run(partial(root, pieces))
                    else:
                        outcome = await beside(head, driver.run(partial(root, pieces)))
            return Ran(outcome, meter, purse, local, here.servants)
        finally:
            if server is not None:
                await server.stop()
            record.close()

    return anyio.run(main)
