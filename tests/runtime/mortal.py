"""A program of every kind of awaiting on the real clock, in a process that can be killed:
`python -m tests.runtime.mortal JOURNAL LOG SEED CALLS` logs each call before it is sent, and prints what came of it."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import anyio

from swarmmind.effects import AnyOf, Limits, Nested, Now, Program, Quorum, Record, Reply, Sleep, Usage
from swarmmind.errors import Stop
from swarmmind.ports import Call, Context, Request

from .stage import ask, play

WORST, COST, UNKNOWN = Usage(1, 10, 0, 5, 0.001), Usage(1, 5, 0, 2, 0.0005), Usage(1, None, None, None, None)


class Remote:
    """Like a model over a network: it reserves, sends (a line in the log), waits by chance, and settles."""

    stateful = False

    def __init__(self, sent: list[str], seconds: float = 0.03, seed: int = 0, log: Path | None = None) -> None:
        self.sent, self.seconds, self.log, self._rng = sent, seconds, log, random.Random(seed)

    def answer(self, request: Request, call: Call) -> Awaitable[Reply]:
        return self._answer(request, call)

    async def close(self) -> None: ...

    async def _answer(self, request: Request, call: Call) -> Reply:
        await anyio.sleep(self._rng.uniform(0, self.seconds / 3))
        if not call.try_reserve(WORST):
            await call.reserve(WORST)
        self.sent.append(call.key)
        if self.log is not None:
            with self.log.open("a") as log:
                log.write(f"{call.key}\n")
        actual = UNKNOWN
        try:
            await self.wait(request)
            actual = COST
        finally:
            call.settle(WORST, actual)
        return Reply(text=f"{request.agent.id} of {call.key}", usage=actual)

    async def wait(self, request: Request) -> None:
        """As long as the answer takes."""
        await anyio.sleep(self._rng.uniform(0, self.seconds))


def child(ctx: Context) -> Program:
    said: list[str] = []
    try:
        for number in range(4):
            arrived = yield AnyOf([ask(f"c{number}"), ask(f"d{number}", str(len(said)))])
            said += [str(delivery.result.text) for delivery in arrived]
            said += [str(delivery.result.text) for delivery in (yield Now())]
    except Stop:
        return [*said, "stopped"]
    return said


def every_kind(ctx: Context) -> Program:
    seen: list[Any] = []
    try:
        for number in range(6):
            children = [Nested(child, "n", Limits(calls=5)), Nested(child, "m", Limits(seconds=0.05))]
            asks = [ask(f"q{i}", str(len(seen))) for i in range(5)]
            late = "keep" if number % 2 else "drop"
            replies = yield Quorum([*asks, *children], share=0.5, late=late, deadline_seconds=0.05)
            seen.append([reply is None for reply in replies])
            seen += [str(d.result) for d in (yield Now([ask("planner", repr(seen[-1])), Record("round", number)]))]
            yield [Sleep(0.01), ask("x", repr(seen)), Nested(child, "z")]
            seen += [str(d.result) for d in (yield AnyOf([ask("y")]))]
        while arrived := (yield AnyOf()):
            seen += [str(delivery.result) for delivery in arrived]
    except Stop:
        return ["stopped", len(seen)]
    return seen


def main(journal: str, log: str, seed: str, calls: str) -> None:
    limits = Limits(calls=int(calls)) if int(calls) else None
    model = Remote([], seed=int(seed), log=Path(log))
    played = play(every_kind, Path(journal), model=model, limits=limits, real=True)
    tally = played.meter.total()
    print(
        json.dumps(
            {
                "value": played.outcome.value,
                "stopped": played.outcome.stopped,
                "planned": tally.planned,
                "accounted": tally.finished + tally.failed + tally.cancelled,
                "spent": played.purse.spent.calls,
                "reserved": played.purse.reserved.calls,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
