"""The field over names: lazy decay is decay, caps are fair, and nothing is lost below them."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import networkx
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from swarmmind.errors import UserError
from swarmmind.memory.field import Field, half_life_of

KEYS, KINDS, AUTHORS = ("north", "south", "west"), ("food", "danger"), ("a", "b", "c", "d")
DEPOSIT = st.tuples(
    st.just("deposit"), st.sampled_from(KEYS), st.floats(0.01, 10), st.sampled_from(AUTHORS), st.sampled_from(KINDS)
)
VERDICT = st.tuples(st.just("reinforce"), st.sampled_from(KEYS), st.sampled_from([0.0, 0.3, 1.0, 2.5]))
TICK = st.just(("tick",))
STEPS = st.lists(st.one_of(DEPOSIT, VERDICT, TICK, TICK), max_size=60)


def live(field: Field, steps: list[Any]) -> Field:
    for name, *arguments in steps:
        getattr(field, name)(*arguments)
    return field


class Eager:
    """The same by sweeping over everything at every tick."""

    def __init__(self, retention: float, floor: float, ceiling: float) -> None:
        self.retention, self.floor, self.ceiling = retention, floor, ceiling
        self.cells: dict[tuple[str, str], float] = {}

    def deposit(self, key: str, amount: float, author: str, kind: str) -> None:
        self.cells[key, kind] = min(self.cells.get((key, kind), 0.0) + amount, self.ceiling)

    def reinforce(self, key: str, factor: float) -> None:
        for cell in [cell for cell in self.cells if cell[0] == key]:
            self.cells[cell] = min(self.cells[cell] * factor, self.ceiling)
            if not factor:
                del self.cells[cell]

    def tick(self) -> None:
        faded = {cell: strength * self.retention for cell, strength in self.cells.items()}
        assume(all(abs(strength - self.floor) > 1e-9 for strength in faded.values()))  # a coin's edge
        self.cells = {cell: strength for cell, strength in faded.items() if strength >= self.floor}


@given(STEPS, st.sampled_from([1.0, 0.98, 0.5, 0.1]), st.sampled_from([0.0, 0.05, 0.7]), st.sampled_from([4.0, 1e9]))
def test_lazy_decay_is_eager_decay_under_any_interleaving(
    steps: list[Any], retention: float, floor: float, ceiling: float
) -> None:
    lazy, eager = Field(half_life_of(retention), floor=floor, ceiling=ceiling), Eager(retention, floor, ceiling)
    for name, *arguments in steps:
        getattr(lazy, name)(*arguments)
        getattr(eager, name)(*arguments)
        found = {(key, kind): strength for key, kind, strength, _, _ in lazy.readings()}
        assert found == pytest.approx(eager.cells, rel=1e-9, abs=1e-9)
        assert len(lazy) == len(eager.cells)


@pytest.mark.parametrize("retention", [0.5, 0.95, 0.99])
def test_steady_deposits_tend_to_amount_over_one_minus_retention(retention: float) -> None:
    field = Field(half_life_of(retention))
    for _ in range(4000):
        field.tick()
        field.deposit("spring", 0.7)
    assert field.read("spring") == pytest.approx(0.7 / (1 - retention), rel=1e-9)


def test_half_of_it_is_left_after_a_half_life_and_below_the_floor_nothing() -> None:
    field = Field(5, floor=0.3)
    field.deposit("x", 1.0)
    left: list[float] = []
    for _ in range(10):
        field.tick()
        left.append(field.read("x"))
    assert left[4] == pytest.approx(0.5)
    assert [strength > 0 for strength in left] == [True] * 8 + [False] * 2  # 5 log2(1 / 0.3) = 8.7
    assert len(field) == 0


def test_agreement_of_distinct_depositors_counts_and_is_capped() -> None:
    field, factors = Field(consensus=0.1), list[float]()
    for number in range(14):
        for _ in range(2):  # the second time adds strength, not agreement
            field.deposit("x", 1.0, author=f"agent-{number}")
        factors.append(field.read("x") / (2 * (number + 1)))
    assert factors == pytest.approx([1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0, 2.0, 2.0, 2.0])


@given(st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(AUTHORS), st.integers(1, 9)), max_size=80))
def test_no_deposit_is_lost_below_the_caps_whatever_the_interleaving(deposits: list[tuple[str, str, int]]) -> None:
    field, expected = Field(entries=3, per_author=3), Counter[str]()
    for key, author, amount in deposits:
        field.deposit(key, amount, author)
        expected[key] += amount
    assert {reading.key: reading.strength for reading in field.readings()} == dict(expected)
    for reading in field.readings():
        assert set(reading.authors) == {author for key, author, _ in deposits if key == reading.key}


def test_a_flood_crowds_out_nobody() -> None:
    field = Field(entries=40, per_author=10)
    for number in range(5):
        field.deposit(f"honest-{number}", 0.001, author="honest")
    for number in range(3_000):
        field.deposit(f"flood-{number}", 100.0, author=f"flood-{number % 7}")
    kept = Counter(reading.authors[0] for reading in field.readings())
    assert kept["honest"] == 5
    assert max(kept.values()) == 5  # an equal share
    assert len(field) == 40


def test_who_has_too_much_withdraws_from_his_weakest_and_what_others_hold_stays() -> None:
    field = Field(entries=100, per_author=3, consensus=0.1)
    field.deposit("shared", 0.5, "greedy")
    field.deposit("shared", 0.5, "other")
    for number in range(6):
        field.deposit(f"own-{number}", 2.0 + number, "greedy")
    assert [reading.key for reading in field.readings()] == ["own-5", "own-4", "own-3", "shared"]
    assert field.read("shared") == 1.0  # he is no longer among those who agree
    field.deposit("late", 0.1, "greedy")  # the newest stays, however weak
    assert [reading.key for reading in field.readings()] == ["own-5", "own-4", "shared", "late"]


def test_of_equals_in_a_full_field_the_weakest_goes() -> None:
    field = Field(half_life=1, entries=3)
    for number, amount in enumerate([5.0, 1.0, 3.0]):
        field.deposit(f"key-{number}", amount, author=f"agent-{number}")
    field.tick()
    field.deposit("new", 0.6, author="agent-9")
    assert [reading.key for reading in field.readings()] == ["key-0", "key-2", "new"]


def test_what_has_faded_takes_nobodys_room() -> None:
    field = Field(half_life=1, floor=0.2, entries=2)
    field.deposit("old", 1.0, "a")
    for _ in range(2):
        field.tick()
    field.deposit("x", 1.0, "b")
    field.tick()  # now `old` is gone, untouched since it was left
    field.deposit("y", 1.0, "c")
    assert {reading.key for reading in field.readings()} == {"x", "y"}


def test_a_verdict_concerns_all_kinds_of_a_key_or_the_one_named() -> None:
    field = Field(ceiling=3.0)
    field.deposit("x", 2.0, kind="food")
    field.deposit("x", 1.0, kind="danger")
    field.reinforce("x", 2.0)
    assert (field.read("x", "food"), field.read("x", "danger")) == (3.0, 2.0)
    field.reinforce("x", 0.0, kind="food")
    field.reinforce("nothing", 2.0)
    assert [(reading.kind, reading.strength) for reading in field.readings()] == [("danger", 2.0)]


@given(STEPS, STEPS, STEPS, st.sampled_from([0.0, 0.3]))
def test_forks_live_lives_of_their_own_and_equal_lives_are_equal(
    before: list[Any], one: list[Any], other: list[Any], diffusion: float
) -> None:
    def made() -> Field:
        graph = {"north": ["south", "west"], "south": ["north"], "west": ["north"]}
        return live(Field(3, floor=0.05, neighbors=graph, diffusion=diffusion, entries=4, per_author=2), before)

    parent, twin = made(), made()
    assert parent.snapshot() == twin.snapshot()
    child = parent.fork()
    live(child, one)
    assert parent.snapshot() == twin.snapshot()
    alone = child.snapshot()
    live(parent, other)
    assert child.snapshot() == alone == live(twin.fork(), one).snapshot()
    assert [*live(twin, other).readings()] == [*parent.readings()]


@given(
    st.lists(st.tuples(st.integers(0, 11), st.floats(0.1, 9)), min_size=1, max_size=20),
    st.floats(0.01, 1),
    st.sampled_from([6, 100]),
)
def test_diffusion_moves_strength_and_loses_none(
    deposits: list[tuple[int, float]], diffusion: float, entries: int
) -> None:
    graph: Any = networkx.relabel_nodes(networkx.cycle_graph(12), {node: str(node) for node in range(12)})
    field = Field(neighbors=graph, diffusion=diffusion, entries=entries)
    for at, amount in deposits:
        field.deposit(str(at), amount, author=str(at))
    before = sum(reading.strength for reading in field.readings())
    for _ in range(30):
        field.tick()
    after = [reading.strength for reading in field.readings()]
    assert math.fsum(after) == pytest.approx(before, rel=1e-9)
    assert len(field) <= field.entries


def test_diffusion_reaches_neighbors_at_once_and_not_below_the_floor() -> None:
    graph: Any = networkx.relabel_nodes(networkx.path_graph(4), {node: str(node) for node in range(4)})
    field = Field(neighbors=graph, diffusion=0.5, floor=0.3)
    field.deposit("0", 2.0, "a", "food")
    field.tick()
    assert (field.read("0", "food"), field.read("1", "food")) == (1.0, 1.0)
    field.tick()  # node 1 would give 0.25 to node 2, which is too little to begin with
    assert [field.read(str(node), "food") for node in range(3)] == [0.75, 1.25, 0.0]
    field.tick()  # and now 0.3125, which is enough
    assert field.read("2", "food") == 0.3125
    assert {reading.key: reading.authors for reading in field.readings()} == {"0": ("a",), "1": (), "2": ()}


def test_what_only_diffusion_made_goes_first_where_room_is_needed() -> None:
    field = Field(neighbors={"x": ["y", "z"]}, diffusion=0.5, entries=3)
    field.deposit("x", 4.0, "a")
    field.tick()
    assert {reading.key: reading.authors for reading in field.readings()} == {"x": ("a",), "y": (), "z": ()}
    field.deposit("new", 0.1, "b")
    assert {reading.key for reading in field.readings()} == {"x", "z", "new"}
    field.deposit("z", 0.1, "b")
    assert {reading.key: reading.authors for reading in field.readings()}["z"] == ("b",)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"half_life": 0.0}, "half_life"),
        ({"half_life": math.nan}, "half_life"),
        ({"floor": 2.0, "ceiling": 1.0}, "floor"),
        ({"entries": 0}, "entries"),
        ({"per_author": 0}, "per_author"),
        ({"consensus": -1.0}, "consensus"),
        ({"diffusion": 1.5}, "diffusion"),
    ],
)
def test_a_value_out_of_range_is_named(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(UserError, match=named):
        Field(**arguments)


@pytest.mark.parametrize("amount", [-1.0, math.inf, math.nan])
def test_an_impossible_amount_is_refused_and_changes_nothing(amount: float) -> None:
    field = Field()
    with pytest.raises(UserError, match="deposit"):
        field.deposit("x", amount)
    with pytest.raises(UserError, match="factor"):
        field.reinforce("x", amount)
    assert len(field) == 0
