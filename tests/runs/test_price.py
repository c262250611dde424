"""What a rehearsal says of a run: calls, and how many of them wait for each other, against exact oracles."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import anyio
import pytest

import swarmmind
from swarmmind.agents.answers import final_text
from swarmmind.runs.plan import Plan, make_plan
from swarmmind.runs.price import Estimate, estimate
from swarmmind.runs.rehearsal import Most, rehearse
from swarmmind.spec import load_task

from .projects import write_sums, write_task

SUMS = [(f"What is {at} + 1?", str(at + 1)) for at in range(10)]
MINE = """
from swarmmind.effects import AnyOf, Ask, Message, Now, Quorum, Sleep

def ask(society, number=0, **more):
    return Ask(society.agents[number], (Message("user", f"Question {number}"),), **more)

def naps(ctx, society):
    yield [Sleep(2.5)]
    yield [ask(society)]
    yield [Sleep(0.1)]
    yield [ask(society), Sleep(0.001)]
    yield Quorum([ask(society), Sleep(9.0)], share=0.5)

def race(ctx, society):
    yield Quorum([ask(society, number) for number in range(3)], share=0.3)
    yield Quorum([ask(society, number) for number in range(3)], share=1.0, deadline_seconds=0.5)
    yield Now([ask(society, number, deadline_seconds=0.01) for number in range(3)])
    return "x"

def hurry(ctx, society):
    for _ in range(3):
        [reply] = yield [ask(society, deadline_seconds=0.01)]
        if not reply.ok:
            return None

def poll(ctx, society):
    return [reply.value for reply in (yield [ask(society, number) for number in range(9)])]

def cascade(ctx, society):
    for done in range(3):
        yield AnyOf([ask(society, number) for number in range(3 if not done else 1)])
    yield AnyOf()
