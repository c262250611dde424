"""What the critics of the whole and of a layer are asked (Agentic Neural Networks, arXiv 2506.09046, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Ask, Json
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.forms import words
from swarmmind.optimizers.parameters import Parameter, TextParameter
from swarmmind.optimizers.requests import as_data, request, share
from swarmmind.optimizers.study import Case, Step, Study

KINDS = (
    "missing instruction",
    "wrong instruction",
    "needless instruction",
    "unclear instruction",
    "wrong form of answer",
    "missing role or step",
    "needless role or step",
    "wrong setting",
    "other",
)
"""Of flaws: few and fixed, so that a critique that comes back is known again."""

_WHOLE = (
    "You are shown how a team worked on examples that went badly. Its answers are grouped in layers: agents of a layer "
    "have read answers of layers before it. In `critique`, say in a few sentences what is missing or wrong in what "
    "came out, so that somebody who sees a single layer knows what to look for. In `layers`, give the numbers of the "
    "layers at fault: those whose own answers are wrong although what they were given was right. Leave it empty if you "
    "cannot tell."
)
_SETTINGS = (
    "In `critiques`, say what is wrong with the parts that are quoted first, which say how the team is built and set "
    "up: for each that is to blame, its name, a kind of flaw, the subject in one or two words, and what would help. "
    "Leave it empty if none of them is to blame."
)
_LOCAL = (
    "You are shown one layer of a team at work: for each of its agents what it was told and what it answered. The rest "
    "of the team you do not see. The parts that are quoted first are the agents' instructions. Judge each agent by its "
    "own answers alone: would better instructions have made it answer better, given what it was told? For each fault, "
    "name the part whose agent shows it, a kind of flaw, its subject in one or two words (the same words whenever you "
    "mean the same), and in `text` what is wrong and which instruction would help. An agent whose own answers are "
    "sound is not at fault, whatever came out at the end: say nothing of it. If all are sound, `critiques` is empty."
)
_ADVICE = "What a critic of the whole said, who could not tell whose fault it is:"


class Layer(NamedTuple):
    """Agents that have as many answers behind them, with what they did.

    Attributes:
        number: from 1.
        steps: by case, in the cases' order.
    """

    number: int
    steps: dict[str, list[Step]]

    @property
    def roles(self) -> dict[str, None]:
        """Of its agents, in order."""
        return dict.fromkeys(step.role for steps in self.steps.values() for step in steps)


def depths(steps: Sequence[Step]) -> list[int]:
    """For each step its layer, from 1: one more than the deepest that it heard, or that its agent did before."""
    found: list[int] = []
    own: dict[str, int] = {}
    for step in steps:
        found.append(1 + max((*(found[one] for one in step.heard), own.get(step.agent, 0)), default=0))
        own[step.agent] = found[-1]
    return found


def whole(study: Study, settings: Sequence[Parameter], candidate: Candidate, cases: Sequence[Case]) -> Ask:
    """Ask what is wrong with what came out, in which layers it goes wrong, and what is wrong with the settings."""
    characters = share(sum(len(case.run.steps) + 4 for case in cases))
    parts = [
        f"What the team is for: {study.about}" if study.about else "",
        _WHOLE,
        _SETTINGS if settings else "",
        *(quoted(p.name, words(candidate.values[p.name]), p.about) for p in settings),
        *(_trajectory(case, characters) for case in cases),
    ]
    data = {
        "do": "criticize the whole",
        "parameters": {p.name: candidate.values[p.name] for p in settings},
        "cases": [{**as_data(case), "layers": depths(case.run.steps)} for case in cases],
    }
    return request(study.critic, parts, _schema(settings, whole=True), data)


def local(
    study: Study, layer: Layer, own: Sequence[Parameter], candidate: Candidate, cases: Sequence[Case], advice: str
) -> Ask:
    """Ask what is wrong within a layer; nothing but its own traces and the advice is shown."""
    scores = {case.id: case.run.score for case in cases}
    characters = share(2 * sum(map(len, layer.steps.values())))
    parts = [
        f"What the team is for: {study.about}" if study.about else "",
        _LOCAL,
        *(quoted(p.name, words(candidate.values[p.name]), *_whose(p)) for p in own),
        f"{_ADVICE}\n{quoted('critic', advice)}" if advice else "",
        *(f"Run {case} (score {scores[case]}):\n{_traces(steps, characters)}" for case, steps in layer.steps.items()),
    ]
    data = {
        "do": "criticize a layer",
        "layer": layer.number,
        "parameters": {p.name: candidate.values[p.name] for p in own},
        "advice": advice,
        "cases": [{"id": case, "steps": [step._asdict() for step in steps]} for case, steps in layer.steps.items()],
    }
    return request(study.critic, parts, _schema(own), data)


def _whose(parameter: Parameter) -> tuple[str, ...]:
    role = f"instructions of {parameter.role}" if isinstance(parameter, TextParameter) else ""
    return (role, parameter.about)


def _traces(steps: Sequence[Step], characters: int) -> str:
    return "\n".join(
        f"{quoted(step.agent, step.prompt, 'was told', step.role, characters=characters)}\n"
        f"{quoted(step.agent, step.output or '(no answer)', 'answered', step.role, characters=characters)}"
        for step in steps
    )


def _trajectory(case: Case, characters: int) -> str:
    """A case, each answer with its layer."""
    run = case.run
    answers = [
        quoted(step.agent, step.output or "(no answer)", f"layer {depth}", step.role, characters=characters)
        for step, depth in zip(run.steps, depths(run.steps), strict=True)
    ]
    rest = [
        quoted("output", words(run.output), characters=characters),
        "" if run.target is None else quoted("target", words(run.target), characters=characters),
        quoted("scorer", run.feedback, characters=characters) if run.feedback else "",
    ]
    question = quoted("problem", run.question, characters=characters)
    return "\n".join(filter(None, (f"Run {case.id} (score {run.score}):", question, *answers, *rest)))


def _schema(parameters: Sequence[Parameter], whole: bool = False) -> Json:
    text = {"type": "string"}
    fields: dict[str, Any] = {}
    if whole:
        fields = {"critique": text, "layers": {"type": "array", "items": {"type": "integer"}}}
    if parameters:
        one = {
            "parameter": {"type": "string", "enum": [p.name for p in parameters]},
            "kind": {"type": "string", "enum": list(KINDS)},
            "subject": text,
            "text": text,
        }
        fields["critiques"] = {"type": "array", "items": _object(one)}
    return Json("critiques", _object(fields))


def _object(fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
