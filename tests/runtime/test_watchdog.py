"""The event loop is watched: what holds it up is named, and nobody is blamed for a busy machine."""

from __future__ import annotations

import gc
import threading
import time
from pathlib import Path

import anyio
import pytest

import swarmmind
from swarmmind.runtime.lag import BEAT_SECONDS, Histogram, Lag
from swarmmind.runtime.watchdog import Watchdog
from swarmmind.testing.fake_endpoint import FakeEndpoint

TOPOLOGY = """import time

from swarmmind.effects import Ask, Message


def slow(ctx, society):
    replies = []
    for number in range(3):
        replies += yield [Ask(agent, (Message("user", f"{number}?"),)) for agent in society.agents]
        think()
    return replies[-1].value


def think():
    until = time.thread_time() + 0.6
    while time.thread_time() < until:
        pass
"""


def spin(seconds: float) -> None:
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def watched(dog: Watchdog) -> Lag:
    lag = dog.lag()
    assert lag is not None
    return lag


async def beats(count: int = 3) -> None:
    for _ in range(count):
        await anyio.sleep(BEAT_SECONDS)


@pytest.mark.anyio
async def test_what_computes_on_the_loop_is_named_with_file_line_and_function() -> None:
    with Watchdog() as dog:
        await beats()
        spin(0.4)
        await beats()
    lag = watched(dog)
    assert lag.stalled_seconds >= 0.2
    assert lag.max_seconds >= 0.3
    first = spin.__code__.co_firstlineno
    assert lag.culprits[0].where in {f"tests/runtime/test_watchdog.py:{first + line} spin" for line in range(1, 4)}
    assert lag.culprits[0].seconds >= 0.2


@pytest.mark.anyio
async def test_what_waits_on_the_loop_without_awaiting_is_named_too() -> None:
    never = threading.Event()
    with Watchdog() as dog:
        await beats()
        never.wait(0.5)
        await beats()
    lag = watched(dog)
    assert lag.stalled_seconds >= 0.3
    assert "test_what_waits_on_the_loop" in lag.culprits[0].where


@pytest.mark.anyio
async def test_a_loop_that_turns_is_nobodys_fault() -> None:
    with Watchdog() as dog:
        for _ in range(40):
            spin(0.002)
            await anyio.sleep(0)
    lag = watched(dog)
    assert (lag.stalled_seconds, lag.culprits, lag.warnings) == (0.0, [], [])
    assert lag.own_p99_seconds < 0.05


@pytest.mark.anyio
async def test_nothing_is_left_behind_and_a_virtual_clock_is_not_watched() -> None:
    threads, callbacks = threading.active_count(), len(gc.callbacks)
    with Watchdog():
        assert (threading.active_count(), len(gc.callbacks)) == (threads + 1, callbacks + 1)
    assert (threading.active_count(), len(gc.callbacks)) == (threads, callbacks)
    with Watchdog(watching=False) as dog:
        assert threading.active_count() == threads
    assert dog.lag() is None


def test_whatever_was_due_while_the_loop_stood_still_counts() -> None:
    histogram = Histogram()
    for _ in range(100):
        histogram.stood(0.0)
    histogram.stood(2.0)  # 100 beats were missed; a percentile over beats that came would know of one
    assert histogram.percentile(0.5) <= 0.02
    assert 0.8 <= histogram.percentile(0.75) <= 1.1
    assert histogram.percentile(0.99) == pytest.approx(1.96, rel=0.1)
    assert histogram.percentile(1.0) == histogram.worst == 2.0


def lag(stalled: float = 0.0, busy: float = 0.0, own: float = 0.01) -> Lag:
    return Lag(0.001, 0.2, 1.5, own, stalled, busy, 100.0)


def test_one_line_says_what_is_wrong_and_who_did_it() -> None:
    assert lag().warnings == lag(stalled=2.0).warnings == lag(busy=5.0).warnings == []
    [line] = lag(stalled=2.0, own=0.3).warnings
    assert "all agents stood still for 2.0 s" in line
    [line] = lag(stalled=20.0).warnings
    assert "stood still" in line
    [line] = lag(busy=40.0).warnings
    assert "the machine was busy" in line
    assert "stood still" not in line


@pytest.mark.anyio
async def test_a_users_topology_that_holds_a_run_up_is_named_in_its_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("thinker.py").write_text(TOPOLOGY)
    async with FakeEndpoint() as server:
        task = {
            "problem": "?",
            "model": {"name": "vllm/fake", "base_url": server.base_url},
            "swarm": {"agents": {"solver": 2}, "topology": "./thinker.py:slow"},
        }
        result = await swarmmind.run(task, runs=tmp_path / "runs", allow_code=True)
    assert result.lag is not None
    where = result.lag.culprits[0].where
    assert where.startswith("thinker.py:1")
    assert where.endswith((" think", ":15 think", ":16 think"))
    assert result.lag.stalled_seconds >= 0.7
    assert any("thinker.py:" in warning for warning in result.warnings)
