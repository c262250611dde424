"""How a particle moves: the adjustments of its velocity, written into its system by one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Ask, Json, Program, Record, Reply
from swarmmind.optimizers import operations
from swarmmind.optimizers.archives.swarm import Attempt, Particle, holds
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.language_pso import shapes
from swarmmind.optimizers.language_pso.feedback import cold
from swarmmind.optimizers.language_pso.velocity import Adjustment
from swarmmind.optimizers.operations import HOW, SCHEMA
from swarmmind.optimizers.parameters import Parameter, Problems, WorkflowParameter
from swarmmind.optimizers.requests import propose, request, unread
from swarmmind.optimizers.study import Study


def apply(
    study: Study, parameters: Sequence[Parameter], at: int, particle: Particle, plan: Sequence[Adjustment]
) -> Ask:
    """Ask for a particle's next position; read with `applied`.

    Only parameters that have a flaw may change: a team by operations, so that the rest of it stays as it is, a text by
    its whole new value.
    """
    changed = _flawed(parameters, plan)
    listed = [quoted(f"adjustment {k}", one.text, one.flaw.parameter) for k, one in enumerate(plan)]
    parts = [
        study.about and f"What the system is for: {study.about}",
        "Make the adjustments below to this system. What no adjustment speaks of stays as it is, word by word. Then "
        "say which adjustments you made, by their numbers, each with an excerpt: some words, verbatim, that stand in "
        "the system now and did not before, or, of what was deleted, some words that are gone.",
        *(_how(parameter) for parameter in changed),
        shapes.told(changed),
        shapes.shown(changed, particle.position.values),
        "Your last change was refused. Mind this:\n" + quoted("problem", particle.refused) if particle.refused else "",
        "\n".join(listed),
    ]
    data: dict[str, Any] = {
        "do": "apply",
        "particle": at,
        "values": {p.name: particle.position.values[p.name] for p in changed},
        "adjustments": [{"flaw": one.flaw._asdict(), "adjustment": one.text} for one in plan],
        "refused": particle.refused,
    }
    edits = {p.name: SCHEMA["properties"]["operations"] if p.kind == "workflow" else shapes.TEXT for p in changed}
    done = shapes.several(shapes.closed(adjustment={"type": "integer"}, excerpt=shapes.TEXT))
    output = Json("position", shapes.closed(values=shapes.closed(**edits), done=done))
    return cold(request(study.editor, parts, output, data))


def _how(parameter: Parameter) -> str:
    if parameter.kind != "workflow":
        return f"Of {parameter.name} give the whole new text."
    return (
        f"Of {parameter.name} give a list of operations, which are done in your order, all or none. Do not change the "
        f"responsibility of a role that stays. The operations:\n{HOW}"
    )


def _flawed(parameters: Sequence[Parameter], plan: Sequence[Adjustment]) -> list[Parameter]:
    return [p for p in parameters if any(one.flaw.parameter == p.name for one in plan)]


def applied(
    study: Study, parameters: Sequence[Parameter], reply: Reply, particle: Particle, plan: Sequence[Adjustment]
) -> Program:
    """Move a particle; an answer that cannot be read, or is no candidate, leaves it where it is.

    What is said to be done is believed if its excerpt is literally there now and was not before, or the reverse.
    """
    before = particle.position
    if reply.failure is not None:
        particle.refused = reply.failure.message
        yield [unread("a position", reply)]
        return
    changes, problems = _changes(_flawed(parameters, plan), before, reply.value["values"])
    note = "; ".join(one.text for one in plan)
    if problems:
        yield [Record("refused", {"parent": before.id, "note": note[:200], "problems": problems})]
    child = None if problems else (yield from propose(study, before, changes, note))
    if child is None:
        problems = problems or study.problems({**before.values, **changes})
        particle.refused = "; ".join(f"{name}: {problem}" for name, those in problems.items() for problem in those)
        return
    particle.position, particle.refused = child, ""
    for one in reply.value["done"]:
        if 0 <= one["adjustment"] < len(plan):
            flaw, text = plan[one["adjustment"]]
            old, new = (position.values[flaw.parameter] for position in (before, particle.position))
            there = holds(new, one["excerpt"])
            if there != holds(old, one["excerpt"]):
                particle.tried.append(Attempt(flaw.key, text, one["excerpt"], there))


def _changes(
    changed: Sequence[Parameter], before: Candidate, said: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Problems]]:
    """New values by parameter, and what is wrong with operations."""
    values: dict[str, Any] = {}
    problems: dict[str, Problems] = {}
    for parameter in changed:
        name = parameter.name
        values[name] = said[name]
        if isinstance(parameter, WorkflowParameter):
            values[name], wrong = operations.apply(before.values[name], said[name], parameter)
            if wrong:
                problems[name] = wrong
    return values, problems
