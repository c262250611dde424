"""What holds for every topology in the box, whoever fails, whatever is spent and however long answers take."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from swarmmind.effects import Limits
from swarmmind.spec import library
from swarmmind.topologies import TOPOLOGIES

from .swarms import FAIL
from .witness import (
    MARK,
    SCENES,
    Down,
    Latency,
    Marked,
    Quote,
    Scene,
    Told,
    never,
    outputs,
    quotes,
    results,
    run,
    share,
    society,
)

PARTS = list(library.names("topologies"))
ONE_EACH = [name for name in PARTS if name in TOPOLOGIES]
TEXTS = [name for name in PARTS if not SCENES.get(name, Scene()).world]
APART = {"solo", "vote", "self-consistency", "world"}  # nobody reads what others said
TIMED = {"gossip"}  # what is asked depends on how long answers take: deadlines are part of what it does
BUILT = {"planner", "swarmsys"}  # if a budget ends it, its value is put together from what several said
FLOWING = [name for name in PARTS if name.startswith(("macnet", "hierarchy", "gptswarm", "workflow"))]
# What is asked for that is no answer to the question, so that nothing is there to return if that is all there was.
_PLANNERS = {"decompose", "propose", "check", "predict", "estimate", "compare"}
NO_ANSWERS = {"ask", "criticize", "judge", "explore", "work", "end", "message"} | _PLANNERS


# --- failing ----------------------------------------------------------------------------------------------------------


def fifth(name: str, seed: int) -> Down:
    """A fifth of the agents fail always; somebody is left in each role."""
    agents = society(name).agents
    order = Random(seed).sample(agents, len(agents))
    left, down = Counter(agent.role for agent in agents), set[str]()
    for agent in order:
        if left[agent.role] > 1 and len(down) < len(agents) // 5:
            left[agent.role] -= 1
            down.add(agent.id)
    return lambda agent, key: agent in down


def now_and_then(seed: int, often: float = 0.2) -> Down:
    """Every call fails with this probability."""
    return lambda agent, key: share("down", seed, key) < often


def jitter(seed: int) -> Latency:
    """Everybody takes a time of its own."""
    return lambda agent, key: 0.1 + share("late", seed, key)


def check_words(told: list[Told], names: set[str]) -> int:
    """Every mark stands under its author's name, or nobody's, after it was said; returns how many there were."""
    said = {(one.agent, one.key): one.end for one in told if one.text is not None}
    found = 0
    for one in told:
        for quote in quotes(one.messages):
            place = f"{one.key} of {one.agent} ({one.do})"
            assert (quote.author, quote.key) in said, f"{place} quotes what was never said: {quote}"
            assert said[quote.author, quote.key] <= one.start, f"{place} quotes what was not said yet: {quote}"
            assert is_true(quote, one.agent, names), f"{place} quotes under a wrong name: {quote}"
            found += 1
    return found


def is_true(quote: Quote, reader: str, names: set[str]) -> bool:
    """Whether a mark stands where it may: quoted under its author's name or no agent's, or as the reader's own turn."""
    if quote.under == "assistant":
        return quote.author == reader
    return quote.under is not None and (quote.under == quote.author or quote.under not in names)


def check_value(name: str, value: object, told: list[Told]) -> None:
    """The value, of a data set each, is what somebody said, or made of that by code where that is what it does."""
    if name not in TEXTS:
        return
    texts = {one.text for one in told if one.text is not None}
    marks = {mark for text in texts for mark in MARK.findall(text or "")}
    for one in outputs(value):
        assert one in texts or (name in BUILT and set(MARK.findall(one)) <= marks), f"nobody said {one!r}"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["always", "sometimes"])
@pytest.mark.parametrize("name", PARTS)
def test_with_a_fifth_failing_there_is_a_result_and_nobodys_words_are_invented(
    name: str, kind: str, seed: int, tmp_path: Path
) -> None:
    model, cast = Marked(jitter(seed), fifth(name, seed) if kind == "always" else now_and_then(seed)), society(name)
    seen = run(tmp_path, name, model, cast)
    if all(one.text is None for one in model.told):
        assert seen.outcome.failure is not None  # of one agent alone
        return
    assert seen.outcome.failure is None
    assert seen.meter.total().failed == sum(one.text is None for one in model.told)
    assert all(one.planned == one.finished + one.failed + one.cancelled for one in seen.meter.roles.values())
    assert set(seen.meter.roles) <= {agent.role for agent in cast.agents}
    found = check_words(model.told, {agent.id for agent in cast.agents})
    assert (found > 0) == (name not in APART)
    assert outputs(seen.outcome.value)
    check_value(name, seen.outcome.value, model.told)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", PARTS)
