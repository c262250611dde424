"""Where a particle goes next: for each flaw an adjustment that heeds what failed and what the bests do better.

One call per particle fuses, flaw by flaw, the critic's advice, the adjustments that failed before (inertia), and the
personal and the global best (attraction).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Ask, Json, Program, Record, Reply
from swarmmind.optimizers.archives.swarm import Particle, Swarm, plain
from swarmmind.optimizers.language_pso import shapes
from swarmmind.optimizers.language_pso.feedback import cold
from swarmmind.optimizers.parameters import Parameter
from swarmmind.optimizers.requests import Critique, request, unread
from swarmmind.optimizers.study import Evaluation, Study

Guidance: TypeAlias = Literal["none", "personal", "global", "both"]

ALIKE = 0.8
"""Adjustments that share so much of their words are the same one, reworded."""


class Adjustment(NamedTuple):
    """A flaw and what is to be done about it."""

    flaw: Critique
    text: str


class _Reference(NamedTuple):
    """A best that does better than a particle, and where.

    Attributes:
        name: whose best it is.
        best: how it did.
        passes: by the place of a flaw in the list of flaws: the examples behind it on which this one does better.
    """

    name: str
    best: Evaluation
    passes: Mapping[int, list[str]]


def references(swarm: Swarm, particle: Particle, flaws: Sequence[Critique], guidance: Guidance) -> list[_Reference]:
    """The bests that have something to say, each about those flaws only behind which it does better on an example.

    Where scores are 0 or 1, doing better means passing what this one fails. A best that is the particle's own position
    does no better anywhere; one that is both global and personal speaks once.
    """
    bests = {
        "global best": swarm.best if guidance in ("global", "both") else None,
        "personal best": particle.best if guidance in ("personal", "both") else None,
    }
    found: list[_Reference] = []
    for name, best in bests.items():
        if best is None or any(one.best.candidate.id == best.candidate.id for one in found):
            continue
        better = {at: _better(best, particle.seen, flaw.cases) for at, flaw in enumerate(flaws)}
        if any(better.values()):
            found.append(_Reference(name, best, {at: cases for at, cases in better.items() if cases}))
    return found


def _better(best: Evaluation, seen: Evaluation | None, cases: Sequence[str]) -> list[str]:
    here = seen.scores if seen else {}
    pairs = [(case, best.scores.get(case), here.get(case)) for case in cases]
    return [case for case, there, own in pairs if there is not None and own is not None and there > own]


def fuse(
    study: Study, parameters: Sequence[Parameter], at: int, swarm: Swarm, flaws: Sequence[Critique], guidance: Guidance
) -> Ask:
    """Ask for a particle's velocity, an adjustment per flaw; read with `fused`."""
    particle = swarm.particles[at]
    known = references(swarm, particle, flaws, guidance)
    by_name = {p.name: p for p in parameters}
    named = [[by_name[name] for name in dict.fromkeys(flaws[k].parameter for k in one.passes)] for one in known]
    quotes = [shapes.shown(its, one.best.candidate.values, one.name) for one, its in zip(known, named, strict=True)]
    parts = [
        study.about and f"What the system is for: {study.about}",
        "Below are a system of agents and its flaws. Say for each flaw, by its number, how the system is to be "
        "adjusted: one change, in a sentence or two, so definite that somebody else can make it. What failed before "
        "must not be proposed again, nor the same thing in other words: do something else.",
        shapes.told(parameters),
        shapes.shown(parameters, particle.position.values),
        "Systems that do better at some of it. Take from them what a flaw's examples show to work there:\n"
        + "\n".join(quotes)
        if known
        else "",
        *(_flaw(k, flaw, particle.failed(flaw.key), known) for k, flaw in enumerate(flaws)),
    ]
    data: dict[str, Any] = {
        "do": "fuse",
        "particle": at,
        "values": dict(particle.position.values),
        "flaws": [{**flaw._asdict(), "failed": particle.failed(flaw.key)} for flaw in flaws],
        "guidance": [
            {"name": one.name, "values": dict(one.best.candidate.values), "flaws": list(one.passes)} for one in known
        ],
    }
    plan = shapes.several(shapes.closed(flaw={"type": "integer"}, adjustment=shapes.TEXT))
    return cold(request(study.editor, parts, Json("velocity", shapes.closed(adjustments=plan)), data))


def _flaw(number: int, flaw: Critique, failed: Sequence[str], known: Sequence[_Reference]) -> str:
    better = [f"The {one.name} does better on what fails because of it." for one in known if number in one.passes]
    return "\n".join(
        (
            f"Flaw {number}, {flaw.kind}:",
            quoted("critic", flaw.text, flaw.parameter, flaw.subject),
            *(quoted("failed", text, f"{k} of {len(failed)}") for k, text in enumerate(failed, 1)),
            *better,
        )
    )


def fused(reply: Reply, particle: Particle, flaws: Sequence[Critique]) -> Program:
    """The adjustments of a reply, at most one per flaw; those that failed before are refused, reworded or not."""
    if not reply.ok:
        yield [unread("a velocity", reply)]
        return []
    plan: dict[int, Adjustment] = {}
    for one in reply.value["adjustments"]:
        at, text = one["flaw"], one["adjustment"]
        if not 0 <= at < len(flaws) or at in plan or not text.strip():
            continue
        if any(reworded(text, failed) for failed in particle.failed(flaws[at].key)):
            yield [Record("refused", {"note": "an adjustment that failed before", "problems": {}})]
        else:
            plan[at] = Adjustment(flaws[at], text)
    return [plan[at] for at in sorted(plan)]


def reworded(text: str, failed: str) -> bool:
    """Whether an adjustment is one that failed, or nearly so: by the share of the words of both that they share."""
    a, b = set(plain(text).split()), set(plain(failed).split())
    return len(a & b) >= ALIKE * len(a | b)
