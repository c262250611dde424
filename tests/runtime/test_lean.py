"""What a call leaves behind: nothing that the garbage collector would have to look for."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import anyio.lowlevel

from swarmmind.effects import Agent, Ask, Limits, Message, Program
from swarmmind.models.chat import ChatModel
from swarmmind.models.endpoint import Endpoint
from swarmmind.models.limiter import Limiter
from swarmmind.models.wire import Writer
from swarmmind.ports import Context, HttpResponse
from swarmmind.testing.play import MODEL, play

_BODY = json.dumps(
    {
        "choices": [{"message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 1},
    }
).encode()


class Instant:
    """A transport whose server answers in the next turn of the loop."""

    async def post(self, path: str, body: bytes, timeout_seconds: float) -> HttpResponse:
        await anyio.lowlevel.checkpoint()
        return HttpResponse(200, {}, _BODY)

    async def get(self, path: str, timeout_seconds: float) -> HttpResponse:
        return HttpResponse(404, {}, b"")

    async def close(self) -> None: ...


def garbage(path: Path, calls: int) -> int:
    """How many objects only the collector could free after a run of so many calls, all of them waiting for places."""

    def program(_: Context) -> Program:
        agents = [Agent(f"a{number}", "worker", model=MODEL) for number in range(calls)]
        replies = yield [Ask(one, (Message("user", "?"),), deadline_seconds=60.0) for one in agents]
        return sum(reply.ok for reply in replies)

    model = ChatModel(Writer("m"), Endpoint("http://127.0.0.1:9/v1", Instant(), Limiter(concurrency=8)))
    gc.collect()
    gc.disable()
    try:
        played = play(program, path, model=model, real=True, limits=Limits(calls=2 * calls))
        assert played.outcome.value == calls
        assert played.purse.spent.calls == calls
        del played
        return gc.collect()
    finally:
        gc.enable()


def test_a_call_leaves_no_cycles(tmp_path: Path) -> None:
    garbage(tmp_path / "first.sqlite", 10)
    few = garbage(tmp_path / "few.sqlite", 100)
    many = garbage(tmp_path / "many.sqlite", 400)
    assert many < few + 150, "a cycle per call would leave 300 more of each of its objects"
