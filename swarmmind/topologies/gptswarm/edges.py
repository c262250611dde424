"""Learned edges (GPTSwarm, arXiv 2402.16823, section 3 and its released code): a probability for each potential edge.

A composite graph is drawn by walking the potential edges in a fixed order. An edge that would close a cycle with what
is there by then is skipped; any other is included with probability sigmoid(logit). What was decided adds to the
log-probability, what was skipped adds 0, and so the gradient of log p is x - sigmoid(logit) at the edges that were
decided and 0 elsewhere. A learner needs no more than a realization and a utility:

    logit += rate * (utility - baseline) * gradient

Everything here is plain data (msgspec reads and writes it as JSON); nothing knows of agents, money or files.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import msgspec

from swarmmind.errors import UserError, near
from swarmmind.topologies.gptswarm.acyclic import Acyclic

Edge: TypeAlias = tuple[str, str]
FINAL = "final"
"""The node that decides; nothing leaves it."""
ARROW = " > "
TAKEN, LEFT, SKIPPED = "1", "0", "."


def potential(agents: Sequence[Sequence[str]], final: str = FINAL) -> tuple[Edge, ...]:
    """Every potential edge, in the order in which they are walked.

    Args:
        agents: the nodes of each agent; the last one gives its output.
        final: the node that decides.

    Returns:
        Every ordered pair of nodes of different agents, agent by agent, and then every output to the final node.

    Raises:
        UserError: a node is called as the final one is.
    """
    if any(final in nodes for nodes in agents):
        raise UserError(f"an agent is called {final!r}, as the node that decides is; give it another name")
    pairs = [(u, v) for one in agents for other in agents if other is not one for u in one for v in other]
    return (*pairs, *((nodes[-1], final) for nodes in agents))


def logit(probability: float) -> float:
    """The logit of a probability in (0, 1)."""
    return math.log(probability / (1 - probability))


def sigmoid(logit: float) -> float:
    """The probability of a logit, however large."""
    return math.exp(-_softplus(-logit))


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def name(edge: Edge) -> str:
    """How a topology file names an edge: `a > b`."""
    return ARROW.join(edge)


def reaching(edges: Iterable[Edge], final: str = FINAL) -> dict[str, list[str]]:
    """The nodes from which a path leads to the final one, which is among them, each with those that it reads."""
    before: dict[str, list[str]] = {}
    for u, v in edges:
        before.setdefault(v, []).append(u)
    found: dict[str, list[str]] = {}
    new = [final]
    while new:
        node = new.pop()
        if node not in found:
            found[node] = before.get(node, [])
            new += found[node]
    return found


class Realization(msgspec.Struct, frozen=True):
    """A graph that was drawn.

    Attributes:
        edges: those that were included, in the order of the walk; never a cycle among them.
        decisions: one letter for each potential edge in the order of `Edges.pairs`: `1` included, `0` left out, `.`
            skipped.
        log_probability: of all decisions taken, the order of nodes included if one was drawn.
        order: the nodes as they were drawn, if their order is learned.
    """

    edges: tuple[Edge, ...]
    decisions: str
    log_probability: float
    order: tuple[str, ...] = ()


class Edges(msgspec.Struct, frozen=True):
    """Potential edges with their logits.

    Attributes:
        pairs: the potential edges, in the order in which they are walked.
        logits: as many.
        ranks: a logit per node, if the order of nodes is learned as well: nodes are drawn one after the other, each in
            proportion to exp(rank) among those left, and an edge against that order is skipped. Nodes without a rank
            (the final one) come last. Empty: the order of `pairs` decides which edge closes a cycle.
        fixed: edges that are there whatever is drawn, e.g. those within an agent.
    """

    pairs: tuple[Edge, ...]
    logits: tuple[float, ...]
    ranks: dict[str, float] = {}
    fixed: tuple[Edge, ...] = ()

    @staticmethod
    def of(
        pairs: Sequence[Edge],
        probability: float = 0.5,
        logits: Mapping[str, float] | None = None,
        ranks: Mapping[str, float] | None = None,
    ) -> Edges:
        """Potential edges that begin with one probability, save those whose logit is given as `{"a > b": 0.3}`.

        Raises:
            UserError: a probability is not within (0, 1), a logit is of no potential edge, or a rank of no node.
        """
        if not 0 < probability < 1:
            raise UserError(f"probability: must lie between 0 and 1, both excluded, got {probability}")
        given = dict(logits or {})
        values = tuple(given.pop(name(pair), None) for pair in pairs)
        for unknown in given:
            hint = near(unknown, [name(pair) for pair in pairs])
            raise UserError(f"logits: expected potential edges, 'a{ARROW}b', found {unknown!r}{hint}")
        for unknown in sorted(set(ranks or {}) - {u for u, _ in pairs}):
            hint = near(unknown, sorted({u for u, _ in pairs}))
            raise UserError(f"ranks: expected nodes that something leaves, found {unknown!r}{hint}")
        start = logit(probability)
        return Edges(tuple(pairs), tuple(start if one is None else float(one) for one in values), dict(ranks or {}))

    def named(self) -> dict[str, float]:
        """The logits by edge, as `of` and a topology file take them."""
        return {name(pair): value for pair, value in zip(self.pairs, self.logits, strict=True)}

    def realize(self, rng: random.Random) -> Realization:
        """Draw a graph; beside the order of nodes, chance is drawn for decisions that are taken, and for them alone."""
        order = self._drawn(rng) if self.ranks else ()
        decisions, edges = self._walk(lambda at: rng.random() < sigmoid(self.logits[at]), order)
        return Realization(edges, decisions, self.log_probability(decisions, order), order)

    def above(self, threshold: float = 0.5) -> tuple[Edge, ...]:
        """The graph of the edges whose probability lies above a threshold, walked in the same order; 0: all of them.

        With a learned order, the node of the highest rank comes first.
        """
        least = logit(threshold) if threshold > 0 else -math.inf
        order = tuple(sorted(self.ranks, key=lambda node: -self.ranks[node]))
        return self._walk(lambda at: self.logits[at] > least, order)[1]

    def log_probability(self, decisions: str, order: Sequence[str] = ()) -> float:
        """Of a realization's decisions and order: recomputed from what was recorded, it is the recorded one."""
        decided = zip(decisions, self.logits, strict=True)
        terms = [-_softplus(-value if x == TAKEN else value) for x, value in decided if x != SKIPPED]
        return math.fsum([*terms, *(self.ranks[node] - _log_sum(left) for node, left in self._draws(order))])

    def gradient(self, decisions: str) -> list[float]:
        """Of log p with respect to the logits: x - sigmoid(logit) at decided edges, 0 at skipped ones."""
        decided = zip(decisions, self.logits, strict=True)
        return [0.0 if x == SKIPPED else (x == TAKEN) - sigmoid(value) for x, value in decided]

    def rank_gradient(self, order: Sequence[str]) -> dict[str, float]:
        """Of log p with respect to the ranks: each draw's 1 - p at the node drawn, and -p at those left."""
        found = dict.fromkeys(self.ranks, 0.0)
        for node, left in self._draws(order):
            whole = _log_sum(left)
            for other, rank in left.items():
                found[other] += (other == node) - math.exp(rank - whole)
        return found

    def _drawn(self, rng: random.Random) -> tuple[str, ...]:
        """The nodes in an order that is drawn (Plackett and Luce)."""
        left, order = dict(self.ranks), list[str]()
        while left:
            highest = max(left.values())
            weights = [math.exp(rank - highest) for rank in left.values()]
            [node] = rng.choices(list(left), weights)
            order.append(node)
            del left[node]
        return tuple(order)

    def _draws(self, order: Sequence[str]) -> Iterator[tuple[str, dict[str, float]]]:
        """Each node drawn, with those among which it was."""
        left = dict(self.ranks)
        for node in order:
            yield node, left
            del left[node]

    def _walk(self, takes: Callable[[int], bool], order: Sequence[str]) -> tuple[str, tuple[Edge, ...]]:
        """Decide every edge that may be decided, in the order of `pairs`."""
        place = {node: at for at, node in enumerate(order)}
        last = len(place)
        graph = Acyclic(self.fixed)
        decisions, edges = list[str](), list[Edge]()
        for at, (u, v) in enumerate(self.pairs):
            against = place and place.get(u, last) >= place.get(v, last)
            if against or graph.reaches(v, u):
                decisions.append(SKIPPED)
            elif takes(at):
                graph.add(u, v)
                edges.append((u, v))
                decisions.append(TAKEN)
            else:
                decisions.append(LEFT)
        return "".join(decisions), tuple(edges)


def _log_sum(ranks: Mapping[str, float]) -> float:
    """The logarithm of the sum of exp(rank)."""
    highest = max(ranks.values())
    return highest + math.log(math.fsum(math.exp(rank - highest) for rank in ranks.values()))
