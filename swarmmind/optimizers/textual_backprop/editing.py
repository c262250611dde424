"""The update: one edit for each parameter that was criticized, each checked for itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from swarmmind.effects import Ask, Program, Record, Reply
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.operations import done
from swarmmind.optimizers.parameters import Parameter, WorkflowParameter
from swarmmind.optimizers.requests import Critique, Edit, edit, edited, propose, unread
from swarmmind.optimizers.restructure import restructure, restructured
from swarmmind.optimizers.study import Study

Past = dict[str, list[tuple[Any, list[str]]]]
"""By parameter: the values it had when it was criticized, each with what was said of it, oldest first."""


def edits(
    study: Study, candidate: Candidate, wrong: Mapping[str, Sequence[Critique]], past: Past, history: int
) -> Program:
    """Ask for an edit of every parameter that is criticized; returns `(changes, notes)`.

    An edit that cannot be read, or whose value has problems, is recorded and left out; the others stand.

    Args:
        study: whose editor.
        candidate: who is to be changed.
        wrong: what is wrong with it, by parameter.
        past: is added to.
        history: how many earlier values an editor is shown.
    """
    parameters = [study.parameter(name) for name in wrong]
    shown = {name: past.get(name, [])[-history:] if history else [] for name in wrong}
    replies = yield [_asked(study, p, candidate, wrong[p.name], shown[p.name]) for p in parameters]
    changes: dict[str, Any] = {}
    notes: list[str] = []
    for parameter, reply in zip(parameters, replies, strict=True):
        said = [one.text for one in wrong[parameter.name]]
        past.setdefault(parameter.name, []).append((candidate.values[parameter.name], said))
        proposal = yield from _proposed(parameter, candidate, reply)
        if proposal is None:
            continue
        change = {parameter.name: proposal.value}
        if (yield from propose(study, candidate, change, proposal.note)) is not None:
            changes |= change
            notes.append(f"{parameter.name}: {proposal.note}")
    return changes, notes


def _asked(
    study: Study, parameter: Parameter, candidate: Candidate, wrong: Sequence[Critique], history: Sequence[Any]
) -> Ask:
    """Operations on a workflow, a new value of anything else."""
    if isinstance(parameter, WorkflowParameter):
        return restructure(study, parameter, candidate, wrong, history=history)
    return edit(study, parameter, candidate, wrong, history=history)


def _proposed(parameter: Parameter, candidate: Candidate, reply: Reply) -> Program:
    """The edit, or `None`, recorded, if there is none: it cannot be read, or one of its operations is illegal."""
    proposal = restructured(reply) if isinstance(parameter, WorkflowParameter) else edited(reply, parameter)
    if proposal is None:
        yield [unread(f"the edit of {parameter.name}", reply)]
    elif isinstance(parameter, WorkflowParameter):
        value, problems = done(candidate.values[parameter.name], proposal.value)
        if problems:
            data = {"problems": {parameter.name: problems}, "gates": {parameter.name: "node"}}
            yield [Record("refused", {"parent": candidate.id, "note": proposal.note[:200], **data})]
            return None
        return Edit(value, proposal.note)
    return proposal
