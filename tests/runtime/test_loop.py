"""Bells and crews: wake-ups and tasks on the event loop at first hand."""

from __future__ import annotations

import asyncio  # noqa: TID251 - what is tested stands on it
import time
from collections.abc import Callable

import pytest
import uvloop

from swarmmind.runtime.loop import Bell, Cancelled, Crew, canceller

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[..., object]:
    def on(work: Callable[[], object]) -> object:
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(work())  # type: ignore[arg-type]

    return on


def test_a_bell_that_was_rung_before_is_not_waited_for_and_then_silent(run: Callable[..., object]) -> None:
    async def main() -> list[str]:
        bell, heard = Bell(), list[str]()
        bell.ring()
        bell.ring()
        await bell.rung()
        heard.append("at once")
        asyncio.get_running_loop().call_soon(lambda: (heard.append("rings"), bell.ring()))
        await bell.rung()
        heard.append("woken")
        return heard

    assert run(main) == ["at once", "rings", "woken"]


def test_a_bell_is_waited_for_until_a_time_and_one_alarm_serves_many_waits(run: Callable[..., object]) -> None:
    async def main() -> float:
        bell, begun = Bell(), time.monotonic()
        for _ in range(100):  # woken each time, long before
            asyncio.get_running_loop().call_soon(bell.ring)
            await bell.rung(begun + 60.0)
        await bell.rung(begun + 0.05)
        waited = time.monotonic() - begun
        bell.silence()
        return waited

    assert 0.04 < run(main) < 30  # type: ignore[operator]


def test_whoever_stops_waiting_for_a_bell_leaves_it_to_the_next(run: Callable[..., object]) -> None:
    async def main() -> bool:
        bell = Bell()
        first = asyncio.ensure_future(bell.rung())
        await asyncio.sleep(0)
        first.cancel()
        bell.ring()
        await asyncio.gather(first, return_exceptions=True)
        await asyncio.wait_for(bell.rung(), 30)
        return first.cancelled()

    assert run(main) is True


def test_no_task_outlives_its_crew_and_each_cleans_up(run: Callable[..., object]) -> None:
    async def main() -> list[str]:
        crew, said = Crew(), list[str]()

        async def sleeper(name: str) -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                said.append(name)

        async def stubborn() -> None:
            try:
                await asyncio.sleep(3600)
            except Cancelled:
                said.append("no")
            await sleeper("well then")

        crew.start(sleeper("first"))
        crew.start(stubborn())
        await asyncio.sleep(0)
        crew.start(sleeper("just begun"))
        await crew.close()
        return said

    said = run(main)
    assert isinstance(said, list)
    assert sorted(said[:3]) == ["first", "just begun", "no"]
    assert said[3:] == ["well then"]


def test_a_task_can_be_cancelled_by_what_it_gave_away(run: Callable[..., object]) -> None:
    async def main() -> str:
        crew, said = Crew(), list[str]()

        async def work() -> None:
            asyncio.get_running_loop().call_soon(canceller())
            try:
                await asyncio.sleep(3600)
            except Cancelled:
                said.append("cancelled")

        crew.start(work())
        await asyncio.sleep(0.01)
        await crew.close()
        return said[0]

    assert run(main) == "cancelled"
