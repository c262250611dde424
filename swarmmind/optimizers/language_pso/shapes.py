"""What values look like: the JSON schema and the words by which an editor is told, and how what it wrote is tidied."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from swarmmind.agents.prompts import quoted
from swarmmind.optimizers.candidate import Values
from swarmmind.optimizers.parameters import Parameter, TextParameter, WorkflowParameter
from swarmmind.topologies.workflow.steps import PROBLEM, Aggregate

KINDS = ("text", "workflow")
"""Of the parameters that can be changed in words."""

TEXT = {"type": "string"}


def closed(**properties: Any) -> dict[str, Any]:
    """The schema of an object that has all of these properties and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def several(items: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a list."""
    return {"type": "array", "items": items}


_WORKFLOW = closed(
    roles=several(closed(name=TEXT, responsibility=TEXT, policy=TEXT)),
    steps=several(
        closed(
            name=TEXT,
            roles=several(TEXT),
            inputs=several(TEXT),
            aggregate={"type": "string", "enum": list(get_args(Aggregate))},
            task=TEXT,
        )
    ),
)


def whole(parameters: Sequence[Parameter]) -> dict[str, Any]:
    """The schema of whole values of these parameters, by their names."""
    return closed(**{p.name: _WORKFLOW if p.kind == "workflow" else TEXT for p in parameters})


def told(parameters: Sequence[Parameter]) -> str:
    """What values of these parameters must be, in words."""
    return "\n\n".join(_told(parameter) for parameter in parameters)


def _told(parameter: Parameter) -> str:
    name = f"{parameter.name}{f' ({parameter.about})' if parameter.about else ''}"
    if isinstance(parameter, WorkflowParameter):
        return f"{name} is a team: its roles, and the steps of its work.\n" + _TEAM.format(
            roles=parameter.max_roles, steps=parameter.max_steps, problem=PROBLEM
        )
    if isinstance(parameter, TextParameter):
        keep = ", ".join(f"{{{{ {name} }}}}" for name in sorted(parameter.placeholders))
        kept = f" It must keep each of these placeholders: {keep}, and add none." if keep else ""
        return f"{name} is a text of at most {parameter.max_characters:,} characters.{kept}"
    raise TypeError(f"{parameter.name} cannot be put in words")


_TEAM = """\
- A role has a name (a word or two in lower case, with hyphens), a responsibility (one sentence) and a policy: the \
standing instructions that whoever has the role works by, written to them; nothing in it may stand in double braces.
- A step has a name (letters, digits, hyphens); roles: the names of those who work in it; inputs: the names of the \
steps whose answers they read; a task: what they are to do in this step; and an aggregate.
- Everybody is told the problem in every step. The inputs of a step that reads no other step are ["{problem}"]. A \
step begins when all that it reads is there, and reads nothing else: what it needs must be among its inputs.
- The aggregate says what becomes of the answers of a step: "join" passes all of them on; "vote" asks everybody at \
once and passes the most frequent answer on; "refine" lets one after the other improve what the one before wrote.
- Steps may not wait for each other in a circle. The last step of the list gives what the team delivers, and \
something of every other step must reach it.
- There are 1 to {roles} roles, and 1 to {steps} steps; every role works in a step."""


def shown(parameters: Sequence[Parameter], given: Values, author: str = "") -> str:
    """Values as quotations, whole; as somebody's, if it is said whose."""
    return "\n".join(
        quoted(author or p.name, words(given[p.name]), *([p.name] if author else []), characters=10**9)
        for p in parameters
    )


def words(value: Any) -> str:
    """A value as it stands in a prompt."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)


def tidied(parameters: Sequence[Parameter], given: Values) -> dict[str, Any]:
    """What an editor wrote, with the names in a team as names may be; what else is wrong with it stays wrong."""
    return {p.name: _team(given[p.name]) if p.kind == "workflow" else given[p.name] for p in parameters}


def _team(value: Any) -> dict[str, Any]:
    roles = [{**role, "name": slug(role["name"])} for role in value["roles"]]
    steps = [
        {
            **step,
            "name": _step(step["name"]),
            "roles": [slug(name) for name in step["roles"]],
            "inputs": [_step(name) for name in step["inputs"]] or [PROBLEM],
        }
        for step in value["steps"]
    ]
    return {"roles": roles, "steps": steps}


def slug(name: str) -> str:
    """A role's name as it may be: `Budget checker (2nd)` is `budget-checker-2nd`; as it was if nothing is left."""
    found = re.sub("[^a-z0-9]+", "-", _ascii(name).lower()).lstrip("-0123456789")[:40].strip("-")
    return found or name


def _step(name: str) -> str:
    return re.sub("[^A-Za-z0-9_]+", "-", _ascii(name))[:60].strip("-") or name


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
