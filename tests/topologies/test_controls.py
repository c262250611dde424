from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.effects import Ask, Choice, Failure, Limits, Message, Program, Reply, Usage
from swarmmind.memory import Window
from swarmmind.models.local import PolicyModel, Scripted
from swarmmind.ports import Context
from swarmmind.rng import Stream, Streams
from swarmmind.runtime.journal import content
from swarmmind.testing import check_topology
from swarmmind.topologies import TOPOLOGIES, Society
from swarmmind.topologies.controls import BARREN, control
from tests.runtime.stage import play

from .swarms import FAIL, Said, society

Kind = Literal["solo", "vote"]
KINDS: tuple[Kind, ...] = ("solo", "vote")
PROMPT, AGAIN = 60, 75  # tokens of the question, and of what is said to go over an answer
Draw = Callable[[random.Random], int]


def constant(rng: random.Random) -> int:
    return 240


def varying(rng: random.Random) -> int:
    """Lengths of answers as models give them: median 200, one in six above 330, once in a while 600."""
    return max(1, round(200 * rng.lognormvariate(0.0, 0.5)))


def lumpy(rng: random.Random) -> int:
    """Most answers are short; what is not is long."""
    return 700 if rng.random() < 0.3 else 60


class Wire:
    """A server that counts: the prompt, and an answer of a length that is drawn."""

    def __init__(self, seed: int, draw: Draw, down: float = 0.0) -> None:
        self.rng, self.draw, self.down = Stream(seed), draw, down
        self.tokens = 0
        self.steps: list[int] = []

    def reply(self, ask: Ask) -> Reply:
        if self.rng.random() < self.down:
            return Reply(failure=Failure("connection", "refused"))
        own = sum(len(each.content) for each in ask.messages if each.role == "assistant") // 4
        written = self.draw(self.rng)
        prompt = PROMPT + (own + AGAIN if own else 0)
        self.tokens += prompt + written
        return Reply(text := "x" * (4 * written), text, usage=Usage(1, prompt, 0, written))

    def drive(self, program: Generator[Any, Any, Any]) -> Any:
        """Answers everything; what the program came to."""
        sent: Any = None
        try:
            while True:
                asks = [effect for effect in program.send(sent) if isinstance(effect, Ask)]
                self.steps += [len(asks)] if asks else []
                sent = [self.reply(ask) for ask in asks] or [None]
        except StopIteration as done:
            return done.value


class Nowhere:
    """A place without chance: controls use none."""

    path = "run"

    def rng(self, name: str) -> random.Random:
        raise AssertionError(name)


def begun(kind: Kind, tokens: int | None, calls: int, dither: float, **more: Any) -> Program:
    return control(Nowhere(), society(1, **more), kind, tokens, calls, dither)


def spread() -> Iterator[float]:
    at = 0.0
    while True:
        at = (at + 0.6180339887498949) % 1
        yield at


def spent(kind: Kind, draw: Draw, worth: float, episodes: int = 600) -> float:
    """What a control spends over all, over what it should."""
    rng, dither = Stream(7), spread()
    wanted = got = 0
    for episode in range(episodes):
        tokens = round(sum(PROMPT + draw(rng) for _ in range(int(worth))) + (worth % 1) * (PROMPT + 220))
        wire = Wire(episode, draw)
        wire.drive(begun(kind, tokens, 5, next(dither)))
        wanted, got = wanted + tokens, got + wire.tokens
    return got / wanted


@pytest.mark.parametrize("draw", [constant, varying])
@pytest.mark.parametrize(
    ("kind", "worth"),
    [("vote", 3.0), ("vote", 3.7), ("vote", 5.0), ("vote", 24.0), ("solo", 5.0), ("solo", 9.4), ("solo", 24.0)],
)
def test_over_many_problems_the_tokens_are_spent_to_two_in_a_hundred(kind: Kind, draw: Draw, worth: float) -> None:
    assert spent(kind, draw, worth) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_call_is_more_likely_to_be_the_one_in_which_the_tokens_end(kind: Kind) -> None:
    assert spent(kind, lumpy, 12.0) == pytest.approx(1.0, abs=0.02)  # by the mean cost: 1.03 for solo, 1.04 for vote


