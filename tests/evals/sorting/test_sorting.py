"""Cells that sort themselves: who may see and do what, who is asked when, and when it ends."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import swarmmind
from swarmmind.effects import Agent, Choice, Failure, Reply
from swarmmind.errors import UserError
from swarmmind.evals.sorting import POLICIES, Overview, Rule, Seen, SortingCells
from swarmmind.evals.sorting.environment import PATIENCE
from swarmmind.evals.sorting.row import Row, Rules
from swarmmind.evals.swarmbench.policies.chance import Still
from swarmmind.rng import Streams

from .games import game

MIXES = ("bubble", "insertion", "selection", "bubble+selection", "bubble+insertion", "selection+insertion")
RULE = Rule(Agent("a", "worker"))


def inversions(values: list[int]) -> int:
    return sum(left > right for at, left in enumerate(values) for right in values[at + 1 :])


def begun(cells: int = 12, **parameters: Any) -> SortingCells:
    world = SortingCells(cells, **parameters)
    world.reset(3)
    return world


def say(world: SortingCells, word: str) -> None:
    world.step({name: Reply(text=word, value=word) for name in world.turns()})


def told(world: SortingCells) -> dict[str, Seen]:
    return {name: turn.observation for name, turn in world.turns().items()}


@given(st.sampled_from(MIXES), st.integers(0, 999), st.integers(2, 24))
def test_every_rule_and_every_two_of_them_sort_any_row(algotype: str, seed: int, cells: int) -> None:
    played = game(seed, cells, algotype=algotype).world
    assert played.frame()["values"] == list(range(1, cells + 1))
    assert played.score == 1.0
    assert played.metrics()["error"] == 0.0


@pytest.mark.parametrize("algotype", ["bubble", "insertion"])
def test_neighbors_who_change_places_undo_one_inversion_at_a_time(algotype: str) -> None:
    for seed in range(5):
        before = begun(20, algotype=algotype)
        before.reset(seed)
        assert game(seed, 20, algotype=algotype).world.metrics()["swaps"] == inversions(before.row.values())


def test_a_game_is_a_function_of_its_seed_and_its_rows_are_shared_by_all_rules() -> None:
    assert game(3).world.frame() == game(3).world.frame()
    assert game(3).world.row.errors == game(3).world.row.errors
    assert game(3).world.row.errors != game(4).world.row.errors
    starts = [begun(20, algotype=algotype, frozen=2) for algotype in MIXES]
    assert len({tuple(world.row.values()) for world in starts}) == 1
    assert len({tuple(cell.number for cell in world.row.cells if cell.frozen) for world in starts}) == 1


@given(st.sampled_from(MIXES), st.integers(0, 99), st.integers(0, 3), st.booleans())
def test_no_act_of_a_round_touches_what_another_one_sees(algotype: str, seed: int, frozen: int, movable: bool) -> None:
    """All of a round's acts, in any order, come to the same: each finds the row as it was shown."""
    world = SortingCells(16, algotype=algotype, frozen=frozen, movable=movable)
    world.reset(seed)
    rng = Random(seed)
    for _ in range(60):
        if world.done:
            break
        seen = told(world)
        assert len(seen) == len(world.turns())
        words = {name: RULE(observation, rng) for name, observation in seen.items()}
        backwards = SortingCells(16, algotype=algotype, frozen=frozen, movable=movable)
        backwards.row = clone(world.row)
        for name in reversed(list(words)):
            backwards._act(backwards.row.cells[int(name[5:])], words[name])  # pyright: ignore[reportPrivateUsage]
        world.step({name: Reply(text=word, value=word) for name, word in words.items()})
        assert world.row.values() == backwards.row.values()


def clone(row: Row) -> Row:
    twin = Row(row.rules, 0)
    for cell, of in zip(twin.cells, row.cells, strict=True):
        cell.value, cell.algotype, cell.label, cell.frozen = of.value, of.algotype, of.label, of.frozen
        cell.place, cell.aim = of.place, of.aim
    twin.order = [twin.cells[cell.number] for cell in row.order]
    return twin


@given(st.sampled_from(MIXES), st.integers(0, 99), st.integers(0, 2))
def test_rounds_come_to_the_same_as_turns_one_by_one(algotype: str, seed: int, frozen: int) -> None:
    """The same stream of turns, without rounds: whoever is drawn acts at once, on what there is then."""
    world = SortingCells(12, algotype=algotype, frozen=frozen)
    world.reset(seed)
    alone = SortingCells(12, algotype=algotype, frozen=frozen)
    alone.reset(seed)
    alone.row = Row(world.rules, seed)
    row, draw, acts, wanted = alone.row, Streams(seed).rng("turns"), list[str](), list[str]()
    while any(row.able(cell, row.sorted_until()) for cell in row.cells):
        cell = row.cells[int(draw.random() * 12)]
        if row.able(cell, row.sorted_until()):
            wanted.append(f"Cell_{cell.number}")
            turn = alone._turn(cell)  # pyright: ignore[reportPrivateUsage]
            alone._act(cell, eager(turn.observation))  # pyright: ignore[reportPrivateUsage]
    while not world.done:
        acts += world.turns()
        words = {name: eager(seen) for name, seen in told(world).items()}
        world.step({name: Reply(text=word, value=word) for name, word in words.items()})
    assert acts == wanted
    assert world.row.errors[-1] == row.errors[-1]


