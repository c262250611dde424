"""What is wrong with where the particles are: a root cause per failing example, then typed flaws (section 3.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from swarmmind.agents.prompts import quoted
from swarmmind.effects import TEXT, Ask, Json, Program, Reply
from swarmmind.optimizers.archives.swarm import Particle, plain
from swarmmind.optimizers.language_pso import shapes
from swarmmind.optimizers.parameters import Parameter
from swarmmind.optimizers.requests import Critique, as_data, request, shown, unread
from swarmmind.optimizers.study import Case, Study

KINDS: Mapping[str, tuple[str, ...]] = {
    "workflow": (
        "missing role",
        "redundant role",
        "weak role policy",
        "missing step",
        "redundant step",
        "insufficient input",
        "wrong output",
    ),
    "text": ("weak role policy", "insufficient input", "wrong output"),
}
"""Of flaws, by the kind of parameter that can have them."""

MOST_FLAWS = 12
"""Of one system, so many are worked on at once."""

MAX_CAUSE_CHARACTERS = 1000

_SUBJECT = "a word or two: the role, the step or the rule that it is about"


class Feedback:
    """The critic's findings, for all particles at once.

    Args:
        study: whose critic.
        parameters: that may have flaws.
    """

    def __init__(self, study: Study, parameters: Sequence[Parameter]) -> None:
        self._study, self._parameters = study, parameters
        self._causes: dict[tuple[str, str], str] = {}

    def flaws(self, particles: Sequence[Particle]) -> Program:
        """The flaws of each particle's system, in order, distinct; each knows the failing examples behind it.

        A system that fails nothing has none, nor has one of which the critic said nothing that can be read. What was
        said of one example of one system is remembered; to be used with `yield from`.
        """
        cases = [particle.seen.failing() if particle.seen else [] for particle in particles]
        yield from self._find_causes(particles, cases)
        asked = [at for at, failing in enumerate(cases) if self._known(particles[at], failing)]
        replies = yield [self._which(at, particles[at], self._known(particles[at], cases[at])) for at in asked]
        found: list[list[Critique]] = [[] for _ in particles]
        for at, reply in zip(asked, replies, strict=True):
            if reply.ok:
                found[at] = self._read(reply, cases[at])
            else:
                yield [unread("flaws", reply)]
        return found

    def _find_causes(self, particles: Sequence[Particle], cases: Sequence[Sequence[Case]]) -> Program:
        wanted = {
            (particle.position.id, case.id): (particle, case)
            for particle, failing in zip(particles, cases, strict=True)
            for case in failing
            if (particle.position.id, case.id) not in self._causes
        }
        replies = yield [self._why(particle, case) for particle, case in wanted.values()]
        for key, reply in zip(wanted, replies, strict=True):
            if reply.ok and reply.value.strip():
                self._causes[key] = reply.value
            else:
                yield [unread("a root cause", reply)]

    def _known(self, particle: Particle, failing: Sequence[Case]) -> dict[str, str]:
        """The root causes by example."""
        keys = [(particle.position.id, case.id) for case in failing]
        return {key[1]: self._causes[key] for key in keys if key in self._causes}

    def _why(self, particle: Particle, case: Case) -> Ask:
        values = particle.position.values
        parts = [
            self._study.about and f"What the system is for: {self._study.about}",
            "This system of agents failed on the run below. Say in one or two sentences what the root cause is: the "
            "first thing that went wrong, in which part of the system, and why. Speak of this run alone.",
            shapes.told(self._parameters),
            shapes.shown(self._parameters, values),
            shown(case),
        ]
        data = {"do": "cause", "values": dict(values), "case": as_data(case)}
        return cold(request(self._study.critic, parts, TEXT, data))

    def _which(self, at: int, particle: Particle, causes: Mapping[str, str]) -> Ask:
        known = dict.fromkeys(attempt.flaw for attempt in particle.tried)
        kinds = dict.fromkeys(kind for p in self._parameters for kind in KINDS[p.kind])
        named = "\n".join(quoted("known flaw", f"{name}: {kind}: {subject}") for name, kind, subject in known)
        parts = [
            self._study.about and f"What the system is for: {self._study.about}",
            "Below are a system of agents, and the root causes of its failures. Sum these up as flaws of the system, "
            f"at most {MOST_FLAWS}, worst first. For each name the parameter that has it; its kind, one of: "
            f"{', '.join(kinds)}; its subject ({_SUBJECT}); in the text what is wrong and what would help; and the "
            "examples that failed because of it, these and no others. Report no flaw that no failure speaks for.",
            shapes.told(self._parameters),
            shapes.shown(self._parameters, particle.position.values),
            "Flaws that were named before. If one of them is still there, give it the same kind and subject:\n" + named
            if known
            else "",
            "\n".join(
                quoted(f"example {case}", cause, characters=MAX_CAUSE_CHARACTERS) for case, cause in causes.items()
            ),
        ]
        data = {
            "do": "flaws",
            "particle": at,
            "values": dict(particle.position.values),
            "causes": dict(causes),
            "known": [list(flaw) for flaw in known],
        }
        return cold(request(self._study.critic, parts, self._output(list(kinds), list(causes)), data))

    def _output(self, kinds: list[str], examples: list[str]) -> Json:
        flaw = shapes.closed(
            parameter={"type": "string", "enum": [p.name for p in self._parameters]},
            kind={"type": "string", "enum": kinds},
            subject=shapes.TEXT,
            text=shapes.TEXT,
            examples=shapes.several({"type": "string", "enum": examples}),
        )
        return Json("flaws", shapes.closed(flaws=shapes.several(flaw)))

    def _read(self, reply: Reply, failing: Sequence[Case]) -> list[Critique]:
        kinds = {p.name: KINDS[p.kind] for p in self._parameters}
        found: dict[Any, Critique] = {}
        for one in reply.value["flaws"]:
            behind = tuple(case.id for case in failing if case.id in one["examples"])
            flaw = Critique(one["parameter"], one["text"], one["kind"], plain(one["subject"]), behind)
            if behind and flaw.kind in kinds[flaw.parameter] and flaw.key not in found:
                found[flaw.key] = flaw
        return list(found.values())[:MOST_FLAWS]


def cold(ask: Ask) -> Ask:
    """The same at temperature 0."""
    return replace(ask, sampling=replace(ask.agent.sampling, temperature=0.0))
