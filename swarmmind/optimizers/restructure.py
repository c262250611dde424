"""How an editor is asked for operations on a workflow, and how its answer is read (see `operations`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from swarmmind.effects import Ask, Json, Reply
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.operations import HOW, SCHEMA
from swarmmind.optimizers.parameters import WorkflowParameter
from swarmmind.optimizers.requests import Critique, Edit, improving, request
from swarmmind.optimizers.study import Study

_OPERATIONS = Json("operations", SCHEMA)


def restructure(
    study: Study,
    parameter: WorkflowParameter,
    candidate: Candidate,
    wrong: Sequence[Critique],
    *,
    history: Sequence[tuple[Any, Sequence[str]]] = (),
    advice: str = "",
) -> Ask:
    """Ask the editor for operations on a workflow; read with `restructured`.

    Args:
        study: whose editor.
        parameter: what is to be changed.
        candidate: whose value it has; all of it is shown.
        wrong: what is wrong with it.
        history: earlier values with what was said of them, oldest first (momentum).
        advice: anything else to heed, in words of the product; others' words quoted.
    """
    task = (
        f"Improve how it works: {parameter.name}{f', {parameter.about}' if parameter.about else ''}. Give operations, "
        "which are done in your order, all or none, and in a note what they change and why. Change what the critiques "
        "ask for and nothing else. Steps may not wait for each other in a circle, and all must lead to the last one. "
        f"The operations:\n{HOW}"
    )
    parts, data = improving(study, parameter, candidate, wrong, (task,), history, advice)
    return request(study.editor, parts, _OPERATIONS, {"do": "restructure", **data})


def restructured(reply: Reply) -> Edit | None:
    """What an editor proposed, as operations of the right form that are not yet applied; `None` if it did not."""
    return Edit(reply.value["operations"], reply.value["note"]) if reply.ok else None
