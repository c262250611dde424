"""What values look like, in words: for critics and editors."""

from __future__ import annotations

import json
from typing import Any

from swarmmind.optimizers.parameters import ChoiceParameter, GraphParameter, NumberParameter, Parameter

_WORKFLOW = (
    "It is JSON: `roles`, each with `name`, `responsibility` and `policy` (its instructions), and `steps`, each with "
    "`name`, `roles` (who works in it), `inputs` (the steps it reads; `problem` is what is to be done), `aggregate` "
    "(`join`, `vote` or `refine`) and `task`. Every input must be a step, no step may wait for itself, and all of them "
    "must lead to the last one, which gives what is delivered."
)


def words(value: Any) -> str:
    """A value as a text: a text itself, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def form(parameter: Parameter) -> str:
    """What values a parameter may have, in words; empty for texts."""
    if isinstance(parameter, ChoiceParameter):
        return f"It must be one of these, as JSON: {', '.join(words(option) for option in parameter.options)}."
    if isinstance(parameter, NumberParameter):
        kind = "a whole number" if parameter.integer else "a number"
        return f"It must be {kind} from {parameter.low} to {parameter.high}."
    if isinstance(parameter, GraphParameter):
        circles = " Its edges must not lead in a circle." if parameter.acyclic else ""
        return f"It is JSON: `nodes`, which must stay, and `edges`, pairs of nodes: who is heard, who hears.{circles}"
    return _WORKFLOW if parameter.kind == "workflow" else ""
