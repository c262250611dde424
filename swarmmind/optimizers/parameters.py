"""What may change, and what it may change to. A candidate with problems is never evaluated."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, TypeAlias

import msgspec

from swarmmind.errors import SpecError
from swarmmind.spec.secrets import secret_value
from swarmmind.spec.source import Place, show
from swarmmind.spec.templates import template
from swarmmind.topologies.gptswarm.acyclic import Acyclic
from swarmmind.topologies.graphs.own import own
from swarmmind.topologies.workflow.steps import gates

Problems: TypeAlias = list[str]
"""One line each, without the parameter's name; empty: nothing is wrong."""


class TextParameter(msgspec.Struct, frozen=True):
    """A text: a role's instructions, a step's task.

    Attributes:
        name: unique in its study.
        about: what it is for, in words an editor can use.
        role: whose instructions it is, if it is that: steps of that role depend on it.
        placeholders: the names that it refers to as `{{ name }}`: all of them must be kept, and none added.
        max_characters: the longest it may get.
    """

    kind: ClassVar[str] = "text"

    name: str
    about: str = ""
    role: str = ""
    placeholders: frozenset[str] = frozenset()
    max_characters: int = 20_000

    def check(self, value: Any) -> Problems:
        """What is wrong with a value."""
        problems = _text(value, self.max_characters)
        if problems:
            return problems
        try:
            found = template(value, Place()).variables
        except SpecError as error:
            return [str(error)]
        lost = [f"lost the placeholder {{{{ {name} }}}}" for name in sorted(self.placeholders - found)]
        added = [
            f"refers to {{{{ {show(name)[1:-1]} }}}}, which is not there" for name in sorted(found - self.placeholders)
        ]
        return lost + added


def _text(value: Any, most: int, *, blank: bool = False) -> Problems:
    """What is wrong with a text of at most so many characters, placeholders aside."""
    if not isinstance(value, str) or not (blank or value.strip()):
        return [f"must be a text{'' if blank else ' that is not empty'}, got {show(value)}"]
    if len(value) > most:
        return [f"must have at most {most:,} characters, got {len(value):,}"]
    if any("\ud800" <= character <= "\udfff" for character in value):
        return ["holds half a character (a lone surrogate), which no server takes"]
    return ["holds what looks like a secret (not shown here)"] if any(map(secret_value, value.split("\n"))) else []


class ChoiceParameter(msgspec.Struct, frozen=True):
    """One of several values.

    Attributes:
        name: unique in its study.
        options: at least two, distinct; JSON data.
        about: what it is for.
    """

    kind: ClassVar[str] = "choice"

    name: str
    options: tuple[Any, ...]
    about: str = ""

    def check(self, value: Any) -> Problems:
        """What is wrong with a value."""
        known = any(type(value) is type(option) and value == option for option in self.options)
        return [] if known else [f"must be one of {', '.join(map(show, self.options))}, got {show(value)}"]


