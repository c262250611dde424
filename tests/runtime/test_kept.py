"""Effects that programs answer and the journal keeps: each is played once, counted by itself, so many at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from swarmmind.effects import Failure, Limits, Nested, Outcome, Program
from swarmmind.ports import Context
from swarmmind.runtime.frame import Flight
from swarmmind.runtime.journal import Journal, content
from swarmmind.runtime.meter import Meter

from .stage import Played, ask, play
from .test_driver import latency_by_id


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


class Tale(msgspec.Struct, frozen=True):
    """How a game ended."""

    said: str = ""
    finished: int = 0
    failure: Failure | None = None


class Game(msgspec.Struct, frozen=True):
    """One of several that do not know each other."""

    result: ClassVar[Any] = Tale
    kept: ClassVar[bool] = True

    name: str
    moves: int = 2

    def label(self) -> str:
        return self.name


class Table:
    """Has a game played by one agent, move by move."""

    at_once = 2

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.found: list[str] = []

    def __call__(self, game: Game, flight: Flight) -> Nested:
        self.begun.append(game.name)

        def program(ctx: Context) -> Program:
            said = ""
            for move in range(game.moves):
                [reply] = yield [ask(game.name, f"move {move}")]
                said = reply.text or ""
            return said

        return Nested(program, "game", chance="the same for all")

    def replayed(self, game: Game, flight: Flight, result: Tale) -> None:
        self.found.append(game.name)

    def read(self, game: Game, outcome: Outcome, meter: Meter | None) -> Tale:
        assert meter is not None
        if outcome.stopped:
            return Tale(failure=Failure("budget", "not to its end"))
        return Tale(outcome.value, meter.total().finished)


GAMES = ["a", "b", "c", "d", "e"]


def games(ctx: Context) -> Program:
    return (yield [Game(name) for name in GAMES])


def played(journal: Path, table: Table, program: Any = games, **options: Any) -> Played:
    model = latency_by_id(dict.fromkeys(GAMES, 1.0))
    return play(program, journal, model=model, handlers={Game: table}, **options)


def test_no_more_than_its_handler_says_are_under_way_and_each_is_counted_by_itself(journal: Path) -> None:
    table = Table()
    found = played(journal, table)
    assert [(tale.said, tale.finished) for tale in found.outcome.value] == [(f"{name}: move 1", 2) for name in GAMES]
    assert found.seconds == 6.0  # two at a time, each of 2 seconds
    assert found.meter.total().finished == 10
    assert found.meter.in_flight == 0


def test_a_place_that_is_free_is_taken_by_the_next_not_by_the_next_round(journal: Path) -> None:
    def uneven(ctx: Context) -> Program:
        return (yield [Game("a", 4), Game("b", 1), Game("c", 1), Game("d", 1), Game("e", 1)])

    assert played(journal, Table(), uneven).seconds == 4.0


def test_a_replay_plays_none_again_and_looks_into_none(journal: Path) -> None:
    first = played(journal, Table())
    table = Table()
    again = played(journal, table)
    assert (again.outcome, again.asked, table.begun, table.found) == (first.outcome, [], [], GAMES)


def test_what_a_broken_off_one_has_asked_is_not_asked_again(journal: Path) -> None:
    whole = list(content(journal)) if played(journal, Table()) else []
    cut = journal.with_name("cut.sqlite")
    first = played(cut, Table(), limits=Limits(calls=5))
    assert first.outcome.stopped == "calls"
    kept = [row[1] for row in content(cut) if row[2] == "Game"]
    assert kept == ["run/1/a", "run/1/b"]
    table = Table()
    again = played(cut, table)
    assert (table.found, sorted(table.begun)) == (["a", "b"], ["c", "d", "e"])
    assert len(again.asked) == 5
    assert [row for row in content(cut) if row[0] == "result"] == [row for row in whole if row[0] == "result"]


def test_one_more_changes_nothing_of_those_before(journal: Path) -> None:
    played(journal, Table())
    before = set(content(journal))

    def more(ctx: Context) -> Program:
        return (yield [Game("z"), *(Game(name) for name in GAMES)])

    table = Table()
    found = played(journal, table, more)
    assert (table.begun, found.outcome.value[0].said) == (["z"], "z: move 1")
    assert before < set(content(journal))


def test_equal_chance_is_shared_by_what_the_handler_says(journal: Path) -> None:
    drawn: dict[str, float] = {}

    class Drawing(Table):
        def __call__(self, game: Game, flight: Flight) -> Nested:
            def program(ctx: Context) -> Program:
                drawn[game.name] = ctx.rng("x").random()
                yield [ask(game.name)]

            return Nested(program, "game", chance="odd" if game.name in "ace" else "even")

    played(journal, Drawing())
    assert drawn["a"] == drawn["c"] == drawn["e"] != drawn["b"] == drawn["d"]


def test_what_lies_below_a_kept_result_is_not_waited_for_in_a_replay(journal: Path) -> None:
    played(journal, Table())
    record = Journal(journal)
    try:
        record.look_up()
        whole = record.unread
        assert whole == 5 * (1 + 2)
        for name in GAMES:
            assert record.find(f"run/1/{name}") is not None
            record.skip(f"run/1/{name}")
        assert record.unread == 0
    finally:
        record.close()