def eager(seen: Seen) -> str:
    """The rules without chance: left before right."""
    if seen.algotype == "bubble":
        return "LEFT" if seen.left is not None and seen.left > seen.value else "RIGHT"
    return RULE(seen, Random(0))


def test_a_frozen_cell_out_of_order_keeps_nobody_from_going_on() -> None:
    row = Row(Rules(4, ("insertion",), labeled=False, frozen=1, movable=True), 1)
    for cell, value in zip(row.order, (2, 1, 4, 3), strict=True):
        cell.value, cell.frozen = value, value == 1
    assert row.sorted_until() == 3
    assert [cell.value for cell in row.cells if row.able(cell, row.sorted_until())] == [3]


def test_cells_get_their_turns_equally_often() -> None:
    row = Row(Rules(8, ("selection",), labeled=False, frozen=0, movable=True), 5)
    counts = [0] * 8
    for _ in range(4000):
        for cell in row.cells:
            cell.aim = 0
        for cell in row.acting():
            counts[cell.number] += 1
    able = [counts[cell.number] for cell in row.cells if cell.place]
    assert counts[row.order[0].number] == 0
    assert max(able) / min(able) < 1.2


def test_who_could_not_act_is_not_asked() -> None:
    world = begun(12, algotype="insertion")
    while not world.done:
        [seen] = told(world).values()  # all before it are in order: at most one place has that and a larger neighbor
        assert seen.left is not None
        assert seen.left > seen.value
        say(world, "LEFT")
    assert world.score == 1.0


def test_a_cell_sees_what_its_rule_looks_at_and_no_more() -> None:
    for algotype, needs in (("bubble", "LEFT, RIGHT, STAY"), ("insertion", "LEFT, STAY"), ("selection", "SWAP, STAY")):
        world = begun(12, algotype=algotype)
        for name, turn in world.turns().items():
            cell, seen = world.row.cells[int(name[5:])], turn.observation
            around = {at: world.row.order[at].value for at in (cell.place - 1, cell.place + 1) if 0 <= at < 12}
            assert seen.value == cell.value
            assert isinstance(turn.output, Choice)
            assert ", ".join(turn.output.options) == needs
            text = turn.messages[-1].content
            shown = {int(word.strip(".;,")) for word in text.split() if word.strip(".;,").isdigit()}
            if algotype == "selection":
                assert (seen.left, seen.right, seen.aimed) == (None, None, world.row.order[cell.aim].value)
                assert shown == {cell.value, cell.place + 1, cell.aim + 1, seen.aimed}
            elif algotype == "insertion":
                assert (seen.left, seen.right, seen.aimed) == (around[cell.place - 1], None, None)
                assert shown == {cell.value, seen.left}
            else:
                assert (seen.left, seen.right) == (around.get(cell.place - 1), around.get(cell.place + 1))
                assert shown == {cell.value, *around.values()}


def test_a_cell_does_what_it_says_even_against_its_rule() -> None:
    world = begun(12)
    [name, *_] = world.turns()
    cell = world.row.cells[int(name[5:])]
    place, wrong = cell.place, "RIGHT" if cell.place < 11 else "LEFT"
    world.step({name: Reply(text=wrong, value=wrong)})
    assert cell.place == place + (1 if wrong == "RIGHT" else -1)


def test_a_selecting_cell_that_stays_aims_at_the_next_place() -> None:
    world = begun(12, algotype="selection")
    [name, *_] = world.turns()
    cell = world.row.cells[int(name[5:])]
    world.step({name: Reply(text="STAY", value="STAY")})
    assert (cell.aim, world.metrics()["swaps"]) == (1, 0.0)
    world.step(dict.fromkeys(world.turns()))
    assert [cell.aim for cell in world.row.cells if cell.aim] == [1]  # who does not answer has decided nothing


