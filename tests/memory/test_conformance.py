"""Every memory in the box keeps the promises of the port, alone and together with others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from swarmmind.memory import MEMORIES, Several, Window, memory
from swarmmind.ports import Memory
from swarmmind.spec.parts import load_part
from swarmmind.testing import check_memory
from swarmmind.traces import ANYTHING, Query, Trace, Vector


def in_the_box(name: str) -> Callable[[], Memory]:
    return lambda: memory(name)(**load_part("memory", name).parameters)


@pytest.mark.parametrize("name", MEMORIES)
def test_a_memory_in_the_box_keeps_its_promises(name: str) -> None:
    check_memory(in_the_box(name))


def test_all_of_them_together_do() -> None:
    check_memory(lambda: Several([in_the_box(name)() for name in MEMORIES]))


class Forgetful(Window):
    """Breaks one promise after the other."""

    def __init__(self, promise: str) -> None:
        super().__init__()
        self.promise, self.read = promise, 0

    def sense(self, scope: str, query: Query = ANYTHING, rng: Any = None) -> tuple[Trace, ...]:
        self.read += self.promise == "reading"
        if self.promise == "empty" and scope == "nobody":
            return (Trace("made up"),)
        return super().sense(scope, query, rng)

    def deposit(self, scope: str, trace: Trace, vector: Vector | None = None) -> None:
        super().deposit("all" if self.promise == "crowd" else scope, trace)

    def levels(self) -> dict[str, float]:
        self.read += self.promise == "time"
        return {"growing": float(self.read)} if self.promise == "time" else {}

    def snapshot(self) -> Any:
        return [super().snapshot(), self.read] if self.promise == "reading" else super().snapshot()

    def fork(self) -> Window:
        return self if self.promise == "fork" else super().fork()


@pytest.mark.parametrize(
    ("promise", "complaint"),
    [
        ("empty", "an empty memory shows something"),
        ("reading", "reading changed it"),
        ("fork", "a fork"),
        ("time", "time alone made 'growing' stronger"),
    ],
)
def test_the_check_says_which_promise_was_broken(promise: str, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_memory(lambda: Forgetful(promise))


class Crowded(Memory):
    """One list for everybody, the last ten entries of anybody."""

    def __init__(self) -> None:
        self.entries: list[Trace] = []

    def deposit(self, scope: str, trace: Trace, vector: Vector | None = None) -> None:
        self.entries = [*self.entries, trace][-10:]

    def sense(self, scope: str, query: Query = ANYTHING, rng: Any = None) -> tuple[Trace, ...]:
        return tuple(self.entries)[: query.limit]

    def snapshot(self) -> Any:
        return [entry.text for entry in self.entries]

    def fork(self) -> Crowded:
        copy = Crowded()
        copy.entries = list(self.entries)
        return copy


def test_a_memory_that_lets_one_author_crowd_out_the_others_is_caught() -> None:
    with pytest.raises(AssertionError, match="crowded another out"):
        check_memory(Crowded)
