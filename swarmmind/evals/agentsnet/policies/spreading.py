"""What needs the whole network: the smallest name, floods; and anything at all, when everybody has told everything."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from swarmmind.evals.agentsnet.policies.player import to_all
from swarmmind.evals.agentsnet.prompt import Observation
from swarmmind.evals.agentsnet.scoring import NOBODY


class Flood:
    """Passes on the smallest name it has heard of, with its input; that agent leads, and its input is agreed on.

    Over after as many rounds as the diameter. A message is a name and its input.
    """

    message: Any = tuple[str, str]

    def __init__(self, seen: Observation) -> None:
        known = (seen.name,) if seen.input else (seen.name, *seen.neighbors)  # whose input is known, too
        self._smallest = (min(known), seen.input)

    def say(self, seen: Observation, heard: Mapping[str, tuple[str, str]], rng: random.Random) -> Mapping[str, Any]:
        """The smallest name, if that is news."""
        before = self._smallest
        self._hear(heard)
        return to_all(seen, self._smallest) if seen.round == 0 or self._smallest != before else {}

    def answer(self, seen: Observation, heard: Mapping[str, tuple[str, str]], rng: random.Random) -> str:
        """Whether the name is its own, or the input that came with it."""
        self._hear(heard)
        if seen.problem == "leader_election":
            return "Yes" if self._smallest[0] == seen.name else "No"
        return self._smallest[1]

    def _hear(self, heard: Mapping[str, tuple[str, str]]) -> None:
        self._smallest = min([self._smallest, *heard.values()])


class Convention:
    """Says nothing; everybody answers 0, for there is nothing that would speak against it."""

    message: Any = None

    def __init__(self, seen: Observation) -> None:
        pass

    def say(self, seen: Observation, heard: Mapping[str, Any], rng: random.Random) -> Mapping[str, Any]:
        """Nothing."""
        return {}

    def answer(self, seen: Observation, heard: Mapping[str, Any], rng: random.Random) -> str:
        """0."""
        return "0"


class News(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something about agents: by name, their neighbors, and their inputs if they have any."""

    neighbors: dict[str, list[str]] = {}
    inputs: dict[str, str] = {}


class Gather:
    """Tells its neighbors everything that is new to it; when it knows the network, it solves the problem for all.

    Over after as many rounds as the diameter, less one. Everybody finds the same solution, by the order of names. A tie
    is told once in each direction of every tie, so a network costs its own square.
    """

    message: Any = News

    def __init__(self, seen: Observation) -> None:
        self._network = {seen.name: list(seen.neighbors)}
        self._inputs = {seen.name: seen.input} if seen.input else {}

    def say(self, seen: Observation, heard: Mapping[str, News], rng: random.Random) -> Mapping[str, News]:
        """What it did not know a round before."""
        news = News(self._network, self._inputs) if seen.round == 0 else self._hear(heard)
        return to_all(seen, news) if news.neighbors else {}

    def answer(self, seen: Observation, heard: Mapping[str, News], rng: random.Random) -> str:
        """Its part of the solution, as far as it knows the network."""
        self._hear(heard)
        network = _both_ways(self._network)
        if seen.problem == "coloring":
            return seen.answers[_colors(network)[seen.name] % len(seen.answers)]
        if seen.problem == "vertex_cover":
            return "No" if seen.name in _independent(network) else "Yes"
        if seen.problem == "matching":
            return _pairs(network).get(seen.name, NOBODY)
        if seen.problem == "leader_election":
            return "Yes" if seen.name == min(network) else "No"
        return self._inputs[min(self._inputs)] if self._inputs else "0"

    def _hear(self, heard: Mapping[str, News]) -> News:
        neighbors: dict[str, list[str]] = {}
        inputs: dict[str, str] = {}
        for said in heard.values():
            neighbors |= {name: near for name, near in said.neighbors.items() if name not in self._network}
            inputs |= {name: bit for name, bit in said.inputs.items() if name not in self._inputs}
        self._network |= neighbors
        self._inputs |= inputs
        return News(neighbors, inputs)


def _both_ways(told: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """A network in the order of names; those who are only told of have the ties that others told."""
    ties: dict[str, set[str]] = {name: set(near) for name, near in told.items()}
    for name, near in told.items():
        for other in near:
            ties.setdefault(other, set()).add(name)
    return {name: sorted(ties[name]) for name in sorted(ties)}


def _colors(network: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """First-fit in the order of the network."""
    colors: dict[str, int] = {}
    for name, near in network.items():
        taken = {colors[other] for other in near if other in colors}
        colors[name] = next(color for color in range(len(taken) + 1) if color not in taken)
    return colors


def _independent(network: Mapping[str, Iterable[str]]) -> set[str]:
    """A maximal independent set: the first, and each later one without a neighbor in it."""
    chosen: set[str] = set()
    for name, near in network.items():
        if chosen.isdisjoint(near):
            chosen.add(name)
    return chosen


def _pairs(network: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """A maximal matching: the first tie, and each later one whose ends are free."""
    partner: dict[str, str] = {}
    for name, near in network.items():
        for other in near:
            if name < other and name not in partner and other not in partner:
                partner[name], partner[other] = other, name
    return partner
