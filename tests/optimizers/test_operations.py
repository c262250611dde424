"""Structural operations: applied to a copy, whole or not at all, and never past the gates."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.agents.outputs import Unreadable, read
from swarmmind.effects import Json, Program
from swarmmind.models.local import ScriptedFunction
from swarmmind.models.wire import is_closed
from swarmmind.optimizers.operations import HOW, SCHEMA, apply
from swarmmind.optimizers.parameters import TextParameter, WorkflowParameter
from swarmmind.optimizers.requests import Critique
from swarmmind.optimizers.restructure import restructure, restructured
from swarmmind.optimizers.textual_backprop import OPTIMIZER
from swarmmind.optimizers.textual_backprop.schedule import due
from swarmmind.ports import Context, Request
from swarmmind.runtime.journal import content
from swarmmind.testing.play import play
from tests.optimizers.hills import Function, conducted, document, study

TEAM: dict[str, Any] = {
    "roles": [
        {"name": "writer", "responsibility": "drafts", "policy": "Write."},
        {"name": "checker", "responsibility": "checks", "policy": "Check."},
    ],
    "steps": [
        {"name": "draft", "roles": ["writer"]},
        {"name": "check", "roles": ["checker"], "inputs": ["draft"], "task": "Find mistakes."},
    ],
}
NEW = {
    "op": "add_step",
    "name": "plan",
    "roles": ["writer"],
    "inputs": ["problem"],
    "aggregate": "join",
    "task": "Plan.",
}


def edited(*operations: dict[str, Any]) -> Any:
    new, problems = apply(TEAM, operations)
    assert problems == []
    return new


def names(team: Any, what: str = "steps") -> list[str]:
    return [one["name"] for one in team[what]]


def test_each_operation_changes_what_it_names_and_nothing_else() -> None:
    role = {"name": "judge", "responsibility": "judges", "policy": "Judge."}
    assert edited({"op": "add_role", **role}) == {**TEAM, "roles": [*TEAM["roles"], role]}
    added = edited({**NEW, "before": "draft"}, {"op": "set_inputs", "name": "draft", "inputs": ["plan"]})
    assert names(added) == ["plan", "draft", "check"]
    assert added["roles"] == TEAM["roles"]
    assert added["steps"][1] == {"name": "draft", "roles": ["writer"], "inputs": ["plan"]}
    shorter = edited(
        {"op": "set_inputs", "name": "check", "inputs": ["problem"]},
        {"op": "delete_step", "name": "draft"},
        {"op": "delete_role", "name": "writer"},
    )
    assert shorter == {"roles": TEAM["roles"][1:], "steps": [{**TEAM["steps"][1], "inputs": ["problem"]}]}
    first, last = TEAM["steps"]
    for operation, step in (
        ({"op": "update_step", "name": "check", "task": "Look."}, {**last, "task": "Look."}),
        (
            {"op": "set_roles", "name": "check", "roles": ["writer", "checker"]},
            {**last, "roles": ["writer", "checker"]},
        ),
        ({"op": "set_aggregate", "name": "check", "aggregate": "vote"}, {**last, "aggregate": "vote"}),
    ):
        assert edited(operation) == {**TEAM, "steps": [first, step]}


@pytest.mark.parametrize(
    ("responsibility", "policy"), [("drafts well", "Write."), ("drafts", "Write well."), ("drafts", "Write.")]
)
def test_what_is_left_blank_of_a_role_stays(responsibility: str, policy: str) -> None:
    was = TEAM["roles"][0]
    operation = {
        "op": "update_role",
        "name": "writer",
        "responsibility": responsibility if responsibility != was["responsibility"] else "",
        "policy": policy if policy != was["policy"] else "",
    }
    assert edited(operation)["roles"][0] == {"name": "writer", "responsibility": responsibility, "policy": policy}


def test_steps_move() -> None:
    swap = [
        {"op": "set_inputs", "name": "draft", "inputs": ["check"]},
        {"op": "set_inputs", "name": "check", "inputs": ["problem"]},
    ]
    assert names(edited(*swap, {"op": "move_step", "name": "draft", "before": ""})) == ["check", "draft"]
    assert names(edited(*swap, {"op": "move_step", "name": "check", "before": "draft"})) == ["check", "draft"]


ILLEGAL = [
    ({"op": "delete_role", "name": "judge"}, "operation 1: no role is called 'judge'"),
    ({"op": "delete_role", "name": "writer"}, "no agent has the role 'writer'"),
    ({"op": "delete_step", "name": "draft"}, "no step is called 'draft'"),
    ({"op": "delete_step", "name": "drft"}, "did you mean 'draft'"),
    ({**NEW, "before": "draft"}, "nothing of 'plan' reaches the last step"),
    ({**NEW, "before": "nowhere"}, "no step is called 'nowhere'"),
    ({**NEW, "name": "draft", "before": ""}, "called 'draft' already"),
    ({**NEW, "aggregate": "sum", "before": ""}, "must be one of join, vote, refine"),
    ({**NEW, "roles": "writer", "before": ""}, "roles must be a list of names"),
    ({**NEW, "roles": [1], "before": ""}, "roles must be a list of names"),
    ({"op": "set_inputs", "name": "draft", "inputs": ["check"]}, "in a circle"),
    ({"op": "set_inputs", "name": "draft", "inputs": []}, "1 to 1,000 names"),
    ({"op": "move_step", "name": "check", "before": "draft"}, "nothing of 'check' reaches"),
    ({"op": "move_step", "name": "check", "before": "check"}, "before itself"),
    ({"op": "add_role", "name": "writer", "responsibility": "x", "policy": "y"}, "called 'writer' already"),
    ({"op": "add_role", "name": "A Judge", "responsibility": "x", "policy": "y"}, "lower-case letters"),
    ({"op": "update_role", "name": "writer", "responsibility": "", "policy": "{{ secret }}"}, "{{ secret }}"),
    ({"op": "update_step", "name": "check"}, "update_step takes name, task"),
    ({"op": "update_step", "name": "check", "task": "x", "more": 1}, "update_step takes name, task"),
    ({"op": "exec", "code": "import os"}, "there is no operation 'exec'"),
    ({"name": "check"}, "must be a mapping with an 'op'"),
    ("delete everything", "must be a mapping with an 'op'"),
]


@pytest.mark.parametrize(("operation", "problem"), ILLEGAL)
def test_an_illegal_operation_leaves_everything_as_it_was(operation: Any, problem: str) -> None:
    before = json.dumps(TEAM)
    legal = {"op": "update_step", "name": "check", "task": "Look."}
    for operations in ([operation], [legal, operation], [operation, legal]):
        new, problems = apply(TEAM, operations)
        assert new is None
        assert problem in " ".join(problems).replace("operation 2", "operation 1")
        assert json.dumps(TEAM) == before


def test_a_copy_is_changed() -> None:
    operation: dict[str, Any] = {"op": "set_roles", "name": "draft", "roles": ["writer"]}
    new = edited(operation)
    new["steps"][0]["roles"].append("x")
    new["roles"][0]["policy"] = "x"
    assert operation["roles"] == TEAM["steps"][0]["roles"] == ["writer"]
    assert TEAM["roles"][0]["policy"] == "Write."


def test_the_gates_are_the_parameters_own() -> None:
    role = {"op": "add_role", "name": "judge", "responsibility": "judges", "policy": "Judge."}
    new, problems = apply(TEAM, [role], WorkflowParameter("team", max_roles=2))
    assert new is None
    assert "1 to 2 roles" in problems[0]
    assert apply({"roles": []}, []) == (None, ["must be {roles, steps}, got a mapping"])


_word = st.sampled_from(["draft", "check", "plan", "writer", "checker", "judge", "problem", "", "x y"])
_words = st.lists(_word, max_size=3)
_values = {"roles": _words, "inputs": _words, "aggregate": st.sampled_from(["join", "vote", "sum"])}


def _any_of(schema: Any) -> st.SearchStrategy[dict[str, Any]]:
    fields = {name: _values.get(name, _word) for name in schema["properties"] if name != "op"}
    return st.fixed_dictionaries({"op": st.just(schema["properties"]["op"]["enum"][0]), **fields})


_operations = st.lists(
    st.one_of([_any_of(one) for one in SCHEMA["properties"]["operations"]["items"]["anyOf"]]), max_size=5
)


@given(_operations)
def test_whatever_is_asked_for_the_outcome_passes_all_gates_or_there_is_none(operations: list[Any]) -> None:
    before, parameter = json.dumps(TEAM), WorkflowParameter("team")
    new, problems = apply(TEAM, operations)
    assert json.dumps(TEAM) == before
    assert (new is None) == bool(problems)
    assert new is None or parameter.check(new) == []


@given(_operations)
def test_operations_one_by_one_are_operations_together(operations: list[Any]) -> None:
    alone: Any = TEAM
    for operation in operations:
        alone, problems = apply(alone, [operation])
        if problems:
            return
    assert apply(TEAM, operations) == (alone, [])


def test_the_schema_is_closed_and_every_operation_is_explained() -> None:
    assert is_closed(SCHEMA)
    output = Json("operations", SCHEMA)
    legal = {"operations": [{**NEW, "before": ""}], "note": ""}
    assert read(output, json.dumps(legal)) == legal
    for wrong in (
        {"op": "exec"},
        {**NEW},
        {**NEW, "before": "", "code": "x"},
        {**NEW, "before": "", "aggregate": "sum"},
    ):
        with pytest.raises(Unreadable):
            read(output, json.dumps({"operations": [wrong], "note": ""}))
    for one in SCHEMA["properties"]["operations"]["items"]["anyOf"]:
        assert f"- {one['properties']['op']['enum'][0]}({', '.join(list(one['properties'])[1:])})" in HOW


def test_an_editor_sees_the_whole_team_the_critiques_and_the_past(tmp_path: Path) -> None:
    long = "x" * 15_000
    team = {**TEAM, "roles": [{**TEAM["roles"][0], "policy": long}, TEAM["roles"][1]]}
    parameter = WorkflowParameter("team", "who does what")
    one = study((parameter,), {"team": team})
    seen: list[Any] = []

    def program(ctx: Context) -> Program:
        past = [({"old": 1}, ["too slow"])]
        [reply] = yield [restructure(one, parameter, one.start[0], [Critique("team", "too long")], history=past)]
        return restructured(reply)

    def say(request: Request, rng: random.Random) -> str:
        seen.append(request.observation)
        return document(operations=[], note="as it was")

    played = play(program, tmp_path / "j", model=ScriptedFunction(say))
    assert played.outcome.value == ([], "as it was")
    [row] = [row for row in content(tmp_path / "j") if row[0] == "result" and row[2] == "Ask"]
    prompt = json.loads(row[5])[0][-1]["content"]
    for shown in (long, "> too long", "> too slow", '{"old": 1}', HOW, "making digits nines", "who does what"):
        assert shown in prompt
    assert (seen[0]["do"], seen[0]["value"]) == ("restructure", team)


# --- in textual backpropagation ---------------------------------------------------------------------------------------


def _backprop(tmp_path: Path, operations: list[Any], **more: Any) -> tuple[Any, list[Any]]:
    given = study((WorkflowParameter("team"), TextParameter("tone")), {"team": TEAM, "tone": "Calm."})
    function = Function(lambda values, example, rep: len(values["team"]["steps"]) / 4)

    def say(request: Request, rng: random.Random) -> str:
        do = request.observation["do"]
        if do == "judge":
            return document(critique="no plan", kind="missing step", subject="plan", requirement="")
        if do == "restructure":
            return document(operations=operations, note="a plan first")
        return "?"

    end, _ = conducted(
        OPTIMIZER.program, given, function, tmp_path / "j", answers=say, backward="requirements", accept="strict",
        steps=1, **more,
    )  # fmt: skip
    rows = [json.loads(row[3]) for row in content(tmp_path / "j") if row[:1] + row[2:3] == ("record", "refused")]
    return end, rows


def test_textual_backprop_edits_workflows_by_operations(tmp_path: Path) -> None:
    end, _ = _backprop(
        tmp_path, [{**NEW, "before": "draft"}, {"op": "set_inputs", "name": "draft", "inputs": ["plan"]}]
    )
    assert names(end.best.values["team"]) == ["plan", "draft", "check"]
    assert end.best.note == "team: a plan first"


def test_it_keeps_what_it_has_if_one_is_illegal(tmp_path: Path) -> None:
    end, records = _backprop(tmp_path, [{**NEW, "before": "draft"}])
    assert end.best.values["team"] == TEAM
    assert end.tried == 1
    assert "nothing of 'plan' reaches the last step" in str(records)


def test_schedules_take_turns() -> None:
    parameters = (TextParameter("tone"), WorkflowParameter("team"), TextParameter("task"))
    text, team = ["tone", "task"], ["team"]
    steps = range(1, 5)
    assert [due(parameters, "top-down", step, 4) for step in steps] == [team, team, text, text]
    assert [due(parameters, "bottom-up", step, 4) for step in steps] == [text, text, team, team]
    assert [due(parameters, "in-turn", step, 4) for step in steps] == [team, text, team, text]
    assert [due(parameters, "all", step, 4) for step in steps] == [[*team, *text]] * 4
    assert due(parameters[:1], "bottom-up", 1, 1) == ["tone"]


def test_what_is_not_due_is_not_edited(tmp_path: Path) -> None:
    operations = [{"op": "update_step", "name": "check", "task": "Look."}]
    end, _ = _backprop(tmp_path, operations, schedule="bottom-up")
    assert end.tried == 1