class NumberParameter(msgspec.Struct, frozen=True):
    """A number within bounds, both included.

    Attributes:
        name: unique in its study.
        low: the smallest value.
        high: the largest.
        scale: how it is spread over [0, 1]; `log` for rates, whose `low` is then above 0.
        integer: whether it is whole.
        about: what it is for.
    """

    kind: ClassVar[str] = "float"

    name: str
    low: float
    high: float
    scale: Literal["linear", "log"] = "linear"
    integer: bool = False
    about: str = ""

    def check(self, value: Any) -> Problems:
        """What is wrong with a value."""
        kind = "a whole number" if self.integer else "a number"
        if isinstance(value, bool) or not isinstance(value, int if self.integer else (int, float)):
            return [f"must be {kind}, got {show(value)}"]
        if not (_finite(value) and self.low <= value <= self.high):
            return [f"must be {kind} from {self.low} to {self.high}, got {_number(value)}"]
        return []

    def to_unit(self, value: float) -> float:
        """Where a value lies between the bounds, on the parameter's scale: 0 is `low`, 1 is `high`.

        0 if there is but one value.
        """
        if self.low == self.high:
            return 0.0
        low, high, x = (math.log(v) if self.scale == "log" else v for v in (self.low, self.high, value))
        return (x - low) / (high - low)

    def from_unit(self, unit: float) -> float:
        """The value at a place in [0, 1] (places outside are clipped); a whole parameter is rounded."""
        unit = min(max(unit, 0.0), 1.0)
        if self.scale == "log":
            value = math.exp(math.log(self.low) + unit * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + unit * (self.high - self.low)
        value = min(max(value, self.low), self.high)
        return round(value) if self.integer else value


class GraphParameter(msgspec.Struct, frozen=True):
    """Who may hear whom: `{"nodes": [names], "edges": [[from, to], ...]}`.

    Attributes:
        name: unique in its study.
        nodes: the names of all nodes; none is added or taken away.
        acyclic: whether edges may not lead in a circle.
        about: what it is for.
    """

    kind: ClassVar[str] = "graph"

    name: str
    nodes: tuple[str, ...]
    acyclic: bool = True
    about: str = ""

    def check(self, value: Any) -> Problems:
        """What is wrong with a value."""
        if not isinstance(value, Mapping) or set(value) != {"nodes", "edges"}:
            return [f"must be {{nodes, edges}}, got {show(value)}"]
        try:
            found = own(value["edges"], value["nodes"], lambda path, message: ValueError(message))
        except ValueError as error:
            return [str(error)]
        if set(found.nodes) != set(self.nodes):
            return [f"must have the nodes {', '.join(map(show, self.nodes))}"]
        graph = Acyclic(())
        for u, v in found.edges if self.acyclic else ():
            if graph.reaches(v, u):
                return [f"its edges lead in a circle through {show(u)} and {show(v)}"]
            graph.add(u, v)
        return []


class EdgesParameter(msgspec.Struct, frozen=True):
    """Logits of potential edges by name, `{"a > b": 0.3}` (see `gptswarm.edges`).

    Attributes:
        name: unique in its study.
        edges: the names of all potential edges.
        about: what it is for.
    """

    kind: ClassVar[str] = "edges"

    name: str
    edges: tuple[str, ...]
    about: str = ""

    def check(self, value: Any) -> Problems:
        """What is wrong with a value."""
        if not isinstance(value, Mapping) or set(value) != set(self.edges):
            return ["must hold a logit for every potential edge, and no other"]
        wrong = [v for v in value.values() if isinstance(v, bool) or not isinstance(v, (int, float)) or not _finite(v)]
        return [f"a logit must be a number, got {_number(wrong[0])}"] if wrong else []


def _finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # a whole number that no float can hold
        return False


def _number(value: Any) -> str:
    """It in words; JSON may hold numbers with more digits than are ever written out."""
    return show(value) if not isinstance(value, int) or _finite(value) else "a number with very many digits"


class WorkflowParameter(msgspec.Struct, frozen=True):
    """A whole team: `{"roles": [{"name", "responsibility", "policy"}], "steps": [...]}` (see `topologies.workflow`).

    Attributes:
        name: unique in its study.
        about: what the team is for.
        max_roles: the most roles it may have.
        max_steps: the most steps.
    """

    kind: ClassVar[str] = "workflow"

    name: str
    about: str = ""
    max_roles: int = 20
    max_steps: int = 40

    def check(self, value: Any) -> Problems:
        """What is wrong with a value, the problems of the first gate that refuses it."""
        return next((problems for problems in self.gates(value).values() if problems), [])

    def gates(self, value: Any) -> dict[str, Problems]:
        """What is wrong, by gate: `node`, `edge`, `structure` (Agentic Neural Networks, arXiv 2506.09046)."""
        none: dict[str, Problems] = {"node": [], "edge": [], "structure": []}
        if not isinstance(value, Mapping) or set(value) != {"roles", "steps"}:
            return {**none, "node": [f"must be {{roles, steps}}, got {show(value)}"]}
        problems = _roles(value["roles"], self.max_roles)
        steps = value["steps"]
        if isinstance(steps, list) and len(steps) > self.max_steps:
            problems.append(f"must have at most {self.max_steps} steps, got {len(steps)}")
        problems += _tasks(steps) if not problems else []
        if problems:
            return {**none, "node": problems}
        return gates(steps, [role["name"] for role in value["roles"]])


_ROLE = {"name", "responsibility", "policy"}
_NAME = re.compile("[a-z][a-z0-9-]{0,39}")
_MOST = 20_000  # characters of one text
_POLICY = TextParameter("policy", max_characters=_MOST)


def _roles(roles: Any, most: int) -> Problems:
    if not isinstance(roles, list) or not 1 <= len(roles) <= most:
        return [f"roles: must be a list of 1 to {most} roles, got {show(roles)}"]
    problems: Problems = []
    names: set[str] = set()
    for at, role in enumerate(roles):
        if not isinstance(role, Mapping) or set(role) != _ROLE or not all(isinstance(v, str) for v in role.values()):
            problems.append(f"roles[{at}]: must be {{name, responsibility, policy}}, all texts, got {show(role)}")
            continue
        if not _NAME.fullmatch(role["name"]):
            problems.append(
                f"roles[{at}].name: must be lower-case letters, digits and hyphens, got {show(role['name'])}"
            )
        if role["name"] in names:
            problems.append(f"roles[{at}].name: {show(role['name'])} is there twice")
        names.add(role["name"])
        problems += [f"roles[{at}].policy: {problem}" for problem in _POLICY.check(role["policy"])]
        problems += [f"roles[{at}].responsibility: {problem}" for problem in _text(role["responsibility"], _MOST)]
    return problems


def _tasks(steps: Any) -> Problems:
    """What is wrong with the words of steps; whether they are steps at all the gates of a workflow say."""
    if not isinstance(steps, list):
        return []
    tasks = [(at, step.get("task")) for at, step in enumerate(steps) if isinstance(step, Mapping)]
    told = [(at, task) for at, task in tasks if isinstance(task, str)]
    return [f"{at}.task: {problem}" for at, task in told for problem in _text(task, _MOST, blank=True)]


Parameter: TypeAlias = (
    TextParameter | ChoiceParameter | NumberParameter | GraphParameter | EdgesParameter | WorkflowParameter
)
