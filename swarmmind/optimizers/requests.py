"""What critics and editors are asked, and how their answers are read: the same for a language model and a script.

What others wrote (prompts under repair, transcripts, critiques) stands in quotations. A reply that cannot be read, or a
value that has problems, is no change: it is recorded and never asked for again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Agent, Ask, Json, Message, Program, Record, Reply
from swarmmind.optimizers.candidate import Candidate, Values
from swarmmind.optimizers.forms import form, words
from swarmmind.optimizers.parameters import Parameter, TextParameter, WorkflowParameter
from swarmmind.optimizers.study import Case, Study

MAX_SHOWN_CHARACTERS = 4000
"""Of one text of a case, so many stand in a critic's prompt at most."""

LEAST_SHOWN_CHARACTERS = 200
"""Of one text of a case, so many stand there at least."""

_SHOWN_CHARACTERS = 60_000  # of all texts together, as far as the least of each allows


class Critique(NamedTuple):
    """What is wrong with one parameter: the "gradient" of textual backpropagation.

    Attributes:
        parameter: which.
        text: what is wrong and what would help.
        kind: of flaw, e.g. `missing rule`.
        subject: what it is about, in a word; equal critiques of different words share parameter, kind and subject.
        cases: ids of the examples that speak for it.
    """

    parameter: str
    text: str
    kind: str = ""
    subject: str = ""
    cases: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is about; a critique that comes back has the same key."""
        return self.parameter, self.kind, self.subject


_TEXT = {"type": "string"}
_CRITIQUES = Json(
    "critiques",
    {
        "type": "object",
        "properties": {
            "critiques": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"parameter": _TEXT, "kind": _TEXT, "subject": _TEXT, "text": _TEXT},
                    "required": ["parameter", "kind", "subject", "text"],
                    "additionalProperties": False,
                },
            }
        },
        "required": ["critiques"],
        "additionalProperties": False,
    },
)


def texts(name: str, *fields: str, **options: Sequence[str]) -> Json:
    """A document of these fields, all of them there, all of them texts; those with `options` are one of these."""
    kinds = {**dict.fromkeys(fields, _TEXT), **{field: {**_TEXT, "enum": list(of)} for field, of in options.items()}}
    return Json(name, {"type": "object", "properties": kinds, "required": list(kinds), "additionalProperties": False})


EDIT = texts("edit", "value", "note")
"""What an editor answers with."""


def request(agent: Agent, parts: Sequence[str], output: Any, observation: Mapping[str, Any]) -> Ask:
    """An ask of critic or editor.

    Args:
        agent: who.
        parts: paragraphs of the prompt, what all such requests share first.
        output: what it should answer with.
        observation: the same as data, for agents that are programs; `do` says what is asked.
    """
    head = (Message("system", agent.instructions),) if agent.instructions else ()
    return Ask(agent, (*head, Message("user", "\n\n".join(filter(None, parts)))), output, observation=observation)


def criticize(
    study: Study, parameters: Sequence[Parameter], candidate: Candidate, cases: Sequence[Case], aim: str = ""
) -> Ask:
    """Ask the critic what is wrong with some parameters, judged by how cases went; read with `critiques`.

    Args:
        study: whose critic.
        parameters: that it may criticize.
        candidate: whose values they have.
        cases: of the training split; each is shown whole (see `shown`).
        aim: what to look for, or what is known from elsewhere, in words of the product; others' words quoted.
    """
    values = [quoted(p.name, words(candidate.values[p.name]), p.about) for p in parameters]
    parts = [
        study.about and f"What the team is for: {study.about}",
        "Say what is wrong with these parts of it, judged by how the runs below went. Name the part, a kind of flaw, "
        "its subject in a word, and what would help. Say nothing of parts that are not at fault.",
        *values,
        aim,
        *(shown(case) for case in cases),
    ]
    data = {"do": "criticize", "parameters": {p.name: candidate.values[p.name] for p in parameters}, "aim": aim}
    return request(study.critic, parts, _CRITIQUES, {**data, "cases": [as_data(case) for case in cases]})


def critiques(reply: Reply, parameters: Sequence[Parameter], cases: Sequence[Case]) -> list[Critique]:
    """What a critic said of these parameters; what it said of others, and replies without a value, are left out."""
    if not reply.ok:
        return []
    known = {parameter.name for parameter in parameters}
    ids = tuple(case.id for case in cases)
    return [
        Critique(one["parameter"], one["text"], one["kind"], one["subject"], ids)
        for one in reply.value["critiques"]
        if one["parameter"] in known
    ]


def edit(
    study: Study,
    parameter: Parameter,
    candidate: Candidate,
    wrong: Sequence[Critique],
    *,
    history: Sequence[tuple[Any, Sequence[str]]] = (),
    advice: str = "",
) -> Ask:
    """Ask the editor for a new value of one parameter; read with `edited`.

    Args:
        study: whose editor.
        parameter: what is to be changed.
        candidate: whose value it has; all of it is shown.
        wrong: what is wrong with it.
        history: earlier values with what was said of them, oldest first (momentum).
        advice: anything else to heed, in words of the product; others' words quoted.
    """
    keep, kept = placeholders(parameter)
    task = (
        f"Improve one part of it: {parameter.name}{f', {parameter.about}' if parameter.about else ''}. Give its whole "
        "new value, and in a note what you changed and why. Change what the critiques ask for and nothing else."
    )
    parts, data = improving(study, parameter, candidate, wrong, (task, kept), history, advice)
    return request(study.editor, parts, EDIT, {"do": "edit", "placeholders": keep, **data})


def placeholders(parameter: Parameter) -> tuple[list[str], str]:
    """The placeholders that every new value must keep, and a line that says so; empty if there are none."""
    keep = sorted(parameter.placeholders) if isinstance(parameter, TextParameter) else []
    marks = ", ".join(f"{{{{ {name} }}}}" for name in keep)
    return keep, f"Keep each of these placeholders, add none: {marks}" if keep else ""


def improving(
    study: Study,
    parameter: Parameter,
    candidate: Candidate,
    wrong: Sequence[Critique],
    task: Sequence[str],
    history: Sequence[tuple[Any, Sequence[str]]],
    advice: str,
) -> tuple[list[str], dict[str, Any]]:
    """What every editor is told, whatever it should answer with: as paragraphs, `task` among them, and as data."""
    value = candidate.values[parameter.name]
    parts = [
        f"What the team is for: {study.about}" if study.about else "",
        *task,
        form(parameter),
        *(
            f"{quoted('earlier value', words(old), characters=10**9)}\n{listed('said of it', said)}"
            for old, said in history
        ),
        advice,
        quoted(parameter.name, words(value), characters=10**9),
        listed("critique", [one.text for one in wrong]),
    ]
    data = {
        "parameter": parameter.name,
        "kind": parameter.kind,
        "value": value,
        "critiques": [one._asdict() for one in wrong],
        "history": [[old, list(said)] for old, said in history],
        "advice": advice,
    }
    return parts, data


class Edit(NamedTuple):
    """What an editor proposes.

    Attributes:
        value: the new value; not checked.
        note: what was changed and why.
    """

    value: Any
    note: str


def edited(reply: Reply, parameter: Parameter) -> Edit | None:
    """What an editor proposed; `None` if it did not."""
    if not reply.ok:
        return None
    value: Any = reply.value["value"]
    if parameter.kind != "text":
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return Edit(value, reply.value["note"])


def propose(study: Study, parent: Candidate, changes: Values, note: str, *others: Candidate) -> Program:
    """A child with these changes, or `None` if one of them has problems; to be used with `yield from`.

    What is refused is recorded as `refused`: by parameter, what is wrong, and in `gates` the first gate that is closed:
    of a workflow `node`, `edge` or `structure`, of anything else `node`. A change to the value that is there already is
    no change; without any change there is no child.
    """
    changed = {name: value for name, value in changes.items() if value != parent.values.get(name)}
    concerned = study._replace(parameters=tuple(p for p in study.parameters if p.name in changed))
    problems = concerned.problems(changed)  # what stays was checked when the parent was made
    if problems:
        gates = {name: _gate(study, name, changed[name]) for name in problems}
        yield [Record("refused", {"parent": parent.id, "note": note[:200], "problems": problems, "gates": gates})]
        return None
    return parent.child(changed, note, *others) if changed else None


def _gate(study: Study, name: str, value: Any) -> str:
    workflows = [p for p in study.parameters if p.name == name and isinstance(p, WorkflowParameter)]
    closed = [gate for p in workflows for gate, problems in p.gates(value).items() if problems]
    return closed[0] if closed else "node"


def unread(what: str, reply: Reply | None = None) -> Record:
    """To be yielded where a reply was no change because there was none, or it could not be read; says why, if known."""
    failure = reply.failure if reply else None
    problems = {what: [f"{failure.kind}: {failure.message}"]} if failure else {}
    return Record("refused", {"note": what, "problems": problems})


def share(texts: int) -> int:
    """Of each of so many texts, so many characters stand in a prompt: of a large team's answers less than of a few."""
    return min(MAX_SHOWN_CHARACTERS, max(LEAST_SHOWN_CHARACTERS, _SHOWN_CHARACTERS // max(texts, 1)))


def shown(case: Case, *, with_steps: bool = True) -> str:
    """How one example went, for a prompt: every step, the output, what was right, the score."""
    run = case.run
    characters = share(len(run.steps))
    steps = [
        quoted(step.agent, step.output or "(no answer)", f"step {at}", step.role, characters=characters)
        for at, step in enumerate(run.steps if with_steps else ())
    ]
    known = [] if run.target is None else [quoted("target", words(run.target), characters=MAX_SHOWN_CHARACTERS)]
    said = [quoted("scorer", run.feedback, characters=MAX_SHOWN_CHARACTERS)] if run.feedback else []
    output = quoted("output", words(run.output), f"score {run.score}", characters=MAX_SHOWN_CHARACTERS)
    question = quoted("problem", run.question, characters=MAX_SHOWN_CHARACTERS)
    return "\n".join((f"Run {case.id}:", question, *steps, output, *known, *said))


def as_data(case: Case) -> dict[str, Any]:
    """The same for agents that are programs."""
    run = case.run
    return {
        "id": case.id,
        "question": run.question,
        "target": run.target,
        "output": run.output,
        "score": run.score,
        "feedback": run.feedback,
        "steps": [step._asdict() for step in run.steps],
    }


def listed(author: str, texts: Sequence[str]) -> str:
    """Several texts of one author, quoted and numbered."""
    return "\n".join(quoted(author, text, f"{at} of {len(texts)}") for at, text in enumerate(texts, 1))
