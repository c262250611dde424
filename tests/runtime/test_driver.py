from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio.lowlevel
import pytest

from swarmmind.effects import (
    Agent,
    AnyOf,
    Ask,
    Choice,
    Limits,
    Message,
    Nested,
    Now,
    Program,
    Quorum,
    Record,
    Reply,
    Sleep,
    Usage,
)
from swarmmind.errors import Diverged, Failed, Stop
from swarmmind.models.local import ScriptedFunction
from swarmmind.ports import Context, Request
from swarmmind.runtime.journal import content

from .attacks import within
from .stage import ask, echo, play


def latency_by_id(seconds: dict[str, float]) -> ScriptedFunction:
    """Agents answer after the seconds their id says; 0 for others."""

    class Slow(ScriptedFunction):
        def answer(self, request: Request, call: Any) -> Any:
            return ScriptedFunction(echo, seconds.get(request.agent.id, 0.0)).answer(request, call)

    return Slow(echo)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def test_a_list_is_answered_in_the_order_asked_whoever_was_first(journal: Path) -> None:
    def program(ctx: Context) -> Program:
        replies = yield [ask("slow"), ask("fast"), ask("slow")]
        return [reply.text for reply in replies]

    played = play(program, journal, model=latency_by_id({"slow": 5, "fast": 1}))
    assert played.outcome.value == ["slow: ?", "fast: ?", "slow: ?"]
    assert played.seconds == 5


def test_any_is_answered_as_soon_as_one_is_there_and_keeps_the_rest(journal: Path) -> None:
    def program(ctx: Context) -> Program:
        first = yield AnyOf([ask("slow"), ask("fast")])
        second = yield AnyOf()
        nothing = yield AnyOf()
        return [[d.effect.agent.id for d in batch] for batch in (first, second, nothing)]

    played = play(program, journal, model=latency_by_id({"slow": 5, "fast": 1}))
    assert played.outcome.value == [["fast"], ["slow"], []]


def test_dataflow_with_any_takes_the_critical_path_not_the_sum_of_layers(journal: Path) -> None:
    after = {"c": ["a"], "d": ["b"], "e": ["c", "d"]}
    seconds = {"a": 1.0, "b": 10.0, "c": 10.0, "d": 1.0, "e": 1.0}

    def program(ctx: Context) -> Program:
        done: set[str] = set()
        begun = {"a", "b"}
        arrived = yield AnyOf([ask("a"), ask("b")])
        while True:
            done |= {d.effect.agent.id for d in arrived}
            if "e" in done:
                return sorted(done)
            free = [n for n, needs in after.items() if n not in begun and done.issuperset(needs)]
            begun.update(free)
            arrived = yield AnyOf([ask(n) for n in free])

    played = play(program, journal, model=latency_by_id(seconds))
    assert played.outcome.value == ["a", "b", "c", "d", "e"]
    assert played.seconds == 12  # b, d, e and a, c, e; layer by layer it would be 21


def test_now_never_waits(journal: Path) -> None:
    def program(ctx: Context) -> Program:
        seen: list[tuple[int, list[str]]] = []
        arrived = yield Now([ask("planner")])
        for tick in range(4):
            seen.append((tick, [d.effect.agent.id for d in arrived]))
            yield [Sleep(1)]
            arrived = yield Now()
        return seen

    played = play(program, journal, model=latency_by_id({"planner": 2.5}))
    assert played.outcome.value == [(0, []), (1, []), (2, []), (3, ["planner"])]


def test_a_quorum_goes_on_without_stragglers_and_says_so(journal: Path) -> None:
    def program(ctx: Context) -> Program:
        replies = yield Quorum([ask("a"), ask("slow"), ask("b")], share=0.6)
        return [reply and reply.text for reply in replies]

    played = play(program, journal, model=latency_by_id({"slow": 100, "a": 1, "b": 2}))
    assert played.outcome.value == ["a: ?", None, "b: ?"]
    assert played.seconds == 2
    tally = played.meter.total()
    assert (tally.planned, tally.finished, tally.cancelled) == (3, 2, 1)


def test_kept_stragglers_of_a_quorum_arrive_later(journal: Path) -> None:
    def program(ctx: Context) -> Program:
        replies = yield Quorum([ask("slow"), ask("a")], share=0.5, late="keep")
        late = yield AnyOf()
        return [reply and reply.text for reply in replies], [d.result.text for d in late]

    played = play(program, journal, model=latency_by_id({"slow": 9, "a": 1}))
    assert played.outcome.value == ([None, "a: ?"], ["slow: ?"])


def test_a_deadline_ends_a_quorum_with_whoever_is_there(journal: Path) -> None:
    def program(ctx: Context) -> Program:
        replies = yield Quorum([ask("a"), ask("slow")], deadline_seconds=3)
        return [reply and reply.text for reply in replies]

    played = play(program, journal, model=latency_by_id({"slow": 100, "a": 1}))
    assert played.outcome.value == ["a: ?", None]
    assert played.seconds == 3


