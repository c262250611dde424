"""What an editor is asked by optimizers of texts: to learn from runs, or to say the same in other words.

Both are read with `requests.edited`.
"""

from __future__ import annotations

from collections.abc import Sequence

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Ask
from swarmmind.errors import UserError
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.forms import words
from swarmmind.optimizers.parameters import Parameter
from swarmmind.optimizers.requests import EDIT, as_data, placeholders, request, shown
from swarmmind.optimizers.study import Case, Split, Study


def texts(study: Study, *splits: Split) -> list[Parameter]:
    """The texts of a study, all of its other parameters being left as they are.

    Args:
        study: what the optimizer is given.
        splits: that must have examples.

    Raises:
        UserError: the study has no text, or a split no example.
    """
    for split in splits:
        if not split.ids:
            raise UserError(f"optimizing texts needs examples under {split.name!r}, got none")
    found = study.of("text")
    if not found:
        raise UserError("optimizing texts needs a parameter of the kind text, got none")
    return found


def reflect(study: Study, parameter: Parameter, candidate: Candidate, cases: Sequence[Case]) -> Ask:
    """Ask the editor for a new value of one parameter, judged by how runs with the old one went (GEPA).

    Args:
        study: whose editor.
        parameter: what is to be changed.
        candidate: whose value it has; all of it is shown.
        cases: of the training split, those that went well among them; each is shown whole.
    """
    task = (
        f"Improve one part of it: {_named(parameter)}. Below are its present value and runs of the team with it. Find "
        "out what the value should have said for the runs to go better, and what of it already helps. Give its whole "
        "new value, with the general lessons rather than the answers to these problems, and in a note what you changed "
        "and why."
    )
    return _asked(study, parameter, candidate, "reflect", task, cases)


def reword(study: Study, parameter: Parameter, candidate: Candidate) -> Ask:
    """Ask the editor to say the value of one parameter in other words (ProTeGi's paraphrase)."""
    task = (
        f"Say one part of it in other words: {_named(parameter)}. Keep its meaning, all of it, and add nothing. Give "
        "its whole new value; the note may be empty."
    )
    return _asked(study, parameter, candidate, "reword", task, ())


def _named(parameter: Parameter) -> str:
    return f"{parameter.name}, {parameter.about}" if parameter.about else parameter.name


def _asked(study: Study, parameter: Parameter, candidate: Candidate, do: str, task: str, cases: Sequence[Case]) -> Ask:
    value = candidate.values[parameter.name]
    keep, kept = placeholders(parameter)
    parts = [
        f"What the team is for: {study.about}" if study.about else "",
        task,
        kept,
        quoted(parameter.name, words(value), characters=10**9),
        *map(shown, cases),
    ]
    data = {"do": do, "parameter": parameter.name, "kind": parameter.kind, "value": value, "placeholders": keep}
    return request(study.editor, parts, EDIT, {**data, "cases": [as_data(case) for case in cases]})
