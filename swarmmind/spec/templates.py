"""`{{ name }}` in role cards and problems: Jinja's syntax, cut down to what cannot loop, call or reach into objects.

A template is data from a file that may be a stranger's. It may print values, pass them through a few filters, and
choose with `{% if %}`; rendering takes time linear in its size.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import jinja2
from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.sandbox import SandboxedEnvironment

from swarmmind.errors import SpecError, near
from swarmmind.spec.source import Place, position, show

FILTERS = ("join", "length", "lower", "round", "title", "trim", "upper")
MAX_DEPTH = 40
_ALLOWED = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.If, nodes.Compare, nodes.Operand,
    nodes.Not, nodes.And, nodes.Or, nodes.Filter, nodes.CondExpr,
)  # fmt: skip


class Template(NamedTuple):
    """A checked text with references.

    Attributes:
        text: as it was written.
        place: where its first letter stands.
        variables: the names it refers to.
        compiled: what Jinja made of it, once for all agents.
    """

    text: str
    place: Place
    variables: frozenset[str]
    compiled: jinja2.Template

    def missing(self, known: Collection[str]) -> Iterator[SpecError]:
        """An error for each reference to a name that is not known, in order of name."""
        for name in sorted(self.variables - set(known)):
            match = re.search(rf"\{{[{{%][^}}]*?\b({re.escape(name)})\b", self.text)
            at = position(self.text, match.start(1)) if match else (1, 1)
            yield _error(self.place, at, f"{{{{ {show(name)[1:-1]} }}}}: unknown name{near(name, list(known))}")

    def render(self, values: Mapping[str, Any]) -> str:
        """The text with values filled in.

        Raises:
            SpecError: a name has no value, or a filter cannot take what it is given.
        """
        for error in self.missing(values):
            raise error
        try:
            return self.compiled.render(values)
        except (TypeError, ValueError, ArithmeticError) as error:
            reason = " ".join(str(error).split())[:200]
            raise _error(self.place, (1, 1), f"cannot be filled in: {reason}") from error


def template(text: str, place: Place) -> Template:
    """A checked template.

    Args:
        text: what may hold references.
        place: where its first letter stands; errors count lines and columns from there.

    Raises:
        SpecError: it is not a template, or uses more than names, filters and `{% if %}`.
    """
    environment = _environment()
    try:
        tree = environment.parse(text)
        variables = frozenset(_names(tree, place, 0))
        return Template(text, place, variables, environment.from_string(tree))
    except TemplateSyntaxError as error:
        reason = " ".join((error.message or "").split())[:200]
        raise _error(place, (error.lineno, 1), f"not a valid template: {reason}") from None
    except RecursionError:
        raise _error(place, (1, 1), "not a valid template: nested too deeply") from None


def _names(node: nodes.Node, place: Place, depth: int) -> Iterator[str]:
    """The names below a node, all of it checked on the way."""
    at = (node.lineno or 1, 1)
    if depth > MAX_DEPTH:
        raise _error(place, at, "not a valid template: nested too deeply")
    if not isinstance(node, _ALLOWED):
        kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(node).__name__).lower()
        raise _error(place, at, f"a template may hold names, filters and if, but no {kind!r}")
    if isinstance(node, nodes.Filter) and node.name not in FILTERS:
        raise _error(place, at, f"unknown filter {show(node.name)}{near(node.name, FILTERS)}")
    if isinstance(node, nodes.Name):
        yield node.name
    for child in node.iter_child_nodes():
        yield from _names(child, place, depth + 1)


def _environment() -> SandboxedEnvironment:
    # Prompts are plain text, not HTML: nothing is escaped.
    environment = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    environment.globals.clear()
    environment.filters = {name: environment.filters[name] for name in FILTERS}
    return environment


def _error(place: Place, at: tuple[int, int], message: str) -> SpecError:
    line, column = at
    if not place.line:
        return SpecError(message, file=place.file)
    first = place.column if line == 1 else 1
    return SpecError(message, file=place.file, line=place.line + line - 1, column=first + column - 1)
