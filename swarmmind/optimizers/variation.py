"""Where new candidates come from: values that chance makes, and requests to an editor for those made of language.

Numbers, choices and graphs are drawn, mutated and recombined without a model. Texts and workflows are changed by an
editor, towards a behavior that is named in words (Rainbow Teaming, arXiv 2402.16822; with the last tries in its
prompt, as Ruby has it), or by crossing elites that it is shown (QDAIF, arXiv 2310.13032).
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise, permutations
from typing import Any

from swarmmind.agents.prompts import quoted
from swarmmind.effects import Ask
from swarmmind.optimizers.candidate import Candidate
from swarmmind.optimizers.parameters import ChoiceParameter, GraphParameter, NumberParameter, Parameter
from swarmmind.optimizers.requests import Critique, edit
from swarmmind.optimizers.study import Study

LANGUAGE = ("text", "workflow")
"""Kinds of parameters that an editor changes."""
CHANCE = ("choice", "float", "graph")
"""Kinds of parameters that chance changes."""

_DENSITY = 0.5  # of a graph that is drawn, among the edges that it may have


def drawn(parameter: Parameter, rng: random.Random) -> Any:
    """A value of a parameter of a kind in `CHANCE`, drawn without regard to any other.

    Numbers are uniform on their scale; a graph has each edge that its order of nodes allows with probability 1/2.
    """
    if isinstance(parameter, NumberParameter):
        return parameter.from_unit(rng.random())
    if isinstance(parameter, ChoiceParameter):
        return rng.choice(parameter.options)
    assert isinstance(parameter, GraphParameter)
    order = rng.sample(parameter.nodes, len(parameter.nodes))
    place = {node: at for at, node in enumerate(order)}
    pairs = [(u, v) for u, v in permutations(parameter.nodes, 2) if not parameter.acyclic or place[u] < place[v]]
    return _graph(parameter.nodes, [pair for pair in pairs if rng.random() < _DENSITY])


def mutated(parameter: Parameter, value: Any, rng: random.Random, spread: float = 0.1) -> Any:
    """Another value of a parameter of a kind in `CHANCE`, near this one; the same if there is no other.

    A number moves by a normal step of standard deviation `spread` on the unit scale, a whole one by 1 at least; a
    choice becomes one of the other options; a graph gains or loses one edge, and stays acyclic if it has to be.
    """
    if isinstance(parameter, NumberParameter):
        return _moved(parameter, value, rng.gauss(0.0, spread))
    if isinstance(parameter, ChoiceParameter):
        others = [option for option in parameter.options if type(option) is not type(value) or option != value]
        return rng.choice(others) if others else value
    assert isinstance(parameter, GraphParameter)
    edges = [(u, v) for u, v in value["edges"]]
    pairs = list(permutations(parameter.nodes, 2))
    for pair in rng.sample(pairs, len(pairs)):
        found = _graph(value["nodes"], [one for one in edges if one != pair] if pair in edges else [*edges, pair])
        if not parameter.check(found):
            return found
    return value


def varied(
    parameters: Sequence[Parameter], values: Mapping[str, Any], rng: random.Random, spread: float = 0.1
) -> dict[str, Any]:
    """What of these values changes: each one with probability 1/n, and at least one of them."""
    chosen = [one for one in parameters if rng.random() < 1 / len(parameters)] or [rng.choice(parameters)]
    return {one.name: mutated(one, values[one.name], rng, spread) for one in chosen}


def crossed(parameters: Sequence[Parameter], other: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    """What is taken of another's values: each one with probability 1/2 (uniform crossover)."""
    return {one.name: other[one.name] for one in parameters if rng.random() < 0.5}


def towards(
    study: Study,
    parameter: Parameter,
    parent: Candidate,
    wanted: Mapping[str, tuple[float, str]],
    tries: Sequence[tuple[Any, Sequence[str]]] = (),
) -> Ask:
    """Ask the editor for a value with another behavior; read with `requests.edited`.

    Args:
        study: whose editor.
        parameter: of a kind in `LANGUAGE`.
        parent: whose value is changed.
        wanted: by measure, what runs of the parent come to and what they should come to, in words; empty: all is well
            as it is, and only the score is to rise.
        tries: values that aimed at this before, with what came of each, oldest first.
    """
    wrong = [
        Critique(parameter.name, f"Runs with it come to {name} {found:.4g}; it should be {words}.", "behavior", name)
        for name, (found, words) in wanted.items()
    ]
    better = Critique(
        parameter.name, "Runs with it behave as they should; they should score higher.", "quality", "score"
    )
    return edit(study, parameter, parent, wrong or [better], history=tries)


def between(study: Study, parameter: Parameter, parent: Candidate, others: Sequence[Candidate]) -> Ask:
    """Ask the editor to cross a value with those of others; read with `requests.edited`."""
    shown = [quoted(parameter.name, words(one.values[parameter.name]), "another that does well") for one in others]
    wish = "It does well, and so do the others that are shown. Make a new one that joins what is good in them."
    return edit(study, parameter, parent, [Critique(parameter.name, wish, "crossover")], advice="\n".join(shown))


def similarity(one: Any, other: Any) -> float:
    """How alike two values are, from 0 to 1: the share of words and of pairs of neighboring words that they have both.

    Twice what they share over what they have together (Dice), in linear time however often words come again.
    """
    a, b = _grams(words(one)), _grams(words(other))
    total = a.total() + b.total()
    return 2 * (a & b).total() / total if total else 1.0


def words(value: Any) -> str:
    """A value as a text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _grams(text: str) -> Counter[tuple[str, ...]]:
    said = text.split()
    return Counter([*((word,) for word in said), *pairwise(said)])


def _moved(parameter: NumberParameter, value: float, step: float) -> float:
    """A step that would lead out of the bounds turns round at them."""
    if parameter.low == parameter.high:
        return value
    unit = abs(parameter.to_unit(value) + step) % 2
    found = parameter.from_unit(min(unit, 2 - unit))
    if not parameter.integer or found != value:
        return found
    up = value + 1 if step > 0 else value - 1
    return up if not parameter.check(up) else 2 * value - up


def _graph(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, Any]:
    return {"nodes": list(nodes), "edges": [list(pair) for pair in edges]}
