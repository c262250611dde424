from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.errors import UserError
from swarmmind.memory import Window, memory
from swarmmind.traces import Query, Trace


def say(text: str) -> Trace:
    return Trace(text, "a", "user")


def test_the_last_messages_of_a_scope_are_there_oldest_first() -> None:
    window = Window(messages=2)
    for text in "abc":
        window.deposit("a", say(text))
    window.deposit("b", say("x"))
    assert window.sense("a") == (say("b"), say("c"))
    assert window.sense("b", Query("whatever"), random.Random(1)) == (say("x"),)
    assert window.sense("nobody") == ()


def test_tokens_cut_from_the_oldest_and_never_through_a_message() -> None:
    window = Window(messages=10, tokens=5)
    for text in ("x" * 8, "y" * 9, "z" * 5):  # 2, 3 and 2 tokens
        window.deposit("a", say(text))
    assert window.sense("a") == (say("y" * 9), say("z" * 5))
    window.deposit("a", say("w" * 400))
    assert window.sense("a") == ()


def test_reading_and_time_change_nothing() -> None:
    window = Window(messages=2)
    window.deposit("a", say("x"))
    before = window.sense("a")
    window.tick()
    window.sense("b")
    assert window.sense("a") == before == (say("x"),)


def test_none_remembers_nothing() -> None:
    none = memory("none")()
    none.deposit("a", say("x"))
    assert none.sense("a") == ()
    assert none.fork().sense("a") == ()


@pytest.mark.parametrize("given", [{"messages": -1}, {"tokens": -1}])
def test_a_negative_bound_is_the_users_mistake(given: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"{next(iter(given))} must not be negative, got -1"):
        Window(**given)


def test_a_bound_may_be_any_number() -> None:
    window = Window(messages=10**30, tokens=10**30)
    window.deposit("a", say("x"))
    assert [trace.text for trace in window.sense("a")] == ["x"]


scopes = st.sampled_from(["a", "b", "shared"])
steps = st.lists(st.tuples(scopes, st.text(max_size=30)), max_size=60)


@given(steps, st.integers(0, 6), st.none() | st.integers(0, 12))
def test_it_is_never_larger_than_its_bounds_and_shows_the_latest(
    deposits: list[tuple[str, str]], messages: int, tokens: int | None
) -> None:
    window = Window(messages, tokens)
    for scope, text in deposits:
        window.deposit(scope, say(text))
    for scope in ("a", "b", "shared"):
        everything = [say(text) for at, text in deposits if at == scope]
        seen = list(window.sense(scope))
        assert len(seen) <= messages
        assert seen == everything[len(everything) - len(seen) :]
        cost = sum(-(-len(entry.text) // 4) for entry in seen)
        assert tokens is None or cost <= tokens
        if len(seen) < min(messages, len(everything)):  # whatever is left out did not fit
            left_out = everything[-len(seen) - 1]
            assert tokens is not None
            assert cost + -(-len(left_out.text) // 4) > tokens


@given(steps, steps)
def test_a_fork_and_its_origin_never_touch_each_other(
    before: list[tuple[str, str]], after: list[tuple[str, str]]
) -> None:
    origin = Window(4)
    for scope, text in before:
        origin.deposit(scope, say(text))
    shown = [origin.sense(scope) for scope in ("a", "b", "shared")]
    fork, other = origin.fork(), origin.fork()
    for scope, text in after:
        fork.deposit(scope, say(text))
    assert [origin.sense(scope) for scope in ("a", "b", "shared")] == shown
    assert [other.sense(scope) for scope in ("a", "b", "shared")] == shown
    for scope, text in after:
        origin.deposit(scope, say(text))
    assert [origin.sense(scope) for scope in ("a", "b", "shared")] == [
        fork.sense(scope) for scope in ("a", "b", "shared")
    ]
