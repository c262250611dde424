"""Structural edits of a team's work as data: an editor names what to add, take away or change, and nothing else moves.

    [{"op": "add_step", "name": "check", "roles": ["validator"], "inputs": ["draft"], "aggregate": "vote",
      "task": "Find mistakes.", "before": ""}]

Agent symbolic learning (arXiv 2406.18532, section 3, node and pipeline optimizers); their controllers are `aggregate`
here. A list is applied to a copy, as a whole or not at all, and what comes of it must pass the gates of a workflow.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from swarmmind.errors import near
from swarmmind.optimizers.parameters import Problems, WorkflowParameter
from swarmmind.spec.source import show

MAX_OPERATIONS = 20
"""In one list."""

_Team: TypeAlias = dict[str, list[dict[str, Any]]]

_TEXT: dict[str, Any] = {"type": "string"}
_NAMES: dict[str, Any] = {"type": "array", "items": _TEXT}
_AGGREGATE: dict[str, Any] = {"type": "string", "enum": ["join", "vote", "refine"]}
_TYPES = {"roles": _NAMES, "inputs": _NAMES, "aggregate": _AGGREGATE}


def apply(
    value: Any, operations: Sequence[Any], within: WorkflowParameter | None = None
) -> tuple[Any | None, Problems]:
    """What operations make of a workflow, or what is wrong with them.

    Args:
        value: as `WorkflowParameter` has it; it is never changed.
        operations: each a mapping of `op` and its fields, all of them (see `SCHEMA`); done one after the
            other; without any, an equal value comes of it.
        within: whose gates the outcome must pass; by default those of a workflow of usual size.

    Returns:
        The new value and no problems; or `None` and at least one: of the first operation that is illegal, by its
        number from 1, or of the gate that refuses the outcome.
    """
    parameter = within or WorkflowParameter("workflow")
    problems = parameter.check(value)
    if problems:
        return None, problems
    new, problems = done(value, operations)
    problems = problems or parameter.check(new)
    return (None, problems) if problems else (new, [])


def done(value: Any, operations: Sequence[Any]) -> tuple[Any | None, Problems]:
    """The same of a value that has passed its gates; what comes of it has yet to."""
    new = copy.deepcopy(value)
    for at, operation in enumerate(operations, 1):
        try:
            _apply(new, operation)
        except ValueError as error:
            return None, [f"operation {at}: {error}"]
    return new, []


def _apply(team: _Team, operation: Any) -> None:
    if not isinstance(operation, Mapping) or not isinstance(operation.get("op"), str):
        raise ValueError(f"must be a mapping with an 'op', got {show(operation)}")
    name = operation["op"]
    if name not in _OPERATIONS:
        raise ValueError(f"there is no operation {show(name)}{near(name[:60], list(_OPERATIONS))}")
    wanted = _OPERATIONS[name]
    if set(operation) != {"op", *wanted.fields}:
        raise ValueError(f"{name} takes {', '.join(wanted.fields)}, got {', '.join(map(show, operation)) or 'nothing'}")
    for field in wanted.fields:
        _check(name, field, operation[field])
    wanted.do(team, **{field: operation[field] for field in wanted.fields})


def _check(name: str, field: str, given: Any) -> None:
    kind = _TYPES.get(field, _TEXT)
    is_list = kind is _NAMES
    texts: list[Any] = given if is_list and isinstance(given, list) else [given]
    if is_list is not isinstance(given, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{name}: {field} must be {'a list of names' if is_list else 'a text'}, got {show(given)}")
    if kind is _AGGREGATE and given not in _AGGREGATE["enum"]:
        raise ValueError(f"{name}: {field} must be one of {', '.join(_AGGREGATE['enum'])}, got {show(given)}")


def _place(members: Sequence[Mapping[str, Any]], name: str, what: str) -> int:
    for at, member in enumerate(members):
        if member["name"] == name:
            return at
    raise ValueError(f"no {what} is called {show(name)}{near(name[:60], [member['name'] for member in members])}")


def _new(members: Sequence[Mapping[str, Any]], name: str, what: str) -> str:
    if any(member["name"] == name for member in members):
        raise ValueError(f"a {what} is called {show(name)} already")
    return name


def _add_role(team: _Team, name: str, responsibility: str, policy: str) -> None:
    role = {"name": _new(team["roles"], name, "role"), "responsibility": responsibility, "policy": policy}
    team["roles"].append(role)


def _delete_role(team: _Team, name: str) -> None:
    del team["roles"][_place(team["roles"], name, "role")]


def _update_role(team: _Team, name: str, responsibility: str, policy: str) -> None:
    role = team["roles"][_place(team["roles"], name, "role")]
    role["responsibility"] = responsibility or role["responsibility"]
    role["policy"] = policy or role["policy"]


def _insert(steps: list[dict[str, Any]], step: dict[str, Any], before: str) -> None:
    steps.insert(_place(steps, before, "step") if before else len(steps), step)


def _add_step(
    team: _Team, name: str, roles: list[str], inputs: list[str], aggregate: str, task: str, before: str
) -> None:
    step = {"name": _new(team["steps"], name, "step"), "roles": list(roles), "inputs": list(inputs)}
    _insert(team["steps"], {**step, "aggregate": aggregate, "task": task}, before)


def _delete_step(team: _Team, name: str) -> None:
    del team["steps"][_place(team["steps"], name, "step")]


def _move_step(team: _Team, name: str, before: str) -> None:
    steps = team["steps"]
    if name == before:
        raise ValueError(f"{show(name)} cannot stand before itself")
    _insert(steps, steps.pop(_place(steps, name, "step")), before)


def _sets(field: str) -> Callable[..., None]:
    def do(team: _Team, name: str, **given: Any) -> None:
        team["steps"][_place(team["steps"], name, "step")][field] = copy.copy(given[field])

    return do


class _Known(NamedTuple):
    """An operation: what it takes, what it does, and what an editor is told of it."""

    fields: tuple[str, ...]
    do: Callable[..., None]
    about: str


_OPERATIONS = {
    "add_role": _Known(("name", "responsibility", "policy"), _add_role, "the policy is its instructions"),
    "delete_role": _Known(("name",), _delete_role, "no step may need it any more"),
    "update_role": _Known(("name", "responsibility", "policy"), _update_role, "what is left blank stays as it is"),
    "add_step": _Known(
        ("name", "roles", "inputs", "aggregate", "task", "before"),
        _add_step,
        "stands before that step, or last if that is blank; others read it only once their inputs name it",
    ),
    "delete_step": _Known(("name",), _delete_step, "give those that read it other inputs"),
    "update_step": _Known(("name", "task"), _sets("task"), "what is to be done in it"),
    "set_inputs": _Known(("name", "inputs"), _sets("inputs"), "all that it reads: names of steps, or problem"),
    "set_roles": _Known(("name", "roles"), _sets("roles"), "all that work in it"),
    "set_aggregate": _Known(("name", "aggregate"), _sets("aggregate"), "what becomes of their answers"),
    "move_step": _Known(("name", "before"), _move_step, "the last step gives the deliverable"),
}


def _closed(properties: Mapping[str, Any]) -> dict[str, Any]:
    shut = {"required": list(properties), "additionalProperties": False}
    return {"type": "object", "properties": dict(properties), **shut}


def _schema_of(name: str, known: _Known) -> dict[str, Any]:
    fields = {field: _TYPES.get(field, _TEXT) for field in known.fields}
    return _closed({"op": {"type": "string", "enum": [name]}, **fields})


SCHEMA: dict[str, Any] = _closed(
    {
        "operations": {
            "type": "array",
            "maxItems": MAX_OPERATIONS,
            "items": {"anyOf": [_schema_of(name, known) for name, known in _OPERATIONS.items()]},
        },
        "note": _TEXT,
    }
)
"""What an editor answers with: operations, and in a note what they change and why."""

HOW = "\n".join(
    f"- {name}({', '.join(known.fields)}){known.about and ': ' + known.about}" for name, known in _OPERATIONS.items()
)
"""The operations in words, for whoever is to use them."""
