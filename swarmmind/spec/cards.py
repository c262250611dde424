"""Role cards: Markdown with front matter. What stands between the `---` describes the role, the rest is its prompt.

---
name: critic
description: Looks for the weakest step of an argument.
parameters: {severity: strict}
---
You are a {{ severity }} critic. ...
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from swarmmind.errors import SpecError
from swarmmind.spec import library, secrets, yaml12
from swarmmind.spec.complaints import validated
from swarmmind.spec.model import SamplingSpec
from swarmmind.spec.source import Place, Source, printable, read_text, read_yaml
from swarmmind.spec.templates import Template, template
from swarmmind.spec.values import Name, Parameter, Strict

GIVEN = ("id", "index", "role")
"""Names that every card may use besides its parameters: the agent's id, its place in the population, its role."""

_FRONT = re.compile(r"---[ \t]*\n(.*?)^---[ \t]*$\n?", re.DOTALL | re.MULTILINE)


class FrontMatter(Strict):
    """What stands between the `---` lines of a role card."""

    name: Name = Field(description="The role; the same as the file's name.")
    description: str = Field(min_length=1, description="What the role is for, in one sentence.")
    model: str | None = Field(
        default=None, min_length=1, description="A name from the task's `models`, or provider/model."
    )
    sampling: SamplingSpec = Field(default=SamplingSpec(), description="Overrides the task's sampling.")
    priority: int = Field(
        default=0, description="Who is served first where places at an endpoint are short; lower is earlier."
    )
    tools: list[Name] = Field(default=[], description="Reserved: names of tools.")
    parameters: dict[Name, Parameter] = Field(
        default={}, description="Defaults of what the prompt refers to as {{ name }}."
    )


class Card(NamedTuple):
    """A role card, checked.

    Attributes:
        name: the role.
        description: what it is for.
        model: a name of the task's `models` or provider/model; `None` is the task's model.
        sampling: what overrides the task's.
        tools: reserved.
        parameters: defaults: values, or `Distribution`s drawn from once per agent.
        body: the prompt, before its references are filled.
        path: the file.
        source: the front matter and its places.
        priority: who is served first; lower is earlier.
    """

    name: str
    description: str
    model: str | None
    sampling: SamplingSpec
    tools: tuple[str, ...]
    parameters: dict[str, Any]
    body: Template
    path: Path
    source: Source
    priority: int = 0

    @property
    def variables(self) -> frozenset[str]:
        """The names that the prompt refers to."""
        return self.body.variables

    def render(self, values: Mapping[str, Any]) -> str:
        """The system prompt of one agent, without blank lines around it.

        Args:
            values: the agent's parameters and `GIVEN`.

        Raises:
            SpecError: the prompt refers to a name that has no value.
        """
        return self.body.render(values).strip()


def load_card(name: str, folder: Path | None = None, *, box: Path | None = None) -> Card:
    """The card of a role, from the task's folder or the box.

    Raises:
        SpecError: there is no such card, or it is wrong; each with the place in the card.
    """
    return read_card(library.find("agents", name, folder, box=box))


def read_card(path: Path) -> Card:
    """The card in a file.

    Raises:
        SpecError: the file cannot be read, has no front matter, or something in it is wrong.
    """
    text = read_text(path).replace("\r\n", "\n")
    match = _FRONT.match(text)
    if match is None:
        message = "a role card begins with front matter: a line ---, name and description, a line ---"
        raise SpecError(message, file=printable(path), line=1, column=1)
    source = read_yaml("\n" + match[1], printable(path))  # the blank line stands for the first ---, so that lines agree
    place = Place(printable(path), text.count("\n", 0, match.end()) + 1, 1)
    front = validated(source, FrontMatter, "front matter has at least name and description")
    if front.name != path.stem:
        raise source.error(("name",), f"must be {path.stem!r} like the file, got {front.name!r}")
    body = text[match.end() :]
    _refuse_secrets(body, place)
    if not body.strip():
        raise SpecError("has no prompt below its front matter", file=place.file, line=place.line, column=1)
    return Card(
        front.name, front.description, front.model, front.sampling, tuple(front.tools), front.parameters,
        template(body, place), path, source, front.priority,
    )  # fmt: skip


def with_body(path: Path, body: str) -> str:
    """The text of a role card with another prompt; its front matter as it stands in the file.

    Raises:
        SpecError: the file cannot be read, or has no front matter any more.
    """
    text = read_text(path).replace("\r\n", "\n")
    match = _FRONT.match(text)
    if match is None:
        raise SpecError("has lost its front matter", file=printable(path), line=1, column=1)
    return f"{match[0]}{body.strip()}\n"


def card_text(front: Mapping[str, Any], body: str) -> str:
    """The text of a role card, from its front matter and its prompt."""
    return f"---\n{yaml12.dump(dict(front))}---\n{body.strip()}\n"


def _refuse_secrets(body: str, place: Place) -> None:
    for index, line in enumerate(body.split("\n")):
        if secrets.secret_value(line):
            message = f"holds what looks like a secret (not shown here); {secrets.HINT}"
            raise SpecError(message, file=place.file, line=place.line + index, column=1)