def test_a_dither_that_does_not_vary_spends_too_little_or_too_much() -> None:
    wires = [Wire(1, constant), Wire(1, constant)]
    for wire, dither in zip(wires, (0.0, 0.999), strict=True):
        wire.drive(begun("vote", 1000, 5, dither))
    assert [wire.tokens for wire in wires] == [1200, 900]


@given(
    st.sampled_from(KINDS), st.integers(1, 20_000), st.integers(0, 99).map(lambda part: part / 100), st.integers(0, 999)
)
def test_what_is_left_is_less_than_a_call(kind: Kind, tokens: int, dither: float, seed: int) -> None:
    wire = Wire(seed, constant)
    wire.drive(begun(kind, tokens, 5, dither))
    largest = PROMPT + 240 + (240 + AGAIN if kind == "solo" else 0)
    assert tokens - largest - 40 <= wire.tokens <= max(tokens + largest, PROMPT + 240)


def test_votes_are_asked_for_in_few_steps_and_a_lone_agent_step_by_step() -> None:
    vote, solo = Wire(1, varying), Wire(1, varying)
    vote.drive(begun("vote", 12_000, 5, 0.5))
    solo.drive(begun("solo", 12_000, 5, 0.5))
    assert vote.steps[0] == 1
    assert sum(vote.steps) > 30
    assert len(vote.steps) <= 12
    assert set(solo.steps) == {1}
    assert len(solo.steps) > 15


@pytest.mark.parametrize("kind", KINDS)
def test_of_unknown_tokens_the_calls_are_made(tmp_path: Path, kind: Kind) -> None:
    for at, (tokens, model) in enumerate([(None, Scripted()), (0, Scripted()), (5000, free())]):
        folder = tmp_path / str(at)
        folder.mkdir()
        assert played(folder, kind, model, tokens=tokens, calls=7, dither=0.99).meter.usage.calls == 7


@pytest.mark.parametrize("kind", KINDS)
def test_an_arm_of_one_call_is_worth_one_unless_it_was_twice_as_large(kind: Kind) -> None:
    for tokens, calls, steps in [(590, 1, 1), (1500, 1, 2), (590, 2, 2)]:
        wire = Wire(1, constant)
        wire.drive(begun(kind, tokens, calls, 0.1))
        assert len(wire.steps) >= steps if steps > 1 else wire.steps == [1]


def test_the_most_frequent_answer_is_the_votes(tmp_path: Path) -> None:
    model = Said({"a0": ["ANSWER: 4", "ANSWER: 5", "ANSWER: 5", "ANSWER: 4", "ANSWER: 5"]})
    seen = played(tmp_path, "vote", model, tokens=None, calls=5)
    assert seen.outcome.value == "ANSWER: 5"
    assert len(set(model.heard["a0"])) == 1
    assert [row[3] for row in content(tmp_path / "journal.sqlite") if row[0] == "record"] == ['{"4":2,"5":3}']


def test_a_lone_agent_goes_over_its_last_answer_and_the_last_readable_one_counts(tmp_path: Path) -> None:
    unreadable = ""
    model = Said({"a0": ["ANSWER: 4", "ANSWER: 5", "ANSWER: 6", unreadable]})
    seen = played(tmp_path, "solo", model, tokens=None, calls=4)
    first, second, third, fourth = model.heard["a0"]
    assert [message.role for message in first] == ["system", "user"]
    assert (second[:2], second[2]) == (first, Message("assistant", "ANSWER: 4"))
    assert third[2:3] == (Message("assistant", "ANSWER: 5"),)
    assert fourth[2:3] == (Message("assistant", "ANSWER: 6"),)
    assert {len(heard) for heard in (second, third, fourth)} == {4}
    assert len({heard[-1].content for heard in (second, third, fourth)}) == 3
    assert all("ANSWER:" in heard[-1].content for heard in (first, second, third, fourth))
    assert seen.outcome.value == "ANSWER: 6"


