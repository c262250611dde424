"""The grid: where a behavior belongs, who holds a cell, and what noise does to it."""

from __future__ import annotations

import math
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from swarmmind.errors import UserError
from swarmmind.optimizers.archives.grid import Descriptor, Grid, averaged
from swarmmind.optimizers.candidate import candidate
from swarmmind.optimizers.study import Evaluation

CALLS = Descriptor(measure="calls", low=1, high=31, bins=6)
DEPTH = Descriptor(measure="depth", low=1, high=1000, bins=3, scale="log")


def evaluation(
    name: str, score: float | None, calls: float = 1, depth: float = 1, **others: float | None
) -> Evaluation:
    measures = {"calls": float(calls), "depth": float(depth)}
    return Evaluation(candidate({"name": name}), "train", {"a": score, **others}, measures)


def of(name: str) -> str:
    return candidate({"name": name}).id


@pytest.mark.parametrize(
    ("value", "expected"), [(1, 0), (5.9, 0), (6, 1), (30.9, 5), (31, 5), (0, None), (31.1, None), (math.nan, None)]
)
def test_bins_are_of_equal_width_and_the_last_one_holds_its_end(value: float, expected: int | None) -> None:
    assert CALLS.bin(value, "reject") == expected
    clipped = {0: 0, 31.1: 5}.get(value, expected)
    assert CALLS.bin(value, "clip") == clipped


def test_bins_of_a_log_scale_are_of_equal_ratio() -> None:
    assert [DEPTH.bin(value) for value in (1, 9, 11, 99, 101, 1000)] == [0, 0, 1, 1, 2, 2]
    assert DEPTH.words(1) == "from 10 to 100"
    assert CALLS.words(1) == "from 6 to 11"


@given(st.floats(-1e6, 1e6), st.floats(0.001, 1e6), st.integers(1, 50), st.floats(0, 1))
def test_every_value_within_the_bounds_has_a_bin_that_says_so(low: float, width: float, bins: int, unit: float) -> None:
    high = low + width
    if not low < high:
        return
    axis = Descriptor(measure="m", low=low, high=high, bins=bins)
    at = axis.bin(min(max(low + unit * width, low), high), "reject")
    assert at is not None
    assert 0 <= at < bins


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"measure": "calls", "low": 3.0, "high": 3.0}, "low must be less than high"),
        ({"measure": "calls", "low": 0.0, "high": 3.0, "scale": "log"}, "above 0 on a log scale"),
        ({"parameter": "agents", "low": 0.0, "high": 3.0}, "a value is no behavior"),
        ({"measure": "calls", "low": 0.0, "high": math.inf}, "finite"),
        ({"measure": "calls", "low": 0.0, "high": 1.0, "bins": 0}, "greater than or equal to 1"),
    ],
)
def test_a_descriptor_that_makes_no_sense_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        TypeAdapter(list[Descriptor]).validate_python([wrong])


def test_axes_are_of_distinct_measures() -> None:
    for axes in ([], [CALLS, CALLS]):
        with pytest.raises(UserError, match="descriptors: expected one or more"):
            Grid(axes)


def test_an_occupant_goes_if_and_only_if_a_newcomer_is_better() -> None:
    grid = Grid([CALLS, DEPTH])
    added = [grid.add(evaluation(name, score)) for name, score in (("a", 0.5), ("b", 0.5), ("c", 0.4), ("d", 0.6))]
    assert added == ["new", "worse", "worse", "better"]
    assert grid.add(evaluation("e", 0.1, calls=12)) == "new"
    assert {cell: one.candidate.id for cell, one in grid.elites.items()} == {(0, 0): of("d"), (2, 0): of("e")}


def test_scores_are_compared_on_the_examples_that_both_have() -> None:
    grid = Grid([CALLS])
    grid.add(evaluation("a", 0.5, b=1.0))
    assert grid.add(evaluation("b", 0.6, b=None)) == "better"  # means say otherwise
    assert grid.add(evaluation("c", None, c=1.0)) == "worse"  # nothing to compare