def test_a_policy_that_bears_no_failure_ends_it_with_the_first_one(name: str, seed: int, tmp_path: Path) -> None:
    model = Marked(down=now_and_then(seed, 0.3))
    seen = run(tmp_path, name, model, society(name, FAIL))
    failed = [one for one in model.told if one.text is None]
    if not failed:
        assert seen.outcome.failure is None
        return
    assert seen.outcome.failure is not None
    first = min(failed, key=lambda one: one.end)  # of those at once the one that was asked first
    assert seen.outcome.failure.message.endswith(f"OSError: down at {first.key}")
    assert max(one.start for one in model.told) <= first.end  # nobody was asked after it


# --- spending ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ONE_EACH)
def test_a_spent_budget_returns_the_best_so_far_and_a_resumed_run_comes_to_the_same(name: str, tmp_path: Path) -> None:
    whole = Marked(jitter(1))
    wanted = run(tmp_path / "whole", name, whole, society(name))
    count = len(whole.told)
    for most in sorted({*range(1, min(count, 12)), *Random(name).sample(range(1, count), min(count - 1, 12)), count}):
        model = Marked(jitter(1))
        seen = run(tmp_path / f"{most}", name, model, society(name), Limits(calls=most))
        assert len(model.told) == seen.meter.usage.calls == most
        assert all(one.planned == one.finished + one.failed + one.cancelled for one in seen.meter.roles.values())
        check_value(name, seen.outcome.value, model.told)
        if most == count:
            assert seen.outcome == wanted.outcome
            continue
        assert seen.outcome.stopped == "calls"
        if {one.do for one in model.told} - NO_ANSWERS:
            assert seen.outcome.failure is None
            assert outputs(seen.outcome.value), f"after {most} calls of {count}"
        resumed = run(tmp_path / f"{most}", name, model, society(name))
        assert resumed.outcome == wanted.outcome, f"after {most} calls of {count}"
        assert len(model.told) == count, f"after {most} calls of {count}"
        assert results(tmp_path / f"{most}") == results(tmp_path / "whole")


# --- taking time ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["nobody", "sometimes"])
@pytest.mark.parametrize("name", [name for name in PARTS if name not in TIMED])
def test_the_same_is_asked_however_long_answers_take(name: str, kind: str, tmp_path: Path) -> None:
    down = now_and_then(5) if kind == "sometimes" else never
    found = []
    for at, latency in enumerate([lambda agent, key: 0.0, jitter(2), jitter(3)]):
        seen = run(tmp_path / f"{at}", name, Marked(latency, down), society(name))
        found.append((results(tmp_path / f"{at}"), seen.outcome))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("name", ONE_EACH)
def test_a_run_replays_from_its_journal_alone(name: str, tmp_path: Path) -> None:
    first = run(tmp_path, name, Marked(jitter(4), now_and_then(4)), society(name))
    silent = Marked(down=lambda agent, key: True)
    again = run(tmp_path, name, silent, society(name))
    assert (again.outcome, silent.told) == (first.outcome, [])


@pytest.mark.parametrize("name", FLOWING)
def test_a_straggler_costs_its_own_branch_alone(name: str, tmp_path: Path) -> None:
    usual, ended = Marked(), 0
    run(tmp_path / "usual", name, usual, society(name))
    ends = {one.key: one.end for one in usual.told}
    for slow in [agent.id for agent in society(name).agents][::3]:
        late = Marked(lambda agent, key, slow=slow: 100.0 if agent == slow else 1.0)
        run(tmp_path / slow, name, late, society(name))
        assert any(one.agent == slow for one in late.told)
        behind = downstream(late.told, slow)
        for one in late.told:
            if one.key not in behind:
                assert one.end == ends[one.key], f"{one.key} of {one.agent} waited for {slow}"
                ended += 1
    assert ended


@pytest.mark.parametrize("name", sorted(TIMED))
def test_where_nobody_waits_all_others_are_done_before_a_straggler_has_said_anything(name: str, tmp_path: Path) -> None:
    usual = Marked()
    run(tmp_path / "usual", name, usual, society(name))
    for slow in [agent.id for agent in society(name).agents][::3]:
        late = Marked(lambda agent, key, slow=slow: 100.0 if agent == slow else 1.0)
        run(tmp_path / slow, name, late, society(name))
        calls = [Counter(one.agent for one in model.told if one.end < 100) for model in (usual, late)]
        assert calls[0].pop(slow)
        assert calls[0] == calls[1]


def downstream(told: list[Told], slow: str) -> set[str]:
    """The calls of an agent's branch: parts of the flow that it takes part in, and all parts that read what they said.

    A part (a node, an edge, a member) is the first word of a key after the program's own; it begins when all its own
    inputs are there, whichever of them its first call reads.
    """
    parts = {part(one.key) for one in told if one.agent == slow}
    while more := {part(one.key) for one in told if {part(q.key) for q in quotes(one.messages)} & parts} - parts:
        parts |= more
    return {one.key for one in told if part(one.key) in parts}


def part(key: str) -> str:
    return key.split("/")[1]
