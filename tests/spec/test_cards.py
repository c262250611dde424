"""Role cards and the templates in them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from swarmmind.errors import SpecError
from swarmmind.spec import Distribution, SamplingSpec, load_card
from swarmmind.spec.source import Place
from swarmmind.spec.templates import template

from .projects import write

CARD = """---
name: critic
description: Looks for the weakest step.
model: openai/gpt-4o
sampling: {temperature: 0.3}
tools: [search]
parameters: {severity: strict, age: {integers: [20, 60]}}
---

You are a {{ severity }} critic{% if age > 40 %} of long experience{% endif %}.

Your name is {{ id | upper }}.
"""


def test_a_card(project: Path, box: Path) -> None:
    write(project / "agents" / "critic.md", CARD)
    card = load_card("critic", project, box=box)
    assert (card.name, card.model, card.tools) == ("critic", "openai/gpt-4o", ("search",))
    assert card.sampling == SamplingSpec(temperature=0.3)
    assert card.variables == {"severity", "age", "id"}
    age = card.parameters["age"]
    assert isinstance(age, Distribution)
    assert 20 <= age.draw(random.Random(1)) <= 60
    said = card.render({"severity": "mild", "age": 50, "id": "critic-3"})
    assert said == "You are a mild critic of long experience.\n\nYour name is CRITIC-3."


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "You are a critic.\n",
            "1:1: a role card begins with front matter: a line ---, name and description, a line ---",
        ),
        ("---\nname: critic\n", "1:1: a role card begins with front matter"),
        ("---\n---\nHello.\n", "1:1: is empty; front matter has at least name and description"),
        ("---\nname: critic\n---\nHello.\n", "2:1: description: is required but missing"),
        ("---\nname: critc\ndescription: A.\n---\nHello.\n", "2:7: name: must be 'critic' like the file, got 'critc'"),
        (
            "---\nname: critic\ndescripton: A.\n---\nHello.\n",
            "3:1: descripton: unknown key; did you mean 'description'?",
        ),
        ("---\nname: critic\ndescription: A.\n---\n\n\n", "5:1: has no prompt below its front matter"),
        ("---\nname: critic\ndescription: A: b\n---\nHello.\n", "3:15: not valid YAML: a ':' where none can stand"),
        (
            "---\nname: critic\ndescription: A.\n---\nHi\nuse sk-0123456789abcdef\n",
            "6:1: holds what looks like a secret",
        ),
        ("---\nname: critic\ndescription: A.\n---\nHi\n{{ a b }}\n", "6:1: not a valid template: expected token"),
        (
            "---\nname: critic\ndescription: A.\n---\nHi\n{% set a = 1 %}\n",
            "6:1: a template may hold names, filters and if",
        ),
        (
            "---\nname: critic\ndescription: A.\n---\n{{ a.b }}\n",
            "5:1: a template may hold names, filters and if, but no",
        ),
        ("---\nname: critic\ndescription: A.\n---\n{{ a | shout }}\n", "5:1: unknown filter 'shout'; known: join, len"),
        (
            "---\nname: critic\ndescription: A.\nparameters: {a: {uniform: [2, 1]}}\n---\nHi\n",
            "4:17: parameters.a: 'unif",
        ),
    ],
)
def test_broken_cards(text: str, wanted: str, project: Path, box: Path) -> None:
    path = write(project / "agents" / "critic.md", text)
    with pytest.raises(SpecError) as caught:
        load_card("critic", project, box=box)
    assert str(caught.value).startswith(f"{path}:{wanted}")
    assert len(str(caught.value).splitlines()) == 1


def test_a_name_without_a_value(project: Path, box: Path) -> None:
    path = write(project / "agents" / "critic.md", CARD)
    card = load_card("critic", project, box=box)
    with pytest.raises(SpecError) as caught:
        card.render({"severty": "mild", "age": 1, "id": "x"})
    assert str(caught.value) == f"{path}:10:14: {{{{ severity }}}}: unknown name; did you mean 'severty'?"


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__ }}",
        "{{ x['__class__'] }}",
        "{{ x() }}",
        "{{ 'a' * 1000000000 }}",
        "{{ 10 ** 10 ** 10 }}",
        "{% for i in x %}{% endfor %}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{% extends 'x' %}",
        "{% macro f() %}{% endmacro %}",
        "{% set x = 1 %}",
        "{{ x | attr('__class__') }}",
        "{{ x | format(1) }}",
        "{{ lipsum() }}",
        "{{ [1, 2] }}",
        "{{ x is defined }}",
        "{{ x ~ x }}",
        "{% block a %}{% endblock %}",
        "{% filter upper %}x{% endfilter %}",
        "{{ " + "not " * 2000 + "x }}",
        "{{ " + "(" * 2000 + "x" + ")" * 2000 + " }}",
        "{{ x" + " | upper" * 500 + " }}",
        "{% if x %}" * 300 + "{% endif %}" * 300,
        "{% if x %}" * 110 + "{% endif %}" * 110,
        "{{",
        "{% endif %}",
        "{{ x | }}",
    ],
)
def test_what_a_template_may_not_hold(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        template(text, Place("card.md", 3, 1)).render({"x": "y"})
    assert str(caught.value).startswith("card.md:3:1: ")
    assert len(str(caught.value).splitlines()) == 1


def test_what_a_template_may_hold() -> None:
    text = "{{ a | join(', ') }} {{ b | round(1) }} {{ 'x' if c else 'y' }}{# unsaid #} <{{ d }}> {{ a | length }}\n"
    said = template(text, Place()).render({"a": [1, 2], "b": 2.345, "c": False, "d": "<&'{{ e }}"})
    assert said == "1, 2 2.3 y <<&'{{ e }}> 2\n"


def test_a_value_a_filter_cannot_take() -> None:
    with pytest.raises(SpecError, match=r"^card\.md:1:1: cannot be filled in: "):
        template("{{ a | round }}", Place("card.md", 1, 1)).render({"a": "text"})
