"""The blackboard: the last entries of everybody, oldest first, and of nobody too many."""

from __future__ import annotations

from typing import Any

import pytest

from swarmmind.errors import UserError
from swarmmind.memory.blackboard import Blackboard
from swarmmind.testing import check_memory
from swarmmind.traces import ANSWER, PROMPT, Query, Trace


def texts(board: Blackboard, query: Query | None = None) -> list[str]:
    return [trace.text for trace in board.sense("anybody", query or Query())]


def test_it_keeps_the_promises_of_a_memory() -> None:
    check_memory(Blackboard)
    check_memory(lambda: Blackboard(entries=3, per_author=1, characters=5, tokens=10))


def test_everybody_reads_what_everybody_wrote_oldest_first() -> None:
    board = Blackboard()
    board.deposit("a", Trace("one", "a", key="k"))
    board.tick()
    board.deposit("b", Trace("two", "b", ANSWER))
    board.deposit("b", Trace("What now?", "b", PROMPT))
    assert board.sense("c") == (Trace("one", "a", "note", "k", 1.0, 1), Trace("two", "b", "answer"))


def test_the_oldest_makes_room_and_a_talker_only_his_own() -> None:
    board = Blackboard(entries=4, per_author=2)
    board.deposit("a", Trace("a1", "a"))
    for number in range(9):
        board.deposit("b", Trace(f"b{number}", "b"))
    assert texts(board) == ["a1", "b7", "b8"]
    board.deposit("c", Trace("c1", "c"))
    board.deposit("d", Trace("d1", "d"))
    assert texts(board) == ["b7", "b8", "c1", "d1"]


def test_a_long_entry_is_cut_and_says_so() -> None:
    board = Blackboard(characters=4)
    board.deposit("a", Trace("12345678", "a", kind="k" * 500, key="k" * 500))
    board.deposit("a", Trace("1234", "a"))
    assert texts(board) == ["1234 [cut: 8 characters]", "1234"]
    assert [(len(trace.key), len(trace.kind)) for trace in board.sense("a")] == [(200, 40), (0, 4)]


def test_the_newest_that_fit_are_shown() -> None:
    board = Blackboard(tokens=5)
    for number in range(6):
        board.deposit("a", Trace(f"entry{number}", "a"))  # 2 tokens each
    assert texts(board) == ["entry4", "entry5"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query(limit=2), ["b2", "a3"]),
        (Query(limit=0), []),
        (Query(authors=("b",)), ["b2"]),
        (Query(kinds=("fact",)), ["a1", "b2"]),
        (Query(keys=("x",)), ["a1"]),
        (Query(max_age=0), ["b2", "a3"]),
        (Query(kinds=("fact",), limit=1), ["b2"]),
    ],
)
def test_filters(query: Query, found: list[str]) -> None:
    board = Blackboard()
    board.deposit("a", Trace("a1", "a", "fact", "x"))
    board.tick()
    board.deposit("b", Trace("b2", "b", "fact", "y"))
    board.deposit("a", Trace("a3", "a"))
    assert texts(board, query) == found


@pytest.mark.parametrize("name", ["entries", "per_author", "characters", "tokens"])
def test_a_value_out_of_range_is_named(name: str) -> None:
    arguments: dict[str, Any] = {name: -1}
    with pytest.raises(UserError, match=name):
        Blackboard(**arguments)


@pytest.mark.parametrize("query", [Query(kinds=(ANSWER,)), Query(keys=("key " * 100,)), Query(kinds=("answer",))])
def test_filters_are_in_the_words_that_things_were_left_in(query: Query) -> None:
    memory = Blackboard()
    memory.deposit("a", Trace("north", "a", ANSWER, "key " * 100))
    memory.deposit("a", Trace("south", "b", "note", "another"))
    assert [trace.author for trace in memory.sense("a", query)] == ["a"]
