from __future__ import annotations

import math

import anyio
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.runtime.clock import RealClock, VirtualClock


def test_simulated_time_jumps_from_timer_to_timer() -> None:
    clock, fired = VirtualClock(), list[tuple[str, float]]()
    for name, when in (("b", 5.0), ("a", 2.0), ("c", 5.0)):
        clock.call_at(when, lambda name=name: fired.append((name, clock.now())))
    assert (clock.now(), clock.next_at()) == (0.0, 2.0)
    clock.fire()
    assert fired == [("a", 2.0)]
    clock.fire()
    assert fired == [("a", 2.0), ("b", 5.0), ("c", 5.0)]
    assert clock.next_at() == math.inf


def test_a_timer_in_the_past_does_not_turn_time_back() -> None:
    clock, fired = VirtualClock(), list[float]()
    clock.call_at(9.0, lambda: clock.call_at(1.0, lambda: fired.append(clock.now())))
    clock.fire()
    if clock.next_at() < math.inf:
        clock.fire()
    assert fired == [9.0]
    assert clock.now() == 9.0


@given(st.lists(st.floats(0, 1e6), max_size=30))
def test_timers_fire_in_order_of_time_and_equal_ones_in_the_order_they_were_set(whens: list[float]) -> None:
    clock, fired = VirtualClock(), list[tuple[float, int]]()
    for number, when in enumerate(whens):
        clock.call_at(when, lambda number=number: fired.append((clock.now(), number)))
    while clock.next_at() < math.inf:
        clock.fire()
    assert fired == sorted((when, number) for number, when in enumerate(whens))


def test_simulated_sleepers_wake_in_time_order_and_nobody_waits() -> None:
    clock, woken = VirtualClock(), list[tuple[str, float]]()

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.now()))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(sleeper, "late", 86_400.0)
            group.start_soon(sleeper, "early", 3_600.0)
            for _ in range(2):
                await anyio.wait_all_tasks_blocked()
                clock.fire()

    anyio.run(main)
    assert woken == [("early", 3_600.0), ("late", 86_400.0)]


def test_the_real_clock_fires_what_is_due_and_nothing_else() -> None:
    async def main() -> None:
        clock, fired = RealClock(), list[str]()
        began = clock.now()
        clock.call_at(began - 1, lambda: fired.append("past"))
        clock.call_at(began + 3600, lambda: fired.append("future"))
        clock.fire()
        assert fired == ["past"]
        assert clock.next_at() == began + 3600
        await clock.sleep(0)
        assert clock.now() >= began

    anyio.run(main)
