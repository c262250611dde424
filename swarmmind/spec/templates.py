"""`{{ name }}` in role cards and problems: Jinja's syntax, cut down to what cannot loop, call or reach into objects.

A template is data from a file that may be a stranger's. It may print values, pass them through a few filters, and
choose with `{% if %}`; its rendering is linear in its size.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.sandbox import SandboxedEnvironment

from swarmmind.errors import SpecError, near
from swarmmind.spec.source import Place, show

FILTERS = ("join", "length", "lower", "round", "title", "trim", "upper", "tojson")
_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.If, nodes.Compare, nodes.Operand,
    nodes.Not, nodes.And, nodes.Or, nodes.Filter, nodes.CondExpr,
)  # fmt: skip


class Template(NamedTuple):
    """A text with references, checked; `places` is where the first letter of the text stands in its file."""

    text: str
    place: Place
    variables: frozenset[str]

    def missing(self, known: Collection[str]) -> Iterator[SpecError]:
        """An error for each reference to a name that is not known, in order of name."""
        for name in sorted(self.variables - set(known)):
            yield _error(self, _line_of(self.text, name), f"{{{{ {name} }}}}: unknown name{near(name, list(known))}")

    def render(self, values: Mapping[str, Any]) -> str:
        """The text with values filled in.

        Raises:
            SpecError: a name has no value, or a filter cannot take what it is given.
        """
        for error in self.missing(values):
            raise error
        try:
            return _environment().from_string(self.text).render(values)
        except (TypeError, ValueError, OverflowError, ArithmeticError) as error:
            raise _error(self, 1, f"cannot be filled in: {' '.join(str(error).split())[:200]}") from error


def template(text: str, place: Place) -> Template:
    """A checked template.

    Args:
        text: what may hold references.
        place: where its first letter stands; errors count lines from there.

    Raises:
        SpecError: it is not a template, or uses more than names, filters and `{% if %}`.
    """
    bare = Template(text, place, frozenset())
    try:
        tree = _environment().parse(text)
    except TemplateSyntaxError as error:
        raise _error(bare, error.lineno, f"not a valid template: {error.message}") from None
    except RecursionError:
        raise _error(bare, 1, "not a valid template: nested too deeply") from None
    names: set[str] = set()
    for node in _walk(tree):
        if not isinstance(node, _ALLOWED):
            kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__).lower()
            raise _error(bare, node.lineno, f"a template may hold names, filters and if, not a {kind!r}")
        if isinstance(node, nodes.Filter) and node.name not in FILTERS:
            raise _error(bare, node.lineno, f"unknown filter {show(node.name)}{near(node.name, FILTERS)}")
        if isinstance(node, nodes.Name):
            names.add(node.name)
    return bare._replace(variables=frozenset(names))


def _walk(node: nodes.Node) -> Iterator[nodes.Node]:
    yield node
    for child in node.iter_child_nodes():
        yield from _walk(child)


def _environment() -> SandboxedEnvironment:
    # Prompts are plain text, not HTML: nothing is escaped.
    environment = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    environment.globals.clear()
    environment.filters = {name: environment.filters[name] for name in FILTERS}
    return environment


def _line_of(text: str, name: str) -> int:
    match = re.search(r"\{[{%][^}]*\b" + re.escape(name) + r"\b", text)
    return text.count("\n", 0, match.end()) + 1 if match else 1


def _error(source: Template, line: int, message: str) -> SpecError:
    file, first, column = source.place
    here = Place(file, first + line - 1 if first else 0, column if line == 1 else 1)
    return SpecError(message, file=here.file, line=here.line, column=here.column)
