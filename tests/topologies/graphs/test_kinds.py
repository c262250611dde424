from __future__ import annotations

import json
from math import isqrt
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from swarmmind.effects import Agent
from swarmmind.errors import UserError
from swarmmind.topologies.graphs import Graph, Kind, kinds

PUBLISHED = json.loads((Path(__file__).parents[2] / "fixtures/agentsnet/graphs.json").read_text())
FAMILIES: dict[str, dict[str, Any]] = {
    "ws": {"kind": "small-world", "k": 4, "p": 0.4},
    "ba": {"kind": "scale-free", "m": 2},
    "dt": {"kind": "delaunay"},
}
CONNECTED: list[Kind] = [
    "chain",
    "star",
    "tree",
    "mesh",
    "layered",
    "small-world",
    "scale-free",
    "delaunay",
    "ring",
    "grid",
]

sizes, seeds = st.integers(1, 40), st.integers(0, 2**32 - 1)
connected = st.sampled_from(CONNECTED)
families = st.sampled_from([*CONNECTED, "layered", "random"])


def agents(count: int) -> list[Agent]:
    return [Agent(f"a{at}", "solver") for at in range(count)]


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda graph: graph["name"])
def test_graphs_of_agentsnets_seeds_are_the_published_ones(published: Any) -> None:
    graph = Graph(**FAMILIES[published["family"]], seed=published["seed"]).undirected(agents(published["n"]), 0)
    assert [list(graph[node]) for node in graph] == published["neighbors"]  # the order of neighbors, too
    assert nx.diameter(graph) == published["diameter"]


def test_the_published_graphs_are_all_there() -> None:
    assert {(graph["family"], graph["n"]) for graph in PUBLISHED} == {(f, n) for f in FAMILIES for n in (4, 8, 16)}
    assert len(PUBLISHED) == 27


@given(families, sizes, seeds)
def test_directed_edges_lead_to_higher_numbers_and_turn_round_when_reversed(kind: Kind, n: int, seed: int) -> None:
    society = agents(n)
    undirected = Graph(kind=kind).undirected(society, seed)
    directed = Graph(kind=kind).directed(society, seed)
    assert list(undirected) == list(directed) == list(range(n))
    assert all(u < v for u, v in directed.edges)
    assert set(directed.edges) == {(min(pair), max(pair)) for pair in undirected.edges}
    turned = Graph(kind=kind, reverse=True).directed(society, seed)
    assert set(turned.edges) == {(v, u) for u, v in directed.edges}


@given(connected, sizes, seeds)
def test_what_is_promised_to_be_connected_is(kind: Kind, n: int, seed: int) -> None:
    assert nx.is_connected(Graph(kind=kind).undirected(agents(n), seed))
    assert nx.is_connected(Graph().undirected(agents(n + 3), seed))  # 2 or 3 nodes are one layer


@given(families, sizes, seeds)
def test_a_seed_gives_one_graph(kind: Kind, n: int, seed: int) -> None:
    one, other = (Graph(kind=kind).undirected(agents(n), seed) for _ in range(2))
    assert list(one.edges) == list(other.edges)
    assert [list(one[node]) for node in one] == [list(other[node]) for node in other]


@pytest.mark.parametrize("kind", ["random", "small-world", "scale-free", "delaunay"])
def test_another_seed_gives_another_graph(kind: Kind) -> None:
    drawn = {tuple(Graph(kind=kind).undirected(agents(12), seed).edges) for seed in range(5)}
    assert len(drawn) == 5
    own = {tuple(Graph(kind=kind, seed=3).undirected(agents(12), seed).edges) for seed in range(5)}
    assert len(own) == 1