"""


def plan(work: Path, swarm: Any, **changes: Any) -> Plan:
    (work / "mine.py").write_text(MINE)
    return make_plan(load_task(write_task(work, swarm=swarm, **changes), allow_code=True), allow_code=True)


def priced(work: Path, swarm: Any, **changes: Any) -> Estimate:
    return anyio.run(estimate, plan(work, swarm, **changes), {})


def solvers(count: int, topology: Any, **parameters: Any) -> dict[str, Any]:
    return {"agents": {"solver": count}, "topology": {"use": topology, **parameters}}


@pytest.mark.parametrize(
    ("swarm", "calls", "path"),
    [
        (solvers(1, "solo"), 1, 1),
        (solvers(7, "vote"), 7, 1),
        (solvers(1, "vote", samples=9), 9, 1),
        (solvers(5, "debate", rounds=3), 15, 3),
        (solvers(2, "debate", rounds=40), 80, 40),
    ],
)
def test_calls_and_the_longest_chain_of_them(swarm: Any, calls: int, path: int, work: Path) -> None:
    found = priced(work, swarm)
    assert (found.calls, found.rehearsed, found.critical_path) == (calls, calls, path)
    assert (found.complete, found.counted, found.waiting_seconds, found.seconds) == (True, True, 0, None)


@pytest.mark.parametrize(
    ("swarm", "calls", "path"),
    [
        # MacNet, coordination.md section 2: a draft, two calls for each edge, merges in a binary tree.
        (solvers(16, "macnet", graph="mesh"), 348, 78),
        (solvers(16, "macnet", graph="star"), 75, 9),
        (solvers(16, "macnet", graph="chain"), 33, 33),
        (solvers(64, "macnet", graph="layered"), 1_613, 37),
        (solvers(64, "macnet", graph="mesh"), 5_988, 444),
        # Section 3: as many layers as there are; rounds of a question and its answers, opinions, the leader.
        (solvers(6, "moa", layers=3), 6 * 2 + 1, 3),
        (solvers(5, "mindstorm", rounds=2), 2 * (1 + 5) + 5 + 1, 2 * 2 + 2),
        (solvers(129, "hierarchy", branching=8), 129, 4),
        (solvers(6, "peer-ranking", pairs=3), 6 * (1 + 3), 2),
    ],
)
def test_the_laws_of_topologies_in_which_answers_travel(swarm: Any, calls: int, path: int, work: Path) -> None:
    found = priced(work, swarm)
    assert (found.calls, found.rehearsed, found.critical_path, found.complete) == (calls, calls, path, True)


@pytest.mark.parametrize("topology", ["vote", "debate"])
def test_problems_of_a_data_set_do_not_wait_for_each_other(topology: str, work: Path) -> None:
    write_sums(work, SUMS)
    alone = priced(work, solvers(4, topology))
    found = priced(work, solvers(4, topology), problem={"dataset": "sums.jsonl"}, score={"use": "number"})
    assert (found.calls, found.critical_path) == (10 * alone.calls, alone.critical_path)


@pytest.mark.parametrize(("batch", "path"), [(1, 10), (5, 2), (4, 3)])
def test_problems_that_are_learned_from_wait_for_each_other(batch: int, path: int, work: Path) -> None:
    write_sums(work, SUMS)
    found = priced(work, solvers(3, "omne", batch=batch), problem={"dataset": "sums.jsonl"}, score={"use": "number"})
    assert (found.calls, found.critical_path) == (10, path)


def test_a_swarm_that_stands_for_an_agent_takes_as_long_as_its_own_chain(work: Path) -> None:
    panel = {"card": "judge", "swarm": solvers(3, "debate", rounds=4)}
    swarm = {"agents": [panel, {"card": "solver", "count": 2}], "topology": {"use": "debate", "rounds": 2}}
    found = priced(work, swarm)
    assert (found.calls, found.critical_path, found.counted) == (2 * (2 + 3 * 4), 2 * 4, False)


def test_a_world_is_as_long_as_its_rounds(work: Path) -> None:
    world = {"environment": "swarmbench/foraging", "rounds": 6, "size": 8}
    found = priced(work, solvers(3, "world"), problem=world, score=None)
    assert (found.calls, found.critical_path) == (18, 6)


@pytest.mark.parametrize(("latency", "seconds"), [(2, 6.0), (0.5, 1.5), ({"uniform": [1, 2]}, None), (None, None)])
def test_the_time_of_a_run_is_told_if_its_models_tell_theirs(latency: Any, seconds: float | None, work: Path) -> None:
    model = {"name": "scripted"} | ({"latency_seconds": latency} if latency else {})
    assert priced(work, solvers(5, "debate", rounds=3), model=model).seconds == seconds
    if seconds is not None:
        assert swarmmind.run_sync(work / "task.yaml", env={}).makespan_seconds == seconds


def test_time_that_passes_without_a_call_is_no_part_of_the_chain(work: Path) -> None:
    found = priced(work, solvers(1, "./mine.py:naps"))
    assert (found.critical_path, found.calls) == (3, 3)
    assert found.waiting_seconds == pytest.approx(2.6, abs=0.002)


def test_what_nobody_waits_for_is_no_part_of_it_either(work: Path) -> None:
    found = priced(work, solvers(3, "./mine.py:race"))
    assert (found.calls, found.critical_path, found.waiting_seconds) == (9, 2, 0)
    found = priced(work, solvers(3, "./mine.py:cascade"))
    assert (found.calls, found.critical_path) == (5, 3)


def test_no_rehearsed_call_misses_a_deadline(work: Path) -> None:
    found = priced(work, solvers(1, "./mine.py:hurry"))
    assert (found.calls, found.critical_path, found.waiting_seconds) == (3, 3, 0)


@pytest.mark.parametrize("most", [Most(7, 10**9), Most(10**9, 1200)])
def test_a_rehearsal_that_is_cut_off_says_at_least(most: Most, work: Path) -> None:
    whole = plan(work, solvers(2, "debate", rounds=40))
    found = anyio.run(rehearse, whole, most)
    assert not found.complete
    assert 2 <= found.path <= 5
    assert found.calls < 80


def test_no_two_rehearsed_agents_agree_so_that_nothing_stops_early(work: Path) -> None:
    made, values = plan(work, solvers(9, "./mine.py:poll")), list[str]()

    def watched(ctx: Any) -> Any:
        values.extend((yield from made.program(ctx)))

    anyio.run(rehearse, made._replace(program=watched), Most(100, 10**9))
    assert len({final_text(value) for value in values}) == 9


@pytest.mark.parametrize(
    ("swarm", "fewest", "most"),
    [
        (solvers(5, "debate", rounds=3), 15, 15),
        (solvers(5, "debate", rounds=3, stop_on_agreement=True), 5, 15),
        (solvers(5, "mindstorm", rounds=2), (1 + 5) + 5, 2 * (1 + 5) + 5 + 1),  # one round, opinions; nobody decides
        (solvers(16, "gossip"), 16, 48),
        (solvers(16, "macnet", graph="star"), 75, 75),
    ],
)
def test_agents_who_agree_may_end_it_sooner(swarm: Any, fewest: int, most: int, work: Path) -> None:
    found = priced(work, swarm)
    assert (found.fewest_calls, found.calls) == (fewest, most)


def test_fifty_thousand_calls_are_priced_in_seconds(work: Path) -> None:
    began = time.monotonic()
    found = priced(work, solvers(50, "debate", rounds=1000))
    assert (found.calls, found.complete) == (50_000, False)
    assert found.prompt_tokens > 10**6
    assert time.monotonic() - began < 60  # about four on two idle cores
