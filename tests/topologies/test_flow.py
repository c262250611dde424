from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from swarmmind.effects import Limits, Nested, Program, Quorum, Record, Reply, Usage
from swarmmind.errors import Stop
from swarmmind.models.local import ScriptedFunction
from swarmmind.ports import Call, Context, Request
from swarmmind.runtime.journal import content
from swarmmind.topologies.flow import Part, Signal, flow
from tests.runtime.stage import ask, play


class Late:
    """Echoes, after a latency by agent."""

    stateful = False

    def __init__(self, seconds: Mapping[str, float]) -> None:
        self._seconds = seconds

    def answer(self, request: Request, call: Call) -> Any:
        def say(request: Request, rng: Any) -> str:
            return f"{request.messages[-1].content}{rng.randrange(10)}"

        return ScriptedFunction(say, self._seconds.get(request.agent.id, 1.0)).answer(request, call)

    async def close(self) -> None: ...


def diamond(done: list[str]) -> dict[str, Part]:
    """A before b and c, both before d; each adds to what it was given."""
    signals = {name: Signal() for name in "abcd"}

    def part(name: str, *before: str) -> Part:
        given = ""
        for other in before:
            given += yield signals[other]
        [reply] = yield [ask(name, given + name)]
        signals[name].set(reply.value)
        done.append(name)
        return reply.value

    return {name: part(name, *before) for name, before in {"d": "bc", "b": "a", "c": "a", "a": ""}.items()}


def program(ctx: Context) -> Program:
    done: list[str] = []
    try:
        values = yield from flow(diamond(done))
    except Stop:
        return done
    return values["d"]


def rows(path: Path) -> list[Any]:
    return sorted(row[1:] for row in content(path) if row[0] == "result")


def test_each_part_goes_on_when_its_own_inputs_are_there(tmp_path: Path) -> None:
    seen = play(program, tmp_path / "j.sqlite", model=Late({"b": 5.0, "c": 2.0}))
    assert seen.seconds == 7  # a 1, b 5, d 1: c waits for nobody and nobody for it


@pytest.mark.parametrize("slow", ["b", "c"])
def test_keys_seeds_and_replies_do_not_depend_on_who_was_first(tmp_path: Path, slow: str) -> None:
    one = play(program, tmp_path / "one.sqlite", model=Late({}))
    other = play(program, tmp_path / "other.sqlite", model=Late({slow: 9.0}))
    assert one.outcome == other.outcome
    assert [row[:2] for row in rows(tmp_path / "one.sqlite")] == [row[:2] for row in rows(tmp_path / "other.sqlite")]


def test_it_replays(tmp_path: Path) -> None:
    first = play(program, tmp_path / "j.sqlite", model=Late({"b": 5.0}))
    again = play(program, tmp_path / "j.sqlite", model=Late({"b": 5.0}))
    assert again.outcome == first.outcome
    assert again.asked == []


@pytest.mark.parametrize("calls", [1, 2, 3])
def test_a_spent_budget_keeps_what_arrived(tmp_path: Path, calls: int) -> None:
    seen = play(program, tmp_path / "j.sqlite", model=Late({}), limits=Limits(calls=calls))
    assert seen.outcome.stopped == "calls"
    assert sorted(seen.outcome.value) == sorted("abc"[:calls])
    resumed = play(program, tmp_path / "j.sqlite", model=Late({}))
    assert len(resumed.asked) == 4 - calls
    assert resumed.outcome == play(program, tmp_path / "whole.sqlite", model=Late({})).outcome


def test_many_parts_that_are_refused_one_by_one_still_end_it_with_what_arrived(tmp_path: Path) -> None:
    def wide(ctx: Context) -> Program:
        done: list[str] = []

        def part(name: str) -> Part:
            for _ in range(2):
                [reply] = yield [ask(name)]
                assert isinstance(reply, Reply)
            done.append(name)

        try:
            yield from flow({f"p{at}": part(f"a{at}") for at in range(40)})
        except Stop:
            return len(done)

    late = {f"a{at}": 1.0 + at for at in range(40)}
    seen = play(wide, tmp_path / "j.sqlite", model=Late(late), limits=Limits(calls=50))
    assert (seen.outcome.value, seen.outcome.stopped) == (10, "calls")
    total = seen.meter.total()
    assert total.planned == total.finished + total.failed + total.cancelled


def test_waiting_for_nobody_is_a_bug(tmp_path: Path) -> None:
    def stuck(ctx: Context) -> Program:
        def part() -> Part:
            yield Signal()

        yield from flow({"p": part()})

    with pytest.raises(RuntimeError, match="1 parts of a flow wait"):
        play(stuck, tmp_path / "j.sqlite")


def test_one_effect_may_be_asked_twice(tmp_path: Path) -> None:
    def twice(ctx: Context) -> Program:
        def part() -> Part:
            same = ask("a")
            replies = yield [same, same]
            return [reply.ok for reply in replies]

        return (yield from flow({"p": part(), "q": part()}))

    seen = play(twice, tmp_path / "j.sqlite")
    assert seen.outcome.value == {"p": [True, True], "q": [True, True]}
    assert len({row[0] for row in rows(tmp_path / "j.sqlite")}) == 4


