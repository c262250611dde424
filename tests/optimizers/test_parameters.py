"""What a value may be, whatever an editor makes of it: a refusal in one line, never a crash."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from swarmmind.optimizers.parameters import EdgesParameter, NumberParameter, WorkflowParameter

TEAM: dict[str, Any] = {
    "roles": [{"name": "worker", "responsibility": "It works.", "policy": "Work."}],
    "steps": [{"name": "work", "roles": ["worker"], "inputs": ["problem"], "aggregate": "join", "task": ""}],
}


@pytest.mark.parametrize("digits", [1, 400, 5000])
def test_a_number_that_no_float_can_hold_is_refused(digits: int) -> None:
    huge = 10**digits * 2
    for value in (huge, -huge):
        [problem] = NumberParameter("rate", 0, 1).check(value)
        assert problem.startswith("must be a number from 0 to 1, got ")
        assert len(problem) < 100
        [problem] = NumberParameter("count", 0, 9, integer=True).check(value)
        assert problem.startswith("must be a whole number from 0 to 9, got ")
    assert bool(EdgesParameter("edges", ("a > b",)).check({"a > b": huge})) is (digits > 1)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_json_says_is_no_number_is_none(text: str) -> None:
    assert NumberParameter("rate", 0, 1).check(json.loads(text))
    assert EdgesParameter("edges", ("a > b",)).check({"a > b": json.loads(text)})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("half of \ud83d", "holds half a character (a lone surrogate), which no server takes"),
        ("x" * 20_001, "must have at most 20,000 characters, got 20,001"),
        ("use sk-" + "a1B2" * 10, "holds what looks like a secret (not shown here)"),
    ],
)
def test_every_text_of_a_team_is_one_that_can_be_told(text: str, problem: str) -> None:
    team = WorkflowParameter("team")
    assert team.check(TEAM) == []
    for part, at, field in (
        ("roles", "roles[0]", "policy"),
        ("roles", "roles[0]", "responsibility"),
        ("steps", "0", "task"),
    ):
        value = copy.deepcopy(TEAM)
        value[part][0][field] = text
        assert team.gates(value) == {"node": [f"{at}.{field}: {problem}"], "edge": [], "structure": []}