def test_an_asks_own_deadline_makes_it_a_failure_not_a_wait(journal: Path) -> None:
    def program(ctx: Context) -> Program:
        replies = yield [ask("slow", deadline_seconds=2), ask("a")]
        return [reply.failure and reply.failure.kind for reply in replies]

    played = play(program, journal, model=latency_by_id({"slow": 100}))
    assert played.outcome.value == ["timeout", None]
    assert played.seconds == 2
    assert played.meter.total().failed == 1


def four_kinds(ctx: Context) -> Program:
    """A program that uses every kind of awaiting, nesting, chance and time."""

    def inner(ctx: Context) -> Program:
        [reply] = yield [ask("inner", f"draw {ctx.rng('dice').randint(1, 6)}")]
        return reply.text

    seen: list[Any] = [ctx.rng("start").random()]
    replies = yield [ask("a"), ask("slow"), Nested(inner, "debate"), Nested(inner, "debate")]
    seen.append([r.text if isinstance(r, Reply) else r.value for r in replies])
    first = yield AnyOf([ask("slow", "again"), ask("b")])
    seen.append([d.result.text for d in first])
    quorum = yield Quorum([ask("c"), ask("slow2"), ask("d")], share=0.6, late="keep")
    seen.append([r and r.text for r in quorum])
    yield [Sleep(1), Record("note", {"n": 1})]
    rest = yield Now([ask("e")])
    seen.append(sorted(d.result.text for d in rest))
    while True:
        rest = yield AnyOf()
        if not rest:
            return seen
        seen.append([d.result.text for d in rest])


SLOW = {"slow": 3.0, "slow2": 9.0, "b": 1.0, "c": 1.0, "d": 1.5}


def test_replay_from_a_whole_journal_asks_nobody_and_gives_the_same(journal: Path) -> None:
    first = play(four_kinds, journal, model=latency_by_id(SLOW))
    before = list(content(journal))
    again = play(four_kinds, journal, model=latency_by_id({}))
    assert again.outcome == first.outcome
    assert again.asked == []
    assert list(content(journal)) == before
    assert again.meter.total() == first.meter.total()
    assert again.purse.spent == first.purse.spent


class Killed(Exception):
    pass