def test_what_is_outside_is_clipped_or_rejected() -> None:
    far = evaluation("far", 1.0, calls=99)
    clipping, rejecting = Grid([CALLS]), Grid([CALLS], "reject")
    assert (clipping.add(far), list(clipping.elites)) == ("new", [(5,)])
    assert (rejecting.add(far), list(rejecting.elites)) == ("outside", [])
    assert clipping.add(far._replace(measures={})) == "outside"


def test_an_elite_that_is_measured_again_is_averaged_and_may_have_to_move() -> None:
    grid = Grid([CALLS])
    grid.add(evaluation("lucky", 1.0, calls=1))
    grid.remeasured([evaluation("lucky", 0.4, calls=1)])
    grid.remeasured([evaluation("lucky", 0.1, calls=1)])
    assert grid.elites[0,].mean == pytest.approx(0.5)
    grid.add(evaluation("other", 0.9, calls=8))
    grid.remeasured([evaluation("lucky", 0.5, calls=33), evaluation("other", 0.9, calls=8)])  # calls 9 on average
    assert [(cell, one.candidate.id) for cell, one in grid.elites.items()] == [((1,), of("other"))]


def test_a_score_that_is_missing_once_is_that_of_the_other_time() -> None:
    both = averaged(evaluation("a", 1.0, b=None, c=0.3), 3, evaluation("a", 0.0, b=0.2, c=None))
    assert both.scores == {"a": 0.75, "b": 0.2, "c": 0.3}


def filled(scores: list[float]) -> Grid:
    grid = Grid([CALLS])
    for at, score in enumerate(scores):
        grid.add(evaluation(str(at), score, calls=1 + 5 * at))
    return grid


def test_parents_are_drawn_as_the_rule_says() -> None:
    grid, rng = filled([0.9, 0.1, 0.5]), random.Random(1)
    grid.credit(of("2"), "new")
    grid.credit(of("0"), "worse")  # cannot fall below nothing
    shares: dict[str, list[float]] = {}
    for rule in ("uniform", "curiosity", "low-quality"):
        seen = Counter(grid.select(rng, rule).candidate.id for _ in range(12_000))
        shares[rule] = [seen[of(name)] / 12_000 for name in "012"]
    assert shares["uniform"] == pytest.approx([1 / 3] * 3, abs=0.02)
    assert shares["low-quality"] == pytest.approx([1 / 6, 3 / 6, 2 / 6], abs=0.02)
    assert shares["curiosity"] == pytest.approx([0.1 / 1.3, 0.1 / 1.3, 1.1 / 1.3], abs=0.02)


def test_what_is_said_of_an_archive() -> None:
    grid = filled([0.9, 0.1, 0.5])
    facts = grid.facts(offset=0.1)
    assert (facts["filled"], facts["total"], facts["coverage"], facts["best"]) == (3, 6, 0.5, 0.9)
    assert facts["qd_score"] == pytest.approx(1.2)
    assert facts["cells"] == [((0,), of("0"), 0.9), ((1,), of("1"), 0.1), ((2,), of("2"), 0.5)]
    best = grid.best()
    assert best is not None
    assert best.candidate.id == of("0")
    assert Grid([CALLS]).facts()["best"] is Grid([CALLS]).best() is None


def test_what_a_behavior_lacks_is_said_in_words() -> None:
    grid = Grid([CALLS, DEPTH])
    assert grid.wanted({"calls": 12.0, "depth": 2.0}, (0, 0)) == {"calls": (12.0, "from 1 to 6")}
    assert grid.wanted({"calls": 2.0, "depth": 2.0}, (0, 0)) == {}


def test_what_has_no_score_gets_no_cell() -> None:
    grid = Grid([CALLS])
    assert grid.add(evaluation("one", None)) == "unscored"
    assert grid.elites == {}
