from __future__ import annotations

import tracemalloc
from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from swarmmind.models.line import TURN, Line, Waiter
from swarmmind.models.prefixes import DIGEST_BYTES


def prefix(*parts: int) -> bytes:
    """Of a prompt whose parts are these."""
    return b"".join(part.to_bytes(DIGEST_BYTES, "big") for part in parts)


def called(line: Line, most: int = 10**9) -> list[Waiter]:
    """Who is called, one after the other."""
    order: list[Waiter] = []
    while len(order) < most and (head := line.head()) is not None:
        assert line.head() is head
        head.gone = True
        order.append(head)
    return order


def joined(*prefixes: bytes, turn: int = TURN) -> tuple[Line, list[Waiter]]:
    line, waiters = Line(turn), [Waiter(0, one) for one in prefixes]
    for waiter in waiters:
        line.push(waiter)
    return line, waiters


def test_those_who_share_nothing_are_called_in_the_order_they_came() -> None:
    line, waiters = joined(*[b""] * 5, *[prefix(at) for at in range(5)])
    assert called(line) == waiters


def test_who_shares_most_with_the_one_before_is_next() -> None:
    kinds = [(1, 1), (2, 1), (1, 2), (2, 2), (1, 1), (2, 1), (1, 2)]
    line, waiters = joined(*[prefix(*kind, 100 + at) for at, kind in enumerate(kinds)])
    order = [waiters.index(waiter) for waiter in called(line)]
    assert order == [0, 4, 2, 6, 1, 5, 3]  # all of (1, 1), of (1, 2), then of (2, 1) and (2, 2)


def test_equal_prompts_are_together_and_the_first_of_them_too() -> None:
    line, waiters = joined(*[prefix(9, at % 4) for at in range(12)])
    assert [waiter.prefix for waiter in called(line)] == [prefix(9, kind) for kind in range(4) for _ in range(3)]
    assert waiters


def test_a_lower_priority_is_earlier_whatever_it_shares() -> None:
    line = Line()
    waiters = [Waiter(priority, prefix(1)) for priority in (5, 0, -3, 5, 0, -3)]
    for waiter in waiters:
        line.push(waiter)
    assert [waiter.priority for waiter in called(line)] == [-3, -3, 0, 0, 5, 5]
    assert line.head() is None


def test_the_head_stays_whoever_comes() -> None:
    line, [only] = joined(prefix(1))
    assert line.head() is only
    line.push(urgent := Waiter(-1, prefix(1)))
    assert line.head() is only
    only.gone = True
    assert line.head() is urgent


def test_a_group_that_keeps_getting_members_starves_nobody() -> None:
    turn = 8
    line, [first, lonely, other] = joined(prefix(1, 0), prefix(2), prefix(3), turn=turn)
    waited: list[Waiter] = []
    for at in range(1, 100):
        line.push(Waiter(0, prefix(1, at)))
        waited += called(line, 1)
    assert waited[0] is first
    assert waited.index(lonely) == turn + 1
    assert waited.index(other) == turn + 2


def test_who_has_gone_away_is_not_called() -> None:
    line, waiters = joined(*[prefix(at % 2, at) for at in range(10)])
    for waiter in waiters[::3]:
        waiter.gone = True
    assert Counter(id(waiter) for waiter in called(line)) == Counter(id(w) for w in waiters if waiters.index(w) % 3)


def test_a_line_that_is_never_empty_keeps_nobody_who_is_gone() -> None:
    line, rng = Line(), Random(5)
    for _ in range(100):
        line.push(Waiter(0, rng.randbytes(3 * DIGEST_BYTES)))
    tracemalloc.start()
    sizes: list[int] = []
    for at in range(20_000):
        line.push(waiter := Waiter(0, prefix(at % 7) + rng.randbytes(2 * DIGEST_BYTES)))
        waiter.gone = at % 3 == 0  # cancelled
        if at % 3:
            called(line, 1)
        if at % 5000 == 4999:
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert sizes[-1] < 1.5 * sizes[0]


def test_it_takes_no_longer_with_many_who_wait() -> None:
    """Counted, not timed: how many waiters are looked at."""
    looks = 0

    class Watched(Waiter):
        __slots__ = ()

        def __getattribute__(self, name: str) -> object:
            nonlocal looks
            looks += name == "gone"
            return super().__getattribute__(name)

    each: list[float] = []
    for count in (1_000, 30_000):
        rng, looks, line = Random(3), 0, Line()
        for _ in range(count):
            line.push(Watched(0, prefix(rng.randrange(50), rng.randrange(50)) + rng.randbytes(DIGEST_BYTES)))
        assert len(called(line)) == count
        each.append(looks / count)
    assert each[1] < 1.3 * each[0] < 15


@given(
    st.lists(
        st.one_of(st.none(), st.tuples(st.integers(-1, 1), st.lists(st.integers(0, 2), max_size=4))), max_size=120
    ),
    st.integers(1, 5),
)
def test_everybody_is_called_once_and_passed_over_a_bounded_number_of_times(
    steps: list[tuple[int, list[int]] | None], turn: int
) -> None:
    line, waiting, arrived, done = Line(turn), list[Waiter](), 0, list[Waiter]()
    passed: Counter[int] = Counter()
    for step in [*steps, *[None] * len(steps)]:
        if step is not None:
            arrived += 1
            waiting.append(Waiter(step[0], prefix(*step[1])))
            line.push(waiting[-1])
        elif waiting:
            [head] = called(line, 1)
            equals = [one for one in waiting if one.priority == head.priority]
            passed[id(equals[0])] += equals[0] is not head
            assert passed[id(equals[0])] <= turn + 1  # and one who had been chosen before it came to the front
            waiting.remove(head)
            done.append(head)
    assert len({id(one) for one in done}) == arrived
