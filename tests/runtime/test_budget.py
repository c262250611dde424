from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmmind.effects import Limits, Usage
from swarmmind.errors import Spent
from swarmmind.runtime.budget import Cost, Purse

NOTHING = Cost()


async def in_time(main: Callable[[], Awaitable[None]]) -> None:
    """Somebody who waits for ever is an error, not a hang."""
    with anyio.fail_after(5):
        await main()


def within(purse: Purse) -> bool:
    """Whether a purse is inside its walls, what is reserved included."""
    limits, spent, reserved = purse.limits, purse.spent, purse.reserved
    return (
        (limits.calls is None or spent.calls + reserved.calls <= limits.calls)
        and (limits.tokens is None or spent.tokens + reserved.tokens <= limits.tokens)
        and (limits.usd is None or spent.usd + reserved.usd <= limits.usd + 1e-9)
    )


def test_a_reservation_is_taken_and_given_back_all_the_way_up() -> None:
    root = Purse(Limits(calls=5))
    child = Purse(Limits(tokens=100), root)
    assert child.try_reserve(Cost(1, 60, 0.5))
    assert root.reserved == child.reserved == Cost(1, 60, 0.5)
    child.settle(Cost(1, 60, 0.5), Cost(1, 20, 0.1))
    assert root.reserved == child.reserved == NOTHING
    assert root.spent == child.spent == Cost(1, 20, 0.1)


def test_what_does_not_fit_beside_calls_in_flight_waits_and_what_never_fits_breaks_the_purse() -> None:
    purse = Purse(Limits(tokens=100))
    assert purse.try_reserve(Cost(1, 60))
    assert not purse.try_reserve(Cost(1, 50))
    assert purse.reserved == Cost(1, 60)
    assert purse.broken is None
    with pytest.raises(Spent) as caught:
        purse.try_reserve(Cost(1, 101))
    assert caught.value.limit == purse.broken == purse.out_of() == "tokens"
    with pytest.raises(Spent):
        purse.try_reserve(Cost(1, 1))  # it would fit, but a broken purse is shut


@pytest.mark.parametrize(
    ("limits", "cost", "limit"),
    [
        (Limits(calls=2), Cost(3), "calls"),
        (Limits(tokens=10), Cost(1, 11), "tokens"),
        (Limits(usd=1.0), Cost(1, 1, 1.01), "usd"),
        (Limits(calls=0), Cost(1), "calls"),
    ],
)
def test_the_error_names_the_limit(limits: Limits, cost: Cost, limit: str) -> None:
    with pytest.raises(Spent, match=f"no {limit} left"):
        Purse(limits).try_reserve(cost)


def test_a_child_is_refused_by_its_parent_and_its_sibling_goes_on() -> None:
    root = Purse(Limits(calls=4))
    small, large = Purse(Limits(calls=1), root), Purse(None, root)
    assert small.try_reserve(Cost(1))
    small.settle(Cost(1), Cost(1))
    with pytest.raises(Spent):
        small.try_reserve(Cost(1))
    assert small.out_of() == "calls"
    assert root.out_of() is None
    assert large.try_reserve(Cost(3))
    large.settle(Cost(3), Cost(3))
    with pytest.raises(Spent):
        large.try_reserve(Cost(1))
    assert large.out_of() == root.broken == "calls"


def test_tenths_of_a_dollar_add_up() -> None:
    purse = Purse(Limits(usd=1.0))
    for _ in range(10):
        assert purse.try_reserve(Cost(1, 0, 0.1))
        purse.settle(Cost(1, 0, 0.1), Cost(1, 0, 0.1))
    with pytest.raises(Spent):
        purse.try_reserve(Cost(1, 0, 0.0001))


def test_unknown_costs_the_worst_case() -> None:
    worst = Usage(1, 100, 0, 50, 0.25)
    assert Cost.of(Usage(1, None, None, None, None), worst) == Cost(1, 150, 0.25)
    assert Cost.of(Usage(1, 80, None, None, None), worst) == Cost(1, 130, 0.25)
    assert Cost.of(Usage(1, 80, 80, 7, 0.0), worst) == Cost(1, 87, 0.0)
    assert Cost.of(Usage(1, None, None, None, None)) == Cost(1, 0, 0.0)