@given(st.integers(2, 40), seeds)
def test_edge_counts(n: int, seed: int) -> None:
    def count(**given: Any) -> int:
        return Graph(**given).undirected(agents(n), seed).number_of_edges()

    assert [count(kind=kind) for kind in ("chain", "star", "tree", "mesh")] == [n - 1, n - 1, n - 1, n * (n - 1) // 2]
    assert count(kind="tree", branching=5) == n - 1
    assert count(kind="ring") == (n if n > 2 else 1)
    assert count(kind="small-world", k=4, p=0.5) == (2 * n if n > 4 else n * (n - 1) // 2)
    assert count(kind="scale-free", m=2) == ((n - 2) * 2 if n > 2 else 1)
    assert count(kind="random", edges=n - 1) == n - 1
    assert n - 1 <= count(kind="random") <= n * (n - 1) // 2
    width = isqrt(n - 1) + 1
    rows = -(-n // width)
    assert count(kind="grid") == n - rows + max(0, n - width)
    layers = max(1, n.bit_length() - 1)
    size, first = n // layers, n - n // layers * (layers - 1)
    assert count(kind="layered") == (first * size + max(0, layers - 2) * size * size if layers > 1 else 0)


def test_layers_are_macnets() -> None:
    assert Graph().undirected(agents(16), 0).number_of_edges() == 48
    assert set(Graph(layers=3).undirected(agents(7), 0).edges) == {
        *((u, v) for u in (0, 1, 2) for v in (3, 4)),
        *((u, v) for u in (3, 4) for v in (5, 6)),
    }


def test_with_more_nodes_than_agents_agents_play_several() -> None:
    graph = Graph(kind="chain", nodes=5)
    assert [agent.id for agent in graph.played(agents(2), 0)] == ["a0", "a1", "a0", "a1", "a0"]
    assert len(graph.undirected(agents(2), 0)) == 5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "mesh", "k": 4}, "k: belongs to the kind 'small-world', not to 'mesh'"),
        ({"k": 4}, "k: belongs to the kind 'small-world', not to 'layered'"),
        ({"kind": "small-world", "m": 2}, "m: belongs to the kind 'scale-free'"),
        ({"kind": "chain", "edges": 3}, "edges: belongs to the kind 'random', not to 'chain'"),
        ({"kind": "mesh", "seed": 3}, "seed: there is no chance in the kind 'mesh'"),
        ({"kind": "mesh", "nodes": ("a",)}, "nodes: must be a number for the kind 'mesh'"),
        ({"kind": "small-world", "k": 3}, "multiple of 2"),
        ({"kind": "small-world", "p": 1.5}, "less than or equal to 1"),
        ({"kind": "delaunay", "seed": -1}, "greater than or equal to 0"),
        ({"kind": "delaunay", "seed": 1 << 32}, "less than 4294967296"),
        ({"kind": "random", "edges": -1}, "greater than or equal to 0"),
        ({"kind": "mesh", "file": "x.yaml"}, "kind: all that is said of a graph beside its file is 'reverse'"),
        ({"file": "x.yaml"}, "file: needs a task's folder"),
        ({"kind": "chain", "edges": [["a", "b"]]}, "edges: belongs to the kind 'own', not to 'chain'"),
        ({"edges": [["a", "b"]], "p": 0.3}, "p: belongs to the kind 'small-world', not to 'own'"),
        ({"kind": "own"}, "edges: must be a list of pairs of names"),
        ({"edges": {"a": "b"}}, "edges: must be a list of pairs of names, got a mapping"),
        ([["a", "b"]], "must be a kind, or a mapping with 'kind', 'edges' or 'file'; got a list"),
        (None, "must be a kind, or a mapping with 'kind', 'edges' or 'file'; got nothing"),
    ],
)
def test_parameters_that_mean_nothing_or_cannot_be_are_refused(given: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Graph.model_validate(given)


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (Graph(kind="mesh", nodes=3000), "graph: more than 2,000,000 edges"),
        (Graph(kind="mesh", nodes=1_000_000), "graph: more than 2,000,000 edges"),
        (Graph(kind="small-world", nodes=1_000_000, k=100), "graph: more than 2,000,000 edges"),
        (Graph(kind="scale-free", nodes=1_000_000, m=100), "graph: more than 2,000,000 edges"),
        (Graph(kind="random", nodes=10_000), "may have 49,995,000 edges; say how many with 'edges'"),
        (Graph(kind="random", nodes=10_000, edges=49_000_000), "graph: more than 2,000,000 edges"),
        (Graph(kind="random", edges=7), "4 nodes have at most 6 edges, not 7"),
        (Graph(kind="layered", layers=5), "5 layers need at least as many nodes, and there are 4"),
    ],
)
def test_graphs_that_cannot_be_are_refused_when_their_size_is_known(graph: Graph, message: str) -> None:
    with pytest.raises(UserError, match=message):
        graph.undirected(agents(4), 0)


def test_a_small_world_that_is_never_connected_is_refused() -> None:
    with pytest.raises(UserError, match=r"2 small worlds .* none of them connected; raise 'k' or lower 'p'"):
        kinds.small_world(60, 16, 2, 1.0, tries=2)
