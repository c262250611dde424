"""Workflows as data: what is one, and what whoever wrote something else is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import ValidationError

from swarmmind.topologies.workflow import GATES, Step, Workflow, gates, workflow

ROLES = ["worker", "validator"]


def step(name: Any, *inputs: Any, **more: Any) -> dict[str, Any]:
    return {"name": name, "roles": ["worker"], "inputs": list(inputs) or ["problem"], **more}


def problems(steps: Any, roles: Sequence[str] = ROLES) -> list[tuple[str, str]]:
    """Gate and problem of everything that is wrong; whatever is said can be read on one line."""
    found = gates(steps, roles)
    assert list(found) == list(GATES)
    flat = [(gate, problem) for gate in GATES for problem in found[gate]]
    assert all(problem.isprintable() and len(problem) < 800 for _, problem in flat)
    assert all(len(each) <= 20 for each in found.values())
    return flat


def test_a_workflow_is_a_list_of_steps_and_what_they_leave_out_has_a_default() -> None:
    data = [
        {"name": "draft", "roles": ["worker"]},
        step("check", "draft", "problem", roles=["validator", "worker"], aggregate="vote", task="Check it."),
    ]
    assert problems(data) == []
    found = workflow(data, ROLES)
    assert found.steps == (
        Step(name="draft", roles=("worker",), inputs=("problem",), aggregate="join", task=""),
        Step(
            name="check",
            roles=("validator", "worker"),
            inputs=("draft", "problem"),
            aggregate="vote",
            task="Check it.",
        ),
    )
    assert found.steps[1].reads == ("draft",)
    assert json.loads(json.dumps(found.data())) == data
    assert workflow(found.data(), ROLES) == found
    with pytest.raises(ValidationError):
        found.steps = ()  # type: ignore[misc]


def test_the_order_of_the_work_is_that_of_what_is_read() -> None:
    listed = [step("c", "b"), step("a"), step("b", "a"), step("x"), step("z", "c", "x")]
    assert [each.name for each in workflow(listed, ROLES).in_order()] == ["a", "x", "b", "c", "z"]


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        (None, "must be a list of steps, got nothing"),
        ({"steps": []}, "must be a list of steps, got a mapping"),
        ("x" * 90, "must be a list of steps, got 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx... (92 characters)"),
        ([], "must hold at least one step, got an empty list"),
        ([1], "0: must be a step (a mapping with 'name' and 'roles'), got 1"),
        ([step("a", roles=[])], "0.roles: must hold 1 to 1,000 names, got 0"),
        ([step("a"), step("b", inputs=[])], "1.inputs: must hold 1 to 1,000 names, got 0"),
        ([step("a", inputs=["a"] * 1001)], "0.inputs: must hold 1 to 1,000 names, got 1001"),
        ([step("a", roles="worker")], "0.roles: must be a list of names, got 'worker'"),
        ([step("a", roles=[1])], "0.roles.0: must be a valid string, got 1"),
        ([step("a", roles=["worker"] * 2)], "0.roles: must be distinct, got 'worker' twice"),
        ([step("a", "b", "b")], "0.inputs: must be distinct, got 'b' twice"),
        ([step("a b")], "0.name: must be 1 to 60 letters, digits, '_' or '-', got 'a b'"),
        ([step("a\n")], "0.name: must be 1 to 60 letters, digits, '_' or '-', got 'a\\n'"),
        ([step("")], "0.name: must be 1 to 60 letters, digits, '_' or '-', got ''"),
        ([step("a" * 61)], f"0.name: must be 1 to 60 letters, digits, '_' or '-', got '{'a' * 39}... (63 characters)"),
        ([step(7)], "0.name: must be a valid string, got 7"),
        ([step("a", aggregate="max")], "0.aggregate: must be 'join', 'vote' or 'refine', got 'max'"),
        ([step("a", task=None)], "0.task: must be a valid string, got nothing"),
        ([step("a", task="\ud800")], "0.task: holds half a character (a lone surrogate), which no server takes"),
        ([step("a", rolls=[])], "0.rolls: unknown key; did you mean 'roles'?"),
        ([{"roles": ["worker"]}], "0.name: is missing"),
        ([step("a", roles=["wroker"])], "0.roles.0: no agent has the role 'wroker'; did you mean 'worker'?"),
        ([step("a", roles=["\x1b[1m\n"])], "0.roles.0: no agent has the role '\\x1b[1m\\n'; known: validator, worker"),
        ([step("a", task=10**5000)], "0.task: must be a valid string, got a number with very many digits"),
    ],
)
def test_a_step_that_is_none_is_told_so_at_the_first_gate(steps: Any, problem: str) -> None:
    assert problems(steps) == [("node", problem)]
    with pytest.raises(ValueError, match=r"^.+$") as caught:
        workflow(steps, ROLES)
    assert str(caught.value) == problem


def test_all_steps_are_judged_and_an_ill_formed_one_leaves_the_rest_for_later() -> None:
    found = problems([step("a", "nowhere"), step("b c", aggregate=3), step("a")])
    assert [problem.split(":")[0] for _, problem in found] == ["1.name", "1.aggregate"]
    assert {gate for gate, _ in found} == {"node"}


def test_a_missing_role_does_not_hide_what_is_wrong_with_edges_but_is_said_first() -> None:
    steps = [step("a", "nowhere", roles=["judge"])]
    assert [(gate, problem.split(":")[0]) for gate, problem in problems(steps)] == [
        ("node", "0.roles.0"),
        ("edge", "0.inputs.0"),
    ]
    with pytest.raises(ValueError, match="no agent has the role 'judge'"):
        workflow(steps, ROLES)


def test_an_input_is_the_problem_or_a_step() -> None:
    found = problems([step("draft"), step("b", "problem", "drat"), step("b", "draft", "q\n")])
    assert found == [
        ("edge", "1.inputs.1: no step is called 'drat'; did you mean 'draft'?"),
        ("edge", "2.inputs.1: no step is called 'q\\n'; known: b, draft, problem"),
    ]


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        ([step("a"), step("a", "a")], ["1.name: step 0 is called 'a' too"]),
        ([step("problem")], ["0.name: 'problem' is what steps are given; call this one something else"]),
        ([step("a", "a")], ["0.inputs: steps wait for each other in a circle: a -> a"]),
        (
            [step("a", "c"), step("b", "a"), step("c", "b", "problem"), step("d", "c")],
            ["0.inputs: steps wait for each other in a circle: a -> b -> c -> a"],
        ),
        (  # two of these are behind the circle, and no part of it
            [step("x", "c"), step("c", "b", "problem"), step("b", "c"), step("z", "x")],
            ["1.inputs: steps wait for each other in a circle: c -> b -> c"],
        ),
        ([step("a"), step("b"), step("c", "b")], ["0: nothing of 'a' reaches the last step, 'c'"]),
        ([step("a"), step("b", "a"), step("c", "a")], ["1: nothing of 'b' reaches the last step, 'c'"]),
        ([step("b", "a"), step("a")], ["0: nothing of 'b' reaches the last step, 'a'"]),
        (
            [step("a", "b"), step("b", "a"), step("c")],
            [
                "0.inputs: steps wait for each other in a circle: a -> b -> a",
                "0: nothing of 'a' reaches the last step, 'c'",
                "1: nothing of 'b' reaches the last step, 'c'",
            ],
        ),
    ],
)
def test_steps_hang_together_or_the_third_gate_is_closed(steps: Any, wanted: list[str]) -> None:
    assert problems(steps) == [("structure", problem) for problem in wanted]
    with pytest.raises(ValueError, match=r"^1 validation error"):
        Workflow(steps=tuple(Step.model_validate(each) for each in steps))


def test_a_long_circle_is_named_in_short_and_many_problems_are_counted() -> None:
    [(_, circle)] = problems([step(f"s{at}", f"s{(at - 1) % 3000}") for at in range(3000)])
    assert circle.endswith("circle: s0 -> s1 -> s2 -> s3 -> s4 -> s5 -> s6 -> s7 -> ... -> s2999 -> s0")
    many = problems([step(f"s{at}") for at in range(41)])
    assert many[18:] == [
        ("structure", "18: nothing of 's18' reaches the last step, 's40'"),
        ("structure", "and 21 more problems of this kind"),
    ]


@pytest.mark.parametrize(
    "junk",
    [True, 1.5, float("nan"), [[]], [None, {}], [{"name": {"a": [1]}, "roles": {"a": 1}, "inputs": [[[]]]}],
     [{"k\n" * 500: 1}], [step("a", **{"": 0})], [step("a", "\ud800")], [step("a", "x" * 10**6)],
     [step("a", roles=list(range(5000)))], [step("a", roles=["w" * 10**6])]],
)  # fmt: skip
def test_whatever_is_written_is_judged(junk: Any) -> None:
    assert problems(junk)
    assert problems(junk, [])