def test_charges_without_reservation_count_too() -> None:
    root = Purse(Limits(calls=5))
    Purse(None, root).charge(Cost(5, 10, 0.1))
    assert root.spent == Cost(5, 10, 0.1)
    with pytest.raises(Spent):
        root.try_reserve(Cost(1))


def test_who_waits_is_woken_when_something_is_settled_anywhere() -> None:
    root = Purse(Limits(tokens=100))
    children = [Purse(None, root) for _ in range(3)]
    order: list[str] = []

    async def want(purse: Purse, name: str, tokens: int) -> None:
        try:
            await purse.reserve(Cost(1, tokens))
        except Spent as spent:
            order.append(f"{name}: {spent.limit}")
        else:
            order.append(name)

    async def main() -> None:
        assert children[0].try_reserve(Cost(1, 90))
        async with anyio.create_task_group() as group:
            group.start_soon(want, children[1], "fits later", 40)
            group.start_soon(want, children[2], "never fits", 95)
            await anyio.wait_all_tasks_blocked()
            assert order == []
            children[0].settle(Cost(1, 90), Cost(1, 10))
        assert sorted(order) == ["fits later", "never fits: tokens"]

    anyio.run(in_time, main)


def test_whoever_waits_hears_that_the_purse_was_broken_meanwhile() -> None:
    purse = Purse(Limits(calls=2))
    heard: list[str] = []

    async def want() -> None:
        try:
            await purse.reserve(Cost(1))
        except Spent as spent:
            heard.append(spent.limit)

    async def main() -> None:
        assert purse.try_reserve(Cost(2))
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(want)
            await anyio.wait_all_tasks_blocked()
            purse.settle(Cost(2), Cost(2))

    anyio.run(in_time, main)
    assert heard == ["calls"] * 3
    assert purse.reserved == NOTHING


def limits() -> st.SearchStrategy[Limits]:
    return st.builds(
        Limits,
        st.none() | st.integers(0, 30),
        st.none() | st.integers(0, 300),
        st.none() | st.integers(0, 20).map(lambda cents: cents / 100),
    )


Step = tuple[int, int, int, int, int]
steps = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 50), st.integers(0, 5), st.integers(0, 3), st.integers(0, 100)),
    max_size=40,
)


@settings(max_examples=200)
@given(limits(), limits(), limits(), limits(), steps)
def test_no_purse_is_ever_over_its_walls_whatever_is_reserved_and_settled(
    root: Limits, left: Limits, right: Limits, below: Limits, actions: Sequence[Step]
) -> None:
    top = Purse(root)
    purses = [top, Purse(left, top), Purse(right, top)]
    purses.append(Purse(below, purses[1]))
    open_: list[tuple[Purse, Cost]] = []
    settled = 0
    for which, tokens, cents, later, share in actions:
        worst = Cost(1, tokens, cents / 100)
        try:
            if purses[which].try_reserve(worst):
                open_.append((purses[which], worst))
            else:
                assert top.reserved.calls > 0  # there is something to wait for
        except Spent:
            assert purses[which].out_of()
        assert all(within(purse) for purse in purses)
        if later and open_:
            purse, reserved = open_.pop(share % len(open_))
            purse.settle(reserved, Cost(1, reserved.tokens * share // 100, reserved.usd * share / 100))
            settled += 1
            assert all(within(purse) for purse in purses)
    for purse, reserved in open_:
        purse.settle(reserved, reserved)
    assert all(within(purse) for purse in purses)
    assert all((purse.reserved.calls, purse.reserved.tokens) == (0, 0) for purse in purses)
    assert all(abs(purse.reserved.usd) < 1e-9 for purse in purses)
    assert top.spent.calls == settled + len(open_)
    assert purses[1].spent.calls >= purses[3].spent.calls


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.lists(st.integers(1, 40), min_size=1, max_size=15))
def test_all_that_wait_end_with_a_place_or_a_refusal(calls: int, wants: list[int]) -> None:
    purse = Purse(Limits(calls=calls, tokens=60))
    over = 0

    async def work(tokens: int) -> None:
        nonlocal over
        try:
            await purse.reserve(Cost(1, tokens))
        except Spent:
            pass
        else:
            await anyio.lowlevel.checkpoint()
            purse.settle(Cost(1, tokens), Cost(1, tokens // 2))
            assert within(purse)
        over += 1

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for tokens in wants:
                group.start_soon(work, tokens)

    anyio.run(in_time, main)
    assert over == len(wants)
    assert purse.reserved == NOTHING