def test_nobody_else_is_asked_and_nothing_is_remembered(tmp_path: Path) -> None:
    members = society(4, memory=Window(8))
    model = Said({f"a{at}": ["ANSWER: 4"] for at in range(4)})
    for kind in KINDS:
        folder = tmp_path / kind
        folder.mkdir()
        played(folder, kind, model, members, tokens=None, calls=3)
    assert [len(heard) for heard in model.heard.values()] == [6, 0, 0, 0]
    assert all(len(heard) <= 4 for heard in model.heard["a0"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_choice_is_made_without_marked_answers(tmp_path: Path, kind: Kind) -> None:
    model = Said({"a0": ["left", "right", "right"]})
    seen = played(tmp_path, kind, model, society(1, Choice(("left", "right"))), tokens=None, calls=3)
    assert seen.outcome.value == "right"
    assert not any("ANSWER:" in message.content for heard in model.heard["a0"] for message in heard)


@pytest.mark.parametrize("kind", KINDS)
def test_a_dead_server_is_given_up_and_one_that_fails_now_and_then_is_not(kind: Kind) -> None:
    dead = Wire(1, constant, down=1.0)
    with pytest.raises(Exception, match="0 of 3 agents answered"):
        dead.drive(begun(kind, 5000, 5, 0.5))
    assert len(dead.steps) == BARREN
    shaky = [Wire(seed, constant, down=0.2) for seed in range(40)]
    for at, wire in enumerate(shaky):
        wire.drive(begun(kind, 5000, 5, at / 40))
    assert fmean(wire.tokens for wire in shaky) == pytest.approx(5000, rel=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_policy_fail_ends_it_at_the_first_failure(tmp_path: Path, kind: Kind) -> None:
    model = Said({"a0": ["ANSWER: 4", OSError("down"), "ANSWER: 4"]})
    seen = played(tmp_path, kind, model, society(1, policy=FAIL), tokens=None, calls=9)
    assert seen.outcome.failure is not None
    assert "OSError: down" in seen.outcome.failure.message
    assert seen.meter.usage.calls == {"solo": 2, "vote": 9}[kind]  # votes nobody prices are asked at once


@pytest.mark.parametrize("kind", KINDS)
def test_a_spent_budget_keeps_what_was_answered(tmp_path: Path, kind: Kind) -> None:
    model = Said({"a0": ["ANSWER: 4"]})
    seen = played(tmp_path, kind, model, tokens=None, calls=9, limits=Limits(calls=3))
    assert (seen.outcome.value, seen.outcome.stopped, seen.meter.usage.calls) == ("ANSWER: 4", "calls", 3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tokens", [None, 900])
def test_it_keeps_a_topologys_promises(kind: Kind, tokens: int | None) -> None:
    check_topology(control, 2, parameters={"kind": kind, "tokens": tokens, "calls": 6, "dither": 0.4})


def test_no_task_can_name_it() -> None:
    assert "controls" not in TOPOLOGIES


def free() -> PolicyModel:
    """Agents that cost nothing but calls."""
    return PolicyModel(lambda agent: lambda observation, rng: "ANSWER: 4", Streams(1))


def played(
    folder: Path, kind: Kind, model: Any, members: Society | None = None, limits: Limits | None = None, **given: Any
) -> Any:
    there = members or society(1)
    dither = given.pop("dither", 0.5)

    def program(ctx: Context) -> Program:
        return control(ctx, there, kind, given["tokens"], given["calls"], dither)

    return play(program, folder / "journal.sqlite", model=model, limits=limits)
