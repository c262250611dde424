"""A critique for every edge of what happened, from the loss back to the instructions: TextGrad (arXiv 2406.07496).

Section 2 there. What an answer came from are the instructions that its agent followed and the answers that it heard;
each is criticized by a call of its own that sees the answer, how it came about and what was said of it. So an answer
that several others heard gets a critique from each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Ask, Program, Reply
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.requests import MAX_SHOWN_CHARACTERS, Critique, as_data, listed, request, shown, texts
from swarmmind.optimizers.study import Case, Step, Study
from swarmmind.optimizers.textual_backprop.layer_requests import KINDS
from swarmmind.optimizers.textual_backprop.reverse import Instructions, Place, heard, instructions, noted, waves
from swarmmind.ports import Context

MOST_EDGES = 200
"""Of one case are criticized, those next to its end: what a pass costs has a bound."""

_CRITIQUE = texts("critique", "critique", "subject", kind=KINDS)


class _Edge(NamedTuple):
    """From an answer to one of what it came from: an earlier answer, or the instructions (`None`)."""

    answer: Place
    heard: Place | None


def graph(ctx: Context, study: Study, candidate: Candidate, cases: Sequence[Case]) -> Program:
    """See `Backward`: critiques of instructions, one for each answer that followed them.

    Takes one ask a case for its last answer, and one for each pair of an answer and what it came from, as far as that
    leads to a parameter. Of what came to an answer without a critique nothing is asked.
    """
    taught = instructions(study, candidate)
    said: dict[Place, list[str]] = {}
    found: list[Critique] = []
    order = waves(cases, taught)
    ends = order[0] if order else []
    replies = yield [_base(study, cases[end.case], end.step) for end in ends]
    yield from noted(replies, "a critique")
    for end, reply in zip(ends, replies, strict=True):
        _say(said, end, reply)
    left = dict.fromkeys(range(len(cases)), MOST_EDGES)
    for wave in order:
        edges = [edge for place in wave if place in said for edge in _edges(cases, place, taught, left)]
        if not edges:
            continue
        replies = yield [_chain(study, cases[edge.answer.case], edge, taught, said[edge.answer]) for edge in edges]
        yield from noted(replies, "a critique")
        for edge, reply in zip(edges, replies, strict=True):
            if edge.heard is not None:
                _say(said, edge.heard, reply)
            elif _text(reply):
                case = cases[edge.answer.case]
                name = taught[case.run.steps[edge.answer.step].role].parameter.name
                found.append(Critique(name, _text(reply), reply.value["kind"], reply.value["subject"], (case.id,)))
    return found


def asks(study: Study, cases: int) -> int:
    """How many asks a pass makes at most."""
    return cases * (1 + MOST_EDGES)


def _edges(cases: Sequence[Case], place: Place, taught: dict[str, Instructions], left: dict[int, int]) -> list[_Edge]:
    steps = cases[place.case].run.steps
    own = [_Edge(place, None)] if steps[place.step].role in taught else []
    found = [*own, *(_Edge(place, Place(place.case, one)) for one in heard(steps, taught)[place.step])]
    found = found[: left[place.case]]
    left[place.case] -= len(found)
    return found


def _text(reply: Reply) -> str:
    return reply.value["critique"].strip() if reply.ok else ""


def _say(said: dict[Place, list[str]], place: Place, reply: Reply) -> None:
    if _text(reply):
        said.setdefault(place, []).append(_text(reply))


def _base(study: Study, case: Case, at: int) -> Ask:
    """From the loss to the last answer."""
    step = case.run.steps[at]
    parts = [
        study.about and f"What the team is for: {study.about}",
        "Judge the last answer of one run by what came of it: a kind of flaw, its subject in one or two words, and in "
        "a critique how the answer should have been different. Leave the critique blank if nothing is wrong.",
        shown(case, with_steps=False),
        _answer(step),
    ]
    data = {"do": "judge", "case": as_data(case), "step": at, "role": step.role}
    return request(study.critic, parts, _CRITIQUE, data)


def _chain(study: Study, case: Case, edge: _Edge, taught: dict[str, Instructions], said: Sequence[str]) -> Ask:
    """From an answer to one of what it came from."""
    step = case.run.steps[edge.answer.step]
    if edge.heard is None:
        of = taught[step.role]
        what, role, value = "the instructions that it followed", step.role, of.text
        target = quoted(of.parameter.name, value, f"instructions of {role}", of.parameter.about)
    else:
        other = case.run.steps[edge.heard.step]
        what, role, value = f"the answer of {other.role} that it read", other.role, other.output or "(no answer)"
        target = _answer(other)
    parts = [
        study.about and f"What the team is for: {study.about}",
        f"An answer of the team was criticized. Say what is wrong with {what}, in its part in the team, so that the "
        "answer would be better: a kind of flaw, its subject in one or two words (the same words whenever you mean the "
        "same), and in a critique what would help. Leave the critique blank if it is not at fault. First comes the "
        "conversation, then what was said of the answer, then what you are to judge.",
        quoted("input", step.prompt, characters=MAX_SHOWN_CHARACTERS),
        _answer(step),
        listed("critique", said),
        target,
    ]
    data = {
        "do": "trace-back",
        "case": case.id,
        "step": edge.answer.step,
        **step._asdict(),
        "critiques": list(said),
        "of": {
            "instructions": edge.heard is None,
            "step": edge.heard and edge.heard.step,
            "role": role,
            "value": value,
        },
    }
    return request(study.critic, parts, _CRITIQUE, data)


def _answer(step: Step) -> str:
    return quoted(step.agent, step.output or "(no answer)", step.role, characters=MAX_SHOWN_CHARACTERS)
