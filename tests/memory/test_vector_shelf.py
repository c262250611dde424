from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from swarmmind.memory.vectors import Vectors
from swarmmind.traces import Query, Trace, Vector

DIMENSIONS = 6


def unit(seed: int, dimensions: int = DIMENSIONS) -> Vector:
    row = np.random.default_rng(seed).standard_normal(dimensions)
    return (row / np.linalg.norm(row)).astype(np.float32)


Step: TypeAlias = tuple[str, int, float]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("deposit"), st.integers(0, 5), st.floats(0.02, 3.0)),
        st.tuples(st.just("reinforce"), st.integers(0, 2), st.floats(0.0, 3.0)),
        st.tuples(st.just("tick"), st.integers(1, 5), st.just(0.0)),
    ),
    max_size=60,
)


def play(store: Vectors, done: Iterable[Step], author: str = "ann") -> Vectors:
    for what, number, value in done:
        if what == "deposit":
            store.deposit("", Trace(f"t{number}", author, key=f"k{number % 3}", strength=value), unit(number))
        elif what == "reinforce":
            store.reinforce("", f"k{number}", value)
        else:
            for _ in range(number):
                store.tick()
    return store


def eager(done: Iterable[Step], half_life: float, floor: float, ceiling: float) -> dict[str, float]:
    """The same by the book: everything fades at every tick, and is dropped at once below the floor."""
    strengths: dict[str, float] = {}
    for what, number, value in done:
        if what == "deposit":
            strengths[f"t{number}"] = min(strengths.get(f"t{number}", 0.0) + value, ceiling)
        elif what == "reinforce":
            for text in strengths:
                if int(text[1:]) % 3 == number:
                    strengths[text] = min(max(strengths[text] * value, floor), ceiling)
        else:
            for _ in range(number):
                strengths = {text: strength * 0.5 ** (1 / half_life) for text, strength in strengths.items()}
                assume(all(abs(strength / floor - 1) > 1e-6 for strength in strengths.values()))
                strengths = {text: strength for text, strength in strengths.items() if strength >= floor}
    return strengths


@given(steps, st.floats(0.5, 50.0), st.sampled_from([1e-6, 0.02]))
def test_lazy_decay_equals_eager_decay(done: list[Step], half_life: float, floor: float) -> None:
    store = play(Vectors(half_life=half_life, floor=floor, ceiling=5.0), done)
    found = {trace.text: trace.strength for trace in store.sense("")}
    assert found == pytest.approx(eager(done, half_life, floor, 5.0), rel=1e-9, abs=0.0)


@given(st.floats(0.3, 20.0), st.floats(0.05, 3.0))
def test_what_is_left_every_tick_tends_to_its_steady_state(half_life: float, strength: float) -> None:
    delta = 0.5 ** (1 / half_life)
    store = Vectors(half_life=half_life, floor=1e-9, ceiling=1e9)
    for _ in range(int(40 * half_life) + 3):
        store.tick()
        store.deposit("", Trace("x", "ann", strength=strength))
    [trace] = store.sense("")
    assert trace.strength == pytest.approx(strength / (1 - delta), rel=1e-9)


deposits = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from("abc"), st.sampled_from(["note", "food"]), st.floats(0.05, 4.0),
              st.booleans(), st.integers(0, 3)),
    min_size=1, max_size=50,
)  # fmt: skip
queries = st.builds(
    Query,
    vector=st.none() | st.integers(100, 110).map(unit),
    limit=st.integers(0, 60),
    kinds=st.sampled_from([(), ("note",), ("food", "note"), ("other",)]),
    authors=st.sampled_from([(), ("a",), ("b", "c"), ("nobody", "a")]),
    keys=st.sampled_from([(), ("k1",), ("k0", "k2")]),
    max_age=st.none() | st.integers(0, 8),
)


@given(deposits, queries, st.none() | st.floats(0.5, 20.0))
def test_ranking_equals_brute_force_filters_included(
    left: list[tuple[int, str, str, float, bool, int]], query: Query, half_life: float | None
) -> None:
    store = Vectors(half_life=half_life, per_author=1.0, tokens=10**6, floor=0.05, ceiling=4.0)
    now, by_hand = 0, dict[str, tuple[Trace, Vector | None, int, int]]()
    for order, (number, author, kind, strength, with_vector, pause) in enumerate(left):
        trace = Trace(f"t{order}", author, kind, f"k{number % 3}", strength)
        vector = unit(number) if with_vector else None
        store.deposit("", trace, vector)
        by_hand[trace.text] = (trace, vector, now, order)
        for _ in range(pause):
            store.tick()
        now += pause
    wanted: list[tuple[float, float, int]] = []
    keys: dict[str, tuple[float, float, int]] = {}
    for trace, vector, born, order in by_hand.values():
        fade = 0.5 ** ((now - born) / half_life) if half_life else 1.0
        recency = 1 / (1 + (now - born) / half_life) if half_life else 1.0
        assume(abs(trace.strength * fade - 0.05) > 1e-9 or fade == 1.0)
        passes = (
            (not query.kinds or trace.kind in query.kinds)
            and (not query.authors or trace.author in query.authors)
            and (not query.keys or trace.key in query.keys)
            and (query.max_age is None or now - born <= query.max_age)
        )
        if trace.strength * fade >= 0.05 and passes:
            close = 0.0
            if query.vector is not None and vector is not None:
                close = max(float(query.vector.astype(float) @ vector.astype(float)), 0.0)
            weight = trace.strength * fade * recency
            keys[trace.text] = (close * weight, weight, order)
            wanted.append(keys[trace.text])
    found = [keys[trace.text] for trace in store.sense("", query)]
    assert np.array(found).reshape(-1, 3) == pytest.approx(
        np.array(sorted(wanted, reverse=True)[: query.limit]).reshape(-1, 3), rel=1e-9, abs=1e-12
    )


