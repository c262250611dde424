"""The way back through a case: an answer comes after everybody who heard it, and only where it leads to a parameter."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from itertools import zip_longest
from typing import NamedTuple

from swarmmind.effects import Program, Reply
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.parameters import Parameter, TextParameter, WorkflowParameter
from swarmmind.optimizers.requests import unread
from swarmmind.optimizers.study import Case, Step, Study

MOST_STEPS = 60
"""Of one case are gone back through, those next to its end: what a pass costs has a bound."""


class Instructions(NamedTuple):
    """What told the agents of a role what to do.

    Attributes:
        parameter: where that may be changed.
        text: what it is now.
    """

    parameter: Parameter
    text: str


class Place(NamedTuple):
    """An answer: the case's number and the step's."""

    case: int
    step: int


def instructions(study: Study, candidate: Candidate) -> dict[str, Instructions]:
    """By role: those that are a text of their own, and else those that are part of a workflow."""
    found: dict[str, Instructions] = {}
    for parameter in study.parameters:
        if isinstance(parameter, TextParameter) and parameter.role:
            found.setdefault(parameter.role, Instructions(parameter, candidate.values[parameter.name]))
    for parameter in study.parameters:
        if isinstance(parameter, WorkflowParameter):
            for role in candidate.values[parameter.name]["roles"]:
                found.setdefault(role["name"], Instructions(parameter, role["policy"]))
    return found


def waves(cases: Sequence[Case], roles: Container[str]) -> list[list[Place]]:
    """The answers of all cases, those that need not wait for each other together, from the last ones to the first.

    An answer comes after all that heard it. Left out is what does not reach the last answer of its case, and what
    follows no instructions of these roles and heard nobody who, however far back, does; and of a case all but
    `MOST_STEPS`.
    """
    each = [_waves(case.run.steps, roles) for case in cases]
    return [
        [Place(case, step) for case, wave in enumerate(together) for step in wave]
        for together in zip_longest(*each, fillvalue=())
    ]


def heard(steps: Sequence[Step], roles: Container[str]) -> Mapping[int, tuple[int, ...]]:
    """For each step that leads to these roles, the steps it heard that do."""
    found: dict[int, tuple[int, ...]] = {}
    for at, step in enumerate(steps):  # whom it heard came before it
        behind = tuple(one for one in dict.fromkeys(step.heard) if one in found)
        if behind or step.role in roles:
            found[at] = behind
    return found


def noted(replies: Sequence[Reply], what: str) -> Program:
    """Record those that could not be read, if there are any; to be used with `yield from`."""
    lost = [unread(what, reply) for reply in replies if not reply.ok]
    if lost:
        yield lost


def _waves(steps: Sequence[Step], roles: Container[str]) -> list[list[int]]:
    behind = heard(steps, roles)
    last = len(steps) - 1
    distance = {last: 0} if last in behind else {}
    for at in range(last, -1, -1):  # who heard it comes after it
        for one in behind.get(at, ()) if at in distance else ():
            distance[one] = max(distance.get(one, 0), distance[at] + 1)
    found: list[list[int]] = [[] for _ in range(1 + max(distance.values(), default=-1))]
    for at in sorted(distance, key=lambda one: (distance[one], -one))[:MOST_STEPS]:
        found[distance[at]].append(at)
    return found
