"""Requirements passed backwards, from the language loss to the first step: agent symbolic learning (arXiv 2406.18532).

Section 3.2 there. One call a case says what is wrong with the output and what is required of the last step; then one
call a step, last to first, says what would help its instructions and what it, in turn, requires of those it heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Ask, Program
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.requests import MAX_SHOWN_CHARACTERS, Critique, as_data, listed, request, shown, texts
from swarmmind.optimizers.study import Case, Study
from swarmmind.optimizers.textual_backprop.layer_requests import KINDS
from swarmmind.optimizers.textual_backprop.reverse import (
    MOST_STEPS,
    Instructions,
    Place,
    heard,
    instructions,
    noted,
    waves,
)
from swarmmind.ports import Context

_LOSS = texts("loss", "critique", "kind", "subject", "requirement")
_STEP = texts("step", "suggestion", "subject", "requirement", kind=KINDS)


def requirements(ctx: Context, study: Study, candidate: Candidate, cases: Sequence[Case]) -> Program:
    """See `Backward`: critiques of instructions, and of workflows for each case.

    A step is asked about if those that heard it, or for the last step the loss, require something of it; one that is
    required nothing of proposes nothing. Takes one ask a case and at most one a step.
    """
    taught = instructions(study, candidate)
    wanted: dict[Place, list[str]] = {}
    found: list[Critique] = []
    replies = yield [_loss(study, case) for case in cases]
    yield from noted(replies, "a language loss")
    for number, (case, reply) in enumerate(zip(cases, replies, strict=True)):
        if reply.ok:
            _require(wanted, [Place(number, len(case.run.steps) - 1)], reply.value)
            for parameter in study.of("workflow"):
                found += _critique(parameter.name, reply.value["critique"], reply.value, case)
    for wave in waves(cases, taught):
        asked = [place for place in wave if place in wanted]
        if not asked:
            continue
        replies = yield [_step(study, cases[at.case], at.step, taught, wanted[at]) for at in asked]
        yield from noted(replies, "a step's suggestion")
        for place, reply in zip(asked, replies, strict=True):
            if not reply.ok:
                continue
            case = cases[place.case]
            behind = heard(case.run.steps, taught)[place.step]
            _require(wanted, [Place(place.case, one) for one in behind], reply.value)
            told = taught.get(case.run.steps[place.step].role)
            found += _critique(told.parameter.name, reply.value["suggestion"], reply.value, case) if told else []
    return found


def asks(study: Study, cases: int) -> int:
    """How many asks a pass makes at most."""
    return cases * (1 + MOST_STEPS)


def _require(wanted: dict[Place, list[str]], places: Sequence[Place], said: Any) -> None:
    """Ask this of those answers, if it is anything."""
    for place in places if said["requirement"].strip() else ():
        wanted.setdefault(place, []).append(said["requirement"])


def _critique(parameter: str, text: str, said: Any, case: Case) -> list[Critique]:
    return [Critique(parameter, text, said["kind"], said["subject"], (case.id,))] if text.strip() else []


def _loss(study: Study, case: Case) -> Ask:
    parts = [
        study.about and f"What the team is for: {study.about}",
        "Judge the output of one run: what is wrong with it (a kind of flaw, its subject in one or two words, and what "
        "would have been right), and what you require of the step that wrote it, so that it would be right. Leave "
        "blank what there is nothing to say of.",
        shown(case, with_steps=False),
    ]
    return request(study.critic, parts, _LOSS, {"do": "judge", "case": as_data(case)})


def _step(study: Study, case: Case, at: int, taught: dict[str, Instructions], wanted: Sequence[str]) -> Ask:
    step = case.run.steps[at]
    told = taught.get(step.role)
    parts = [
        study.about and f"What the team is for: {study.about}",
        "Below is one step of a run, and what those who used its answer require of it. Say what should change in its "
        "instructions (a kind of flaw, its subject in one or two words, the same whenever you mean the same, and what "
        "would help), and what it requires, in turn, of those whose answers it read. Require of them only what it "
        "cannot do itself. Leave blank what there is nothing to say of.",
        quoted(told.parameter.name, told.text, f"instructions of {step.role}") if told else "",
        quoted("input", step.prompt, characters=MAX_SHOWN_CHARACTERS),
        quoted(step.agent, step.output or "(no answer)", step.role, characters=MAX_SHOWN_CHARACTERS),
        listed("requirement", wanted),
    ]
    data = {
        "do": "suggest",
        "case": case.id,
        "step": at,
        **step._asdict(),
        "parameter": told and told.parameter.name,
        "instructions": told and told.text,
        "requirements": list(wanted),
    }
    return request(study.critic, parts, _STEP, data)