@given(steps, steps, steps)
def test_a_fork_and_its_origin_never_touch_each_other(before: list[Step], mine: list[Step], theirs: list[Step]) -> None:
    def fresh() -> Vectors:
        return Vectors(half_life=5.0, capacity=4, per_author=0.5)

    origin = play(fresh(), before)
    fork = origin.fork()
    for first, second in zip(mine, theirs, strict=False):
        play(origin, [first], "bob")
        play(fork, [second], "eve")
    count = min(len(mine), len(theirs))
    for store, after, author in ((origin, mine, "bob"), (fork, theirs, "eve")):
        alone = play(play(fresh(), before), after[:count], author)
        assert store.snapshot() == alone.snapshot()
        assert store.sense("", Query(vector=unit(3))) == alone.sense("", Query(vector=unit(3)))


@given(
    st.lists(st.tuples(st.sampled_from("abcde"), st.floats(0.1, 2.0), st.integers(0, 2)), max_size=60),
    st.integers(1, 12), st.sampled_from([0.1, 0.25, 0.5, 1.0]), st.sampled_from([None, 1.0, 3.0]),
)  # fmt: skip
def test_caps_hold_nobody_is_crowded_out_and_nothing_is_lost_below_the_caps(
    left: list[tuple[str, float, int]], capacity: int, per_author: float, half_life: float | None
) -> None:
    store = Vectors(capacity=capacity, per_author=per_author, half_life=half_life, tokens=10**6, limit=1000, floor=0.05)
    share = max(1, int(capacity * per_author))
    authors = {author for author, _, _ in left}
    kept: dict[str, list[str]] = {author: [] for author in authors}
    for number, (author, strength, pause) in enumerate(left):
        for _ in range(pause):
            store.tick()
        alive = {trace.text: trace for trace in store.sense("")}
        before = {name: [text for text in mine if text in alive] for name, mine in kept.items()}
        store.deposit("", Trace(f"t{number}", author, strength=strength))
        after = {name: {trace.text for trace in store.sense("", Query(authors=(name,)))} for name in authors}
        assert f"t{number}" in after[author]  # the newest has a place, whoever left it
        lost = [(name, text) for name, mine in before.items() for text in mine if text not in after[name]]
        full = len(alive) >= capacity
        assert len(lost) == (1 if full or len(before[author]) >= share else 0)
        for name, text in lost:
            if name != author:  # others give way only when all is full, and only who holds more than the newcomer
                assert full
                assert len(before[author]) < share
                assert len(before[name]) == max(map(len, before.values())) > len(before[author])
            weakest = min((alive[one].strength, int(one[1:])) for one in before[name])
            assert alive[text].strength == pytest.approx(weakest[0], rel=1e-9)
        for name, found in after.items():
            assert len(found) <= share
            kept[name] = sorted(found)
        assert sum(map(len, kept.values())) <= capacity


@given(steps)
def test_reading_changes_nothing_and_equal_calls_give_equal_stores(done: list[Step]) -> None:
    quiet, read = Vectors(half_life=4.0), Vectors(half_life=4.0)
    play(quiet, done)
    for step in done:
        play(read, [step])
        read.sense("", Query(vector=unit(7)))
        read.levels()
        read.snapshot()
        read.fork()
    assert read.snapshot() == quiet.snapshot()
    assert read.sense("", Query(vector=unit(7))) == quiet.sense("", Query(vector=unit(7)))


def test_a_fork_counts_who_holds_what_for_itself() -> None:
    def fresh() -> Vectors:
        store = Vectors(capacity=6, per_author=0.5)
        for number in range(6):
            store.deposit("", Trace(f"t{number}", f"a{number % 3}"))
        return store

    origin, alone = fresh(), fresh()
    fork = origin.fork()
    for number in range(3):
        fork.deposit("", Trace(f"new {number}", "eve"))
    for store in (origin, alone):
        store.deposit("", Trace("one", "bob"))
        store.deposit("", Trace("two", "a0"))
        store.deposit("", Trace("three", "a0"))
    assert origin.snapshot() == alone.snapshot()
    assert len(fork.sense("", Query(authors=("eve",)))) == 2  # it was at the top with the others: its own made room


def test_what_has_faded_away_makes_room_before_anything_alive_does() -> None:
    store = Vectors(half_life=1.0, floor=0.1, capacity=3, per_author=0.4)
    store.deposit("", Trace("gone", "ann", strength=0.5))
    store.deposit("", Trace("strong", "bob", strength=8.0))
    for _ in range(3):
        store.tick()
    store.deposit("", Trace("third", "cat", strength=0.6))
    store.deposit("", Trace("fourth", "dan", strength=0.7))
    assert sorted(trace.text for trace in store.sense("")) == ["fourth", "strong", "third"]


def test_who_makes_room_is_the_weakest_now_not_the_weakest_once() -> None:
    store = Vectors(half_life=1.0, capacity=2, per_author=1.0)
    store.deposit("", Trace("was strong", "ann", strength=1.0))
    store.tick()
    store.tick()
    store.deposit("", Trace("is stronger", "ann", strength=0.5))
    store.deposit("", Trace("new", "ann", strength=0.1))
    assert [trace.text for trace in store.sense("")] == ["is stronger", "new"]
