"""How a particle moves: the adjustments of its velocity, written into its system by one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Ask, Program, Reply
from swarmmind.optimizers.archives.swarm import Attempt, Particle, holds
from swarmmind.optimizers.language_pso import shapes
from swarmmind.optimizers.language_pso.feedback import cold
from swarmmind.optimizers.language_pso.velocity import Adjustment
from swarmmind.optimizers.parameters import Parameter
from swarmmind.optimizers.requests import propose, request, unread
from swarmmind.optimizers.study import Study


def apply(
    study: Study, parameters: Sequence[Parameter], at: int, particle: Particle, plan: Sequence[Adjustment]
) -> Ask:
    """Ask for a particle's next position; read with `applied`. Only parameters that have a flaw may change."""
    changed = _flawed(parameters, plan)
    listed = [quoted(f"adjustment {k}", one.text, one.flaw.parameter) for k, one in enumerate(plan)]
    parts = [
        study.about and f"What the system is for: {study.about}",
        "Make the adjustments below to this system, and give the whole of it. Roles and steps may be added, deleted "
        "and put in another order; of a role that stays, only the policy may change. What no adjustment speaks of "
        "stays as it is, word by word. Then say which adjustments you made, by their numbers, each with an excerpt: "
        "some words, verbatim, that stand in the system now and did not before, or, of what was deleted, some words "
        "that are gone.",
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
    done = shapes.several(shapes.closed(adjustment={"type": "integer"}, excerpt=shapes.TEXT))
    return cold(request(study.editor, parts, shapes.values("position", changed, done=done), data))


def _flawed(parameters: Sequence[Parameter], plan: Sequence[Adjustment]) -> list[Parameter]:
    return [p for p in parameters if any(one.flaw.parameter == p.name for one in plan)]


def applied(
    study: Study, parameters: Sequence[Parameter], reply: Reply, particle: Particle, plan: Sequence[Adjustment]
) -> Program:
    """Move a particle; an answer that cannot be read, or is no candidate, leaves it where it is.

    What is said to be done is believed if its excerpt is literally there now and was not before, or the reverse.
    """
    particle.refused = ""
    if not reply.ok:
        particle.refused = reply.failure.message if reply.failure else ""
        yield [unread("a position")]
        return
    before = particle.position
    changes = shapes.tidied(_flawed(parameters, plan), reply.value["values"])
    child = yield from propose(study, before, changes, "; ".join(one.text for one in plan))
    if child is None:
        problems = study.problems({**before.values, **changes})
        particle.refused = "; ".join(f"{name}: {problem}" for name, those in problems.items() for problem in those)
        return
    particle.position = child
    for one in reply.value["done"]:
        if 0 <= one["adjustment"] < len(plan):
            flaw, text = plan[one["adjustment"]]
            name, excerpt = flaw.parameter, one["excerpt"]
            there = holds(child.values[name], excerpt)
            if there != holds(before.values[name], excerpt):
                particle.tried.append(Attempt(flaw.key, text, excerpt, there))
