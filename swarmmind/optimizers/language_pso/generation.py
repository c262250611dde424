"""Where a swarm begins: systems from nothing but what they are for, or variations of what there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec.structs import replace

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Ask, Json, Program, Reply
from swarmmind.optimizers.candidate import Candidate, candidate
from swarmmind.optimizers.language_pso import shapes
from swarmmind.optimizers.parameters import Parameter
from swarmmind.optimizers.requests import propose, request, unread
from swarmmind.optimizers.study import Study
from swarmmind.topologies.workflow.steps import usual, workflow

TEMPERATURES = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Of the systems one after the other: where the swarm's diversity comes from."""

TRIES = 3
"""So often one system is asked for, if what was said is no system."""


def bare(study: Study) -> bool:
    """Whether a study starts from a team that nobody thought about: a step for each role, and no task in any."""
    for parameter in study.of("workflow"):
        value = study.start[0].values[parameter.name]
        roles = [role["name"] for role in value["roles"]]
        if workflow(value["steps"], roles) != usual(roles):
            return False
    return bool(study.of("workflow"))


def ready(study: Study, scratch: bool | None) -> Sequence[Candidate]:
    """The candidates that particles begin with as they are."""
    return () if (bare(study) if scratch is None else scratch) else study.start


class _Seat(NamedTuple):
    """A particle that has no position yet.

    Attributes:
        at: its place in the swarm.
        refused: what was wrong with what was said for it last; empty at first.
    """

    at: int
    refused: str = ""


def positions(study: Study, parameters: Sequence[Parameter], count: int, scratch: bool | None) -> Program:
    """Where `count` particles begin; to be used with `yield from`.

    Each of those for which no candidate is `ready` asks the editor for a system of its own, all at once: from what the
    study is about alone if nothing is ready, else for another one than the start. Who gets none in `TRIES` tries, each
    told what was wrong with the one before, begins at the start.
    """
    there = ready(study, scratch)[:count]
    found: dict[int, Candidate] = dict(enumerate(there))
    open_seats = [_Seat(at) for at in range(len(there), count)]
    for _ in range(TRIES):
        if not open_seats:
            break
        replies = yield [_architect(study, parameters, seat, bool(there)) for seat in open_seats]
        refused: list[_Seat] = []
        for seat, reply in zip(open_seats, replies, strict=True):
            made = yield from _made(study, parameters, reply, bool(there))
            if isinstance(made, Candidate):
                found[seat.at] = made
            else:
                refused.append(_Seat(seat.at, made))
        open_seats = refused
    return [found.get(at, study.start[0]) for at in range(count)]


def _architect(study: Study, parameters: Sequence[Parameter], seat: _Seat, varied: bool) -> Ask:
    start = study.start[0]
    temperature = TEMPERATURES[seat.at % len(TEMPERATURES)]
    parts = [
        f"Design a system of agents for this task: {study.about}",
        "Think of what the task takes, and in which order; give each kind of work to a role that is good at it, and "
        "let somebody check what can go wrong. Give the whole of it.",
        shapes.told(parameters),
        "There is this system already. Design one that goes about it in another way.\n"
        + shapes.shown(parameters, start.values)
        if varied
        else "",
        "What you said before was refused. Mind this:\n" + quoted("problem", seat.refused) if seat.refused else "",
    ]
    data: dict[str, Any] = {"do": "design", "particle": seat.at, "about": study.about, "refused": seat.refused}
    if varied:
        data["values"] = dict(start.values)
    output = Json("system", shapes.closed(values=shapes.whole(parameters)))
    ask = request(study.editor, parts, output, data)
    return replace(ask, sampling=replace(study.editor.sampling, temperature=temperature))


def _made(study: Study, parameters: Sequence[Parameter], reply: Reply, varied: bool) -> Program:
    """A system, or what is wrong with what was said."""
    start = study.start[0]
    if reply.failure is not None:
        yield [unread("a new system", reply)]
        return reply.failure.message
    changes = shapes.tidied(parameters, reply.value["values"])
    made = yield from propose(study, start, changes, "a variation" if varied else "from scratch")
    if made is not None:
        return made if varied else candidate(made.values, note=made.note)
    problems = study.problems({**start.values, **changes})
    return "; ".join(f"{name}: {problem}" for name, those in problems.items() for problem in those) or "as the start"