@pytest.mark.parametrize("algotype", MIXES)
def test_frozen_cells_never_act_and_immovable_ones_never_move(algotype: str) -> None:
    for seed in range(3):
        world = SortingCells(20, algotype=algotype, frozen=3, movable=False)
        world.reset(seed)
        stuck = {cell.number: cell.place for cell in world.row.cells if cell.frozen}
        assert len(stuck) == 3
        rng = Random(seed)
        while not world.done:
            seen = told(world)
            assert not {f"Cell_{number}" for number in stuck} & seen.keys()
            said = {name: RULE(observation, rng) for name, observation in seen.items()}
            world.step({name: Reply(text=word, value=word) for name, word in said.items()})
        assert {cell.number: cell.place for cell in world.row.cells if cell.frozen} == stuck


def test_others_may_take_the_place_of_a_frozen_cell_that_is_movable() -> None:
    moved = 0
    for seed in range(5):
        world = game(seed, 20, frozen=1).world
        [frozen] = [cell for cell in world.row.cells if cell.frozen]
        moved += frozen.place != frozen.number
        assert world.score == 1.0  # its neighbors do for it what it does not
    assert moved >= 4


def test_it_ends_when_nobody_moves_and_at_the_last_round() -> None:
    still = Still(Agent("a", "worker"))
    world = begun(12)
    asks = 0
    while not world.done:
        asks += len(world.turns())
        say(world, still(next(iter(told(world).values())), Random(1)))
    assert PATIENCE <= asks < PATIENCE + 12
    short = begun(12, rounds=3)
    for _ in range(3):
        assert not short.done
        say(short, "LEFT")
    assert short.done
    lost = begun(12)
    while not lost.done:
        lost.step({name: Reply(failure=Failure("timeout", "late")) for name in lost.turns()})
    assert lost.metrics()["swaps"] == 0.0


def test_the_controller_sorts_by_orders_and_a_frozen_cell_does_not_obey() -> None:
    played, cells = game(3, 20, central=True), game(3, 20)
    assert played.world.score == 1.0
    assert played.world.metrics()["swaps"] == cells.world.metrics()["swaps"] == played.asks - 1
    held = game(3, 20, central=True, frozen=1).world
    [stuck] = [cell.place for cell in held.row.cells if cell.frozen]
    values = held.row.values()
    assert all(values[at] < values[at + 1] for at in range(19) if at != stuck)
    world = SortingCells(1, cells=20, central=True, frozen=1)
    world.reset(3)
    place = next(cell.place for cell in world.row.cells if cell.frozen)
    say(world, str(place + 1))
    [turn] = world.turns().values()
    assert isinstance(turn.observation, Overview)
    assert (turn.observation.ordered, turn.observation.moved) == (place, False)
    assert turn.messages[-1].content.endswith(f"The cell at place {place + 1} did not move.")
    say(world, "STAY")
    assert world.done


def test_labels_that_mean_nothing_change_no_step() -> None:
    plain, labeled = game(3).world, game(3, labels=True).world
    assert plain.row.errors == labeled.row.errors
    assert (set(plain.row.clusters), len(set(labeled.row.clusters)) > 5) == ({1.0}, True)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"algotype": "bogo"}, "algotype must be one of bubble, insertion, selection, or two of them"),
        ({"algotype": "bubble+bubble"}, "algotype must be one of"),
        ({"algotype": "bubble+selection+insertion"}, "algotype must be one of"),
        ({"algotype": "bubble+selection", "labels": True}, "labels are for cells of a single algotype"),
        ({"frozen": 12}, "frozen must be from 0 to 11, got 12"),
        ({"agents": 1}, "cells must be at least 2, got 1"),
        ({"rounds": 0}, "rounds must be at least 1, got 0"),
        ({"cells": 13}, "cells: needs an agent for each of 13, got 12"),
        ({"central": True}, "central: needs a single agent, got 12"),
    ],
)
def test_a_wrong_parameter_is_said_in_a_line(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match="sorting-cells: ") as error:
        SortingCells(parameters.pop("agents", 12), **parameters)
    assert message in str(error.value)


def test_an_answer_of_somebody_who_was_not_asked_is_refused() -> None:
    world = begun(12, algotype="insertion")
    asked = set(world.turns())
    other = next(name for name in world.agents if name not in asked)
    with pytest.raises(UserError, match=f"'{other}' was not asked"):
        world.step({other: Reply(text="LEFT", value="LEFT")})


def test_a_task_plays_the_same_game_as_the_loop(tmp_path: Path) -> None:
    task = {
        "problem": {"environment": "sorting-cells", "cells": 20, "algotype": "bubble+selection", "frozen": 1},
        "model": "builtin/sorting-cells",
        "swarm": {"agents": {"worker": 20}, "topology": "world"},
        "seed": 5,
    }
    result = swarmmind.run_sync(task, runs=tmp_path, env={})
    played = game(5, 20, algotype="bubble+selection", frozen=1)
    assert result.score == played.world.score
    assert result.metrics["swaps"] == played.world.metrics()["swaps"]
    assert result.usage.calls == played.asks
    assert list(POLICIES) == ["sorting-cells"]
