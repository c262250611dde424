"""Learned edges: what is drawn has no cycle, and its probability and gradient are exact."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import msgspec
import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmmind.errors import UserError
from swarmmind.topologies.gptswarm.acyclic import Acyclic
from swarmmind.topologies.gptswarm.edges import FINAL, Edges, Realization, logit, potential, reaching, sigmoid

NODES = "abcdef"


@st.composite
def chances(draw: st.DrawFn) -> Edges:
    """Agents of one to three nodes, joined within; any logits; with or without a learned order."""
    sizes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    letters = iter(range(20))
    agents = [[f"n{next(letters)}" for _ in range(size)] for size in sizes]
    fixed = tuple((nodes[at - 1], nodes[at]) for nodes in agents for at in range(1, len(nodes)))
    pairs = potential(agents)
    values = st.floats(-40, 40)
    logits = tuple(draw(values) for _ in pairs)
    ranks = {node: draw(st.floats(-5, 5)) for nodes in agents for node in nodes} if draw(st.booleans()) else {}
    return Edges(pairs, logits, ranks, fixed)


@given(chances(), st.integers(0, 99))
def test_an_edge_is_skipped_if_it_closes_a_cycle_or_runs_against_the_order_and_only_then(
    edges: Edges, seed: int
) -> None:
    found = edges.realize(random.Random(seed))
    graph: nx.DiGraph[str] = nx.DiGraph(edges.fixed)
    graph.add_nodes_from(node for pair in edges.pairs for node in pair)
    places = {node: at for at, node in enumerate(found.order)} | {FINAL: len(found.order)}
    for (u, v), decision in zip(edges.pairs, found.decisions, strict=True):
        against = bool(found.order) and places[u] > places[v]
        assert (decision == ".") == (against or nx.has_path(graph, v, u))
        if decision == "1":
            graph.add_edge(u, v)
            assert (u, v) in found.edges
    assert nx.is_directed_acyclic_graph(graph)
    assert len(found.edges) == found.decisions.count("1")


@given(chances(), st.integers(0, 99))
def test_log_p_is_that_of_the_decisions_taken_and_skipped_edges_add_nothing(edges: Edges, seed: int) -> None:
    found = edges.realize(random.Random(seed))
    assert edges.log_probability(found.decisions, found.order) == found.log_probability
    other = tuple(99.0 if x == "." else value for x, value in zip(found.decisions, edges.logits, strict=True))
    assert msgspec.structs.replace(edges, logits=other).log_probability(found.decisions, found.order) == (
        found.log_probability
    )
    assert found.log_probability <= 0


@given(chances(), st.integers(0, 99))
def test_the_gradient_is_the_derivative_of_log_p(edges: Edges, seed: int) -> None:
    found = edges.realize(random.Random(seed))
    step = 1e-4

    def log_p(edges: Edges) -> float:
        return edges.log_probability(found.decisions, found.order)

    for at, slope in enumerate(edges.gradient(found.decisions)):
        up, down = list(edges.logits), list(edges.logits)
        up[at] += step
        down[at] -= step
        higher, lower = (msgspec.structs.replace(edges, logits=tuple(values)) for values in (up, down))
        assert slope == pytest.approx((log_p(higher) - log_p(lower)) / (2 * step), abs=1e-6)
    for node, slope in edges.rank_gradient(found.order).items():
        higher, lower = (
            msgspec.structs.replace(edges, ranks=edges.ranks | {node: edges.ranks[node] + by}) for by in (step, -step)
        )
        assert slope == pytest.approx((log_p(higher) - log_p(lower)) / (2 * step), abs=1e-6)


class Bits(random.Random):
    """Chance that decides as it is told, and includes once it is told no more."""

    def __init__(self, bits: list[bool]) -> None:
        super().__init__(0)
        self.bits, self.drawn = bits, 0

    def random(self) -> float:
        self.drawn += 1
        return 0.0 if self.drawn > len(self.bits) or self.bits[self.drawn - 1] else 1 - 1e-12


def every(edges: Edges) -> Iterator[Realization]:
    """Every realization of a graph in a fixed order."""
    bits: list[bool] = []
    while True:
        chance = Bits(bits)
        yield edges.realize(chance)
        bits = [*bits, *[True] * (chance.drawn - len(bits))]
        while bits and not bits[-1]:
            bits.pop()
        if not bits:
            return
        bits[-1] = False


def test_the_probabilities_of_all_realizations_add_up_to_one() -> None:
    pairs = potential([[node] for node in "abc"])
    found = list(every(Edges(pairs, tuple(0.3 * at - 1 for at in range(len(pairs))))))
    assert len({one.decisions for one in found}) == len(found)
    assert len({frozenset(one.edges) for one in found}) == 25 * 8  # 25 acyclic graphs on three labelled nodes
    assert math.fsum(math.exp(one.log_probability) for one in found) == pytest.approx(1)


def test_a_learned_order_is_drawn_node_by_node_in_proportion_to_exp_of_its_rank() -> None:
    edges = Edges.of(potential([["a"], ["b"], ["c"]]), ranks={"a": math.log(6), "b": math.log(3), "c": 0.0})
    orders = [edges.realize(random.Random(seed)).order for seed in range(4000)]
    assert orders.count(("a", "b", "c")) / 4000 == pytest.approx(6 / 10 * 3 / 4, abs=0.03)
    assert orders.count(("c", "b", "a")) / 4000 == pytest.approx(1 / 10 * 3 / 9, abs=0.015)
    decisions = "." * len(edges.pairs)
    assert math.exp(edges.log_probability(decisions, "bac")) == pytest.approx(3 / 10 * 6 / 7)


def test_what_lies_above_a_threshold_is_walked_in_the_same_order_and_closes_no_cycle() -> None:
    pairs = potential([["a"], ["b"], ["c"]])
    logits = {"a > b": 1.0, "b > a": 5.0, "c > a": 1.0, "b > c": -1.0, "a > final": 0.1, "b > final": 0.0}
    edges = Edges.of(pairs, 0.2, logits)
    assert edges.above() == (("a", "b"), ("c", "a"), ("a", "final"))
    assert edges.above(0.9) == (("b", "a"),)
    assert len(edges.above(0)) == 3 + 3
    backwards = Edges.of(pairs, 0.9, ranks={"a": 0.0, "b": 1.0, "c": 2.0})
    assert set(backwards.above()) == {("c", "b"), ("c", "a"), ("b", "a"), *((node, "final") for node in "abc")}


def test_potential_edges_join_different_agents_and_outputs_with_the_end() -> None:
    assert potential([["a1", "a2"], ["b"]]) == (
        *(("a1", "b"), ("a2", "b"), ("b", "a1"), ("b", "a2")),
        *(("a2", "final"), ("b", "final")),
    )


def test_only_what_a_path_leads_from_reaches_the_end() -> None:
    edges = [("a", "b"), ("c", "d"), ("b", "final"), ("e", "b"), ("final", "x")]
    assert reaching(edges) == {"final": ["b"], "b": ["a", "e"], "a": [], "e": []}


def test_it_is_plain_data() -> None:
    edges = Edges.of(potential([["a"], ["b"]]), 0.25, {"a > b": 0.3}, {"a": 1.0, "b": 0.0})
    assert msgspec.json.decode(msgspec.json.encode(edges), type=Edges) == edges
    again = Edges.of(edges.pairs, 0.25, edges.named(), edges.ranks)
    assert again == edges
    found = edges.realize(random.Random(1))
    assert msgspec.json.decode(msgspec.json.encode(found), type=Realization) == found
    assert sigmoid(logit(0.25)) == pytest.approx(0.25)
    assert sigmoid(-800) == 0 < sigmoid(-700)
    assert sigmoid(800) == 1


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"probability": 1.0}, "probability: must lie between 0 and 1, both excluded, got 1.0"),
        ({"logits": {"a > bb": 1.0}}, "logits: expected potential edges, 'a > b', found 'a > bb'; did you mean"),
        ({"ranks": {"z": 1.0}}, "ranks: expected nodes that something leaves, found 'z'; known: a, b"),
    ],
)
def test_mistakes_are_said_in_one_line(given: dict[str, float], complaint: str) -> None:
    arguments: dict[str, object] = dict(given)
    with pytest.raises(UserError, match=complaint):
        Edges.of(potential([["a"], ["b"]]), **arguments)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UserError, match="an agent is called 'final'"):
        potential([["a"], ["final"]])


@given(st.lists(st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)), max_size=30))
def test_a_growing_graph_knows_what_reaches_what(pairs: list[tuple[str, str]]) -> None:
    graph, known = Acyclic(), nx.DiGraph()
    known.add_nodes_from(NODES)
    for u, v in pairs:
        if nx.has_path(known, v, u):
            with pytest.raises(ValueError, match="closes a cycle"):
                graph.add(u, v)
        else:
            graph.add(u, v)
            known.add_edge(u, v)
        for one in NODES:
            for other in NODES:
                assert graph.reaches(one, other) == nx.has_path(known, one, other)
