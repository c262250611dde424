"""What attacks on the runtime are made with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import anyio

from swarmmind.ports import Call, Request

from .mortal import Remote


class Timed(Remote):
    """Answers after the seconds that the agent's id says, 1 ms for others."""

    def __init__(self, sent: list[str], seconds: dict[str, float] | None = None) -> None:
        super().__init__(sent, 0.0)
        self._by_id = seconds or {}

    async def wait(self, request: Request) -> None:
        await anyio.sleep(self._by_id.get(request.agent.id, 0.001))


class Talk:
    """A model that is one function."""

    stateful = False

    def __init__(self, talk: Callable[[Request, Call], Any]) -> None:
        self._talk = talk

    def answer(self, request: Request, call: Call) -> Any:
        return self._talk(request, call)

    async def close(self) -> None: ...


def within(seconds: float, call: Callable[[], Any]) -> Any:
    """What a call returns or raises, in time: a hang must fail, not hang the tests."""
    came: list[Any] = []

    def run() -> None:
        try:
            came.append(call())
        except BaseException as error:
            came.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert came, f"still going on after {seconds} s"
    return came[0]