def test_a_part_some_of_whose_effects_were_refused_gets_the_others(tmp_path: Path) -> None:
    got: list[list[bool]] = []

    def pair(ctx: Context) -> Program:
        def part() -> Part:
            try:
                yield [ask("a"), ask("b"), ask("c")]
            except Stop as stop:
                got.append([reply.ok for reply in stop.results])
                yield Signal()  # waits for nobody: it is not told again

        try:
            yield from flow({"p": part()})
        except Stop:
            return "kept"

    seen = play(pair, tmp_path / "j.sqlite", model=Late({}), limits=Limits(calls=2))
    assert seen.outcome.value == "kept"
    assert got == [[True, True, False]]


def once(name: str, text: str = "?") -> Part:
    [reply] = yield [ask(name, text)]
    return reply.value


def test_two_flows_may_have_parts_of_the_same_names(tmp_path: Path) -> None:
    def two(ctx: Context) -> Program:
        first = yield from flow({"p": once("a", "one"), "q": once("b", "one")})
        again = yield from flow({"p": once("a", "one"), "q": once("b", "two")})
        return [first, again]

    seen = play(two, tmp_path / "j.sqlite", model=Late({"a": 3.0}))
    assert len(seen.asked) == len({row[0] for row in rows(tmp_path / "j.sqlite")}) == 4
    late = play(two, tmp_path / "other.sqlite", model=Late({"b": 5.0}))
    assert late.outcome == seen.outcome
    assert [row[:2] for row in rows(tmp_path / "j.sqlite")] == [row[:2] for row in rows(tmp_path / "other.sqlite")]
    again = play(two, tmp_path / "j.sqlite")
    assert (again.outcome, again.asked) == (seen.outcome, [])


def test_a_part_may_be_called_like_the_number_of_a_step(tmp_path: Path) -> None:
    def numbered(ctx: Context) -> Program:
        yield [ask("1"), ask("2")]
        return (yield from flow({"1": once("1"), "2": once("1")}))

    seen = play(numbered, tmp_path / "j.sqlite")
    assert len(seen.asked) == len({row[0] for row in rows(tmp_path / "j.sqlite")}) == 4


@pytest.mark.parametrize("name", ["", "a/b"])
def test_a_name_that_would_be_two_words_of_a_key_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="a part of a flow needs a name without '/'"):
        play(lambda ctx: flow({name: once("a")}), tmp_path / "j.sqlite")


def test_what_was_left_pending_before_a_flow_is_nobodys_in_it(tmp_path: Path) -> None:
    def kept(ctx: Context) -> Program:
        yield Quorum([ask("a"), ask("late")], share=0.5, late="keep")
        return (yield from flow({"p": once("b")}))

    seen = play(kept, tmp_path / "j.sqlite", model=Late({"late": 2.0, "b": 5.0}))
    assert list(seen.outcome.value) == ["p"]


def test_a_flow_within_a_part_is_a_program_of_its_own(tmp_path: Path) -> None:
    def inner(ctx: Context) -> Program:
        return (yield from flow({"p": once("a"), "q": once("b")}))

    def bare() -> Part:
        return (yield from flow({"p": once("a")}))

    def nested() -> Part:
        [outcome] = yield [Nested(inner, "inner")]
        return outcome.value

    with pytest.raises(TypeError, match=r"part 'p' of a flow must yield a list of effects or a Signal .* as a Nested"):
        play(lambda ctx: flow({"p": bare()}), tmp_path / "bare.sqlite")
    seen = play(lambda ctx: flow({"p": nested(), "q": once("a")}), tmp_path / "j.sqlite")
    assert sorted(seen.outcome.value["p"]) == ["p", "q"]
    assert len(seen.asked) == 3


def test_a_part_that_asks_on_after_the_end_is_told_to_stop_and_may_still_keep_records(tmp_path: Path) -> None:
    told: list[list[Any]] = []

    def stubborn(ctx: Context) -> Program:
        def part(name: str) -> Part:
            [reply] = yield [ask(name)]
            while reply.ok:
                try:
                    yield [ask(name, "more"), ask(name, "and more")]
                except Stop as stop:
                    told.append([reply.failure.kind for reply in stop.results])
                    yield [Record("kept", name)]

        try:
            yield from flow({name: part(name) for name in ("a", "b", "c")})
        except Stop:
            return "kept"

    seen = play(stubborn, tmp_path / "j.sqlite", model=Late({"b": 2.0}), limits=Limits(calls=2))
    assert (seen.outcome.value, seen.outcome.stopped) == ("kept", "calls")
    assert told == [["budget"] * 2] * 6  # three times each; c was never answered
    assert sum(row[0] == "record" for row in content(tmp_path / "j.sqlite")) == 6


class Hesitant:
    """Answers once; all others find that the budget is spent when they want to pay, one after the other."""

    stateful = False

    def answer(self, request: Request, call: Call) -> Any:
        async def late() -> Reply:
            await call.sleep(float(request.agent.id.removeprefix("a")))
            await call.reserve(Usage(calls=1))
            call.settle(Usage(calls=1), Usage(calls=1))
            return Reply("said", "said", usage=Usage(calls=1))

        return late()

    async def close(self) -> None: ...


def test_however_often_a_flow_is_told_to_stop_it_may_wait_for_the_rest(tmp_path: Path) -> None:
    def wide(ctx: Context) -> Program:
        told: list[int] = []

        def part(at: int) -> Part:
            try:
                yield [ask(f"a{at}")]
            except Stop:
                told.append(at)

        try:
            yield from flow({f"p{at}": part(at) for at in range(1, 9)})
        except Stop:
            return told

    seen = play(wide, tmp_path / "j.sqlite", model=Hesitant(), limits=Limits(calls=1))
    assert (seen.outcome.value, seen.outcome.stopped) == (list(range(2, 9)), "calls")