@pytest.mark.parametrize("alive", range(1, 12))
def test_interrupted_at_any_effect_the_final_journal_is_the_same_and_nothing_is_paid_twice(
    tmp_path: Path, alive: int
) -> None:
    whole = tmp_path / "whole" / "journal.sqlite"
    whole.parent.mkdir()
    first = play(four_kinds, whole, model=latency_by_id(SLOW))
    broken = tmp_path / "broken" / "journal.sqlite"
    broken.parent.mkdir()
    left = alive

    class Mortal(ScriptedFunction):
        def answer(self, request: Request, call: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed
            return latency_by_id(SLOW).answer(request, call)

    try:
        asked = play(four_kinds, broken, model=Mortal(echo)).asked
    except Killed:
        asked = []
    kept = {row[1] for row in content(broken) if row[0] == "result"}
    again = play(four_kinds, broken, model=latency_by_id(SLOW))
    assert again.outcome == first.outcome
    asks = {row[1]: row for row in content(whole) if row[2] == "Ask"}
    assert len(again.asked) == len(asks) - len(kept & set(asks)) or not asked
    assert [row for row in content(broken) if row[0] != "delivery"] == [
        row for row in content(whole) if row[0] != "delivery"
    ]


def test_a_changed_program_is_refused_on_replay_not_answered_with_old_replies(journal: Path) -> None:
    def one(ctx: Context) -> Program:
        yield [ask("a", "what is 1 + 1?")]

    def other(ctx: Context) -> Program:
        yield [ask("a", "what is 2 + 2?")]

    play(one, journal)
    with pytest.raises(Diverged, match="run/1/a asks something else"):
        play(other, journal)


def test_keys_are_paths_in_the_program_and_unique_within_a_yield(journal: Path) -> None:
    def inner(ctx: Context) -> Program:
        yield [ask("x")]

    def program(ctx: Context) -> Program:
        yield [ask("a"), ask("a")]
        yield [Nested(inner, "debate")]

    play(program, journal)
    keys = [row[1] for row in content(journal) if row[0] == "result"]
    assert keys == ["run/1/a", "run/1/a#2", "run/2/debate/1/x"]


def test_a_bug_in_a_program_keeps_its_own_error_and_the_journal(journal: Path) -> None:
    def program(ctx: Context) -> Program:
        yield [ask("a")]
        raise KeyError("bug")

    with pytest.raises(KeyError, match="bug"):
        play(program, journal)
    assert [row[1] for row in content(journal)] == ["run/1/a"]


def test_a_failed_nested_program_is_a_value_to_its_parent(journal: Path) -> None:
    def inner(ctx: Context) -> Program:
        yield [ask("x")]
        raise Failed("too few answers")

    def program(ctx: Context) -> Program:
        outcomes = yield [Nested(inner, "one"), ask("sibling")]
        return outcomes[0].failure.message, outcomes[1].text

    assert play(program, journal).outcome.value == ("too few answers", "sibling: ?")


def test_a_whole_swarm_can_stand_where_an_agent_stands(journal: Path) -> None:
    def panel(ctx: Context) -> Program:
        replies = yield [ask("p1"), ask("p2")]
        return "B" if all(reply.ok for reply in replies) else "A"

    def program(ctx: Context) -> Program:
        chair = Agent("chair", "chair", model="panel")
        [reply] = yield [Ask(chair, (Message("user", "A or B?"),), Choice(("A", "B")))]
        return reply.value

    def society(_: Ask, flight: object) -> Nested:
        return Nested(panel, "panel")

    played = play(program, journal, societies={"panel": society})
    assert played.outcome.value == "B"
    assert played.meter.roles["worker"].finished == 2
    assert played.meter.roles["chair"].finished == 1
    assert played.meter.usage.calls == 2


def test_a_budget_of_calls_stops_the_program_with_what_it_has(journal: Path) -> None:
    def program(ctx: Context) -> Program:
        best = 0
        try:
            for _ in range(10):
                replies = yield [ask(f"a{i}") for i in range(4)]
                best += sum(reply.ok for reply in replies)
        except Stop as stop:
            return best, [r.ok for r in stop.results]
        return best

    played = play(program, journal, limits=Limits(calls=10))
    assert played.outcome.value == (8, [True, True, False, False])
    assert played.outcome.stopped == "calls"
    assert len(played.asked) == 10
    tally = played.meter.total()
    assert (tally.planned, tally.finished, tally.cancelled) == (12, 10, 2)
    resumed = play(program, journal, limits=Limits(calls=100))
    assert resumed.outcome.value == 40
    assert len(resumed.asked) == 30


def test_a_program_that_ignores_the_wall_is_ended(journal: Path) -> None:
    def program(ctx: Context) -> Program:
        while True:
            try:
                yield [ask("a")]
            except Stop:
                continue

    played = play(program, journal, limits=Limits(calls=3))
    assert played.outcome.stopped == "calls"
    assert len(played.asked) == 3


def test_nested_purses_bound_the_child_and_charge_the_parent(journal: Path) -> None:
    def inner(ctx: Context) -> Program:
        made = 0
        try:
            while True:
                yield [ask("x")]
                made += 1
        except Stop:
            return made

    def program(ctx: Context) -> Program:
        first = yield [Nested(inner, "a", Limits(calls=3)), Nested(inner, "b", Limits(calls=4))]
        try:
            yield [Nested(inner, "c", Limits(calls=50))]
        except Stop as stop:
            return [o.value for o in first], stop.results[0].value

    played = play(program, journal, limits=Limits(calls=10))
    assert played.outcome.value == ([3, 4], 3)
    assert played.purse.spent.calls == 10
    assert len(played.asked) == 10


def test_a_budget_of_seconds_is_a_wall_on_the_runs_clock(journal: Path) -> None:
    def program(ctx: Context) -> Program:
        rounds = 0
        try:
            while True:
                yield [ask("a")]
                rounds += 1
        except Stop as stop:
            return rounds, stop.limit

    played = play(program, journal, model=latency_by_id({"a": 2.0}), limits=Limits(seconds=11))
    assert played.outcome.value == (6, "seconds")  # the sixth was in flight at the wall and landed in its grace
    assert played.outcome.stopped == "seconds"


def test_deadlock_is_an_error_not_a_hang(journal: Path) -> None:
    def program(ctx: Context) -> Program:
        yield "not effects"

    with pytest.raises(TypeError, match="must yield a list of effects"):
        play(program, journal)


def test_equal_seeds_give_equal_journals_and_other_seeds_do_not(tmp_path: Path) -> None:
    journals = []
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        path = tmp_path / name / "journal.sqlite"
        path.parent.mkdir()
        play(four_kinds, path, model=latency_by_id(SLOW), seed=seed)
        journals.append(list(content(path)))
    assert journals[0] == journals[1] != journals[2]


def test_a_wide_fan_out_starts_a_bounded_number_of_tasks_and_all_of_its_effects(journal: Path) -> None:
    class Patient:
        """Answers nobody before as many work at once as may, and others had their turns; counts them."""

        stateful = False
        working = most = 0
        many = anyio.Event()

        def answer(self, request: Request, call: Any) -> Any:
            return self._answer()

        async def _answer(self) -> Reply:
            self.working += 1
            self.most = max(self.most, self.working)
            if self.working == 4096:
                for _ in range(50):
                    await anyio.lowlevel.checkpoint()
                self.many.set()
            await self.many.wait()
            self.working -= 1
            return Reply(text="ok", usage=Usage(1))

        async def close(self) -> None: ...

    def program(ctx: Context) -> Program:
        replies = yield [ask(f"a{i}") for i in range(9000)]
        return sum(reply.ok for reply in replies)

    model = Patient()
    assert within(60, lambda: play(program, journal, model=model, real=True).outcome.value) == 9000
    assert model.most == 4096
